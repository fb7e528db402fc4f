//! A block with all that its execution gave.

use std::sync::Arc;

use alloy_consensus::ReceiptEnvelope;
use alloy_primitives::{Address, B256};

use crate::{Block, StateChanges, ValidatorSet};

/// A block that this node executed itself: what is stored once it is decided.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExecutedBlock {
    /// The block; its header holds the roots of what follows.
    pub block: Arc<Block>,
    /// The transactions' senders in order, so that nobody recovers them again.
    pub senders: Vec<Address>,
    /// The receipts in order.
    pub receipts: Vec<ReceiptEnvelope>,
    /// What it changes, with the values before.
    pub changes: Arc<StateChanges>,
    /// Who votes on the next height; the header's `extraData` binds its hash.
    pub next_validators: Arc<ValidatorSet>,
    /// When the block was built, milliseconds since the Unix epoch by the local clock; not agreed upon.
    pub clock_ms: u64,
}

impl ExecutedBlock {
    /// The block's hash.
    #[must_use]
    pub fn hash(&self) -> B256 {
        self.block.hash()
    }
}
