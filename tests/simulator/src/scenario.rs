//! Named mixtures of faults, each drawn from a seed.

use std::{fmt, str::FromStr, time::Duration};

use rand_chacha::ChaCha8Rng;

use crate::{
    fault::{Fault, Script},
    liar::Habit,
    network::{Weather, between},
    planner::Planner,
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
                // Slow disks part what is decided from what is durable.
                pace = planner.slow_machines();
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
            // It votes like anyone, so that the others need not wait; its tales are for the one without a memory. Wishes
            // for high views would cost the others its vote, which they can spare in larger sets alone.
            let habits = [Habit::Replays, Habit::HighViews];
            liars.push((planner.node(), habits[..tolerated.min(2)].to_vec()));
        }
        let wiped = planner.script.iter().any(|(_, fault)| matches!(fault, Fault::Wipe(_)));
        let unsure = matches!(self, Self::Harsh | Self::Wiped) && planner.chance(0.2);
        // Who abstains weighs as much as who is down; who comes late to a chain that began without logs abstains.
        let no_logs = unsure && liars.is_empty() && !wiped;
        let spare = if no_logs { 0 } else { tolerated.saturating_sub(liars.len() + usize::from(wiped)) };
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
