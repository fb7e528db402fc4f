//! # Perturbation: a real network, broken by a script, under load, and judged at the end
//!
//! ```text
//! scenario.toml -> Scenario -> run: Cluster  <- links -  Proxies   every pair of neighbours meets through a proxy
//!                               |  processes <- kill, SIGTERM, SIGSTOP, wipe, fill: the steps, one after another
//!                               |  Load      -> transfers, sent again until they are in a block
//!                               |  watchers  -> Record: every block that any node has ever shown
//!                               v
//!                             audit: the faults end; the chain must go on; every block of every node is read again
//! ```
//!
//! What the [`Record`] refuses, at any moment: two hashes at one height, a transaction in two blocks, a transaction
//! that nobody sent. What the audit asks at the end: every block that was ever seen is on every node, every
//! transaction that a client waits for gets in, the balances fit, no node has ended by itself, and no node has a proof that
//! a validator contradicted itself.
//!
//! Nothing here sleeps to let something happen: steps wait on conditions with a bound, or measure a stretch of time.

mod audit;
mod disk;
mod expect;
mod load;
mod processes;
mod proxy;
mod record;
mod runner;
mod scenario;
mod soak;
mod tending;
mod topology;
mod watch;

use std::time::Duration;

pub use record::{Block, Record};
pub use runner::{Ending, Summary, run};
pub use scenario::{Scenario, ScenarioError, SmallDisk, Step};
pub use soak::draw;
pub use topology::{Links, Topology};

/// How often conditions are looked at.
const LOOK: Duration = Duration::from_millis(25);

/// Why a run has failed. Each is a promise of the chain that was not kept, or a scenario that expected too much.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, thiserror::Error)]
pub enum Violation {
    /// Two blocks at one height.
    #[error("FORK at height {height}: {node} has {hash}, and {known} was seen before")]
    Fork {
        /// Where.
        height: u64,
        /// Who showed the second.
        node: String,
        /// The second.
        hash: String,
        /// The first.
        known: String,
    },
    /// One transaction in two blocks.
    #[error("transaction {hash} is in block {first} and in block {second}")]
    Twice {
        /// The transaction.
        hash: String,
        /// A height.
        first: u64,
        /// Another.
        second: u64,
    },
    /// A transaction of nobody.
    #[error("transaction {hash} in block {height} was sent by nobody")]
    Unsent {
        /// The transaction.
        hash: String,
        /// Its height.
        height: u64,
    },
    /// A validator that signed two things that exclude each other: none of a scenario's nodes lies.
    #[error("{node} has proof that {validator} signed two things that exclude each other")]
    Equivocation {
        /// Who has the proof.
        node: String,
        /// Whose signatures they are.
        validator: String,
    },
    /// A block that was shown once is not there any more.
    #[error("block {height} was seen, and {node} does not have it at the end")]
    Vanished {
        /// Its height.
        height: u64,
        /// Who lacks it.
        node: String,
    },
    /// The balance does not say what the blocks say.
    #[error("{node} says that {balance} was paid, where {included} transfers of 1 are in blocks")]
    Balance {
        /// Who says so.
        node: String,
        /// The receiver's balance.
        balance: String,
        /// Transfers in blocks.
        included: u64,
    },
    /// A process ended that nobody had ended.
    #[error("{node} ended by itself: {status}; its logs say why")]
    Ended {
        /// The node.
        node: String,
        /// How it ended.
        status: String,
    },
    /// Something that had to come about did not, in its time.
    #[error("{within:?} have passed without: {what}")]
    Late {
        /// What was waited for.
        what: String,
        /// For how long.
        within: Duration,
    },
    /// A block where no quorum was.
    #[error("block {height} came about where none should")]
    Unexpected {
        /// Its height.
        height: u64,
    },
    /// The faults cost more than they may.
    #[error("{percent} % of the undisturbed throughput, at least {at_least} % is expected")]
    Slow {
        /// What was reached.
        percent: u32,
        /// What the scenario asks for.
        at_least: u32,
    },
    /// The scenario asks for what cannot be done.
    #[error("the scenario asks for what cannot be done: {0}")]
    Script(String),
}

/// A run cannot happen here, and why: what it needs is missing on this machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Skipped(pub String);
