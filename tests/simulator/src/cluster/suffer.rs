//! Faults happen.

use quorate_types::Bytes;
use rand::Rng;

use super::Cluster;
use crate::{
    chain::Machine,
    disk::{Death, Disk},
    fault::Fault,
    node::Fuse,
    packet::Packet,
};

impl Cluster {
    /// Has something go wrong now.
    pub fn suffer(&mut self, fault: Fault) {
        fault.name().into_iter().for_each(|name| self.world.tally.count(name));
        match fault {
            Fault::Start(node) => self.start(node),
            Fault::Crash { node, death, after: 0 } => {
                self.nodes[node].crash(death, &mut self.world);
            }
            Fault::Crash { node, death, after } => {
                self.nodes[node].fuses.push_back(Fuse { death, after, restarts: false });
            }
            Fault::Wipe(node) => self.lose(node, "data folders deleted", |disk| {
                disk.wipe();
                true
            }),
            Fault::LoseLog(node) => self.lose(node, "vote logs deleted", |disk| {
                disk.lose_log();
                true
            }),
            Fault::DamageLog { node, chance } => self.lose(node, "vote logs damaged", |disk| {
                disk.damage_log(chance);
                true
            }),
            Fault::RestoreCopy { node, back } => {
                self.lose(node, "databases that went back", |disk| disk.restore_copy(back));
            }
            Fault::DiskFull { node, full } => self.nodes[node].set_disk_full(full, &mut self.world),
            Fault::Misexecutes(node) => {
                self.nodes[node].machine = Machine::Faulty;
                self.world.disputed = true;
            }
            Fault::ExecutionFails { node, fails } => self.nodes[node].execution_fails = fails,
            Fault::Clock { node, off_s } => self.nodes[node].clock_off_s = off_s,
            Fault::Partition(side) => self.world.network.partition(&side),
            Fault::Deafen(deaf) => self.world.network.deafen(&deaf),
            Fault::Cut { from, to } => self.world.network.cut(from, to),
            Fault::Mend => self.world.network.mend(),
            Fault::Weather(weather) => self.world.network.weather = weather,
            Fault::Inject(node) => self.inject(node),
            Fault::SetWeight { member, weight, client } => self.set_weight(member, weight, client),
            Fault::ChangeSet { chance, client } => self.change_set(chance, client),
        }
    }

    /// Starts a node, unless it runs: then it will start again after the crash that it waits for. Those that run greet it.
    pub fn start(&mut self, node: usize) {
        if self.nodes[node].is_running() {
            self.nodes[node].owe_start();
            return;
        }
        if self.gone[node] {
            return;
        }
        self.world.tally.count("starts");
        self.nodes[node].start(&mut self.world);
        for other in self.world.others(node) {
            if self.nodes[other].is_running() {
                self.world.send(node, other, &Packet::Hello);
                self.world.send(other, node, &Packet::Hello);
            }
        }
    }

    /// Starts all that do not run.
    pub fn start_all(&mut self) {
        (0..self.nodes.len()).for_each(|node| self.start(node));
    }

    /// Ends a process now.
    pub fn crash(&mut self, node: usize, death: Death) {
        self.suffer(Fault::Crash { node, death, after: 0 });
    }

    /// Ends a process that nobody will start again.
    pub fn bury(&mut self, node: usize) {
        self.crash(node, Death::PowerCut);
        self.gone[node] = true;
    }

    /// A stopped node loses something, if it can.
    fn lose(&mut self, node: usize, what: &'static str, happens: impl FnOnce(&mut Disk) -> bool) {
        if !self.nodes[node].is_running() && happens(&mut self.nodes[node].disk) {
            self.world.note(node, || format!("loses its memory: {what}"));
            self.world.tally.count(what);
            self.nodes[node].forgot = true;
        }
    }

    /// A client sends a new transaction to a node, which loses it when it does not run.
    pub fn inject(&mut self, node: usize) {
        self.transactions += 1;
        let salt: u64 = self.world.rng.random();
        let mut raw: Vec<u8> = [self.transactions, salt].iter().flat_map(|it| it.to_be_bytes()).collect();
        raw.resize(self.transaction_bytes.max(raw.len()), 0);
        self.nodes[node].inject(Bytes::from(raw), &mut self.world);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_crash_that_waits_outlives_a_start_and_counts_when_it_strikes() {
        const LIMIT: Duration = Duration::from_secs(5);
        let mut cluster = Cluster::running(1, 4);
        cluster.suffer(Fault::Crash { node: 2, death: Death::Killed, after: 40 });
        cluster.start(2);
        assert_eq!(cluster.tally().get("processes killed"), 0);
        assert!(cluster.run_until(LIMIT, |it| !it.is_running(2)));
        assert_eq!(cluster.tally().get("processes killed"), 1);
        assert!(cluster.run_until(LIMIT, |it| it.is_running(2)), "the start was not in vain");
    }
}
