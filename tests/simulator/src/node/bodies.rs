//! Blocks on their way to a verdict: built, assembled from the pool or fetched, executed.

use std::{sync::Arc, time::Duration};

use quorate_consensus::{BlockSource, BuildPlan, Candidate, Input, Mutant, Verdict};
use quorate_types::{B256, Block, Bytes, Header, Height, Proposal, RejectReason, keccak256};

use super::Node;
use crate::{
    chain::{self, MAX_AHEAD_S, judge, key_number},
    packet::Packet,
    queue::Wake,
    world::World,
};

/// How long one neighbour is given to answer.
const ASK_AGAIN: Duration = Duration::from_millis(100);
/// How often is asked before the body counts as unavailable.
const MAX_ASKED: usize = 6;

/// A block under check.
#[derive(Debug)]
pub(super) struct Check {
    /// Tells an answer to this check from one to an earlier check of the same block.
    number: u64,
    fresh: bool,
    sources: Vec<usize>,
    asked: usize,
    block: Option<Arc<Block>>,
    /// When the block was there, by the own clock and by everyone's.
    arrived: (u64, Duration),
}

impl Node {
    /// A check supersedes an unfinished one of the same block.
    pub(super) fn check(&mut self, block_hash: B256, source: BlockSource, fresh: bool, world: &mut World) {
        let bound = match &source {
            BlockSource::Proposal(it) => it.justification.as_ref().is_some_and(|it| it.certificate.is_some()),
            BlockSource::Block(_) | BlockSource::Peers(_) => true,
        };
        if bound && fresh {
            world.require(self.index, Err("measures the time of a block with a lock behind it".to_owned()));
        }
        // Built in an earlier life: its time may be its parent's, and that in the future.
        let is_own =
            matches!(&source, BlockSource::Proposal(it) if it.propose.signer == world.ids[self.index]);
        let Some(process) = &mut self.process else { return };
        if bound || is_own {
            process.record.bind(block_hash);
        }
        let number = process.number();
        let listed = match &source {
            BlockSource::Proposal(it) => it.propose.statement.body_hash,
            BlockSource::Block(it) => it.body_hash(),
            BlockSource::Peers(_) => B256::ZERO,
        };
        let trusting = self.config.breaks(Mutant::TakesSpoilt);
        let everyone: Vec<usize> = world.others(self.index).collect();
        let known = process.bodies.get(&block_hash).cloned();
        let (content, sources) = match source {
            BlockSource::Block(block) => (Some(block), everyone),
            BlockSource::Proposal(proposal) => {
                let leader = world.index_of(&proposal.propose.signer);
                let content = known.or_else(|| assemble(&proposal, &process.pool, trusting));
                (content, leader.into_iter().filter(|it| *it != self.index).chain(everyone).collect())
            }
            BlockSource::Peers(ids) => {
                let holders: Vec<usize> = ids.iter().filter_map(|id| world.index_of(id)).collect();
                (known, if holders.is_empty() { everyone } else { holders })
            }
        };
        let check = Check { number, fresh, sources, asked: 0, block: None, arrived: (0, Duration::ZERO) };
        process.checks.insert(block_hash, check);
        match content {
            Some(block) if block.is_body_bound() => self.on_content(block_hash, block, world),
            Some(_) => self.answer(block_hash, Verdict::Mismatched { body_hash: listed }),
            None => self.ask_for_body(block_hash, number, world),
        }
    }

    pub(super) fn ask_for_body(&mut self, block_hash: B256, number: u64, world: &mut World) {
        let Some(process) = &mut self.process else { return };
        let Some(check) = process.checks.get_mut(&block_hash) else { return };
        if check.number != number || check.block.is_some() {
            return;
        }
        if check.asked == MAX_ASKED || check.sources.is_empty() {
            self.answer(block_hash, Verdict::Unavailable);
            return;
        }
        let to = check.sources[check.asked % check.sources.len()];
        check.asked += 1;
        world.send(self.index, to, &Packet::GetBody(block_hash));
        world.wake(self.index, ASK_AGAIN, Wake::AskAgain { block_hash, number });
    }

    /// A body that somebody sent; anything but what was asked for is ignored.
    pub(super) fn on_body(&mut self, block: &Arc<Block>, world: &mut World) {
        let block_hash = block.hash();
        let awaited = self
            .process
            .as_ref()
            .and_then(|process| process.checks.get(&block_hash))
            .is_some_and(|check| check.block.is_none());
        if awaited && block.is_body_bound() {
            self.on_content(block_hash, block.clone(), world);
        }
    }

    fn on_content(&mut self, block_hash: B256, block: Arc<Block>, world: &mut World) {
        let (clock_s, now) = (self.clock_s(world.now()), world.now());
        let Some(process) = &mut self.process else { return };
        let Some(check) = process.checks.get_mut(&block_hash) else { return };
        let ahead_s = block.header().timestamp.saturating_sub(clock_s + MAX_AHEAD_S);
        let wait = if check.fresh && !self.config.breaks(Mutant::NeverWaitsForTime) {
            Duration::from_secs(ahead_s)
        } else {
            Duration::ZERO
        };
        if wait > Duration::ZERO {
            world.tally.count("blocks from the future");
        }
        check.block = Some(block);
        check.arrived = (clock_s, now);
        world.wake(self.index, wait, Wake::Execute { block_hash, number: check.number });
    }

    pub(super) fn execute(&mut self, block_hash: B256, number: u64, world: &mut World) {
        let Some(process) = &mut self.process else { return };
        let check = process.checks.get(&block_hash).filter(|check| check.number == number);
        if let Some(check) = check {
            let count = check.block.as_ref().map_or(0, |block| block.transactions().len());
            let delay = world.execution_time(count);
            world.wake(self.index, delay, Wake::Executed { block_hash, number });
            self.input(Input::Executing(block_hash));
        }
    }

    pub(super) fn on_executed(&mut self, block_hash: B256, number: u64, world: &mut World) {
        let Some(check) = self.process.as_ref().and_then(|process| process.checks.get(&block_hash)) else {
            return;
        };
        let Some(block) = check.block.clone().filter(|_| check.number == number) else { return };
        let (clock_s, arrived) = check.arrived;
        let waited_s = (world.now() - arrived).as_secs();
        let is_early = block.header().timestamp > clock_s + waited_s + MAX_AHEAD_S;
        let verdict = self.verdict(&block, world);
        if matches!(verdict, Verdict::Unavailable) {
            world.tally.count("executions that failed");
        }
        if let (Verdict::Valid(_), Some(process)) = (&verdict, &mut self.process) {
            process.record.execute(block_hash, is_early);
            if !self.config.breaks(Mutant::ForgetsBlocks) {
                process.bodies.insert(block_hash, block);
            }
        }
        self.answer(block_hash, verdict);
    }

    fn verdict(&self, block: &Arc<Block>, world: &World) -> Verdict {
        let Some(process) = self.process.as_ref().filter(|_| !self.execution_fails) else {
            return Verdict::Unavailable;
        };
        let invalid = |(reason, roots)| Verdict::Invalid { reason, roots };
        let parent = block.height().previous().and_then(|height| self.header(height, world));
        let (Some(parent), Some(set)) = (parent, self.set_of(block.height(), world)) else {
            return invalid((RejectReason::Header, None));
        };
        let next_validators = match judge(&parent, &set, block, self.machine) {
            Ok(next) => next,
            Err(why) => return invalid(why),
        };
        if self.config.breaks(Mutant::StrictTimestamps) && block.header().timestamp == parent.timestamp {
            return invalid((RejectReason::Header, None));
        }
        let mut seen = std::collections::BTreeSet::new();
        let again = |hash: &B256| process.included.get(hash).is_some_and(|at| *at < block.height());
        if block.transaction_hashes().iter().any(|hash| again(hash) || !seen.insert(*hash)) {
            return invalid((RejectReason::Transaction, None));
        }
        Verdict::Valid(Candidate { block: block.clone(), next_validators })
    }

    fn answer(&mut self, block_hash: B256, verdict: Verdict) {
        if let Some(process) = &mut self.process {
            process.checks.remove(&block_hash);
        }
        self.input(Input::Checked { block_hash, verdict });
    }

    pub(super) fn header(&self, height: Height, world: &World) -> Option<Header> {
        if height == Height::ZERO {
            return Some(world.chain.genesis.header().clone());
        }
        self.disk.block(height).map(|it| it.block.header().clone())
    }

    /// A leader fills its block by what it expects to execute in time; all of it at once, here.
    pub(super) fn begin_build(&self, plan: BuildPlan, world: &mut World) {
        let waiting = self.process.as_ref().map_or(0, |process| process.pool.len());
        let delay = world.execution_time(waiting.min(chain::room(plan.gas_shift)));
        world.wake(self.index, delay, Wake::Built(plan));
    }

    pub(super) fn on_built(&mut self, plan: BuildPlan, world: &mut World) {
        let candidate = self.build(plan, world);
        let Some(process) = &mut self.process else { return };
        if let Some(Candidate { block, .. }) = &candidate {
            // Its time may be its parent's, and that in the future.
            process.record.execute(block.hash(), false);
            if !self.config.breaks(Mutant::ForgetsBlocks) {
                process.bodies.insert(block.hash(), block.clone());
            }
        } else {
            process.told_work = None;
        }
        self.input(Input::Built { plan, candidate });
        self.tell_work();
    }

    fn build(&self, plan: BuildPlan, world: &World) -> Option<Candidate> {
        let parent = plan.height.previous().and_then(|height| self.header(height, world))?;
        let set = self.set_of(plan.height, world)?;
        let transactions: Vec<Bytes> = self.process.as_ref()?.pool.oldest(chain::room(plan.gas_shift));
        if self.execution_fails || (transactions.is_empty() && !plan.may_be_empty) {
            return None;
        }
        let clock_s = self.clock_s(world.now());
        let (block, next_validators) =
            chain::seal(&parent, &set, transactions, (key_number(self.index), clock_s), self.machine);
        Some(Candidate { block: Arc::new(block), next_validators })
    }
}

/// The block of a compact proposal, when all of it is at hand. What travelled with it and is not what it lists is ignored,
/// except by who is `trusting`.
fn assemble(proposal: &Proposal, pool: &crate::pool::Pool, trusting: bool) -> Option<Arc<Block>> {
    let raw = |(index, hash): (usize, &B256)| {
        let sound = |(place, raw): &&(u32, Bytes)| {
            usize::try_from(*place) == Ok(index) && (trusting || keccak256(raw) == *hash)
        };
        let sent = proposal.prefilled.iter().find(sound).map(|(_, raw)| raw);
        sent.or_else(|| pool.get(hash)).cloned()
    };
    let transactions: Option<Vec<Bytes>> = proposal.transaction_hashes.iter().enumerate().map(raw).collect();
    Some(Arc::new(Block::new(proposal.header.clone(), transactions?)))
}
