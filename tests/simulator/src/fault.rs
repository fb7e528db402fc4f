//! What goes wrong, and when.

use std::time::Duration;

use crate::{disk::Death, network::Weather};

/// One thing that happens to the cluster from outside.
#[derive(Clone, Debug)]
pub enum Fault {
    /// A process starts, if it does not run.
    Start(usize),
    /// A process ends once it has performed this many more effects, or parts of them.
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
    /// A disk is almost full, or has room again.
    DiskFull {
        /// Whose.
        node: usize,
        /// Which of both.
        full: bool,
    },
    /// Every link between nodes of different sides is cut.
    Partition(Vec<bool>),
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
    /// A client sends a transaction to this node alone.
    Inject(usize),
}

/// Faults with the times at which they happen.
pub type Script = Vec<(Duration, Fault)>;
