//! What the chain thread does with each command.

use std::{collections::HashSet, sync::Arc, time::Instant};

use parking_lot::Mutex;
use quorate_consensus::{BuildPlan, Candidate, Head, Verdict};
use quorate_execution::{BlockError, Executor, MAX_BLOCK_RLP_BYTES, Proposed, Unfit};
use quorate_storage::{StorageError, Store, TrieUpdate};
use quorate_txpool::{NextBlock, Pool};
use quorate_types::{
    Address, B256, Block, Bytes, ChainConfig, CommitCertificate, ExecutedBlock, Height, NodeId, RejectReason,
    StateChanges, Transaction, ValidatorSet,
};
use tokio::sync::watch;

use super::{ApplyError, Candidates, Command, candidates::Executed};
use crate::{clock::Clock, metrics};

/// A leader fills a block to what it executes in this share of the base timeout, by its own measure.
const BUILD_SHARE: u32 = 4;
/// What any transaction asks for at least.
const LEAST_GAS: u64 = 21_000;

/// What the thread works with.
pub(crate) struct ChainParts {
    pub(crate) store: Arc<Store>,
    pub(crate) executor: Arc<Executor>,
    pub(crate) pool: Arc<Mutex<Pool>>,
    pub(crate) candidates: Candidates,
    /// Tells clients that follow the chain.
    pub(crate) head: watch::Sender<Height>,
    pub(crate) config: Arc<ChainConfig>,
    /// Tells the replica what is durable.
    pub(crate) announce: Box<dyn Fn(Height) + Send>,
    pub(crate) clock: Clock,
    /// The node's own key, to find its fee recipient.
    pub(crate) me: NodeId,
}

/// The thread's state.
pub(crate) struct Chain(ChainParts);

impl Chain {
    pub(crate) const fn new(parts: ChainParts) -> Self {
        Self(parts)
    }

    pub(crate) fn config(&self) -> &ChainConfig {
        &self.0.config
    }

    pub(crate) fn perform(&mut self, command: Command) {
        match command {
            Command::Build { plan, use_parent_time, reply } => reply(self.build(&plan, use_parent_time)),
            Command::Check { block, transactions, reply } => reply(self.check(block, &transactions)),
            Command::Commit { candidate, certificate, reply } => reply(self.commit(&candidate, &certificate)),
            Command::Apply { block, transactions, certificate, reply } => {
                reply(self.apply(block, &transactions, &certificate));
            }
        }
    }

    pub(crate) fn build(&self, plan: &BuildPlan, use_parent_time: bool) -> Option<Candidate> {
        let head = self.0.store.head();
        if head.hash != plan.parent_hash {
            return None;
        }
        let now_ms = self.0.clock.now_ms();
        let seconds = if use_parent_time { 0 } else { now_ms / 1000 };
        let build = quorate_execution::BuildPlan {
            timestamp: seconds.max(head.header.timestamp),
            fee_recipient: self.fee_recipient(&head.next_validators),
            gas_limit_target: self.0.config.gas_limit.checked_shr(plan.gas_shift).unwrap_or(0),
            max_bytes: MAX_BLOCK_RLP_BYTES,
            clock_ms: now_ms,
        };
        let base_fee = self.0.config.base_fee.next(&head.header);
        let room = usize::try_from(build.gas_limit_target / LEAST_GAS).unwrap_or(usize::MAX).max(1);
        let best = self.0.pool.lock().select(base_fee, room, &HashSet::new());
        let deadline = Instant::now() + self.0.config.base_timeout() / BUILD_SHARE;
        // The first one goes in however late it is: no block that should hold something is empty for lack of time.
        let mut first = true;
        let in_time = move |_: &Transaction| std::mem::take(&mut first) || Instant::now() < deadline;
        let mut update = None;
        let built = self.0.executor.build(
            &head.header,
            &build,
            best.take_while(in_time),
            self.0.store.view(&[]),
            |changes| self.root(changes, &mut update),
        );
        let built = match built {
            Ok(built) => built,
            Err(error) => {
                tracing::error!(height = %plan.height, %error, "could not build a block");
                return None;
            }
        };
        self.forget_unfit(&built.skipped);
        if built.block.block.transactions().is_empty() && !plan.may_be_empty {
            return None;
        }
        Some(self.keep(built.block, update?))
    }

    fn root(&self, changes: &StateChanges, update: &mut Option<TrieUpdate>) -> Result<B256, StorageError> {
        let (root, it) = self.0.store.root_after(None, changes)?;
        *update = Some(it);
        Ok(root)
    }

    fn fee_recipient(&self, set: &ValidatorSet) -> Address {
        set.index_of(&self.0.me).map_or(Address::ZERO, |index| set.members()[index].fee_recipient)
    }

    fn forget_unfit(&self, skipped: &[(B256, Unfit)]) {
        let mut pool = self.0.pool.lock();
        for (hash, why) in skipped.iter().filter(|(_, why)| why.is_final()) {
            tracing::debug!(%hash, %why, "dropped a transaction that cannot be executed");
            pool.remove(*hash);
        }
    }

    fn keep(&self, block: ExecutedBlock, update: TrieUpdate) -> Candidate {
        let candidate =
            Candidate { block: block.block.clone(), next_validators: block.next_validators.clone() };
        self.0.candidates.insert(Executed::new(block, update));
        candidate
    }

    fn check(&self, block: Arc<Block>, transactions: &[Transaction]) -> Verdict {
        if let Some(known) = self.0.candidates.get(&block.hash()) {
            let next_validators = known.block.next_validators.clone();
            return Verdict::Valid(Candidate { block: known.block.block.clone(), next_validators });
        }
        let head = self.0.store.head();
        if head.hash != block.header().parent_hash {
            return Verdict::Unavailable;
        }
        let height = block.height();
        match self.execute(block, transactions) {
            Ok((executed, update)) => Verdict::Valid(self.keep(executed, update)),
            Err(BlockError::Fault(error)) => {
                // Not the block's fault: asked for again with the next resend.
                tracing::error!(%height, %error, "could not execute a block");
                Verdict::Unavailable
            }
            Err(error) => {
                let (reason, roots) = (reason_of(&error), error.roots());
                tracing::warn!(%height, ?reason, %error, "refused a block");
                Verdict::Invalid { reason, roots }
            }
        }
    }

    fn execute(
        &self,
        block: Arc<Block>,
        transactions: &[Transaction],
    ) -> Result<(ExecutedBlock, TrieUpdate), BlockError> {
        let head = self.0.store.head();
        let mut update = None;
        let proposed = Proposed {
            block,
            transactions,
            validators: &head.next_validators,
            clock_ms: self.0.clock.now_ms(),
        };
        let executed = self.0.executor.check(&head.header, &proposed, self.0.store.view(&[]), |changes| {
            self.root(changes, &mut update)
        })?;
        Ok((executed, update.expect("a checked block has its root computed")))
    }

    pub(crate) fn commit(
        &self,
        candidate: &Candidate,
        certificate: &CommitCertificate,
    ) -> Result<Head, ApplyError> {
        let hash = candidate.block.hash();
        if self.0.store.head().height >= candidate.block.height() {
            // Sync was faster; storage compares the hashes.
            return self.head_after(candidate.block.height(), hash);
        }
        if let Some(executed) = self.0.candidates.get(&hash) {
            return self.write(&executed, certificate);
        }
        // Made room for others since: executed once more.
        let decode = |raw: &Bytes| Transaction::decode(raw.clone(), self.0.config.chain_id);
        let transactions: Result<Vec<_>, _> = candidate.block.transactions().iter().map(decode).collect();
        let transactions = transactions.map_err(|error| ApplyError::Fatal(error.to_string()))?;
        self.apply(candidate.block.clone(), &transactions, certificate)
    }

    fn apply(
        &self,
        block: Arc<Block>,
        transactions: &[Transaction],
        certificate: &CommitCertificate,
    ) -> Result<Head, ApplyError> {
        let (hash, height) = (block.hash(), block.height());
        let head = self.0.store.head();
        if head.height >= height {
            return self.head_after(height, hash);
        }
        if head.hash != block.header().parent_hash {
            return Err(ApplyError::NotNext(self.head()));
        }
        if self.0.candidates.get(&hash).is_none() {
            let (executed, update) = self.execute(block, transactions).map_err(|error| match error {
                BlockError::Fault(error) => ApplyError::Fatal(error.to_string()),
                other => diverged(&other),
            })?;
            self.keep(executed, update);
        }
        let executed = self.0.candidates.get(&hash).ok_or_else(|| ApplyError::NotNext(self.head()))?;
        self.write(&executed, certificate)
    }

    fn head_after(&self, height: Height, hash: B256) -> Result<Head, ApplyError> {
        match self.0.store.height_of(hash) {
            Ok(Some(_)) => Ok(self.head()),
            Ok(None) => Err(ApplyError::Diverged {
                reason: RejectReason::Divergence,
                roots: None,
                what: format!("another block than {hash} is stored at height {height}"),
            }),
            Err(error) => Err(ApplyError::Fatal(error.to_string())),
        }
    }

    fn write(&self, executed: &Arc<Executed>, certificate: &CommitCertificate) -> Result<Head, ApplyError> {
        let block = &executed.block;
        self.0
            .store
            .commit(block, certificate, executed.update.clone())
            .map_err(|error| ApplyError::Fatal(error.to_string()))?;
        self.after_commit(block);
        self.0.candidates.release(block.block.height());
        Ok(self.head())
    }

    /// What is announced is what every read of this node then shows: the rows are written.
    fn after_commit(&self, executed: &ExecutedBlock) {
        let header = executed.block.header();
        let height = executed.block.height();
        let next = NextBlock { height: height.next(), base_fee: self.0.config.base_fee.next(header) };
        self.0.pool.lock().on_committed(next, &executed.changes);
        let transactions = executed.block.transactions().len();
        tracing::info!(%height, hash = %executed.hash(), transactions, gas = header.gas_used, "committed block");
        metrics::committed(executed);
        (self.0.announce)(height);
        self.0.head.send_replace(height);
    }

    fn head(&self) -> Head {
        let head = self.0.store.head();
        Head { height: head.height, hash: head.hash, next_validators: head.next_validators.clone() }
    }
}

fn reason_of(error: &BlockError) -> RejectReason {
    error.reject_reason().unwrap_or(RejectReason::Header)
}

fn diverged(error: &BlockError) -> ApplyError {
    ApplyError::Diverged { reason: reason_of(error), roots: error.roots(), what: error.to_string() }
}
