//! # quorate-storage: the chain on disk
//!
//! Owns two things, and keeps them apart. The [`Store`] is the committed chain in RocksDB: blocks,
//! state at every height, indexes, and the state root. The [`VoteLog`] is what this node has
//! signed and not yet outlived, in a file of its own that one sync makes safe.
//!
//! What it never knows: how a block was agreed upon or executed, the EVM (it only serves the EVM's
//! database trait), the network, the meaning of a vote's bytes.
//!
//! ## From a candidate to the head
//! ```text
//! store.view(..) --EVM--> StateChanges --store.root_after(base, ..)--> root + TrieUpdate  (nothing written)
//!                                                    |  the block is decided
//! store.commit(block, certificate, update)           v
//!   1. block record, certificate, head: one batch, synced        -> survives a power cut
//!   2. head and block published                                  -> every read shows it
//!   3. rows (accounts, slots, history, indexes), applied = n     -> behind the record, never synced
//! ```
//! The rows can be made from the record at any time, so [`Store::open`] completes what a stop cut off.
//! Reads take the list of published blocks first and rows second; values at one height never change,
//! so a [`StateView`] stays right while later blocks are committed.
//!
//! ## One vote
//! ```text
//! VoteLog::append(height, bytes) -> one write, one sync -> only then is anything sent
//! VoteLog::release(height)       -> once the block record of that height is synced in the Store
//! ```
//!
//! ```no_run
//! # fn show(genesis: &quorate_types::Genesis) -> Result<(), quorate_storage::StorageError> {
//! use quorate_storage::{Store, StoreOptions};
//! use quorate_types::{Height, VALIDATORS_ADDRESS};
//! let store = Store::open("node0/data/chain".as_ref(), genesis, StoreOptions::default())?;
//! let at_genesis = store.view_at(Height::ZERO)?;
//! assert_eq!(at_genesis.account(VALIDATORS_ADDRESS)?.expect("a system account").nonce, 1);
//! # Ok(())
//! # }
//! ```

mod apply;
mod codec;
mod columns;
mod commit;
mod error;
mod ledger;
mod logs;
mod reads;
mod state_view;
mod store;
#[cfg(test)]
mod tests;
mod trie;
mod vote_log;

pub use error::StorageError;
pub use ledger::Head;
pub use logs::{FoundLog, LogFilter};
pub use reads::StoredBlock;
pub use state_view::StateView;
pub use store::{SCHEMA_VERSION, Store, StoreOptions};
pub use trie::{MAX_ACCOUNTS, TrieUpdate};
pub use vote_log::{
    Condition, Frame, MAX_PAYLOAD_BYTES, MAX_SEGMENT_BYTES, Recovery, SEGMENT_BYTES, VoteLog, VoteLogError,
};
