//! Building a block out of the pool's best transactions.

use std::{error::Error, sync::Arc};

use alloy_consensus::proofs::ordered_trie_root_with_encoder;
use alloy_rlp::Encodable;
use quorate_types::{Address, B256, Block, Bytes, ExecutedBlock, Header, StateChanges, Transaction};
use revm::DatabaseRef;

use crate::{
    Executor, Fault, MAX_BLOCK_RLP_BYTES, Unfit,
    header::{rlp_length_of, transaction_rlp_length},
    run::{BlockRun, Outcome, Stopped},
    transaction::authorities_of,
};

/// The least gas of any transaction: below it, nothing more can fit.
const LEAST_TRANSACTION_GAS: u64 = 21_000;
/// The most candidates that are passed over in one block: each costs state reads, and a pool whose
/// order is good offers few. A leader must not spend its time on refusals.
const MAX_SKIPPED: usize = 4096;

/// What a leader decides about its block.
#[derive(Clone, Copy, Debug)]
pub struct BuildPlan {
    /// Seconds since the Unix epoch; the parent's is taken when it is later.
    pub timestamp: u64,
    /// Who earns the fees: the proposer's record in the validator contract says.
    pub fee_recipient: Address,
    /// The gas to fill; the genesis' limit bounds it. The first transaction may exceed it, so that a
    /// small target never stops the chain.
    pub gas_limit_target: u64,
    /// The RLP length to fill; [`MAX_BLOCK_RLP_BYTES`] bounds it.
    pub max_bytes: usize,
    /// The builder's clock, milliseconds since the Unix epoch.
    pub clock_ms: u64,
}

/// A new block, and what it leaves out.
#[derive(Debug)]
pub struct Built {
    /// The sealed block with all that its execution gave.
    pub block: ExecutedBlock,
    /// The candidates that were passed over, by hash, and why.
    pub skipped: Vec<(B256, Unfit)>,
}

impl Executor {
    /// Runs `candidates` in their order on `db`, the state after `parent`, skipping those that cannot
    /// run now, until gas or bytes are used up or the candidates end. An iterator that ends at a
    /// deadline (`take_while`) bounds the time: between two transactions, never within one.
    ///
    /// `state_root` is called once with the block's changes.
    ///
    /// # Errors
    /// Only this node's own: state that cannot be read, or a failing `state_root`.
    pub fn build<DB: DatabaseRef, E: Into<Box<dyn Error + Send + Sync>>>(
        &self,
        parent: &Header,
        plan: &BuildPlan,
        candidates: impl IntoIterator<Item = Transaction>,
        db: DB,
        state_root: impl FnOnce(&StateChanges) -> Result<B256, E>,
    ) -> Result<Built, Fault> {
        let header = self.unsealed(parent, plan.timestamp, plan.fee_recipient);
        let mut filling = Filling {
            gas_limit: header.gas_limit,
            gas_target: plan.gas_limit_target.min(header.gas_limit),
            max_bytes: plan.max_bytes.min(MAX_BLOCK_RLP_BYTES),
            header_bytes: longest_header(&header),
            body_bytes: 0,
            raw: Vec::new(),
            skipped: Vec::new(),
            run: BlockRun::begin(self, &header, db, ())?,
        };
        for candidate in candidates {
            filling.offer(&candidate)?;
            if filling.is_full() {
                break;
            }
        }
        let Filling { run, raw, skipped, .. } = filling;
        let block = seal(header, raw, run.finish(state_root)?, plan.clock_ms);
        Ok(Built { block, skipped })
    }
}

/// A block that is being filled.
struct Filling<DB: DatabaseRef> {
    run: BlockRun<DB>,
    gas_limit: u64,
    gas_target: u64,
    max_bytes: usize,
    header_bytes: usize,
    body_bytes: usize,
    raw: Vec<Bytes>,
    skipped: Vec<(B256, Unfit)>,
}

impl<DB: DatabaseRef> Filling<DB> {
    fn offer(&mut self, candidate: &Transaction) -> Result<(), Fault> {
        match self.try_take(candidate) {
            Ok(()) => Ok(()),
            Err(Stopped::Unfit(reason)) => {
                self.skipped.push((candidate.hash(), reason));
                Ok(())
            }
            Err(Stopped::Fault(fault)) => Err(fault),
        }
    }

    fn try_take(&mut self, candidate: &Transaction) -> Result<(), Stopped> {
        let body_bytes = self.body_bytes + transaction_rlp_length(candidate.raw());
        let (size, limit) = (rlp_length_of(self.header_bytes, body_bytes), self.max_bytes);
        if size > limit {
            return Err(Stopped::Unfit(Unfit::NoBytesLeft { size, limit }));
        }
        let gas_limit = self.fillable_gas();
        self.run.execute(candidate, || authorities_of(candidate), gas_limit)?;
        self.body_bytes = body_bytes;
        self.raw.push(candidate.raw().clone());
        Ok(())
    }

    fn fillable_gas(&self) -> u64 {
        if self.run.len() == 0 { self.gas_limit } else { self.gas_target }
    }

    fn is_full(&self) -> bool {
        let gas_left = self.fillable_gas().saturating_sub(self.run.gas_used());
        gas_left < LEAST_TRANSACTION_GAS || self.skipped.len() >= MAX_SKIPPED
    }
}

/// The header's RLP length is known only once it is sealed; this is the most it can be.
fn longest_header(header: &Header) -> usize {
    Header { gas_used: header.gas_limit, extra_data: B256::ZERO.into(), ..header.clone() }.length()
}

/// Completes the header with what execution gave.
fn seal(mut header: Header, raw: Vec<Bytes>, outcome: Outcome, clock_ms: u64) -> ExecutedBlock {
    header.transactions_root = transactions_root(&raw);
    header.state_root = outcome.roots.state;
    header.receipts_root = outcome.roots.receipts;
    header.logs_bloom = outcome.bloom;
    header.gas_used = outcome.gas_used;
    header.extra_data = outcome.next_validators.hash().into();
    outcome.into_block(Arc::new(Block::new(header, raw)), clock_ms)
}

/// The root of the trie of raw transactions by their index.
pub(crate) fn transactions_root(raw: &[Bytes]) -> B256 {
    ordered_trie_root_with_encoder(raw, |transaction, out| out.extend_from_slice(transaction))
}

impl Outcome {
    pub(crate) fn into_block(self, block: Arc<Block>, clock_ms: u64) -> ExecutedBlock {
        ExecutedBlock {
            block,
            senders: self.senders,
            receipts: self.receipts,
            changes: Arc::new(self.changes),
            next_validators: Arc::new(self.next_validators),
            clock_ms,
        }
    }
}

impl From<Fault> for Stopped {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}
