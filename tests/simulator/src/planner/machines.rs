//! What goes wrong with processes, disks and links.

use std::time::Duration;

use rand::Rng;

use super::Planner;
use crate::{cluster::BASE_TIMEOUT, disk::Death, fault::Fault, network::Weather, world::Pace};

/// The slowest transaction: a block that is full of them takes longer than any timer.
const SLOWEST_MS: u64 = 9_000;

impl Planner<'_> {
    fn death(&mut self) -> Death {
        [Death::Killed, Death::PowerCut, Death::TornPowerCut][self.rng.random_range(0..3)]
    }

    pub(crate) fn crashes(&mut self) {
        for _ in 0..self.rng.random_range(1..=2 * self.processes()) {
            let (at, node, death) = (self.moment(), self.node(), self.death());
            let after = if self.chance(0.8) { self.rng.random_range(0..60) } else { 0 };
            self.add(at, Fault::Crash { node, death, after });
            let down = if self.chance(0.7) { self.millis(10, 800) } else { self.millis(800, 4000) };
            self.add(at + down, Fault::Start(node));
        }
    }

    pub(crate) fn power_cuts(&mut self) {
        for _ in 0..self.rng.random_range(1..=4) {
            let at = self.moment();
            let death = if self.chance(0.5) { Death::PowerCut } else { Death::TornPowerCut };
            for node in 0..self.processes() {
                let after = if self.chance(0.5) { self.rng.random_range(0..20) } else { 0 };
                self.add(at, Fault::Crash { node, death, after });
                let back = at + self.millis(50, 1500);
                self.add(back, Fault::Start(node));
            }
        }
    }

    pub(crate) fn partitions(&mut self) {
        for _ in 0..self.rng.random_range(1..=5) {
            let at = self.moment();
            if self.chance(0.6) {
                let side = (0..self.processes()).map(|_| self.rng.random_bool(0.4)).collect();
                let one_way = self.chance(0.4);
                self.add(at, if one_way { Fault::Deafen(side) } else { Fault::Partition(side) });
            } else {
                let (from, to) = (self.node(), self.node());
                self.add(at, Fault::Cut { from, to });
                if self.chance(0.5) {
                    self.add(at, Fault::Cut { from: to, to: from });
                }
            }
            let mended = at + self.millis(100, 4000);
            self.add(mended, Fault::Mend);
        }
    }

    /// When a block without transactions is due.
    /// Longer than the timer of view 0.
    pub(crate) fn long_interval(&mut self) -> Duration {
        BASE_TIMEOUT * self.rng.random_range(2..=3)
    }

    pub(crate) fn empty_block_interval(&mut self) -> Duration {
        self.millis(200, 3000)
    }

    pub(crate) fn full_disks(&mut self) {
        for _ in 0..self.rng.random_range(1..=3) {
            let (at, node) = (self.moment(), self.node());
            self.add(at, Fault::DiskFull { node, full: true });
            let later = at + self.millis(100, 5000);
            self.add(later, Fault::DiskFull { node, full: false });
        }
    }

    pub(crate) fn failing_executions(&mut self) {
        for _ in 0..self.rng.random_range(1..=3) {
            let (at, node) = (self.moment(), self.node());
            self.add(at, Fault::ExecutionFails { node, fails: true });
            let later = at + self.millis(100, 3000);
            self.add(later, Fault::ExecutionFails { node, fails: false });
        }
    }

    pub(crate) fn bad_weather(&mut self) -> Weather {
        Weather {
            loss: self.rng.random_range(0.0..0.25),
            doubled: self.rng.random_range(0.0..0.1),
            delay_min: Duration::from_millis(1),
            delay_max: self.millis(5, 120),
            late: self.rng.random_range(0.0..0.1),
        }
    }

    pub(crate) fn slow_machines(&mut self) -> Pace {
        Pace {
            log: (Duration::from_micros(100), self.millis(1, 60)),
            blocks: (Duration::from_micros(100), self.millis(1, 400)),
            execution: (Duration::from_millis(1), self.millis(5, 300)),
            transaction: self.millis(0, 50),
        }
    }

    /// Execution that is slower than the timers.
    pub(crate) fn slow_execution(&mut self) -> Pace {
        Pace { transaction: self.millis(300, SLOWEST_MS), ..Pace::FAIR }
    }
}
