//! # quorate-storage: the chain on disk
//!
//! The [`Store`] is the committed chain in RocksDB: blocks, state at every height, indexes, and the state root.
//!
//! What it never knows: how a block was agreed upon or executed, the EVM (it only serves the EVM's
//! database trait), the network, votes (they have a log of their own).
//!
//! ## From a candidate to the head
//! ```text
//! store.view(..) --EVM--> StateChanges --store.root_after(base, ..)--> root + TrieUpdate  (nothing written)
//!                                                    |  the block is decided
//! store.commit(block, certificate, update)           v
//!   1. block record, certificate, head: one batch, synced        -> survives a power cut
//!   2. head and block published                                  -> every read shows it
//!   3. rows (accounts, slots, history, indexes, undo), applied = n -> behind the record, never synced
//! ```
//! The rows can be made from the record at any time, so [`Store::open`] completes what a stop cut off.
//! Reads take the list of published blocks first and rows second; values at one height never change,
//! so a [`StateView`] stays right while later blocks are committed. [`Store::prove`] shows an account of the
//! last [`PROOF_WINDOW`] heights to those who trust no node.
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
mod prove;
mod reads;
mod rewind;
mod slots;
mod snapshot;
mod state_view;
mod store;
#[cfg(test)]
mod tests;
mod trie;
mod tuning;
mod undo;
mod validators;

pub use error::StorageError;
pub use ledger::Head;
pub use logs::{FoundLog, LogBounds, LogFilter, LogPage};
pub use prove::{AccountProof, MAX_PROVEN_SLOTS, SlotProof};
pub use reads::{Outcomes, StoredBlock};
pub use state_view::StateView;
pub use store::{SCHEMA_VERSION, Store, StoreOptions};
pub use trie::TrieUpdate;
pub use undo::PROOF_WINDOW;
