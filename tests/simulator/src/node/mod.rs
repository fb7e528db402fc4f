//! One node: a real replica, a disk that outlives it, and everything in between that the protocol needs from a
//! driver. Its parts: `perform` interprets effects, `sign` is the way of a vote, `receive` that of a packet,
//! `bodies` builds, fetches and executes blocks, `catch_up` writes decided ones and fetches those it missed.

mod bodies;
mod catch_up;
mod duties;
mod perform;
mod receive;
mod sign;

use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
    time::Duration,
};

use quorate_consensus::{
    Early, Effect, Head, Input, Recovered, Replica, ReplicaConfig, SignGuard, Timer, Trust,
};
use quorate_types::{B256, Block, Height, Message, NodeId, Prepared, Signer, Statement, ValidatorSet};
use rand::Rng;

use crate::{
    disk::{Death, Disk, Remains, Wreck},
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
    /// Whether nothing can be executed.
    pub(crate) execution_fails: bool,
    pub(crate) disk: Disk,
    pub(crate) disk_full: bool,
    pub(crate) process: Option<Process>,
    pub(crate) liar: Option<Liar>,
    pub(crate) fuse: Option<Fuse>,
}

/// A crash that waits for its point.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Fuse {
    pub(crate) death: Death,
    pub(crate) after: u32,
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

    /// Starts the process from what the disk holds.
    pub(crate) fn start(&mut self, world: &mut World) {
        if self.is_running() {
            return;
        }
        world.lives[self.index] += 1;
        let mut recovered = self.disk.open();
        if self.liar.as_ref().is_some_and(Liar::forgets) {
            recovered = Recovered { records: BTreeMap::new(), trust: Trust::Full };
        }
        let (head, was_unsure) = (self.head(world), recovered.trust == Trust::None);
        if was_unsure {
            world.tally.count("starts without a log to trust");
        }
        world.note(self.index, || format!("starts on h{} with trust {:?}", head.height, recovered.trust));
        let mut record = duties::Record::default();
        for (height, own) in &recovered.records {
            if let Some((certificate, _)) = &own.prepared {
                let lock = Prepared { view: certificate.view(), block_hash: certificate.block_hash() };
                record.lock(*height, lock);
            }
        }
        if recovered.trust == Trust::Full && self.liar.is_none() {
            let messages = recovered.records.values().flat_map(|record| &record.messages);
            let found: Vec<_> = messages.filter_map(statement_of).collect();
            let truth = world.oracle.on_trusted_start(self.index, head.height, &found);
            world.require(self.index, truth);
        }
        let mut guard = SignGuard::default();
        for message in recovered.records.values().flat_map(|record| &record.messages) {
            guard.remember(message);
            self.note_synced(message, world);
        }
        let blocks = self.disk.blocks_from(Height(1), usize::MAX).iter().map(|it| &it.block);
        let included = blocks
            .flat_map(|block| block.transaction_hashes().into_iter().map(|hash| (hash, block.height())));
        self.process = Some(Process {
            included: included.collect(),
            replica: Replica::new(self.config, head, recovered),
            guard,
            early: Early::default(),
            inbox: VecDeque::from([Input::DiskRoom(!self.disk_full), Input::Start].map(Incoming::Input)),
            effects: VecDeque::new(),
            signing: None,
            timers: BTreeMap::new(),
            last_number: 0,
            pool: Pool::default(),
            bodies: BTreeMap::new(),
            checks: BTreeMap::new(),
            told_work: None,
            record,
            was_unsure,
            syncing_until: Duration::ZERO,
        });
        self.drive(world);
    }

    /// The disk is almost full, or has room again; a process that starts is told so first.
    pub(crate) fn set_disk_full(&mut self, full: bool, world: &mut World) {
        if std::mem::replace(&mut self.disk_full, full) != full {
            world.note(self.index, || format!("disk is full: {full}"));
            self.input(Input::DiskRoom(!full));
            self.drive(world);
        }
    }

    /// Ends the process.
    pub(crate) fn crash(&mut self, death: Death, world: &mut World) {
        self.fuse = None;
        if self.process.take().is_some() {
            world.lives[self.index] += 1;
            match death {
                Death::Killed => self.disk.keep(),
                Death::PowerCut => self.disk.lose_power(Wreck { frame: Remains::Nothing, blocks: 0 }),
                Death::TornPowerCut => self.tear(world),
            }
            world.note(self.index, || format!("ends: {death:?}"));
        }
    }

    fn tear(&mut self, world: &mut World) {
        let frame = [Remains::Nothing, Remains::Part, Remains::All][world.rng.random_range(0..3)];
        let blocks = world.rng.random_range(0..3);
        if self.disk.is_writing() && frame == Remains::Part {
            world.tally.count("frames torn");
        }
        self.disk.lose_power(Wreck { frame, blocks });
    }

    /// What is on disk from here on binds the key.
    fn note_synced(&self, message: &Message, world: &mut World) {
        if self.liar.is_none()
            && let Some(statement) = statement_of(message)
        {
            let set = world.set_of(statement.height());
            let truth = world.oracle.on_synced(self.index, self.is_honest(), statement, set.as_deref());
            world.require(self.index, truth);
        }
    }

    /// A place where the process may end: between any two effects, and within a vote between writing, syncing and
    /// each single sending. `true` when it did.
    fn crash_point(&mut self, world: &mut World) -> bool {
        let Some(fuse) = &mut self.fuse else { return false };
        if fuse.after > 0 {
            fuse.after -= 1;
            return false;
        }
        let death = fuse.death;
        self.crash(death, world);
        true
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
            let replica = &process.replica;
            let (at, set) = ((replica.height(), replica.view()), &replica.validators().clone());
            liar.mutter(&Mouth { me: self.index, signer: &*self.signer, at, set }, world);
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
            if world.gossip {
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
