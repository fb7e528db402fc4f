//! What can go wrong with the store, in words for the operator.

use std::{path::PathBuf, time::Duration};

use quorate_types::{Address, B256, GenesisError, Height, ValidatorSetError};
use revm::database_interface::DBErrorMarker;

use crate::PROOF_WINDOW;

/// Why the store could not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum StorageError {
    /// The folder cannot be made or measured.
    #[error("the data folder {}: {source}", path.display())]
    Folder {
        /// The folder.
        path: PathBuf,
        /// The operating system's words.
        source: std::io::Error,
    },
    /// RocksDB gave up. A failed write is never retried: see [`StorageError::Halted`].
    #[error("the database in {} failed while {doing}: {source}", path.display())]
    Database {
        /// The database's folder.
        path: PathBuf,
        /// What it was doing.
        doing: &'static str,
        /// RocksDB's words.
        source: rocksdb::Error,
    },
    /// An earlier write failed; what is on disk is unknown until the folder is opened again.
    #[error("the database in {} takes no more writes since one failed; restart the node", path.display())]
    Halted {
        /// The database's folder.
        path: PathBuf,
    },
    /// The folder holds another chain.
    #[error(
        "the data folder {} belongs to another chain: its genesis hash is {found}, the genesis file's is \
         {expected}; name that chain's genesis file or an empty folder",
        path.display()
    )]
    OtherChain {
        /// The folder.
        path: PathBuf,
        /// The hash of the genesis file's block 0.
        expected: B256,
        /// The hash in the folder.
        found: B256,
    },
    /// The folder was written in a layout that this version does not know.
    #[error(
        "the data folder {} has schema version {found}, this node reads version {expected}; start the \
         version of the node that wrote it",
        path.display()
    )]
    Schema {
        /// The folder.
        path: PathBuf,
        /// The version that this node writes.
        expected: u32,
        /// The version in the folder.
        found: u32,
    },
    /// A row that must be there is missing or does not decode.
    #[error("the database is damaged: {what} in column {column}; restore the folder or sync it anew")]
    Damaged {
        /// The column.
        column: &'static str,
        /// What is wrong with which row.
        what: String,
    },
    /// The rows do not add up to the root that the head's header names.
    #[error(
        "the state in the database is damaged: at height {height} its root is {found}, the header says \
         {expected}; restore the folder or sync it anew"
    )]
    StateDamaged {
        /// The height of the head.
        height: Height,
        /// The root in the header.
        expected: B256,
        /// The root of the rows.
        found: B256,
    },
    /// The genesis file makes no block 0.
    #[error(transparent)]
    Genesis(#[from] GenesisError),
    /// The state holds no sound validator set.
    #[error("the validator set in the state: {0}")]
    Validators(#[from] ValidatorSetError),
    /// Another block is committed at the height: two blocks were decided, or the data is another chain's.
    #[error("height {height} is committed with block {committed}; block {offered} contradicts it")]
    Conflict {
        /// The height of both.
        height: Height,
        /// The block that is on disk.
        committed: B256,
        /// The block that was to be committed.
        offered: B256,
    },
    /// Blocks that others decided too cannot be taken back.
    #[error(
        "block {head} is final: {validators} validators decide this chain, and only one process's own chain can be rewound"
    )]
    Final {
        /// The head's height.
        head: Height,
        /// How many decide the next height.
        validators: usize,
    },
    /// The block is not the one after the head.
    #[error("block {height} cannot be committed on head {head}: the next height is {}", head.next())]
    NotNext {
        /// The block's height.
        height: Height,
        /// The head's height.
        head: Height,
    },
    /// The block builds on another parent.
    #[error("block {height} names parent {found}, but the head is {expected}")]
    WrongParent {
        /// The block's height.
        height: Height,
        /// The head's hash.
        expected: B256,
        /// The parent that the header names.
        found: B256,
    },
    /// Two things that were handed in do not belong together.
    #[error("block {height} ({hash}) was handed in with {what}")]
    Mismatch {
        /// The block's height.
        height: Height,
        /// The block's hash.
        hash: B256,
        /// What does not belong to it.
        what: &'static str,
    },
    /// The update stands on a block that was not decided, or on one below the head.
    #[error("the trie update stands on state root {base}, which leads to no state on top of {committed}")]
    StaleUpdate {
        /// The root that the update stands on.
        base: B256,
        /// The root of the head's state.
        committed: B256,
    },
    /// The changes do not start from the state that they are applied to.
    #[error("the changes of account {address} do not fit the state below them: {what}")]
    DoesNotFit {
        /// The account.
        address: Address,
        /// What does not fit.
        what: &'static str,
    },
    /// The state would outgrow the trie that is kept in memory.
    #[error("the state would hold {accounts} accounts; this node keeps at most {most} in memory")]
    TooManyAccounts {
        /// How many there would be.
        accounts: usize,
        /// [`crate::StoreOptions::max_accounts`].
        most: usize,
    },
    /// More logs match than were asked for at most.
    #[error(
        "more than {max_results} logs match: {found} up to block {reached} of blocks {from} to {to}; ask for \
         fewer blocks or a narrower filter"
    )]
    TooManyLogs {
        /// The most that were wanted.
        max_results: usize,
        /// How many match up to `reached`.
        found: usize,
        /// The block at which the search stopped.
        reached: Height,
        /// The first block asked for.
        from: Height,
        /// The last block asked for.
        to: Height,
    },
    /// The logs that match are larger than what was asked for at most.
    #[error(
        "the logs that match take more than {max_bytes} bytes up to block {reached} of blocks {from} to {to}; \
         ask for fewer blocks or a narrower filter"
    )]
    TooLargeLogs {
        /// The most that were wanted.
        max_bytes: usize,
        /// The block at which the search stopped.
        reached: Height,
        /// The first block asked for.
        from: Height,
        /// The last block asked for.
        to: Height,
    },
    /// An account has so many slots that proving one would take too much memory.
    #[error("account {address} has, or had since, more than {most} slots: too many to prove one")]
    TooManySlots {
        /// The account.
        address: Address,
        /// The most that are read.
        most: usize,
    },
    /// The state is too old to be proven; it can still be read.
    #[error(
        "the state at height {height} cannot be proven: proofs reach {PROOF_WINDOW} blocks below the head, \
         {head}, and not below a block that an older version of the node wrote"
    )]
    OutsideProofWindow {
        /// The height that was asked for.
        height: Height,
        /// The height of the head.
        head: Height,
    },
    /// An answer took longer than its caller would wait.
    #[error("the answer took longer than {} ms; ask for less, or raise the limit", limit.as_millis())]
    TimeLimit {
        /// How long the caller would wait.
        limit: Duration,
    },
    /// No such block yet.
    #[error("height {height} is above the head, {head}")]
    UnknownHeight {
        /// The height that was asked for.
        height: Height,
        /// The highest one known.
        head: Height,
    },
    /// An account names code that was never stored.
    #[error("the code {0} is not in the database")]
    UnknownCode(B256),
}

impl StorageError {
    /// Whether the node must stop: a write failed, or what is on disk is not what was written.
    #[must_use]
    pub const fn is_fatal(&self) -> bool {
        match self {
            Self::Folder { .. }
            | Self::Database { .. }
            | Self::Halted { .. }
            | Self::Damaged { .. }
            | Self::StateDamaged { .. } => true,
            Self::OtherChain { .. }
            | Self::Schema { .. }
            | Self::Genesis(_)
            | Self::Validators(_)
            | Self::Conflict { .. }
            | Self::Final { .. }
            | Self::NotNext { .. }
            | Self::WrongParent { .. }
            | Self::Mismatch { .. }
            | Self::StaleUpdate { .. }
            | Self::DoesNotFit { .. }
            | Self::TooManyAccounts { .. }
            | Self::TooManyLogs { .. }
            | Self::TooLargeLogs { .. }
            | Self::TooManySlots { .. }
            | Self::OutsideProofWindow { .. }
            | Self::TimeLimit { .. }
            | Self::UnknownHeight { .. }
            | Self::UnknownCode(_) => false,
        }
    }
}

/// No error of the database is one that an execution could go on after.
impl DBErrorMarker for StorageError {}
