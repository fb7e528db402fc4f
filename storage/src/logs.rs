//! Searching logs: the index says which blocks to look at, the header's bloom filter drops most of
//! the false ones, the receipts decide.

use alloy_primitives::BloomInput;
use quorate_types::{Address, B256, Bloom, Height, Log, keccak256};

use crate::{
    StorageError, Store, StoredBlock,
    apply::log_index_key,
    columns::{Column, damaged, fixed},
    ledger::{LogKey, Published},
};

/// How many blocks are searched at a time: the memory of a search is a bitmap of one such section,
/// however many blocks it covers.
const SECTION_BLOCKS: u16 = 4096;

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

impl LogFilter {
    /// Whether a log passes, wherever it stands.
    #[must_use]
    pub fn matches(&self, log: &Log) -> bool {
        let address = self.addresses.is_empty() || self.addresses.contains(&log.address);
        address
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

/// Some of the blocks of one section.
struct Section {
    first: u64,
    blocks: Vec<bool>,
}

impl Section {
    fn new(first: u64, all: bool) -> Self {
        Self { first, blocks: vec![all; usize::from(SECTION_BLOCKS)] }
    }

    fn last(&self) -> u64 {
        self.first.saturating_add(u64::from(SECTION_BLOCKS) - 1)
    }

    fn add(&mut self, height: Height) {
        let place = height.0.checked_sub(self.first).and_then(|it| usize::try_from(it).ok());
        if let Some(block) = place.and_then(|place| self.blocks.get_mut(place)) {
            *block = true;
        }
    }

    fn keep(&mut self, others: &Self) {
        self.blocks.iter_mut().zip(&others.blocks).for_each(|(mine, other)| *mine &= other);
    }

    fn heights(&self) -> impl Iterator<Item = Height> {
        (self.first..).zip(&self.blocks).filter(|(_, block)| **block).map(|(height, _)| Height(height))
    }
}

impl Store {
    /// All logs that pass the filter, in the order of the chain.
    ///
    /// # Errors
    /// [`StorageError::TooManyLogs`] when there are more than `max_results`; or when the database
    /// fails or is damaged.
    pub fn logs(&self, filter: &LogFilter, max_results: usize) -> Result<Vec<FoundLog>, StorageError> {
        let published = self.ledger.published();
        let last = filter.to.min(published.head.height);
        let mut found = Vec::new();
        let mut first = filter.from.0;
        while first <= last.0 {
            let section = self.candidates(filter, first, &published)?;
            for height in section.heights().take_while(|height| *height <= last) {
                self.logs_of_block(filter, height, &mut found)?;
                if found.len() > max_results {
                    let (from, to, found) = (filter.from, filter.to, found.len());
                    return Err(StorageError::TooManyLogs { max_results, found, reached: height, from, to });
                }
            }
            first = section.last().saturating_add(1);
        }
        Ok(found)
    }

    /// The blocks that may have what the filter asks for, of the section that begins at `first`.
    fn candidates(
        &self,
        filter: &LogFilter,
        first: u64,
        published: &Published,
    ) -> Result<Section, StorageError> {
        let mut section = Section::new(first, true);
        for values in filter.criteria() {
            let mut any = Section::new(first, false);
            for value in values {
                self.add_indexed(value, &mut any)?;
            }
            section.keep(&any);
        }
        // Their rows may not be in the index yet; the list was taken before the index was read.
        published.pending.iter().for_each(|block| section.add(block.height));
        Ok(section)
    }

    fn add_indexed(&self, value: LogKey, section: &mut Section) -> Result<(), StorageError> {
        let from = log_index_key(value, Height(section.first));
        let mut end = log_index_key(value, Height(section.last()));
        end.push(0);
        for row in self.ledger.database.range(Column::LogIndex, &from, end) {
            let (key, _) = row?;
            let height = key.last_chunk::<8>().ok_or_else(|| damaged(Column::LogIndex, &key, "too short"))?;
            section.add(Height(u64::from_be_bytes(fixed(Column::LogIndex, &key, height)?)));
        }
        Ok(())
    }

    fn logs_of_block(
        &self,
        filter: &LogFilter,
        height: Height,
        found: &mut Vec<FoundLog>,
    ) -> Result<(), StorageError> {
        let header = self.ledger.header(height)?.header;
        if header.logs_bloom.is_zero() || !filter.may_match(&header.logs_bloom) {
            return Ok(());
        }
        if let Some(block) = self.block(height)? {
            found.extend(matching_logs(filter, &block));
        }
        Ok(())
    }
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
