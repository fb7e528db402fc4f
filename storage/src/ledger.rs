//! The state and the indexes as readers see them: rows, and in front of them the blocks that are
//! decided but whose rows are not written yet.

use std::{
    collections::{BTreeSet, HashMap},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use arc_swap::ArcSwap;
use quick_cache::{Weighter, sync::Cache};
use quorate_types::{
    AccountState, Address, B256, Bytes, Header, Height, ReceiptEnvelope, StateChanges, U256, ValidatorSet,
    keccak256,
};
use revm::state::Bytecode;

use crate::{
    StorageError,
    codec::{self, HeaderRecord},
    columns::{Column, Database, damaged, height_key, missing, slot_key},
    slots::SlotsAt,
    trie::{AccountTrie, Storages, TrieChanges, TrieUpdate},
};

/// Analysed code kept in memory: some thousand contracts of ordinary size.
const CODE_CACHE_BYTES: u64 = 32 << 20;
/// A guess at how many contracts that is, for the cache's first allocation.
const CODE_CACHE_ITEMS: usize = 1024;

/// The last committed block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    /// Its height.
    pub height: Height,
    /// Its hash.
    pub hash: B256,
    /// Its header.
    pub header: Header,
    /// Who votes on the next height.
    pub next_validators: Arc<ValidatorSet>,
    /// When it was built, milliseconds since the Unix epoch by the builder's clock.
    pub clock_ms: u64,
}

/// A block that is on disk as a record while its rows may not be: all that rows are made of.
#[derive(Debug)]
pub(crate) struct Pending {
    pub height: Height,
    pub hash: B256,
    pub changes: Arc<StateChanges>,
    pub undo: Arc<TrieChanges>,
    pub transactions: HashMap<B256, u32>,
    pub log_keys: BTreeSet<LogKey>,
}

/// What the log index finds a block by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum LogKey {
    /// Who emitted a log.
    Address(Address),
    /// A topic at any place.
    Topic(B256),
}

impl Pending {
    pub(crate) fn new(
        (height, hash): (Height, B256),
        transactions: &[Bytes],
        receipts: &[ReceiptEnvelope],
        changes: Arc<StateChanges>,
        undo: Arc<TrieChanges>,
    ) -> Self {
        let transactions = (0..).zip(transactions).map(|(index, raw)| (keccak256(raw), index)).collect();
        let logs = receipts.iter().flat_map(|receipt| receipt.logs());
        let log_keys = logs
            .flat_map(|log| {
                let topics = log.topics().iter().copied().map(LogKey::Topic);
                topics.chain([LogKey::Address(log.address)])
            })
            .collect();
        Self { height, hash, changes, undo, transactions, log_keys }
    }
}

/// The head, the trie of its state and the pending blocks, as of one instant.
#[derive(Debug)]
pub(crate) struct Published {
    pub head: Arc<Head>,
    pub trie: AccountTrie,
    /// Oldest first, ending at the head; empty when every row is written.
    pub pending: Vec<Arc<Pending>>,
}

#[derive(Clone)]
struct CodeBytes;

impl Weighter<B256, Bytecode> for CodeBytes {
    fn weight(&self, _: &B256, code: &Bytecode) -> u64 {
        // The analysis keeps one bit for each byte, and the entry itself some hundred bytes.
        (code.len() + code.len() / 8 + 128) as u64
    }
}

/// What every read goes through. A reader takes [`Ledger::published`] first and reads rows second:
/// a pending block leaves the list only after its rows are visible, so no block is ever missed.
pub(crate) struct Ledger {
    pub database: Database,
    published: ArcSwap<Published>,
    /// The highest height whose rows may be visible, wholly or not: raised before they are written.
    applying: AtomicU64,
    codes: Cache<B256, Bytecode, CodeBytes>,
    pub storages: Storages,
}

impl Ledger {
    /// A ledger whose rows are all written.
    pub(crate) fn new(database: Database, head: Head, trie: AccountTrie, storages: Storages) -> Self {
        let applying = AtomicU64::new(head.height.0);
        let published = Published { head: Arc::new(head), trie, pending: Vec::new() };
        let published = ArcSwap::from_pointee(published);
        let codes = Cache::with_weighter(CODE_CACHE_ITEMS, CODE_CACHE_BYTES, CodeBytes);
        Self { database, published, applying, codes, storages }
    }

    pub(crate) fn published(&self) -> Arc<Published> {
        self.published.load_full()
    }

    /// Makes a decided block the head. From here on every read sees it.
    pub(crate) fn publish_decided(&self, head: Arc<Head>, update: &TrieUpdate, block: &Arc<Pending>) {
        for (address, trie) in update.storages() {
            self.storages.keep(*address, trie.clone());
        }
        self.published.rcu(|now| {
            let mut pending = now.pending.clone();
            pending.push(Arc::clone(block));
            Published { head: Arc::clone(&head), trie: update.trie().clone(), pending }
        });
    }

    /// Must be called before the first row of `height` can become visible.
    pub(crate) fn begin_applying(&self, height: Height) {
        self.applying.fetch_max(height.0, Ordering::SeqCst);
    }

    /// Takes a block off the list once its rows are visible.
    pub(crate) fn publish_applied(&self, height: Height) {
        self.published.rcu(|now| {
            let pending = now.pending.iter().filter(|it| it.height > height).cloned().collect();
            Published { head: Arc::clone(&now.head), trie: now.trie.clone(), pending }
        });
    }

    /// Makes an earlier block the head again; every row is written.
    pub(crate) fn publish_rewound(&self, head: Head, trie: AccountTrie) {
        self.published.store(Arc::new(Published { head: Arc::new(head), trie, pending: Vec::new() }));
    }

    /// The account as of `height`, by rows alone: right for every account that no pending block at or
    /// below `height` changes.
    ///
    /// It holds no snapshot, and needs none. The flat row is read first, history second. A block above
    /// `height` that changes the account writes flat row and history entry in one batch, so when the
    /// flat row already shows its value, the entry with the value before it is visible to the later
    /// read. When there is no entry, no such block was visible at the earlier read either. History is
    /// not even looked at while no block above `height` has begun to write rows.
    pub(crate) fn account_at(
        &self,
        address: Address,
        height: Height,
    ) -> Result<Option<AccountState>, StorageError> {
        let flat = self.database.get(Column::Accounts, address)?;
        let old = self.first_after(Column::AccountHistory, address.as_slice(), height)?;
        let (column, row) = match (&old, &flat) {
            (Some(row), _) => (Column::AccountHistory, &**row),
            (None, Some(row)) => (Column::Accounts, &**row),
            (None, None) => return Ok(None),
        };
        codec::decode_account(row).map_err(|why| damaged(column, address.as_slice(), why))
    }

    /// The slot's value as of `height`, under the same condition as [`Ledger::account_at`] and by the
    /// same rule.
    pub(crate) fn slot_at(&self, address: Address, slot: U256, height: Height) -> Result<U256, StorageError> {
        let key = slot_key(address, slot);
        let flat = self.database.get(Column::Slots, key)?;
        let old = self.first_after(Column::SlotHistory, &key, height)?;
        let (column, row) = match (&old, &flat) {
            (Some(row), _) => (Column::SlotHistory, &**row),
            (None, Some(row)) => (Column::Slots, &**row),
            (None, None) => return Ok(U256::ZERO),
        };
        codec::decode_word(row).map_err(|why| damaged(column, &key, why))
    }

    /// The value before the first block above `height` that changes the row `prefix`.
    fn first_after(
        &self,
        column: Column,
        prefix: &[u8],
        height: Height,
    ) -> Result<Option<Box<[u8]>>, StorageError> {
        if self.applying.load(Ordering::SeqCst) <= height.0 {
            return Ok(None);
        }
        let from = [prefix, &height_key(height.next())].concat();
        // One byte longer than the highest key of this prefix.
        let end = [prefix, &[0xff; 9]].concat();
        Ok(self.database.range(column, &from, end).next().transpose()?.map(|(_, old)| old))
    }

    /// The slots of accounts as of `height`, which is at or below the head of `published`; whatever is
    /// committed meanwhile does not show.
    pub(crate) fn slots_at(&self, published: &Published, height: Height) -> SlotsAt<'_> {
        let pending = published.pending.iter().filter(|block| block.height <= height).cloned().collect();
        let rows = self.database.snapshot();
        // Raised before rows are written: no row above it can be in the snapshot.
        let overtaken = self.applying.load(Ordering::SeqCst) > height.0;
        SlotsAt { rows, pending, height, overtaken }
    }

    /// Deployed code that no pending block holds.
    pub(crate) fn code(&self, hash: B256) -> Result<Bytes, StorageError> {
        let row = self.database.get(Column::Codes, hash)?.ok_or(StorageError::UnknownCode(hash))?;
        Ok(Bytes::copy_from_slice(&row))
    }

    /// Code made ready to run; `load` gives the bytes when it is not in the cache.
    pub(crate) fn bytecode(
        &self,
        hash: B256,
        load: impl FnOnce() -> Result<Bytes, StorageError>,
    ) -> Result<Bytecode, StorageError> {
        if let Some(code) = self.codes.get(&hash) {
            return Ok(code);
        }
        let code =
            Bytecode::new_raw_checked(load()?).map_err(|why| damaged(Column::Codes, hash.as_slice(), why))?;
        self.codes.insert(hash, code.clone());
        Ok(code)
    }

    /// The first part of the record of a block at or below the head.
    pub(crate) fn header(&self, height: Height) -> Result<HeaderRecord, StorageError> {
        self.record(Column::Headers, height, codec::decode_header)
    }

    /// The hash of a block at or below the head.
    pub(crate) fn hash(&self, height: Height) -> Result<B256, StorageError> {
        self.record(Column::Headers, height, codec::decode_header_hash)
    }

    /// A part of the record of a block that must be there.
    pub(crate) fn record<T>(
        &self,
        column: Column,
        height: Height,
        decode: impl FnOnce(&[u8]) -> Result<T, codec::Malformed>,
    ) -> Result<T, StorageError> {
        record(&self.database, column, height, decode)
    }
}

/// A part of the record of a block that must be there.
pub(crate) fn record<T>(
    database: &Database,
    column: Column,
    height: Height,
    decode: impl FnOnce(&[u8]) -> Result<T, codec::Malformed>,
) -> Result<T, StorageError> {
    let key = height_key(height);
    let row = database.get(column, key)?.ok_or_else(|| missing(column, height))?;
    decode(&row).map_err(|why| damaged(column, &key, why))
}
