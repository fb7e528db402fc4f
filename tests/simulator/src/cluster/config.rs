//! How a cluster is set up.

use crate::{keys::Keys, liar::Habit, network::Weather, world::Pace};

/// How a cluster is set up.
#[derive(Clone, Debug)]
pub struct ClusterConfig {
    /// All chance comes from here.
    pub seed: u64,
    /// Validators.
    pub nodes: usize,
    /// The kind of signatures.
    pub keys: Keys,
    /// How the links behave at first.
    pub weather: Weather,
    /// How long disks and execution take.
    pub pace: Pace,
    /// Who lies, and how.
    pub liars: Vec<(usize, Vec<Habit>)>,
    /// Whether the first start finds no vote log, so that nobody trusts its own memory.
    pub no_logs: bool,
    /// How far each clock is ahead, seconds; nodes beyond the list are right.
    pub clocks_ahead_s: Vec<u64>,
    /// Whether nodes tell each other of new transactions at once; else only the protocol's own sharing spreads them.
    pub gossip: bool,
    /// The size of a transaction, bytes; what is above a proposal's share of raw bytes must be fetched.
    pub transaction_bytes: usize,
    /// Whether to write down what happens.
    pub trace: bool,
}

impl ClusterConfig {
    /// Honest nodes on good links.
    #[must_use]
    pub const fn fair(seed: u64, nodes: usize) -> Self {
        Self {
            seed,
            nodes,
            keys: Keys::Hashed,
            weather: Weather::FAIR,
            pace: Pace::FAIR,
            liars: Vec::new(),
            no_logs: false,
            clocks_ahead_s: Vec::new(),
            gossip: true,
            transaction_bytes: 16,
            trace: false,
        }
    }
}
