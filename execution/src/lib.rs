//! # quorate-execution: ordered transactions in, state changes and a sealed header out
//!
//! What it owns: the rules of a block's header and body, running its transactions on revm, the
//! receipts, their root and bloom, the next validator set, and the questions that change nothing
//! (`eth_call`, `eth_estimateGas`, `eth_createAccessList`, `eth_simulateV1`, `debug_trace*`).
//!
//! What it never knows: RocksDB, the trie (the caller computes the state root from the changes),
//! peers, views, votes, and the clock that a block's timestamp is held against.
//!
//! ## One block
//! ```text
//!                     leader                                          everyone else
//! parent, plan, pool's best                              parent, block, recovered transactions
//!        |  build                                               |  check
//!        v                                                      v
//!  header without results                            header rules, then body rules: or BlockError
//!        |                                                      |
//!        +--> EIP-2935's system call -> transactions in order <-+
//!                     | Overlay: every value before and after
//!                     v
//!        receipts, StateChanges, set(h + 1) --state_root(&changes)--> roots
//!        |                                                      |
//!        v                                                      v
//!  sealed header, ExecutedBlock                      the same roots, or Divergence with both
//! ```
//! Both ways run the same code, so a leader's block passes its own check. State is any
//! [`revm::DatabaseRef`] and is only ever read: what a block or a call writes stays in an overlay
//! that is its own, and dies with it. A call can therefore never be seen by a block.
//!
//! ## Who votes
//! The contract at `0x1003` is native code here ([`IConsensus`] is its interface): what it holds after a block is the
//! set of the next height.
//!
//! ## Serial on purpose
//! A transfer costs some 5 µs here and 42 µs in signature recovery, which is parallel and done
//! before. Only EIP-7702's authorities are recovered in this crate, on rayon's pool.
//!
//! ```
//! use quorate_execution::Executor;
//! use quorate_types::{Address, ChainConfig, Header};
//! let executor = Executor::new(ChainConfig::new(20_200));
//! let parent = Header { timestamp: 7, gas_limit: 300_000_000, ..Header::default() };
//! let next = executor.unsealed(&parent, 3, Address::repeat_byte(0xaa));
//! assert_eq!((next.number, next.timestamp), (1, 7), "time never runs backwards");
//! ```

mod access_list;
mod alone;
mod build;
mod call;
mod check;
mod deadline;
mod error;
mod estimate;
mod executor;
mod header;
mod overlay;
mod overrides;
mod revert;
mod run;
mod simulate;
mod system;
mod trace;
mod transaction;

pub use access_list::AccessListOutcome;
pub use alone::Alone;
pub use build::{BuildPlan, Built};
pub use call::{CallFee, CallLimits, CallOutcome, CallRequest, CallStatus};
pub use check::Proposed;
pub use error::{BlockError, CallError, Divergence, Fault, Unfit};
pub use executor::Executor;
pub use header::{MAX_BLOCK_RLP_BYTES, block_rlp_length};
pub use overrides::{AccountOverride, BlockOverrides, OverrideError, Overrides};
pub use revert::{decode_revert, revert_message};
pub use simulate::{
    BlockRequest, MAX_CALLS, MAX_CALLS_PER_BLOCK, MAX_SIMULATED_BLOCKS, SimulateError, SimulatedBlock,
    SimulatedCall, Simulation, Unsigned,
};
pub use system::abi::IConsensus;
pub use trace::{RecordedBlock, TraceError, TraceLimits};
