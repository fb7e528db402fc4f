//! Searching logs: the index says which blocks to look at, the header's bloom filter drops most of
//! the false ones, the receipts decide.

mod section;

use std::time::Duration;

use alloy_primitives::BloomInput;
use quorate_types::{Address, B256, Bloom, Height, Log, keccak256};

use crate::{
    StorageError, Store, StoredBlock,
    apply::log_index_key,
    columns::{Column, damaged, fixed},
    ledger::{LogKey, Published},
    slots::Deadline,
};
use section::Section;

/// So few blocks are searched by their bloom filters alone: that is cheaper than to look each value up.
const FEW_BLOCKS: u64 = 64;

/// Which logs to find, as `eth_getLogs` has it. An empty list allows everything.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LogFilter {
    /// The first block.
    pub from: Height,
    /// The last block; beyond the head it means the head.
    pub to: Height,
    /// Emitted by any of these.
    pub addresses: Vec<Address>,
    /// For each place, any of these topics.
    pub topics: [Vec<B256>; 4],
    /// The fewest topics that a log has: who names a place, if only to allow anything there, wants it filled.
    pub least_topics: usize,
}

/// What one search may cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LogBounds {
    /// The most logs.
    pub results: usize,
    /// The most bytes of memory that they take.
    pub bytes: usize,
    /// The longest time.
    pub time: Duration,
}

/// The logs of some blocks in a row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogPage {
    /// Those that pass the filter.
    pub logs: Vec<FoundLog>,
    /// The block after the last one that was searched.
    pub next: Height,
}

/// A log and where it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FoundLog {
    /// The log.
    pub log: Log,
    /// The block's height.
    pub height: Height,
    /// The block's hash.
    pub block_hash: B256,
    /// The block's time, seconds since the Unix epoch.
    pub timestamp: u64,
    /// The transaction's hash.
    pub transaction_hash: B256,
    /// The transaction's place in the block.
    pub transaction_index: u32,
    /// The log's place among all logs of the block.
    pub log_index: u32,
}

impl FoundLog {
    fn memory(&self) -> usize {
        size_of::<Self>() + size_of_val(self.log.topics()) + self.log.data.data.len()
    }
}

impl LogFilter {
    /// Whether a log passes, wherever it stands.
    #[must_use]
    pub fn matches(&self, log: &Log) -> bool {
        let address = self.addresses.is_empty() || self.addresses.contains(&log.address);
        address
            && log.topics().len() >= self.least_topics
            && self.topics.iter().enumerate().all(|(place, wanted)| {
                wanted.is_empty() || log.topics().get(place).is_some_and(|topic| wanted.contains(topic))
            })
    }

    /// Whether a block with this bloom filter may have a log that passes.
    #[must_use]
    pub fn may_match(&self, bloom: &Bloom) -> bool {
        self.criteria().all(|values| values.iter().any(|value| bloom.contains_input(value.bloom_input())))
    }

    /// What a block must have: for each criterion one of its values.
    fn criteria(&self) -> impl Iterator<Item = Vec<LogKey>> {
        let addresses = self.addresses.iter().copied().map(LogKey::Address).collect();
        let topics = self.topics.iter().map(|place| place.iter().copied().map(LogKey::Topic).collect());
        [addresses].into_iter().chain(topics).filter(|values: &Vec<LogKey>| !values.is_empty())
    }
}

impl LogKey {
    fn bloom_input(&self) -> BloomInput<'_> {
        match self {
            Self::Address(address) => BloomInput::Raw(address.as_slice()),
            Self::Topic(topic) => BloomInput::Raw(topic.as_slice()),
        }
    }
}

/// A search on its way, and how far it came.
struct Search<'a> {
    filter: &'a LogFilter,
    bounds: LogBounds,
    deadline: Deadline,
    /// The last block.
    last: Height,
    found: Vec<FoundLog>,
    bytes: usize,
}

/// Where a search ended before its range did.
struct Stopped {
    /// At which block.
    at: Height,
    /// How many logs the blocks before it have.
    before: usize,
    why: StorageError,
}

impl Search<'_> {
    fn check_size(&self, reached: Height) -> Result<(), StorageError> {
        let (from, to, found) = (self.filter.from, self.filter.to, self.found.len());
        let LogBounds { results: max_results, bytes: max_bytes, .. } = self.bounds;
        if found > max_results {
            return Err(StorageError::TooManyLogs { max_results, found, reached, from, to });
        }
        if self.bytes > max_bytes {
            return Err(StorageError::TooLargeLogs { max_bytes, reached, from, to });
        }
        Ok(())
    }
}

impl Store {
    /// All logs that pass the filter, in the order of the chain.
    ///
    /// # Errors
    /// [`StorageError::TooManyLogs`], [`StorageError::TooLargeLogs`] or [`StorageError::TimeLimit`] when they exceed
    /// `bounds`; or when the database fails or is damaged.
    pub fn logs(&self, filter: &LogFilter, bounds: LogBounds) -> Result<Vec<FoundLog>, StorageError> {
        let (search, stopped) = self.search(filter, bounds)?;
        stopped.map_or(Ok(search.found), |it| Err(it.why))
    }

    /// The logs that pass the filter of as many blocks as fit `bounds`, one at the least: those of one block are never
    /// parted, however many they are, as its gas bounds them.
    ///
    /// # Errors
    /// [`StorageError::TimeLimit`] when not even one block was read in time; or when the database fails or is damaged.
    pub fn log_page(&self, filter: &LogFilter, bounds: LogBounds) -> Result<LogPage, StorageError> {
        let (Search { found: mut logs, last, .. }, stopped) = self.search(filter, bounds)?;
        match stopped {
            None => Ok(LogPage { logs, next: last.next() }),
            Some(Stopped { at, before, .. }) if at > filter.from => {
                logs.truncate(before);
                Ok(LogPage { logs, next: at })
            }
            Some(Stopped { why: why @ StorageError::TimeLimit { .. }, .. }) => Err(why),
            Some(Stopped { at, .. }) => Ok(LogPage { logs, next: at.next() }),
        }
    }

    fn search<'a>(
        &self,
        filter: &'a LogFilter,
        bounds: LogBounds,
    ) -> Result<(Search<'a>, Option<Stopped>), StorageError> {
        let published = self.ledger.published();
        let last = filter.to.min(published.head.height);
        let deadline = Deadline::after(bounds.time);
        let mut search = Search { filter, bounds, deadline, last, found: Vec::new(), bytes: 0 };
        let mut first = filter.from;
        while first <= last {
            let before = search.found.len();
            let section = match self.candidates(&search, first.0, &published) {
                Err(why) if is_bound(&why) => {
                    return Ok((search, Some(Stopped { at: first, before, why })));
                }
                section => section?,
            };
            for at in section.heights().take_while(|height| *height <= last) {
                let before = search.found.len();
                let late = search.deadline.check();
                let read = late.and_then(|()| self.logs_of_block(at, &mut search));
                match read.and_then(|()| search.check_size(at)) {
                    Ok(()) => {}
                    Err(why) if is_bound(&why) => return Ok((search, Some(Stopped { at, before, why }))),
                    Err(why) => return Err(why),
                }
            }
            first = Height(section.last().saturating_add(1));
        }
        Ok((search, None))
    }

    /// The blocks that may have what the filter asks for, of the section that begins at `first`.
    fn candidates(
        &self,
        search: &Search<'_>,
        first: u64,
        published: &Published,
    ) -> Result<Section, StorageError> {
        let mut section = Section::new(first, true);
        if search.last.0 - first < FEW_BLOCKS {
            return Ok(section);
        }
        for values in search.filter.criteria() {
            let mut any = Section::new(first, false);
            for value in values {
                self.add_indexed(value, search, &mut any)?;
            }
            section.keep(&any);
        }
        // Their rows may not be in the index yet; the list was taken before the index was read.
        published.pending.iter().for_each(|block| section.add(block.height));
        Ok(section)
    }

    fn add_indexed(
        &self,
        value: LogKey,
        search: &Search<'_>,
        section: &mut Section,
    ) -> Result<(), StorageError> {
        search.deadline.check()?;
        let from = log_index_key(value, Height(section.first));
        let mut end = log_index_key(value, Height(section.last()).min(search.last));
        end.push(0);
        for row in self.ledger.database.range(Column::LogIndex, &from, end) {
            let (key, _) = row?;
            let height = key.last_chunk::<8>().ok_or_else(|| damaged(Column::LogIndex, &key, "too short"))?;
            section.add(Height(u64::from_be_bytes(fixed(Column::LogIndex, &key, height)?)));
        }
        Ok(())
    }

    fn logs_of_block(&self, height: Height, search: &mut Search<'_>) -> Result<(), StorageError> {
        let header = self.ledger.header(height)?.header;
        if header.logs_bloom.is_zero() || !search.filter.may_match(&header.logs_bloom) {
            return Ok(());
        }
        if let Some(block) = self.block(height)? {
            for found in matching_logs(search.filter, &block) {
                search.bytes += found.memory();
                search.found.push(found);
            }
        }
        Ok(())
    }
}

/// Whether a search ended because it cost too much.
const fn is_bound(error: &StorageError) -> bool {
    matches!(
        error,
        StorageError::TooManyLogs { .. } | StorageError::TooLargeLogs { .. } | StorageError::TimeLimit { .. }
    )
}

/// The logs of a block that pass the filter.
fn matching_logs(filter: &LogFilter, stored: &StoredBlock) -> impl Iterator<Item = FoundLog> {
    let mut first = 0;
    (0..).zip(&stored.receipts).flat_map(move |(transaction_index, receipt)| {
        let logs = (first..).zip(receipt.logs());
        first += u32::try_from(receipt.logs().len()).expect("gas bounds the logs of a block");
        let matching: Vec<_> = logs.filter(|(_, log)| filter.matches(log)).collect();
        // Hashed once, however many of its logs pass.
        let raw = &stored.block.transactions()[transaction_index as usize];
        let transaction_hash = if matching.is_empty() { B256::ZERO } else { keccak256(raw) };
        matching.into_iter().map(move |(log_index, log)| FoundLog {
            log: log.clone(),
            height: stored.block.height(),
            block_hash: stored.hash,
            timestamp: stored.block.header().timestamp,
            transaction_hash,
            transaction_index,
            log_index,
        })
    })
}
