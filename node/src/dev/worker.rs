//! Makes the blocks of a development chain, one after the other.

use std::collections::BTreeMap;

use quorate_consensus::BuildPlan;
use quorate_rpc::{Control, Submission};
use quorate_storage::StorageError;
use quorate_types::{
    Bytes, CommitCertificate, Domain, Height, NodeKey, Phase, Signed, ValidatorSet, View, Vote, VoteTally,
};
use tokio::sync::{mpsc, watch};

use super::empty_pool;
use crate::{
    admission::{Admission, Refusal},
    chain::{ApplyError, Chain},
    clock::Clock,
    exit::{Exit, Failure},
    stop::Stop,
};

/// Transactions that come into one block when they wait together.
const MAX_BATCH: usize = 256;

/// Why the chain cannot go on.
#[derive(Debug, thiserror::Error)]
enum WorkError {
    #[error("cannot store a block: {0}")]
    Commit(#[from] ApplyError),
    #[error("cannot sign a block: {0}")]
    Sign(#[from] quorate_types::SignerError),
    #[error("cannot build a block: see the log")]
    Build,
    #[error("cannot take blocks back: {0}")]
    Rewind(#[from] StorageError),
}

/// The chain at one instant.
#[derive(Clone, Copy, Debug)]
struct Snapshot {
    height: Height,
    time_ms: u64,
}

/// Who makes the blocks.
pub(super) struct Worker {
    chain: Chain,
    admission: Admission,
    signer: (NodeKey, Domain),
    clock: Clock,
    /// Tells clients that follow the chain.
    head: watch::Sender<Height>,
    snapshots: BTreeMap<u64, Snapshot>,
    next_snapshot: u64,
}

impl Worker {
    pub(super) const fn new(
        chain: Chain,
        admission: Admission,
        signer: (NodeKey, Domain),
        clock: Clock,
        head: watch::Sender<Height>,
    ) -> Self {
        Self { chain, admission, signer, clock, head, snapshots: BTreeMap::new(), next_snapshot: 1 }
    }

    /// Works until it is told to stop, or cannot go on.
    pub(super) async fn run(
        mut self,
        mut submissions: mpsc::Receiver<Submission>,
        mut controls: mpsc::Receiver<Control>,
        stop: &Stop,
    ) {
        let token = stop.token();
        let mut batch = Vec::with_capacity(MAX_BATCH);
        loop {
            let worked = tokio::select! {
                () = token.cancelled() => return,
                _ = submissions.recv_many(&mut batch, MAX_BATCH) => {
                    tokio::task::block_in_place(|| self.include(&mut batch))
                }
                Some(control) = controls.recv() => tokio::task::block_in_place(|| self.perform(control)),
            };
            if let Err(error) = worked {
                return stop.now(Failure::new(Exit::Corrupt, error.to_string()));
            }
        }
    }

    /// Puts transactions into blocks; those that must wait for others stay in the pool.
    fn include(&mut self, batch: &mut Vec<Submission>) -> Result<(), WorkError> {
        let raw: Vec<Bytes> = batch.iter().map(|it| it.raw.clone()).collect();
        let results = self.admission.admit(&raw);
        self.mine_waiting()?;
        for (submission, result) in batch.drain(..).zip(results) {
            // The client may be gone.
            let _ = submission.reply.send(result.map(|it| it.hash).map_err(Refusal::into_reason));
        }
        Ok(())
    }

    fn perform(&mut self, control: Control) -> Result<(), WorkError> {
        // Clients that are gone need no answer.
        match control {
            Control::Mine { timestamp, blocks, reply } => {
                drop(reply.send(self.mine_at(timestamp, blocks)?));
            }
            Control::IncreaseTime { seconds, reply } => {
                self.clock.set(self.clock.now_ms().saturating_add(seconds.saturating_mul(1000)));
                let _ = reply.send(self.clock.ahead_ms() / 1000);
            }
            Control::Snapshot { reply } => {
                let id = self.next_snapshot;
                let height = self.admission.store.head().height;
                self.snapshots.insert(id, Snapshot { height, time_ms: self.clock.now_ms() });
                self.next_snapshot += 1;
                let _ = reply.send(id);
            }
            Control::Revert { id, reply } => drop(reply.send(self.revert(id)?)),
        }
        Ok(())
    }

    fn mine_at(&mut self, timestamp: Option<u64>, blocks: u64) -> Result<Result<(), String>, WorkError> {
        if let Some(timestamp) = timestamp {
            let last = self.admission.store.head().header.timestamp;
            if timestamp < last {
                return Ok(Err(format!("timestamp {timestamp} is before that of the last block, {last}")));
            }
            self.clock.set(timestamp.saturating_mul(1000));
        }
        for _ in 0..blocks {
            if !self.mine(true)? {
                return Err(WorkError::Build);
            }
        }
        Ok(Ok(()))
    }

    fn mine_waiting(&mut self) -> Result<(), WorkError> {
        while self.has_work() && self.mine(false)? {}
        Ok(())
    }

    fn has_work(&self) -> bool {
        self.admission.pool.lock().has_work()
    }

    /// Makes the next block; false when there would be nothing in it, though there must.
    fn mine(&mut self, may_be_empty: bool) -> Result<bool, WorkError> {
        let head = self.admission.store.head();
        let plan = BuildPlan {
            height: head.height.next(),
            view: View::default(),
            parent_hash: head.hash,
            gas_shift: 0,
            may_be_empty,
        };
        let Some(candidate) = self.chain.build(&plan, false) else { return Ok(false) };
        let certificate = self.certify(&candidate.block, &head.next_validators)?;
        self.chain.commit(&candidate, &certificate)?;
        Ok(true)
    }

    /// The commit of the only validator, which is a quorum.
    fn certify(
        &self,
        block: &quorate_types::Block,
        validators: &ValidatorSet,
    ) -> Result<CommitCertificate, WorkError> {
        let (key, domain) = &self.signer;
        let (height, block_hash) = (block.height(), block.hash());
        let vote = Vote { phase: Phase::Commit, height, view: View::default(), block_hash };
        let signed = Signed::sign(vote, domain, key)?;
        let mut tally = VoteTally::new(vote);
        tally.add(validators, &signed.signer, signed.signature);
        let certificate = tally.certificate(validators).expect("one validator is a quorum");
        Ok(CommitCertificate::new(certificate).expect("it is of a commit"))
    }

    /// What waits in the pool is dropped with the blocks: it may stand on them.
    fn revert(&mut self, id: u64) -> Result<Result<bool, String>, WorkError> {
        let Some(Snapshot { height, time_ms }) = self.snapshots.get(&id).copied() else {
            return Ok(Ok(false));
        };
        self.snapshots.split_off(&id);
        self.admission.store.rewind(height)?;
        *self.admission.pool.lock() = empty_pool(self.chain.config(), &self.admission.store);
        self.clock.set(time_ms);
        self.head.send_replace(height);
        Ok(Ok(true))
    }
}
