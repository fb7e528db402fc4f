//! Named mixtures of faults, each drawn from a seed.

use std::{fmt, str::FromStr, time::Duration};

use rand_chacha::ChaCha8Rng;

use crate::{
    cluster::MIN_BLOCK_INTERVAL,
    fault::Script,
    liar::Habit,
    network::Weather,
    planner::{Ending, Planner},
    world::Pace,
};

/// A transaction that fits any packet.
const LIGHT_BYTES: usize = 16;
/// More than the share of raw bytes in a proposal: who was not told of it must fetch the block.
const HEAVY_BYTES: usize = 40 * 1024;
/// Between two transactions, milliseconds.
const BUSY: (u64, u64) = (50, 1500);
const CALM: (u64, u64) = (1500, 6000);
/// How many times longer the faults last where blocks come seldom.
const PATIENT: u32 = 4;

/// A mixture of faults.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scenario {
    /// Everything at once.
    Harsh,
    /// Nothing goes wrong, and no view is left.
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
    /// Vote logs are torn, damaged, deleted, or newer than the blocks beside them.
    TornLog,
    /// One clock is wrong by up to thirty seconds.
    ClockSkew,
    /// A full block takes longer to execute than any timer.
    SlowExecution,
    /// Validators join, leave and get other weights, while nodes restart.
    SetChange,
    /// A key runs twice.
    Twins,
    /// Empty blocks are wanted and clients are rare, while processes end and start, and some lie.
    EmptyBlocks,
}

/// What a scenario makes of a seed.
pub(crate) struct Plan {
    pub(crate) weather: Weather,
    pub(crate) pace: Pace,
    /// How many lose what they signed.
    pub(crate) losers: usize,
    pub(crate) weights: Vec<u64>,
    pub(crate) observers: usize,
    pub(crate) twins: Vec<usize>,
    pub(crate) liars: Vec<(usize, Vec<Habit>)>,
    pub(crate) unreliable: Vec<usize>,
    pub(crate) clocks_off_s: Vec<i64>,
    pub(crate) script: Script,
    /// When the faults end.
    pub(crate) length: Duration,
    /// How they end.
    pub(crate) ending: Ending,
    pub(crate) min_block_interval: Duration,
    pub(crate) empty_block_interval: Option<Duration>,
    pub(crate) publishes: bool,
    pub(crate) transaction_bytes: usize,
}

impl Scenario {
    /// All of them; the first is the default.
    pub const ALL: [Self; 13] = [
        Self::Harsh,
        Self::Calm,
        Self::Crash,
        Self::Partition,
        Self::RestartAll,
        Self::Wiped,
        Self::Liar,
        Self::TornLog,
        Self::ClockSkew,
        Self::SlowExecution,
        Self::SetChange,
        Self::Twins,
        Self::EmptyBlocks,
    ];

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
            Self::TornLog => "torn-log",
            Self::ClockSkew => "clock-skew",
            Self::SlowExecution => "slow-execution",
            Self::SetChange => "set-change",
            Self::Twins => "twins",
            Self::EmptyBlocks => "empty-blocks",
        }
    }

    /// Draws the faults of one run.
    pub(crate) fn plan(self, rng: &mut ChaCha8Rng, nodes: usize, byzantine: Option<usize>) -> Plan {
        let mut planner = Planner::new(rng, nodes);
        if let Some(count) = byzantine {
            planner.lie(Some(count));
        }
        let (mut weather, mut pace) = (Weather::FAIR, Pace::FAIR);
        match self {
            Self::Harsh => {
                weather = planner.bad_weather();
                pace = planner.slow_machines();
                planner.all_at_once(byzantine.is_none());
                if planner.chance(0.03) {
                    pace.transaction = planner.slow_execution().transaction / 4;
                }
            }
            // Slow disks part what is decided from what is durable.
            Self::Wiped | Self::TornLog => pace = planner.slow_machines(),
            Self::SlowExecution => pace = planner.slow_execution(),
            Self::Calm
            | Self::Crash
            | Self::Partition
            | Self::RestartAll
            | Self::Liar
            | Self::ClockSkew
            | Self::SetChange
            | Self::Twins
            | Self::EmptyBlocks => {}
        }
        self.draw_special(&mut planner, byzantine.is_none());
        let calm = self == Self::Calm;
        let may_go = planner.spare() > 0 && planner.losers == 0;
        let ending = if calm { Ending::default() } else { planner.ending(may_go) };
        let harsh = self == Self::Harsh;
        // Whose logs may be lost together is reckoned by heads.
        let by_weight = planner.losers < 2;
        if by_weight && ((harsh && planner.chance(0.3)) || self == Self::SetChange) {
            planner.weights();
        }
        if by_weight && ((harsh && planner.chance(0.25)) || self == Self::SetChange) {
            planner.set_changes(4);
        }
        let publishes = !((harsh || calm) && planner.chance(0.3));
        let wants_empty_blocks = self == Self::EmptyBlocks || planner.chance(0.1);
        let empty_block_interval = wants_empty_blocks.then(|| planner.empty_block_interval());
        let is_slow = harsh && planner.chance(0.05);
        let min_block_interval = if is_slow { planner.long_interval() } else { MIN_BLOCK_INTERVAL };
        let heavy = (harsh && planner.chance(0.05)) || (calm && planner.chance(0.3));
        let transaction_bytes = if heavy { HEAVY_BYTES } else { LIGHT_BYTES };
        Plan {
            weather,
            pace,
            losers: planner.losers,
            weights: planner.weights,
            observers: planner.observers,
            twins: planner.twins,
            liars: planner.liars,
            unreliable: planner.unreliable,
            clocks_off_s: planner.clocks_off_s,
            script: planner.script,
            length: planner.length,
            ending,
            min_block_interval,
            empty_block_interval,
            publishes,
            transaction_bytes,
        }
    }

    /// What only this scenario has; `cast` says whether it may choose liars.
    fn draw_special(self, planner: &mut Planner<'_>, cast: bool) {
        match self {
            Self::Harsh => return,
            Self::Calm | Self::Crash | Self::Partition | Self::RestartAll | Self::SlowExecution => {}
            Self::Wiped => planner.wipe(),
            Self::Liar if cast => planner.lie(None),
            Self::Liar => {}
            Self::EmptyBlocks => {
                planner.length *= PATIENT;
                if cast && planner.chance(0.5) {
                    planner.lie(None);
                }
            }
            Self::TornLog => {
                planner.lose_something();
                planner.lose_another();
            }
            Self::ClockSkew => planner.wrong_clock(),
            Self::SetChange => planner.observe(1..=2),
            Self::Twins => planner.twins(),
        }
        let rarely = matches!(self, Self::SlowExecution | Self::EmptyBlocks);
        planner.clients(if rarely { CALM } else { BUSY });
        match self {
            Self::Crash | Self::SetChange | Self::TornLog | Self::EmptyBlocks => planner.start_one_by_one(),
            _ => planner.start_together(),
        }
        if matches!(self, Self::Crash | Self::TornLog | Self::SetChange | Self::Twins | Self::EmptyBlocks) {
            planner.crashes();
        }
        if self == Self::Partition || (self == Self::Twins && planner.chance(0.5)) {
            planner.partitions();
        }
        if self == Self::RestartAll || (self == Self::SetChange && planner.chance(0.3)) {
            planner.power_cuts();
        }
        if matches!(self, Self::Wiped | Self::TornLog) && cast {
            planner.lie_beside_a_lost_log();
        }
    }
}

impl Planner<'_> {
    /// Any of the faults, together; `cast` says whether it may choose liars.
    fn all_at_once(&mut self, cast: bool) {
        if self.chance(0.25) {
            self.lose_something();
            self.lose_another();
        }
        if self.chance(0.1) {
            self.wrong_clock();
        }
        if self.chance(0.08) {
            self.twins();
        }
        if cast && self.chance(0.7) {
            self.lie(None);
        }
        if self.chance(0.15) {
            self.observe(1..=2);
        }
        self.clients(BUSY);
        if self.chance(0.5) {
            self.start_together();
        } else {
            self.start_one_by_one();
        }
        self.break_machines();
    }

    fn break_machines(&mut self) {
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
        if self.chance(0.15) {
            self.failing_executions();
        }
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
