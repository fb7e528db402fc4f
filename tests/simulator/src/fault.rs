//! What goes wrong, and when.

use std::time::Duration;

use crate::{disk::Death, network::Weather};

/// One thing that happens to the cluster from outside.
#[derive(Clone, Debug)]
pub enum Fault {
    /// A process starts, if it does not run.
    Start(usize),
    /// A process ends once it has performed this many more effects, or parts of them. When the next [`Fault::Start`] finds it
    /// still running, it starts again soon after its end.
    Crash {
        /// Which.
        node: usize,
        /// How.
        death: Death,
        /// After how many crash points.
        after: u32,
    },
    /// The data folder of a stopped node is deleted.
    Wipe(usize),
    /// The vote log of a stopped node is deleted, its blocks are not.
    LoseLog(usize),
    /// Bytes rot in the vote log of a stopped node, not in its last frame: that would look like a torn write.
    DamageLog {
        /// Whose.
        node: usize,
        /// Where, drawn.
        chance: u64,
    },
    /// The blocks of a stopped node are replaced by a copy that is so many heights older, its log is not.
    RestoreCopy {
        /// Whose.
        node: usize,
        /// How many heights are missing.
        back: u64,
    },
    /// A disk is almost full, or has room again.
    DiskFull {
        /// Whose.
        node: usize,
        /// Which of both.
        full: bool,
    },
    /// Nothing can be executed, or again.
    ExecutionFails {
        /// Where.
        node: usize,
        /// Which of both.
        fails: bool,
    },
    /// A clock jumps.
    Clock {
        /// Whose.
        node: usize,
        /// How far it is ahead from now on, seconds; negative: behind.
        off_s: i64,
    },
    /// Every link between nodes of different sides is cut.
    Partition(Vec<bool>),
    /// Nodes on the true side hear nothing from the others, who hear them.
    Deafen(Vec<bool>),
    /// One direction of one link is cut.
    Cut {
        /// The sender.
        from: usize,
        /// The receiver.
        to: usize,
    },
    /// All links work again.
    Mend,
    /// The links behave differently from now on.
    Weather(Weather),
    /// A node computes other roots than the rest from now on.
    Misexecutes(usize),
    /// A client sends a transaction to this node alone.
    Inject(usize),
    /// An administrator gives a node another weight through a transaction: 0 removes it, an observer joins.
    SetWeight {
        /// Whose.
        member: usize,
        /// The weight.
        weight: u64,
        /// Who gets the transaction.
        client: usize,
    },
    /// The same, drawn, as long as the set tolerates those of its members that are not to be relied upon.
    ChangeSet {
        /// Which change.
        chance: u64,
        /// Who gets the transaction.
        client: usize,
    },
}

impl Fault {
    /// How the report calls it; `None`: it is counted where it strikes, if it does.
    pub(crate) const fn name(&self) -> Option<&'static str> {
        Some(match self {
            Self::Start(_)
            | Self::Crash { .. }
            | Self::Wipe(_)
            | Self::LoseLog(_)
            | Self::DamageLog { .. }
            | Self::RestoreCopy { .. }
            | Self::DiskFull { .. } => return None,
            Self::ExecutionFails { .. } => "executions broken or mended",
            Self::Misexecutes(_) => "machines that compute something else",
            Self::Clock { .. } => "clocks set",
            Self::Partition(_) => "partitions",
            Self::Deafen(_) => "one-way partitions",
            Self::Cut { .. } => "links cut",
            Self::Mend => "links mended",
            Self::Weather(_) => "changes of weather",
            Self::Inject(_) => "transactions",
            Self::SetWeight { .. } | Self::ChangeSet { .. } => "set changes asked for",
        })
    }
}

/// Faults with the times at which they happen.
pub type Script = Vec<(Duration, Fault)>;

impl Death {
    /// How the report calls it.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Killed => "processes killed",
            Self::PowerCut => "power cuts",
            Self::TornPowerCut => "power cuts with torn writes",
        }
    }
}
