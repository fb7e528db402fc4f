//! `eth_simulateV1`: blocks that never were, chained on a state.
//!
//! ```text
//! base header, requests --chain--> numbers and times in order, gaps filled
//!                                    | header: overrides, else what the parent has
//!                                    v
//! Overlay --> state overrides -> EIP-2935's system call -> calls in order --> sealed header --+
//!    ^                                                                                      |
//!    +------------------------- the next block: the same overlay, a new EVM ----------------+
//! ```
//! Meanings and messages are geth's (`internal/ethapi/simulate.go`). Its headers are Ethereum's, not this chain's: no set of
//! validators is bound by `extraData`, time rises strictly, `mixHash` is 0 unless it is overridden.
//!
//! The state root is zero: a trie for each of 256 blocks would cost far more than the calls in them, on a node that has other
//! work. So a block's hash, which the next block reads, is not the one that another implementation gives it. Withdrawals there are
//! none of, and EIP-4788's contract is not called: no block of this chain does.
//!
//! One clock, one store of gas and one of bytes bound a whole simulation.

mod block;
mod chain;
mod error;
mod transfers;
mod unsigned;

use quorate_types::{Address, B256, Envelope, Header};
use revm::DatabaseRef;

use crate::{CallOutcome, CallRequest, Executor, Overrides};

use block::Progress;
pub use error::SimulateError;

/// The most blocks of one simulation, those that fill gaps included.
pub const MAX_SIMULATED_BLOCKS: u64 = 256;
/// The most calls of one simulated block.
pub const MAX_CALLS_PER_BLOCK: usize = 5_000;
/// The most calls of one simulation.
pub const MAX_CALLS: usize = 10_000;

/// What is simulated.
#[derive(Clone, Debug, Default)]
pub struct Simulation {
    /// The blocks, oldest first. Gaps between their numbers are filled with empty ones.
    pub blocks: Vec<BlockRequest>,
    /// Whether nonces are checked, and fees against a base fee that follows from the parent; without it the base fee is 0 where
    /// it is not overridden. A contract may send in both cases, and the balance must suffice in both.
    pub validation: bool,
    /// Whether what moves ether shows as a log of a token at `0xeeee..`: in the calls' logs alone, not in receipts.
    pub trace_transfers: bool,
}

/// A block to simulate.
#[derive(Clone, Debug, Default)]
pub struct BlockRequest {
    /// What it finds changed, and what its header says. The state stays changed for the blocks after it, and so do gas limit
    /// and fee recipient; precompiled contracts are back at their places.
    pub overrides: Overrides,
    /// The header's `parentBeaconBlockRoot`.
    pub beacon_root: Option<B256>,
    /// The calls, in order.
    pub calls: Vec<Unsigned>,
}

/// A transaction that nobody signed.
#[derive(Clone, Debug, Default)]
pub struct Unsigned {
    /// What it does. Without `gas` it may use what the block has left.
    pub request: CallRequest,
    /// The sender's next one when `None`.
    pub nonce: Option<u64>,
}

/// A block that never was.
#[derive(Clone, Debug)]
pub struct SimulatedBlock {
    /// Complete but for the state root, which is zero.
    pub header: Header,
    /// The header's hash.
    pub hash: B256,
    /// The calls as transactions, with signatures of zeros.
    pub transactions: Vec<Envelope>,
    /// Who sent them.
    pub senders: Vec<Address>,
    /// What they gave.
    pub calls: Vec<SimulatedCall>,
}

/// What a simulated call gave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SimulatedCall {
    /// How it ended, with transfers among its logs when these are asked for.
    pub outcome: CallOutcome,
    /// The gas it used before refunds.
    pub max_gas_used: u64,
}

impl Executor {
    /// `eth_simulateV1`: `simulation` on `db`, the state after `base`. Nothing is left in `db`.
    ///
    /// [`crate::CallLimits`] bound all blocks together: gas that the calls use, and time.
    ///
    /// # Errors
    /// The first that makes a block impossible: there is no result then. What reverts or halts is a result.
    pub fn simulate<DB: DatabaseRef>(
        &self,
        base: &Header,
        db: DB,
        simulation: &Simulation,
    ) -> Result<Vec<SimulatedBlock>, SimulateError> {
        check_counts(simulation)?;
        let planned = chain::in_order(base, &simulation.blocks)?;
        let mut progress = Progress::new(self, base, db, simulation);
        let mut blocks: Vec<SimulatedBlock> = Vec::with_capacity(planned.len());
        for next in &planned {
            let parent = blocks.last().map_or(base, |block| &block.header);
            let header = chain::header(self, parent, next, simulation.validation);
            let (after, block) = progress.run(header, next.request)?;
            progress = after;
            blocks.push(block);
        }
        Ok(blocks)
    }
}

fn check_counts(simulation: &Simulation) -> Result<(), SimulateError> {
    if simulation.blocks.is_empty() {
        return Err(SimulateError::Empty);
    }
    if simulation.blocks.len() as u64 > MAX_SIMULATED_BLOCKS {
        return Err(SimulateError::TooManyBlocks);
    }
    let mut all = 0;
    for block in &simulation.blocks {
        let count = block.calls.len();
        if count > MAX_CALLS_PER_BLOCK {
            return Err(SimulateError::TooManyCallsInBlock { count });
        }
        all += count;
        if all > MAX_CALLS {
            return Err(SimulateError::TooManyCalls { count: all });
        }
    }
    Ok(())
}
