//! Draws the faults that scenarios mix: `cast` says who is not to be relied upon and who votes, `machines` what goes wrong
//! with processes and links, `memory` who forgets.

mod cast;
mod machines;
mod memory;

use std::time::Duration;

use rand::Rng;
use rand_chacha::ChaCha8Rng;

use crate::{
    fault::{Fault, Script},
    liar::Habit,
    network::between,
};

/// The state in which a cluster must recover.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Ending {
    /// The power fails everywhere, and all start again at the same moment.
    pub(crate) blackout: bool,
    /// One that does not come back, or a liar that is heard no more.
    pub(crate) gone: Option<usize>,
    /// The one node that clients talk to; `None`: they talk to all.
    pub(crate) lone_client: Option<usize>,
}

/// One run in the making.
pub(crate) struct Planner<'a> {
    rng: &'a mut ChaCha8Rng,
    pub(crate) nodes: usize,
    pub(crate) length: Duration,
    pub(crate) script: Script,
    pub(crate) weights: Vec<u64>,
    pub(crate) observers: usize,
    pub(crate) liars: Vec<(usize, Vec<Habit>)>,
    pub(crate) twins: Vec<usize>,
    /// Whose vote is not to be relied upon, though they do not lie.
    pub(crate) unreliable: Vec<usize>,
    pub(crate) clocks_off_s: Vec<i64>,
    /// How many lose what they signed.
    pub(crate) losers: usize,
}

impl<'a> Planner<'a> {
    pub(crate) fn new(rng: &'a mut ChaCha8Rng, nodes: usize) -> Self {
        let length = between(rng, Duration::from_secs(3), Duration::from_secs(10));
        Self {
            rng,
            nodes,
            length,
            script: Vec::new(),
            weights: Vec::new(),
            observers: 0,
            liars: Vec::new(),
            twins: Vec::new(),
            unreliable: Vec::new(),
            clocks_off_s: Vec::new(),
            losers: 0,
        }
    }

    pub(crate) fn chance(&mut self, share: f64) -> bool {
        self.rng.random_bool(share)
    }

    /// Any of the processes.
    pub(crate) fn node(&mut self) -> usize {
        let processes = self.processes();
        self.rng.random_range(0..processes)
    }

    pub(crate) fn processes(&self) -> usize {
        self.nodes + self.observers + self.twins.len()
    }

    pub(crate) fn millis(&mut self, least: u64, most: u64) -> Duration {
        between(self.rng, Duration::from_millis(least), Duration::from_millis(most))
    }

    fn moment(&mut self) -> Duration {
        between(self.rng, Duration::ZERO, self.length)
    }

    fn add(&mut self, at: Duration, fault: Fault) {
        self.script.push((at, fault));
    }

    /// Transactions, each to one node, all through the run.
    pub(crate) fn clients(&mut self, pause: (u64, u64)) {
        let mut at = Duration::ZERO;
        while at < self.length {
            at += self.millis(pause.0, pause.1);
            let node = self.node();
            self.add(at, Fault::Inject(node));
        }
    }

    pub(crate) fn start_together(&mut self) {
        for node in 0..self.processes() {
            let at = self.millis(0, 20);
            self.add(at, Fault::Start(node));
        }
    }

    pub(crate) fn start_one_by_one(&mut self) {
        for node in 0..self.processes() {
            let at = self.millis(0, 3000);
            self.add(at, Fault::Start(node));
        }
    }

    /// How the faults end; `may_go` says whether somebody honest may be missing then.
    pub(crate) fn ending(&mut self, may_go: bool) -> Ending {
        let mut ending = Ending { blackout: self.chance(0.4), ..Ending::default() };
        let liar = self.liars.first().map(|(liar, _)| *liar);
        if self.losers == 0 && self.chance(0.5) {
            ending.gone = liar;
        }
        if ending.gone.is_none() && may_go && self.chance(0.5) {
            ending.gone = self.someone_reliable();
            self.unreliable.extend(ending.gone);
        }
        let client = self.node();
        ending.lone_client = self.chance(0.4).then_some(client);
        ending
    }
}
