//! Named mixtures of faults, each drawn from a seed.

use std::{fmt, str::FromStr, time::Duration};

use rand::Rng;
use rand_chacha::ChaCha8Rng;

use crate::{
    disk::Death,
    fault::{Fault, Script},
    liar::Habit,
    network::{Weather, between},
    world::Pace,
};

/// A transaction that fits any packet.
const LIGHT_BYTES: usize = 16;
/// Two of these fill the share of raw bytes in a proposal.
const HEAVY_BYTES: usize = 16 * 1024;

/// A mixture of faults.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scenario {
    /// Everything at once.
    Harsh,
    /// Nothing goes wrong.
    Calm,
    /// Processes end at any point, with and without the power, and start again.
    Crash,
    /// The network falls apart and is mended; single links fail in one direction.
    Partition,
    /// The power fails everywhere at once, again and again.
    RestartAll,
    /// One node loses its data folder.
    Wiped,
    /// As many liars as the set tolerates.
    Liar,
}

/// What a scenario makes of a seed.
pub(crate) struct Plan {
    pub(crate) weather: Weather,
    pub(crate) pace: Pace,
    pub(crate) liars: Vec<(usize, Vec<Habit>)>,
    pub(crate) no_logs: bool,
    pub(crate) script: Script,
    /// When the faults end.
    pub(crate) length: Duration,
    /// How they end.
    pub(crate) ending: Ending,
    pub(crate) gossip: bool,
    pub(crate) transaction_bytes: usize,
}

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

impl Scenario {
    /// All of them; the first is the default.
    pub const ALL: [Self; 7] =
        [Self::Harsh, Self::Calm, Self::Crash, Self::Partition, Self::RestartAll, Self::Wiped, Self::Liar];

    /// The name on the command line.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Harsh => "harsh",
            Self::Calm => "calm",
            Self::Crash => "crash",
            Self::Partition => "partition",
            Self::RestartAll => "restart-all",
            Self::Wiped => "wiped",
            Self::Liar => "liar",
        }
    }

    /// Draws the faults of one run.
    pub(crate) fn plan(self, rng: &mut ChaCha8Rng, nodes: usize, byzantine: Option<usize>) -> Plan {
        let length = between(rng, Duration::from_secs(3), Duration::from_secs(10));
        let mut planner = Planner { rng, nodes, length, script: Vec::new() };
        planner.clients();
        let tolerated = nodes.saturating_sub(1) / 3;
        let mut liars = 0;
        let mut weather = Weather::FAIR;
        let mut pace = Pace::FAIR;
        match self {
            Self::Calm => planner.start_together(),
            Self::Crash => {
                planner.start_one_by_one();
                planner.crashes();
            }
            Self::Partition => {
                planner.start_together();
                planner.partitions();
            }
            Self::RestartAll => {
                planner.start_together();
                planner.power_cuts();
            }
            Self::Wiped => {
                planner.start_together();
                planner.wipe();
            }
            Self::Liar => {
                planner.start_together();
                liars = tolerated;
            }
            Self::Harsh => {
                weather = planner.bad_weather();
                pace = planner.slow_machines();
                liars = planner.all_at_once(tolerated);
            }
        }
        let mut liars = planner.liars(byzantine.unwrap_or(liars));
        if self == Self::Wiped && byzantine.is_none() && tolerated > 0 && planner.chance(0.4) {
            // It votes like anyone, so that the others need not wait; its tales are for the one without a memory.
            liars.push((planner.node(), vec![Habit::Replays, Habit::HighViews]));
        }
        let wiped = planner.script.iter().any(|(_, fault)| matches!(fault, Fault::Wipe(_)));
        let unsure = matches!(self, Self::Harsh | Self::Wiped) && planner.chance(0.2);
        // Who abstains weighs as much as who is down; who comes late to a chain that began without logs abstains.
        let no_logs = unsure && liars.is_empty() && !wiped;
        let spare = tolerated.saturating_sub(liars.len() + usize::from(wiped || no_logs));
        let may_go: &[_] = if wiped { &[] } else { &liars };
        let ending = planner.ending(self, spare, may_go);
        let harsh = self == Self::Harsh;
        let gossip = !(harsh && planner.chance(0.3));
        let transaction_bytes = if harsh && planner.chance(0.1) { HEAVY_BYTES } else { LIGHT_BYTES };
        let script = planner.script;
        Plan { weather, pace, liars, no_logs, script, length, ending, gossip, transaction_bytes }
    }
}

impl fmt::Display for Scenario {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Scenario {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        let names = || Self::ALL.map(Self::name).join(", ");
        Self::ALL
            .into_iter()
            .find(|it| it.name() == name)
            .ok_or_else(|| format!("there is no scenario `{name}`: choose one of {}", names()))
    }
}

/// Draws faults.
struct Planner<'a> {
    rng: &'a mut ChaCha8Rng,
    nodes: usize,
    length: Duration,
    script: Script,
}

impl Planner<'_> {
    fn chance(&mut self, share: f64) -> bool {
        self.rng.random_bool(share)
    }

    fn node(&mut self) -> usize {
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
    fn clients(&mut self) {
        let mut at = Duration::ZERO;
        while at < self.length {
            at += self.millis(50, 1500);
            let node = self.node();
            self.add(at, Fault::Inject(node));
        }
    }

    fn start_together(&mut self) {
        for node in 0..self.nodes {
            let at = self.millis(0, 20);
            self.add(at, Fault::Start(node));
        }
    }

    fn start_one_by_one(&mut self) {
        for node in 0..self.nodes {
            let at = self.millis(0, 3000);
            self.add(at, Fault::Start(node));
        }
    }

    fn crashes(&mut self) {
        for _ in 0..self.rng.random_range(1..=2 * self.nodes) {
            let (at, node) = (self.moment(), self.node());
            let death = if self.chance(0.5) { Death::Killed } else { Death::PowerCut };
            let after = if self.chance(0.8) { self.rng.random_range(0..60) } else { 0 };
            self.add(at, Fault::Crash { node, death, after });
            let down = if self.chance(0.7) { self.millis(10, 800) } else { self.millis(800, 4000) };
            self.add(at + down, Fault::Start(node));
        }
    }

    fn power_cuts(&mut self) {
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

    fn partitions(&mut self) {
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
    fn wipe(&mut self) {
        if self.nodes < 3 {
            return;
        }
        let (at, node) = (self.moment(), self.node());
        self.add(at, Fault::Crash { node, death: Death::PowerCut, after: 0 });
        self.add(at + Duration::from_millis(10), Fault::Wipe(node));
        let back = at + self.millis(20, 1000);
        self.add(back, Fault::Start(node));
    }

    fn bad_weather(&mut self) -> Weather {
        Weather {
            loss: self.rng.random_range(0.0..0.25),
            doubled: self.rng.random_range(0.0..0.1),
            delay_min: Duration::from_millis(1),
            delay_max: self.millis(5, 120),
            late: self.rng.random_range(0.0..0.1),
        }
    }

    fn slow_machines(&mut self) -> Pace {
        Pace {
            log: (Duration::from_micros(100), self.millis(1, 60)),
            blocks: (Duration::from_micros(100), self.millis(1, 400)),
            execution: (Duration::from_millis(1), self.millis(5, 300)),
            transaction: self.millis(0, 50),
        }
    }

    /// Any of the faults, together; how many liars there are with them.
    fn all_at_once(&mut self, tolerated: usize) -> usize {
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
        // A node without its log weighs as much as a liar until it votes again.
        if tolerated > 0 && self.chance(0.2) {
            self.wipe();
            return 0;
        }
        if self.chance(0.6) { tolerated } else { 0 }
    }

    fn ending(&mut self, scenario: Scenario, spare: usize, liars: &[(usize, Vec<Habit>)]) -> Ending {
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

    fn liars(&mut self, count: usize) -> Vec<(usize, Vec<Habit>)> {
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
