//! Checking a block that somebody else built, or that was agreed upon while this node was away.

use std::{error::Error, sync::Arc};

use alloy_eips::eip7702::RecoveredAuthorization;
use quorate_types::{
    B256, Block, Bytes, ExecutedBlock, Header, Roots, StateChanges, Transaction, ValidatorSet,
};
use rayon::prelude::*;
use revm::DatabaseRef;

use crate::{
    BlockError, Divergence, Executor, Fault, MAX_BLOCK_RLP_BYTES, block_rlp_length,
    build::transactions_root,
    header::same,
    run::{BlockRun, Outcome, Stopped},
    transaction::authorities_of,
};

/// A block to check, with what the caller already knows about it.
#[derive(Clone, Debug)]
pub struct Proposed<'a> {
    /// The block.
    pub block: Arc<Block>,
    /// Its transactions in order, decoded for this chain and recovered: their type is the proof that
    /// signatures, encodings and chain ids are sound.
    pub transactions: &'a [Transaction],
    /// Who votes on this height: one of them must earn the fees.
    pub validators: &'a ValidatorSet,
    /// What to record as the time at which this node got it, milliseconds since the Unix epoch.
    pub clock_ms: u64,
}

impl Executor {
    /// Checks every rule of header and body, runs all transactions on `db`, the state after
    /// `parent`, and compares the results. Two rules are the caller's: how far the timestamp may be
    /// ahead of the clock, and who may propose.
    ///
    /// # Errors
    /// The first rule that the block breaks, a divergence with both roots, or this node's own fault.
    pub fn check<DB: DatabaseRef, E: Into<Box<dyn Error + Send + Sync>>>(
        &self,
        parent: &Header,
        proposed: &Proposed<'_>,
        db: DB,
        state_root: impl FnOnce(&StateChanges) -> Result<B256, E>,
    ) -> Result<ExecutedBlock, BlockError> {
        let Proposed { block, transactions, validators, clock_ms } = proposed;
        self.check_header(parent, block.header(), validators)?;
        check_body(block, transactions)?;
        let mut run = BlockRun::begin(self, block.header(), db, ())?;
        for (index, (transaction, authorities)) in
            transactions.iter().zip(recover_all(transactions)).enumerate()
        {
            let done = run.execute(transaction, || authorities, block.header().gas_limit);
            done.map_err(|stopped| match stopped {
                Stopped::Unfit(reason) => BlockError::Transaction { index, hash: transaction.hash(), reason },
                Stopped::Fault(fault) => fault.into(),
            })?;
        }
        let outcome = compare(block.header(), run.finish(state_root)?)?;
        Ok(outcome.into_block(Arc::clone(block), *clock_ms))
    }
}

/// Rules of the body that need no execution.
fn check_body(block: &Block, transactions: &[Transaction]) -> Result<(), BlockError> {
    if !transactions.iter().map(Transaction::raw).eq(block.transactions().iter()) {
        let detail = "the recovered transactions are not those of the block";
        return Err(Fault::new("the caller mixed up two blocks", detail).into());
    }
    let size = block_rlp_length(block.header(), block.transactions());
    if size > MAX_BLOCK_RLP_BYTES {
        return Err(BlockError::Size { size, limit: MAX_BLOCK_RLP_BYTES });
    }
    same("transactionsRoot", block.header().transactions_root, transactions_root(block.transactions()))
}

/// The authorities of all transactions, recovered in parallel before the serial part begins.
fn recover_all(transactions: &[Transaction]) -> Vec<Vec<RecoveredAuthorization>> {
    transactions.par_iter().map(authorities_of).collect()
}

/// Roots first: they tell a divergence from a header that contradicts itself. Gas used and bloom
/// follow from the receipts, and the next set from the state, so once the roots agree a difference
/// in one of them is the proposer's lie.
fn compare(header: &Header, outcome: Outcome) -> Result<Outcome, BlockError> {
    let theirs = Roots { state: header.state_root, receipts: header.receipts_root };
    if outcome.roots != theirs {
        let divergence = Divergence { own: outcome.roots, theirs, changes: Arc::new(outcome.changes) };
        return Err(BlockError::Divergence(Box::new(divergence)));
    }
    same("gasUsed", header.gas_used, outcome.gas_used)?;
    same("logsBloom", header.logs_bloom, outcome.bloom)?;
    same("extraData", &header.extra_data, &Bytes::from(outcome.next_validators.hash()))?;
    Ok(outcome)
}
