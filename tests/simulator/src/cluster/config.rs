//! How a cluster is set up.

use std::time::Duration;

use quorate_consensus::{Mutant, ReplicaConfig};
use quorate_types::NodeId;

use super::{BASE_TIMEOUT, MIN_BLOCK_INTERVAL};
use crate::{keys::Keys, liar::Habit, network::Weather, world::Pace};

/// How a cluster is set up. Nodes are numbered: the first validators in the order of their set, then observers, then the
/// second processes of keys that run twice.
#[derive(Clone, Debug)]
pub struct ClusterConfig {
    /// All chance comes from here.
    pub seed: u64,
    /// Validators of height 1.
    pub nodes: usize,
    /// Their weights; those beyond the list have 1.
    pub weights: Vec<u64>,
    /// Nodes that follow without a vote until a transaction gives them one.
    pub observers: usize,
    /// Validators whose key runs in two processes, each with a disk of its own.
    pub twins: Vec<usize>,
    /// The kind of signatures, and with it of bytes on links and disks.
    pub keys: Keys,
    /// How the links behave at first.
    pub weather: Weather,
    /// How long disks and execution take.
    pub pace: Pace,
    /// Who lies, and how.
    pub liars: Vec<(usize, Vec<Habit>)>,
    /// Whose vote is not to be relied upon, beside liars and twins: drawn set changes leave a quorum without them.
    pub unreliable: Vec<usize>,
    /// How far each clock is ahead, seconds, negative: behind; nodes beyond the list are right.
    pub clocks_off_s: Vec<i64>,
    /// The least time between two blocks.
    pub min_block_interval: Duration,
    /// When an empty block is due; `None`: never.
    pub empty_block_interval: Option<Duration>,
    /// Whether nodes tell each other of new transactions at once; else only the protocol's own sharing spreads them.
    pub publishes: bool,
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
            weights: Vec::new(),
            observers: 0,
            twins: Vec::new(),
            keys: Keys::Hashed,
            weather: Weather::FAIR,
            pace: Pace::FAIR,
            liars: Vec::new(),
            unreliable: Vec::new(),
            clocks_off_s: Vec::new(),
            min_block_interval: MIN_BLOCK_INTERVAL,
            empty_block_interval: None,
            publishes: true,
            transaction_bytes: 16,
            trace: false,
        }
    }

    /// How many processes there are.
    pub(crate) fn processes(&self) -> usize {
        self.nodes + self.observers + self.twins.len()
    }

    /// Which key a process has: its own number, but for the second process of a key.
    pub(crate) fn key_of(&self, index: usize) -> usize {
        let twin = index.checked_sub(self.nodes + self.observers);
        twin.and_then(|twin| self.twins.get(twin)).copied().unwrap_or(index)
    }

    /// Whether this process shares its key.
    pub(crate) fn has_twin(&self, index: usize) -> bool {
        self.twins.contains(&self.key_of(index))
    }

    /// What each replica of this cluster is told once.
    pub(crate) fn replica(&self, me: NodeId) -> ReplicaConfig {
        ReplicaConfig {
            me,
            base_timeout: BASE_TIMEOUT,
            min_block_interval: self.min_block_interval,
            empty_block_interval: self.empty_block_interval,
            mutant: Mutant::active(),
        }
    }
}
