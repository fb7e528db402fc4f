//! What an honest node owes whenever it signs, judged from outside: from its disk, from what it executed, and from the
//! clock. It shares no code with the replica.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use quorate_consensus::{Recovered, Trust};
use quorate_types::{B256, Height, Message, Phase, Prepared, Proposal, Reject, View, Vote};

use super::{Node, statement_of};
use crate::{disk::Frame, world::World};

/// How far above the disk a node may sign (R20).
const ABOVE_DISK: u64 = 2;

/// What a process did, as far as its duties depend on it.
#[derive(Debug, Default)]
pub(super) struct Record {
    /// Blocks that it executed or built, and whether their time was too far ahead then.
    executed: BTreeMap<B256, bool>,
    /// Blocks that were asked for with a lock or a decision behind them, or that it offered itself: their time is not measured (R5).
    bound: BTreeSet<B256>,
    /// The locks in its log, the last of each height.
    locks: BTreeMap<Height, Prepared>,
    /// When it entered the height in flight.
    entered: Duration,
    /// Whether it was told that its disk is almost full.
    is_disk_full: bool,
}

impl Record {
    pub(super) fn execute(&mut self, block_hash: B256, is_early: bool) {
        self.executed.insert(block_hash, is_early);
    }

    pub(super) fn bind(&mut self, block_hash: B256) {
        self.bound.insert(block_hash);
    }

    pub(super) fn enter(&mut self, now: Duration) {
        self.entered = now;
    }

    pub(super) fn room(&mut self, is_left: bool) {
        self.is_disk_full = !is_left;
    }
}

impl Node {
    /// Judges what the log still held at a start, and begins the record of this life with its locks.
    pub(super) fn check_log(&self, recovered: &Recovered, head: Height, world: &mut World) -> Record {
        if recovered.trust == Trust::Full && self.liar.is_none() {
            let messages = recovered.records.values().flat_map(|record| &record.messages);
            let found: Vec<_> = messages.filter_map(statement_of).collect();
            let truth = world.oracle.on_trusted_start(self.index, head, &found);
            world.require(self.index, truth);
        }
        let mut record = Record::default();
        for (height, own) in &recovered.records {
            if let Some((certificate, _)) = &own.prepared {
                let lock = Prepared { view: certificate.view(), block_hash: certificate.block_hash() };
                record.locks.insert(*height, lock);
            }
        }
        record
    }

    /// Judges a frame that is about to be written.
    pub(super) fn check_duties(&mut self, frame: &Frame, world: &World) -> Result<(), String> {
        let height = frame.height;
        if height.0 > self.disk.durable().0 + ABOVE_DISK {
            return Err(format!("signs at height {height} with {} on disk", self.disk.durable()));
        }
        if self.process.as_ref().is_some_and(|process| process.record.is_disk_full) {
            return Err(format!("signs at height {height} with its disk full"));
        }
        if let Some((certificate, block)) = &frame.prepared {
            if block.hash() != certificate.block_hash() || !block.is_body_bound() {
                return Err(format!("a lock without its block at height {height}"));
            }
            let lock = Prepared { view: certificate.view(), block_hash: certificate.block_hash() };
            if let Some(process) = &mut self.process {
                process.record.locks.insert(height, lock);
            }
        }
        let set = self.set_of(height, world).ok_or("signs at a height whose parent it does not have")?;
        for message in &frame.messages {
            if let Err(error) = message.clone().verify(world.chain.context(&set)) {
                return Err(format!("signs what nobody accepts: {error}"));
            }
            match message {
                Message::Proposal(proposal) => self.check_proposal_duties(proposal, world)?,
                Message::Vote(vote) => self.check_vote_duties(&vote.statement)?,
                Message::ViewChange(change) => {
                    let lock = change.signed.statement.prepared;
                    self.require_lock(height, lock)?;
                }
                Message::Reject(_) | Message::Status(_) | Message::Decided(_) => {}
            }
        }
        Ok(())
    }

    fn check_proposal_duties(&self, proposal: &Proposal, world: &World) -> Result<(), String> {
        let Some(process) = &self.process else { return Ok(()) };
        let propose = proposal.propose.statement;
        let parent = propose.height.previous().and_then(|parent| self.header(parent, world));
        if parent.map(|it| it.hash_slow()) != Some(proposal.header.parent_hash) {
            return Err(format!("proposes height {} on a parent that is not decided here", propose.height));
        }
        let waited = world.now().saturating_sub(process.record.entered);
        let first = propose.view == View::ZERO && propose.height > Height(1);
        if first && waited < self.config.min_block_interval {
            return Err(format!("proposes height {} after {waited:?}", propose.height));
        }
        let empty_is_due = self.config.empty_block_interval.is_some_and(|interval| waited >= interval);
        if first && proposal.transaction_hashes.is_empty() && !empty_is_due {
            return Err(format!("proposes an empty block at height {} that is not due", propose.height));
        }
        Ok(())
    }

    fn check_vote_duties(&self, vote: &Vote) -> Result<(), String> {
        let Some(process) = &self.process else { return Ok(()) };
        let Vote { phase, height, view, block_hash } = *vote;
        let Some(is_early) = process.record.executed.get(&block_hash) else {
            return Err(format!("votes at height {height} for a block that it did not execute"));
        };
        match phase {
            Phase::Prevote if *is_early && !process.record.bound.contains(&block_hash) => {
                Err(format!("prevotes at height {height} for a block from the future"))
            }
            Phase::Prevote => Ok(()),
            Phase::Commit => {
                if self.disk.durable().next() < height {
                    return Err(format!("commits at height {height} on a parent that is not synced"));
                }
                self.require_lock(height, Some(Prepared { view, block_hash }))
            }
        }
    }

    /// What an honest leader offers is good.
    pub(super) fn check_refusal(&self, reject: &Reject, world: &mut World) {
        let Some(process) = self.process.as_ref().filter(|_| self.is_honest() && !world.disputed) else {
            return;
        };
        let leader = process.replica.validators().leader(reject.height, reject.view).key;
        if !world.oracle.is_liar(&leader) {
            let refused = format!("refuses what an honest leader offered: {reject:?}");
            world.require(self.index, Err(refused));
        }
    }

    fn require_lock(&self, height: Height, lock: Option<Prepared>) -> Result<(), String> {
        let logged = self.process.as_ref().and_then(|process| process.record.locks.get(&height));
        if logged != lock.as_ref() {
            return Err(format!("speaks of a lock at height {height} that is not in its log: {lock:?}"));
        }
        Ok(())
    }
}
