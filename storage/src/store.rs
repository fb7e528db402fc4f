//! Opening the store: block 0, the checks that the folder is this chain's, and what a stop left undone.

use std::{path::Path, sync::Arc};

use parking_lot::Mutex;
use quorate_types::{
    B256, ExecutedBlock, Genesis, Height, StateChanges, VALIDATORS_ADDRESS, ValidatorSet, read_validators,
};

use crate::{
    Head, StateView, StorageError,
    apply::{APPLIED, write_rows},
    codec::{self, BodyRecord, HeaderRecord},
    columns::{Batch, Column, Database, Durability, damaged, fixed, hash_row, height_key, slot_key},
    ledger::{Ledger, Pending, record},
    prove::storage_from_rows,
    reads::{BlockCache, block_cache},
    slots::Deadline,
    trie::{self, Storages, TrieUpdate},
    undo::undo_from_rows,
};

/// The layout of the folder. It rises with any change that an older version would misread.
pub const SCHEMA_VERSION: u32 = 1;

const SCHEMA: &str = "schema";
const GENESIS: &str = "genesis";
/// By which the next start knows the file again.
const GENESIS_DIGEST: &str = "genesis digest";
pub(crate) const HEAD: &str = "head";

/// What an operator may tune; nothing here changes what is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StoreOptions {
    /// Memory for RocksDB's blocks of rows, all columns together, in bytes.
    pub block_cache_bytes: usize,
    /// The most accounts that the state may hold. Each costs some 250 bytes of memory, and two microseconds of every start.
    pub max_accounts: usize,
    /// Memory for decoded blocks that RPC reads again and again, in bytes.
    pub cached_blocks_bytes: u64,
    /// Whether the folder ends with the process, as a development chain's does: then nothing waits for the disk, and a power
    /// cut loses the chain.
    pub scratch: bool,
}

impl Default for StoreOptions {
    /// 128 MiB of rows and 64 MiB of blocks: four nodes on one machine stay below 1 GiB. Ten million accounts.
    fn default() -> Self {
        Self {
            block_cache_bytes: 128 << 20,
            cached_blocks_bytes: 64 << 20,
            max_accounts: 10_000_000,
            scratch: false,
        }
    }
}

/// The chain on disk. All its methods take `&self`; put it behind an [`Arc`] and share it.
pub struct Store {
    pub(crate) ledger: Arc<Ledger>,
    /// Held by whoever commits: consensus and sync may come with the same block at once.
    pub(crate) committing: Mutex<()>,
    pub(crate) blocks: BlockCache,
    max_accounts: usize,
}

impl Store {
    /// Opens the chain of `genesis` in the folder `path`; an empty or missing one starts with block 0.
    /// Whatever instant the node was stopped at, rows behind the head are written now, from its records.
    ///
    /// # Errors
    /// When the folder is another chain's or another version's, in use by another process, or damaged.
    pub fn open(path: &Path, genesis: &Genesis, options: StoreOptions) -> Result<Self, StorageError> {
        let database = Database::open(path, &options)?;
        match database.get(Column::Meta, SCHEMA)? {
            None => write_genesis(&database, genesis)?,
            Some(found) => check_folder(&database, &found, genesis)?,
        }
        let (height, hash) = read_head(&database)?;
        write_missing_rows(&database, height)?;
        let header = record(&database, Column::Headers, height, codec::decode_header)?;
        let storages = Storages::default();
        let trie = trie::rebuild(&database, &storages)?;
        if trie.len() > options.max_accounts {
            return Err(StorageError::TooManyAccounts { accounts: trie.len(), most: options.max_accounts });
        }
        if trie.root() != header.header.state_root {
            let (expected, found) = (header.header.state_root, trie.root());
            return Err(StorageError::StateDamaged { height, expected, found });
        }
        let next_validators = Arc::new(read_validator_rows(&database)?);
        if header.hash != hash || header.header.extra_data[..] != next_validators.hash()[..] {
            return Err(damaged(Column::Headers, &height_key(height), "not the header of the head"));
        }
        let HeaderRecord { header, clock_ms, .. } = header;
        tracing::info!(%height, %hash, accounts = trie.len(), path = %path.display(), "opened the store");
        let head = Head { height, hash, header, next_validators, clock_ms };
        Ok(Self {
            ledger: Arc::new(Ledger::new(database, head, trie, storages)),
            committing: Mutex::new(()),
            blocks: block_cache(options.cached_blocks_bytes),
            max_accounts: options.max_accounts,
        })
    }

    /// The last committed block.
    #[must_use]
    pub fn head(&self) -> Arc<Head> {
        Arc::clone(&self.ledger.published().head)
    }

    /// The state after the head, with the changes of undecided candidates on top, oldest first.
    #[must_use]
    pub fn view(&self, overlays: &[Arc<StateChanges>]) -> StateView {
        let published = self.ledger.published();
        let view = StateView::new(Arc::clone(&self.ledger), &published, published.head.height);
        overlays.iter().fold(view, |view, changes| view.with_candidate(None, Arc::clone(changes)))
    }

    /// The state after an older block. All heights are kept.
    ///
    /// # Errors
    /// [`StorageError::UnknownHeight`] above the head.
    pub fn view_at(&self, height: Height) -> Result<StateView, StorageError> {
        let published = self.ledger.published();
        if height > published.head.height {
            return Err(StorageError::UnknownHeight { height, head: published.head.height });
        }
        Ok(StateView::new(Arc::clone(&self.ledger), &published, height))
    }

    /// The state root after `changes` on top of the undecided block that `base` belongs to, or of the
    /// head. It changes nothing: the update takes effect when its block is committed.
    ///
    /// # Errors
    /// [`StorageError::StaleUpdate`] when `base` is no longer on top of the head,
    /// [`StorageError::DoesNotFit`] when the changes start from another state,
    /// [`StorageError::TooManyAccounts`], or when the database fails.
    pub fn root_after(
        &self,
        base: Option<&TrieUpdate>,
        changes: &StateChanges,
    ) -> Result<(B256, TrieUpdate), StorageError> {
        let published = self.ledger.published();
        let head_storage = |address, root| match self.ledger.storages.get(address, root) {
            Some(trie) => Ok(trie),
            None => {
                let state = self.ledger.slots_at(&published, published.head.height);
                let trie = storage_from_rows(&state, address, root, usize::MAX, Deadline::NONE)?;
                self.ledger.storages.keep(address, trie.clone());
                Ok(trie)
            }
        };
        let update = TrieUpdate::new(&published.trie, base, changes, &head_storage)?;
        let (accounts, most) = (update.trie().len(), self.max_accounts);
        if accounts > most && accounts > published.trie.len() {
            return Err(StorageError::TooManyAccounts { accounts, most });
        }
        Ok((update.root(), update))
    }

    /// What the file system that holds the data has left for this process, in bytes.
    ///
    /// # Errors
    /// When the operating system does not say.
    pub fn free_bytes(&self) -> Result<u64, StorageError> {
        let path = self.ledger.database.path();
        let figures = rustix::fs::statvfs(path)
            .map_err(|error| StorageError::Folder { path: path.to_owned(), source: error.into() })?;
        Ok(figures.f_bavail.saturating_mul(figures.f_frsize))
    }
}

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Store").field("path", &self.ledger.database.path()).finish_non_exhaustive()
    }
}

fn genesis_block(genesis: &Genesis) -> Result<ExecutedBlock, StorageError> {
    Ok(ExecutedBlock {
        block: Arc::new(genesis.block()?),
        senders: Vec::new(),
        receipts: Vec::new(),
        changes: Arc::new(genesis.state()),
        next_validators: Arc::new(genesis.validator_set()?),
        clock_ms: genesis.timestamp.saturating_mul(1000),
    })
}

/// One batch: a stop leaves either nothing, or a folder with block 0.
fn write_genesis(database: &Database, genesis: &Genesis) -> Result<(), StorageError> {
    let first = &genesis_block(genesis)?;
    let mut batch = database.batch();
    batch.put(Column::Meta, GENESIS_DIGEST, genesis.digest()?);
    batch.put(Column::Meta, SCHEMA, SCHEMA_VERSION.to_be_bytes());
    batch.put(Column::Meta, GENESIS, first.hash());
    put_record(&mut batch, first);
    batch.write("writing block 0", Durability::Synced)
}

/// The block record and that it is the head.
pub(crate) fn put_record(batch: &mut Batch<'_>, executed: &ExecutedBlock) {
    let (block, hash) = (&executed.block, executed.hash());
    let key = height_key(block.height());
    let header = HeaderRecord { hash, clock_ms: executed.clock_ms, header: block.header().clone() };
    let body = BodyRecord { transactions: block.transactions().to_vec(), senders: executed.senders.clone() };
    batch.put(Column::Headers, key, codec::encode_header(&header));
    batch.put(Column::Bodies, key, codec::encode_body(&body));
    batch.put(Column::Receipts, key, codec::encode_receipts(&executed.receipts));
    batch.put(Column::Changes, key, codec::encode_changes(&executed.changes));
    put_head(batch, block.height(), hash);
}

pub(crate) fn put_head(batch: &mut Batch<'_>, height: Height, hash: B256) {
    batch.put(Column::Meta, HEAD, [&height_key(height)[..], hash.as_slice()].concat());
}

/// A file that the folder knows is its own; of any other the accounts are hashed, a microsecond each.
fn check_folder(database: &Database, schema: &[u8], genesis: &Genesis) -> Result<(), StorageError> {
    let path = || database.path().to_owned();
    let found = u32::from_be_bytes(fixed(Column::Meta, SCHEMA.as_bytes(), schema)?);
    if found != SCHEMA_VERSION {
        return Err(StorageError::Schema { path: path(), expected: SCHEMA_VERSION, found });
    }
    let digest = genesis.digest()?;
    if database.get(Column::Meta, GENESIS_DIGEST)?.is_some_and(|known| *known == *digest) {
        return Ok(());
    }
    let found = hash_row(Column::Meta, GENESIS.as_bytes(), &meta(database, GENESIS)?)?;
    let expected = genesis.block()?.hash();
    if found != expected {
        return Err(StorageError::OtherChain { path: path(), expected, found });
    }
    let mut batch = database.batch();
    batch.put(Column::Meta, GENESIS_DIGEST, digest);
    batch.write("remembering the genesis file", Durability::Behind)
}

fn meta(database: &Database, key: &'static str) -> Result<Vec<u8>, StorageError> {
    let row = database.get(Column::Meta, key)?;
    row.map(|row| row.to_vec()).ok_or_else(|| damaged(Column::Meta, key.as_bytes(), "missing"))
}

fn read_head(database: &Database) -> Result<(Height, B256), StorageError> {
    let row = fixed::<40>(Column::Meta, HEAD.as_bytes(), &meta(database, HEAD)?)?;
    let (height, hash) = row.split_at(8);
    let height = fixed(Column::Meta, HEAD.as_bytes(), height)?;
    Ok((Height(u64::from_be_bytes(height)), B256::from_slice(hash)))
}

/// Writes the rows of the blocks between `applied` and the head, oldest first.
fn write_missing_rows(database: &Database, head: Height) -> Result<(), StorageError> {
    let mut next = match database.get(Column::Meta, APPLIED)? {
        Some(row) => Height(u64::from_be_bytes(fixed(Column::Meta, APPLIED.as_bytes(), &row)?)).next(),
        None => Height::ZERO,
    };
    if next > head.next() {
        let what = format!("rows reach up to block {}, the head is {head}", next.0 - 1);
        return Err(damaged(Column::Meta, APPLIED.as_bytes(), what));
    }
    while next <= head {
        tracing::debug!(height = %next, "writing the rows that an earlier stop left out");
        write_rows(database, &pending_from_record(database, next)?)?;
        next = next.next();
    }
    Ok(())
}

/// What the rows of a block are made of.
pub(crate) fn pending_from_record(database: &Database, height: Height) -> Result<Pending, StorageError> {
    let hash = record(database, Column::Headers, height, codec::decode_header_hash)?;
    let body = record(database, Column::Bodies, height, codec::decode_body)?;
    let receipts = record(database, Column::Receipts, height, codec::decode_receipts)?;
    let changes = record(database, Column::Changes, height, codec::decode_changes)?;
    let undo = Arc::new(undo_from_rows(database, height, &changes)?);
    Ok(Pending::new((height, hash), &body.transactions, &receipts, Arc::new(changes), undo))
}

/// The set in the rows, which are those of the head once none is missing.
fn read_validator_rows(database: &Database) -> Result<ValidatorSet, StorageError> {
    read_validators(|slot| {
        let key = slot_key(VALIDATORS_ADDRESS, slot);
        let row = database.get(Column::Slots, key)?.map(|row| codec::decode_word(&row));
        let word = row.transpose().map_err(|why| damaged(Column::Slots, &key, why))?;
        Ok(word.unwrap_or_default())
    })
}
