//! One node: a real replica, a disk that outlives it, and everything in between that the protocol needs from a
//! driver. Its parts: `life` starts and ends the process, `perform` interprets effects, `sign` is the way of a vote, `receive` that of a packet,
//! `bodies` builds, fetches and executes blocks, `catch_up` writes decided ones and fetches those it missed.

mod bodies;
mod catch_up;
mod duties;
mod life;
mod perform;
mod receive;
mod sign;

use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
    time::Duration,
};

use quorate_consensus::{Alarm, Early, Effect, Head, Input, Replica, ReplicaConfig, SignGuard, Timer};
use quorate_types::{B256, Block, Height, Message, NodeId, Signer, Statement, ValidatorSet};

use crate::{
    chain::Machine,
    disk::{Death, Disk},
    liar::{Liar, Mouth},
    oracle::Sizes,
    packet::Packet,
    pool::Pool,
    queue::Wake,
    world::World,
};

/// The clock of a simulated node at the start of a run, seconds since the Unix epoch.
const START_S: i64 = 1_000_000;

/// One member of the cluster.
pub(crate) struct Node {
    pub(crate) index: usize,
    pub(crate) id: NodeId,
    pub(crate) signer: Box<dyn Signer>,
    pub(crate) config: ReplicaConfig,
    /// How far its clock is ahead, seconds; negative: behind.
    pub(crate) clock_off_s: i64,
    /// Whether a second process signs with its key.
    pub(crate) has_twin: bool,
    /// Whether something of what it signed was ever taken from it.
    pub(crate) forgot: bool,
    /// Whether nothing can be executed.
    pub(crate) execution_fails: bool,
    pub(crate) machine: Machine,
    /// What it raised alarm over, in all its lives.
    pub(crate) alarms: Vec<Alarm>,
    pub(crate) disk: Disk,
    pub(crate) disk_full: bool,
    pub(crate) process: Option<Process>,
    pub(crate) liar: Option<Liar>,
    /// Crashes to come, one after the other.
    pub(crate) fuses: VecDeque<Fuse>,
}

/// A crash that waits for its point.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Fuse {
    pub(crate) death: Death,
    pub(crate) after: u32,
    /// Whether somebody came to start the process before it had ended.
    pub(crate) restarts: bool,
}

/// All that a crash takes away.
pub(crate) struct Process {
    pub(crate) replica: Replica,
    guard: SignGuard,
    early: Early,
    inbox: VecDeque<Incoming>,
    effects: VecDeque<Effect>,
    /// Signed and written; the disk is syncing them, and all else waits.
    signing: Option<Vec<Message>>,
    timers: BTreeMap<Timer, u64>,
    last_number: u64,
    pub(crate) pool: Pool,
    /// The transactions of the chain, each with its height.
    included: BTreeMap<B256, Height>,
    /// Blocks of undecided or unsynced heights, for whoever asks.
    bodies: BTreeMap<B256, Arc<Block>>,
    checks: BTreeMap<B256, bodies::Check>,
    told_work: Option<bool>,
    record: duties::Record,
    /// Whether it began without a log to trust, and has signed nothing since.
    was_unsure: bool,
    /// Until when an answer to the last request for blocks is waited for.
    syncing_until: Duration,
}

#[expect(clippy::large_enum_variant, reason = "one at a time, on the stack")]
enum Incoming {
    Input(Input),
    Packet { from: usize, packet: Packet },
}

impl Node {
    /// Whether its key says one thing only.
    pub(crate) const fn is_honest(&self) -> bool {
        self.liar.is_none() && !self.has_twin
    }

    pub(crate) const fn is_running(&self) -> bool {
        self.process.is_some()
    }

    pub(crate) fn on_packet(&mut self, from: usize, packet: Packet, world: &mut World) {
        if let Some(process) = &mut self.process {
            process.inbox.push_back(Incoming::Packet { from, packet });
            self.drive(world);
        }
    }

    pub(crate) fn on_wake(&mut self, what: Wake, world: &mut World) {
        match what {
            Wake::Timer(timer, number) => self.on_timer(timer, number, world),
            Wake::LogSynced => self.on_log_synced(world),
            Wake::BlocksSynced { height, by_sync } => self.on_blocks_synced(height, by_sync, world),
            Wake::Built(plan) => self.on_built(plan, world),
            Wake::AskAgain { block_hash, number } => self.ask_for_body(block_hash, number, world),
            Wake::Execute { block_hash, number } => self.execute(block_hash, number, world),
            Wake::Executed { block_hash, number } => self.on_executed(block_hash, number, world),
        }
        self.drive(world);
    }

    fn on_timer(&mut self, timer: Timer, number: u64, world: &mut World) {
        let Some(process) = &mut self.process else { return };
        if process.timers.get(&timer) != Some(&number) {
            return;
        }
        process.timers.remove(&timer);
        process.inbox.push_back(Incoming::Input(Input::Timer(timer)));
        if timer == Timer::Tick
            && let Some(liar) = &mut self.liar
        {
            liar.mutter(&Mouth::of(self.index, &*self.signer, &process.replica), world);
        }
    }

    /// Performs what is to be done, in order, then takes the next input, until the disk must be waited for.
    fn drive(&mut self, world: &mut World) {
        while let Some(process) = &mut self.process {
            if process.signing.is_some() {
                return;
            }
            if process.effects.is_empty() {
                let Some(incoming) = process.inbox.pop_front() else { return };
                self.take(incoming, world);
            } else if !self.crash_point(world)
                && let Some(effect) = self.process.as_mut().and_then(|process| process.effects.pop_front())
            {
                self.perform(effect, world);
            }
        }
    }

    fn take(&mut self, incoming: Incoming, world: &mut World) {
        let input = match incoming {
            Incoming::Input(input) => Some(input),
            Incoming::Packet { from, packet } => self.receive(from, packet, world),
        };
        let (Some(input), Some(process)) = (input, &mut self.process) else { return };
        if let Input::DiskRoom(is_left) = &input {
            process.record.room(*is_left);
        }
        process.effects.extend(process.replica.step(input));
        world.counts.steps += 1;
        if self.liar.is_none() {
            let sizes = Sizes {
                effects: process.effects.len(),
                inbox: process.inbox.len(),
                frames: self.disk.frames(),
                early: process.early.size(),
                view: process.replica.view(),
                replica: process.replica.footprint(),
            };
            world.require(self.index, sizes.check(world.ids.len()));
        }
    }

    fn input(&mut self, input: Input) {
        if let Some(process) = &mut self.process {
            process.inbox.push_back(Incoming::Input(input));
        }
    }

    /// The durable head.
    fn head(&self, world: &World) -> Head {
        let height = self.disk.durable();
        let hash = self.disk.block(height).map_or(world.chain.domain.genesis_hash, |it| it.block.hash());
        let next_validators = self.set_of(height.next(), world).expect("the set after each block is kept");
        Head { height, hash, next_validators }
    }

    /// Who votes on a height, as its own chain says; `None` above the one after its last block.
    fn set_of(&self, height: Height, world: &World) -> Option<Arc<ValidatorSet>> {
        match height.previous()? {
            Height::ZERO => Some(world.chain.first.clone()),
            parent => self.disk.set_after(parent).cloned(),
        }
    }

    /// The node's own clock, seconds since the Unix epoch.
    fn clock_s(&self, now: Duration) -> u64 {
        self.clock_ms(now) / 1000
    }

    fn clock_ms(&self, now: Duration) -> u64 {
        let now_ms = u64::try_from(now.as_millis()).expect("runs are short");
        let start_s = u64::try_from(START_S + self.clock_off_s).expect("clocks are days off at most");
        start_s * 1000 + now_ms
    }

    /// A client's transaction arrives at this node, which tells the others as well as the links allow.
    pub(crate) fn inject(&mut self, raw: quorate_types::Bytes, world: &mut World) {
        let Some(process) = &mut self.process else { return };
        if process.pool.add(raw.clone()) {
            world.note(self.index, || "takes a transaction from a client".to_owned());
            self.tell_work();
            if world.publishes {
                world.send_to_all(self.index, &Packet::Transactions(Arc::new(vec![raw])));
            }
            self.drive(world);
        }
    }

    /// Tells the replica whether there is work, when that changed.
    fn tell_work(&mut self) {
        let Some(process) = &mut self.process else { return };
        let work = !process.pool.is_empty();
        if process.told_work.replace(work) != Some(work) {
            self.input(Input::Work(work));
        }
    }
}

impl Process {
    fn number(&mut self) -> u64 {
        self.last_number += 1;
        self.last_number
    }
}

/// What the signer of a message said; certificates have no signer of their own.
pub(crate) fn statement_of(message: &Message) -> Option<Statement> {
    match message {
        Message::Proposal(it) => Some(Statement::Propose(it.propose.statement)),
        Message::Vote(it) => Some(Statement::Vote(it.statement)),
        Message::ViewChange(it) => Some(Statement::ViewChange(it.signed.statement)),
        Message::Reject(it) => Some(Statement::Reject(it.statement)),
        Message::Status(it) => Some(Statement::Status(it.statement)),
        Message::Decided(_) => None,
    }
}
