//! # quorate-simulator: whole clusters of real replicas, from one seed
//!
//! A run is a cluster of [`quorate_consensus::Replica`]s with everything around them simulated: time, links, disks,
//! clients, execution, and liars. One seed decides all of it, so that a failure can be looked at again, slowly.
//!
//! ```text
//!   queue of events ---> node: inbox -> Replica::step -> effects, one by one ---> disk, timers, links --+
//!        ^                 |  a crash between any two                                                   |
//!        |                 v                                                                            |
//!        |               oracle: one block for each height; no key signs twice; synced before sent      |
//!        +----------------------------------------------------------------------------------------------+
//! ```
//!
//! What it never knows: real time, tokio, `RocksDB`, the EVM. A disk here has a part that is synced and one that is
//! not, and a power cut takes the second away. A liar is a whole node whose mouth says something else.
//!
//! [`run`] draws the faults of a [`Scenario`] from a seed, lets them happen, ends them, and demands progress. A test of
//! one particular schedule drives a [`Cluster`] by hand:
//!
//! ```
//! use std::time::Duration;
//! use quorate_simulator::{Cluster, Death};
//! use quorate_types::Height;
//!
//! let mut cluster = Cluster::running(7, 4);
//! assert!(cluster.run_until(Duration::from_secs(1), |it| it.head(3) == Height(1)));
//! cluster.crash(3, Death::PowerCut);
//! cluster.inject(0);
//! assert!(cluster.run_until(Duration::from_secs(5), |it| it.head(0) == Height(2)));
//! cluster.start(3);
//! assert!(cluster.run_until(Duration::from_secs(2), |it| it.head(3) == Height(2)));
//! ```

mod chain;
mod cluster;
mod disk;
mod fault;
mod keys;
mod liar;
mod network;
mod node;
mod oracle;
mod packet;
mod planner;
mod pool;
mod queue;
mod run;
mod scenario;
mod tally;
mod wire;
mod world;

pub use cluster::{BASE_TIMEOUT, Cluster, ClusterConfig};
pub use disk::Death;
pub use fault::{Fault, Script};
pub use keys::Keys;
pub use liar::Habit;
pub use network::Weather;
pub use oracle::Violation;
pub use quorate_consensus::Mutant;
pub use run::{Outcome, Setup, run};
pub use scenario::Scenario;
pub use tally::Tally;
pub use world::Pace;
