//! A process starts from what its disk holds, and ends.

use std::{
    collections::{BTreeMap, VecDeque},
    time::Duration,
};

use quorate_consensus::{Early, Input, Recovered, Replica, SignGuard, Trust};
use quorate_types::{Height, Message};
use rand::Rng;

use super::{Fuse, Incoming, Node, Process, statement_of};
use crate::{
    disk::{Death, Remains, Wreck},
    fault::Fault,
    liar::Liar,
    pool::Pool,
    queue::Event,
    world::World,
};

/// How long a process is down that was to start before it ended.
const RESTART_AFTER: Duration = Duration::from_millis(100);

impl Node {
    /// Starts the process from what the disk holds.
    pub(crate) fn start(&mut self, world: &mut World) {
        if self.is_running() {
            return;
        }
        world.lives[self.index] += 1;
        let mut recovered = self.disk.open(&self.config);
        if self.liar.as_ref().is_some_and(Liar::forgets) {
            recovered = Recovered { records: BTreeMap::new(), trust: Trust::Full };
        }
        let (head, was_unsure) = (self.head(world), recovered.trust == Trust::None);
        if was_unsure {
            world.tally.count("starts without a log to trust");
            if !self.forgot {
                world.require(self.index, Err("doubts a log that nothing happened to".to_owned()));
            }
        }
        world.note(self.index, || format!("starts on h{} with trust {:?}", head.height, recovered.trust));
        let record = self.check_log(&recovered, head.height, world);
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
            if self.is_running() {
                world.tally.count(if full { "disks that filled up" } else { "disks with room again" });
            }
            self.input(Input::DiskRoom(!full));
            self.drive(world);
        }
    }

    /// Ends the process.
    pub(crate) fn crash(&mut self, death: Death, world: &mut World) {
        if self.process.take().is_some() {
            world.tally.count(death.name());
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
    pub(super) fn note_synced(&self, message: &Message, world: &mut World) {
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
    pub(super) fn crash_point(&mut self, world: &mut World) -> bool {
        let Some(fuse) = self.fuses.front_mut() else { return false };
        if fuse.after > 0 {
            fuse.after -= 1;
            return false;
        }
        let Fuse { death, restarts, .. } = *fuse;
        self.fuses.pop_front();
        world.tally.count("crashes between two effects");
        self.crash(death, world);
        if restarts {
            world.queue.push(RESTART_AFTER, Event::Fault(Fault::Start(self.index)));
        }
        true
    }

    /// Somebody comes to start the process, which runs: it is to start again after the next crash that it waits for.
    pub(crate) fn owe_start(&mut self) {
        if let Some(fuse) = self.fuses.iter_mut().find(|fuse| !fuse.restarts) {
            fuse.restarts = true;
        }
    }
}
