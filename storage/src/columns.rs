//! The database itself: RocksDB, its columns, and the two ways of writing to it.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::atomic::{AtomicBool, Ordering},
};

use quorate_types::{Address, B256, Height, U256, hex};
use rocksdb::{
    Cache, ColumnFamily, ColumnFamilyDescriptor, DB, DBPinnableSlice, IteratorMode, ReadOptions, WriteBatch,
    WriteOptions,
};

use crate::{
    StorageError, StoreOptions,
    snapshot::{Row, Snapshot, upper_bound},
    tuning::{column_options, database_options},
};

/// The columns. The first block of them is the block record, written and synced when a block is
/// decided; the second is derived from it, behind it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Column {
    /// `schema`, `genesis`, `head` and `applied`.
    Meta,
    /// n -> hash, clock, header.
    Headers,
    /// n -> transactions and their senders.
    Bodies,
    /// n -> receipts.
    Receipts,
    /// n -> state changes with the values before and after.
    Changes,
    /// n -> commit certificate.
    Certificates,

    /// block hash -> n.
    Heights,
    /// transaction hash -> n, index.
    Transactions,
    /// address -> account.
    Accounts,
    /// address, slot -> value.
    Slots,
    /// code hash -> code.
    Codes,
    /// address, n -> the account before block n.
    AccountHistory,
    /// address, slot, n -> the value before block n.
    SlotHistory,
    /// address or topic, n -> nothing.
    LogIndex,
    /// n -> the accounts before block n as the trie has them, for the last blocks.
    TrieUndo,
}

impl Column {
    /// All of them.
    pub(crate) const ALL: [Self; 15] = [
        Self::Meta,
        Self::Headers,
        Self::Bodies,
        Self::Receipts,
        Self::Changes,
        Self::Certificates,
        Self::Heights,
        Self::Transactions,
        Self::Accounts,
        Self::Slots,
        Self::Codes,
        Self::AccountHistory,
        Self::SlotHistory,
        Self::LogIndex,
        Self::TrieUndo,
    ];

    /// Its name on disk; part of the schema.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Meta => "meta",
            Self::Headers => "headers",
            Self::Bodies => "bodies",
            Self::Receipts => "receipts",
            Self::Changes => "changes",
            Self::Certificates => "certificates",
            Self::Heights => "heights",
            Self::Transactions => "transactions",
            Self::Accounts => "accounts",
            Self::Slots => "slots",
            Self::Codes => "codes",
            Self::AccountHistory => "account-history",
            Self::SlotHistory => "slot-history",
            Self::LogIndex => "log-index",
            Self::TrieUndo => "trie-undo",
        }
    }
}

/// Heights as keys sort by number.
pub(crate) const fn height_key(height: Height) -> [u8; 8] {
    height.0.to_be_bytes()
}

/// The key of a slot: the address, then the slot.
pub(crate) fn slot_key(address: Address, slot: U256) -> [u8; 52] {
    let mut key = [0; 52];
    key[..20].copy_from_slice(address.as_slice());
    key[20..].copy_from_slice(&slot.to_be_bytes::<32>());
    key
}

/// When a write is safe from a power cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Durability {
    /// Before the call returns.
    Synced,
    /// With the next synced write: until then the operating system has it, so it survives the process.
    Behind,
}

/// Rows that are written together or not at all.
pub(crate) struct Batch<'a> {
    database: &'a Database,
    rows: WriteBatch,
}

impl Batch<'_> {
    pub(crate) fn put(&mut self, column: Column, key: impl AsRef<[u8]>, value: impl AsRef<[u8]>) {
        self.rows.put_cf(self.database.handle(column), key, value);
    }

    pub(crate) fn delete(&mut self, column: Column, key: impl AsRef<[u8]>) {
        self.rows.delete_cf(self.database.handle(column), key);
    }

    /// Writes all rows. After one failure every later write fails as well: what reached the disk is
    /// unknown until recovery has looked at it, so nothing may build on it.
    pub(crate) fn write(self, doing: &'static str, durability: Durability) -> Result<(), StorageError> {
        let Self { database, rows } = self;
        if database.halted.load(Ordering::Acquire) {
            return Err(StorageError::Halted { path: database.path.clone() });
        }
        let mut options = WriteOptions::default();
        options.set_sync(durability == Durability::Synced && !database.scratch);
        database.db.write_opt(rows, &options).map_err(|source| {
            database.halted.store(true, Ordering::Release);
            database.error(doing, source)
        })
    }
}

/// An open RocksDB with all columns.
pub(crate) struct Database {
    db: DB,
    path: PathBuf,
    halted: AtomicBool,
    /// See [`StoreOptions::scratch`].
    scratch: bool,
}

impl Database {
    /// Opens or makes the database in `path`. Columns of a newer schema are opened too, so that the
    /// refusal can name the version.
    pub(crate) fn open(path: &Path, options: &StoreOptions) -> Result<Self, StorageError> {
        let folder = |source| StorageError::Folder { path: path.to_owned(), source };
        let database = |doing, source| StorageError::Database { path: path.to_owned(), doing, source };
        fs::create_dir_all(path).map_err(folder)?;
        let settings = database_options();
        let mut names: Vec<_> = Column::ALL.iter().map(|column| column.name().to_owned()).collect();
        if path.join("CURRENT").try_exists().map_err(folder)? {
            let present = DB::list_cf(&settings, path).map_err(|error| database("listing columns", error))?;
            names.extend(present.into_iter().filter(|name| Column::ALL.iter().all(|it| it.name() != name)));
        }
        let cache = Cache::new_lru_cache(options.block_cache_bytes);
        let columns = names.into_iter().map(|name| ColumnFamilyDescriptor::new(name, column_options(&cache)));
        let db = DB::open_cf_descriptors(&settings, path, columns)
            .map_err(|error| database("opening (another process may have it open)", error))?;
        Ok(Self { db, path: path.to_owned(), halted: AtomicBool::new(false), scratch: options.scratch })
    }

    /// The folder.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn get(
        &self,
        column: Column,
        key: impl AsRef<[u8]>,
    ) -> Result<Option<DBPinnableSlice<'_>>, StorageError> {
        self.db.get_pinned_cf(self.handle(column), key).map_err(|error| self.error("reading", error))
    }

    /// The rows with `from <= key < end`, in order, as they stand now.
    pub(crate) fn range(
        &self,
        column: Column,
        from: &[u8],
        end: Vec<u8>,
    ) -> impl Iterator<Item = Result<Row, StorageError>> {
        let options = upper_bound(end);
        let mode = IteratorMode::From(from, rocksdb::Direction::Forward);
        self.rows(self.db.iterator_cf_opt(self.handle(column), options, mode))
    }

    /// All rows of a column in order, as they stand now.
    pub(crate) fn all(&self, column: Column) -> impl Iterator<Item = Result<Row, StorageError>> {
        let mut options = ReadOptions::default();
        // What is read once would take the place of what is read again.
        options.fill_cache(false);
        self.rows(self.db.iterator_cf_opt(self.handle(column), options, IteratorMode::Start))
    }

    /// The rows as they stand now, whatever is written later.
    pub(crate) fn snapshot(&self) -> Snapshot<'_> {
        Snapshot::new(self, self.db.snapshot())
    }

    pub(crate) fn rows(
        &self,
        rows: impl Iterator<Item = Result<Row, rocksdb::Error>>,
    ) -> impl Iterator<Item = Result<Row, StorageError>> {
        rows.map(|row| row.map_err(|error| self.error("reading", error)))
    }

    /// For tests: what the database is like after a write that failed.
    #[cfg(test)]
    pub(crate) fn pretend_that_a_write_failed(&self) {
        self.halted.store(true, Ordering::Release);
    }

    pub(crate) fn batch(&self) -> Batch<'_> {
        Batch { database: self, rows: WriteBatch::default() }
    }

    pub(crate) fn handle(&self, column: Column) -> &ColumnFamily {
        self.db.cf_handle(column.name()).expect("every column was opened with the database")
    }

    pub(crate) fn error(&self, doing: &'static str, source: rocksdb::Error) -> StorageError {
        StorageError::Database { path: self.path.clone(), doing, source }
    }
}

/// The error of a row that is missing or does not decode.
pub(crate) fn damaged(column: Column, key: &[u8], what: impl std::fmt::Display) -> StorageError {
    StorageError::Damaged { column: column.name(), what: format!("row {}: {what}", hex::encode(key)) }
}

/// The name of a block in errors.
pub(crate) fn missing(column: Column, height: Height) -> StorageError {
    StorageError::Damaged { column: column.name(), what: format!("the row of block {height} is missing") }
}

/// A row of exactly `N` bytes.
pub(crate) fn fixed<const N: usize>(column: Column, key: &[u8], row: &[u8]) -> Result<[u8; N], StorageError> {
    row.try_into().map_err(|_| damaged(column, key, format!("{} bytes instead of {N}", row.len())))
}

/// A row that holds a hash.
pub(crate) fn hash_row(column: Column, key: &[u8], row: &[u8]) -> Result<B256, StorageError> {
    fixed::<32>(column, key, row).map(B256::from)
}
