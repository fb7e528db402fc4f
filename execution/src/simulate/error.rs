//! Why a simulation has no result.

use super::{MAX_CALLS, MAX_CALLS_PER_BLOCK};
use crate::{CallError, Unfit};

/// Why a simulation has no result. Worded like geth.
#[derive(Debug, thiserror::Error)]
pub enum SimulateError {
    /// There is nothing to simulate.
    #[error("empty input")]
    Empty,
    /// More than [`crate::MAX_SIMULATED_BLOCKS`], those that fill gaps included.
    #[error("too many blocks")]
    TooManyBlocks,
    /// More calls than a block may have.
    #[error("too many calls in block: {count} > {MAX_CALLS_PER_BLOCK}")]
    TooManyCallsInBlock {
        /// How many.
        count: usize,
    },
    /// More calls than all blocks may have.
    #[error("too many calls: {count} > {MAX_CALLS}")]
    TooManyCalls {
        /// How many up to the block that has too many.
        count: usize,
    },
    /// A block's number is not above the one before.
    #[error("block numbers must be in order: {number} <= {previous}")]
    Number {
        /// Its number.
        number: u64,
        /// The number before.
        previous: u64,
    },
    /// A block's time is not after the one before.
    #[error("block timestamps must be in order: {time} <= {previous}")]
    Time {
        /// Its time, in seconds.
        time: u64,
        /// The time before.
        previous: u64,
    },
    /// A call asks for more gas than its block has left.
    #[error("block gas limit reached: remaining: {left}, required: {required}")]
    BlockGas {
        /// What the block has left.
        left: u64,
        /// What the call asks for.
        required: u64,
    },
    /// A call cannot be part of its block.
    #[error("err: {reason} (supplied gas {gas})")]
    Refused {
        /// Why.
        reason: Unfit,
        /// Its gas limit.
        gas: u64,
    },
    /// The calls return and log more than one answer holds.
    #[error("the calls return and log more than {limit} bytes")]
    TooLarge {
        /// The most there may be.
        limit: usize,
    },
    /// Overrides, time, or this node.
    #[error(transparent)]
    Call(#[from] CallError),
}

impl From<crate::Fault> for SimulateError {
    fn from(fault: crate::Fault) -> Self {
        Self::Call(fault.into())
    }
}
