//! Draws the faults that scenarios mix.

use std::time::Duration;

use rand::Rng;
use rand_chacha::ChaCha8Rng;

use crate::{
    disk::Death,
    fault::{Fault, Script},
    liar::Habit,
    network::{Weather, between},
    scenario::{Ending, Scenario},
    world::Pace,
};

/// One run in the making.
pub(crate) struct Planner<'a> {
    pub(crate) rng: &'a mut ChaCha8Rng,
    pub(crate) nodes: usize,
    pub(crate) length: Duration,
    pub(crate) script: Script,
}

impl Planner<'_> {
    pub(crate) fn chance(&mut self, share: f64) -> bool {
        self.rng.random_bool(share)
    }

    pub(crate) fn node(&mut self) -> usize {
        self.rng.random_range(0..self.nodes)
    }

    fn millis(&mut self, least: u64, most: u64) -> Duration {
        between(self.rng, Duration::from_millis(least), Duration::from_millis(most))
    }

    fn moment(&mut self) -> Duration {
        between(self.rng, Duration::ZERO, self.length)
    }

    fn add(&mut self, at: Duration, fault: Fault) {
        self.script.push((at, fault));
    }

    /// Transactions, each to one node, all through the run.
    pub(crate) fn clients(&mut self) {
        let mut at = Duration::ZERO;
        while at < self.length {
            at += self.millis(50, 1500);
            let node = self.node();
            self.add(at, Fault::Inject(node));
        }
    }

    pub(crate) fn start_together(&mut self) {
        for node in 0..self.nodes {
            let at = self.millis(0, 20);
            self.add(at, Fault::Start(node));
        }
    }

    pub(crate) fn start_one_by_one(&mut self) {
        for node in 0..self.nodes {
            let at = self.millis(0, 3000);
            self.add(at, Fault::Start(node));
        }
    }

    pub(crate) fn crashes(&mut self) {
        for _ in 0..self.rng.random_range(1..=2 * self.nodes) {
            let (at, node) = (self.moment(), self.node());
            let death = if self.chance(0.5) { Death::Killed } else { Death::PowerCut };
            let after = if self.chance(0.8) { self.rng.random_range(0..60) } else { 0 };
            self.add(at, Fault::Crash { node, death, after });
            let down = if self.chance(0.7) { self.millis(10, 800) } else { self.millis(800, 4000) };
            self.add(at + down, Fault::Start(node));
        }
    }

    pub(crate) fn power_cuts(&mut self) {
        for _ in 0..self.rng.random_range(1..=4) {
            let at = self.moment();
            for node in 0..self.nodes {
                let after = if self.chance(0.5) { self.rng.random_range(0..20) } else { 0 };
                self.add(at, Fault::Crash { node, death: Death::PowerCut, after });
                let back = at + self.millis(50, 1500);
                self.add(back, Fault::Start(node));
            }
        }
    }

    pub(crate) fn partitions(&mut self) {
        for _ in 0..self.rng.random_range(1..=5) {
            let at = self.moment();
            if self.chance(0.6) {
                let side = (0..self.nodes).map(|_| self.rng.random_bool(0.4)).collect();
                self.add(at, Fault::Partition(side));
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

    /// In a set of one or two the others are no quorum: nobody could say what the lost log held.
    pub(crate) fn full_disks(&mut self) {
        for _ in 0..self.rng.random_range(1..=3) {
            let (at, node) = (self.moment(), self.node());
            self.add(at, Fault::DiskFull { node, full: true });
            let later = at + self.millis(100, 5000);
            self.add(later, Fault::DiskFull { node, full: false });
        }
    }

    pub(crate) fn wipe(&mut self) {
        if self.nodes < 3 {
            return;
        }
        let (at, node) = (self.moment(), self.node());
        self.add(at, Fault::Crash { node, death: Death::PowerCut, after: 0 });
        self.add(at + Duration::from_millis(10), Fault::Wipe(node));
        let back = at + self.millis(20, 1000);
        self.add(back, Fault::Start(node));
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

    /// Any of the faults, together; how many liars there are with them.
    pub(crate) fn all_at_once(&mut self, tolerated: usize) -> usize {
        if self.chance(0.5) {
            self.start_together()
        } else {
            self.start_one_by_one()
        }
        if self.chance(0.7) {
            self.crashes();
        }
        if self.chance(0.3) {
            self.power_cuts();
        }
        if self.chance(0.4) {
            self.partitions();
        }
        if self.chance(0.2) {
            self.full_disks();
        }
        // A node without its log weighs as much as a liar until it votes again.
        if tolerated > 0 && self.chance(0.2) {
            self.wipe();
            return 0;
        }
        if self.chance(0.6) { tolerated } else { 0 }
    }

    pub(crate) fn ending(
        &mut self,
        scenario: Scenario,
        spare: usize,
        liars: &[(usize, Vec<Habit>)],
    ) -> Ending {
        let mut ending = Ending::default();
        if scenario == Scenario::Calm {
            return ending;
        }
        ending.blackout = self.chance(0.4);
        let node = self.node();
        let liar = liars.first().map(|(liar, _)| *liar).filter(|_| self.chance(0.5));
        ending.gone = liar.or_else(|| (spare > 0 && self.chance(0.5)).then_some(node));
        let client = self.node();
        ending.lone_client = self.chance(0.4).then_some(client);
        ending
    }

    pub(crate) fn liars(&mut self, count: usize) -> Vec<(usize, Vec<Habit>)> {
        let mut liars: Vec<(usize, Vec<Habit>)> = Vec::new();
        while liars.len() < count.min(self.nodes) {
            let node = self.node();
            if liars.iter().all(|(it, _)| *it != node) {
                let mut habits: Vec<Habit> = (0..self.rng.random_range(1..=4))
                    .map(|_| Habit::ALL[self.rng.random_range(0..Habit::ALL.len())])
                    .collect();
                // Silence leaves no room for other lies.
                if habits.len() > 1 {
                    habits.retain(|habit| *habit != Habit::Mute);
                }
                liars.push((node, habits));
            }
        }
        liars
    }
}
