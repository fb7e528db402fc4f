//! # quorate-simulator: whole clusters of real replicas, from one seed
//!
//! A run is a cluster of [`quorate_consensus::Replica`]s with everything around them simulated: time, links, disks,
//! clients, execution, and liars. One seed decides all of it, so that a failure can be looked at again, slowly.
//!
//! ```text
//!   queue of events ---> node: inbox -> Replica::step -> effects, one by one ---> disk, timers, links --+
//!        ^                 |  a crash between any two                                                   |
//!        |                 v                                                                            |
//!        |               oracle, at every step (see below)                                              |
//!        +----------------------------------------------------------------------------------------------+
//! ```
//! The oracle knows all nodes and all their lives. At every step it demands that
//! - each height has one block, whose certificate proves it to anyone who knows the chain below it, and whose time is not
//!   before its parent's;
//! - no process signs two things for one height, view and phase, in all its lives, wiped or not; none forgets a lock it committed
//!   to, votes below its own wish, or signs without a vote;
//! - nothing leaves a node before it is synced;
//! - nobody leaves a view without a quorum, or an honest node, as far; nothing grows beyond its bound, whoever floods;
//! - who is accused lied, and honest nodes have no reason for an alarm;
//!
//! and at the end that every honest node gets on, within a bound, that nothing keeps it from voting, that every waiting
//! transaction is decided, and that empty blocks come where they are wanted. Where nothing goes wrong no view is left.
//!
//! What it never knows: real time, tokio, `RocksDB`, the EVM. A disk here has a part that is synced and one that is
//! not, and a power cut takes the second away, or tears it. A liar is a whole node whose mouth says something else. Who votes
//! is what the transactions of the chain say. Signatures are a keyed hash, packets values, and the vote log what it comes down to;
//! one seed in a hundred has real keys, sends real frames and tears the real bytes, and takes the very same steps.
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
pub use quorate_consensus::{Alarm, Mutant, NotVoting};
pub use run::{Outcome, Setup, run};
pub use scenario::Scenario;
pub use tally::Tally;
pub use world::Pace;
