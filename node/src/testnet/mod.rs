//! # A network on one machine
//!
//! [`create`] writes a folder that holds all of a chain: its genesis, one configuration, key and
//! certificate per node, development accounts, scripts. [`Network`] runs what is in such a folder,
//! each node a process of its own that outlives the command.
//!
//! ```text
//! Options -> Plan: who, where, which ports -> folder (written beside, then renamed: all or nothing)
//!
//! Network::open(folder) -> up: probe ports, spawn, wait until each is healthy and has the chain's head
//!                       -> status: ask each
//!                       -> down: SIGTERM, and after 10 s SIGKILL
//! ```
//!
//! What it never knows: a node's insides. It reads configurations, asks `/health`, and sends signals.

mod accounts;
mod folder;
mod material;
mod network;
mod plan;
mod ports;
mod process;
mod status;
mod texts;
mod up;

pub use accounts::{DevelopmentAccount, MNEMONIC, development_accounts};
pub(crate) use accounts::{alloc, listing};
pub use folder::{Created, create};
pub use network::{LocalNode, Network, Stopped};
pub use plan::{Member, Options, Plan};
pub use ports::{Holder, holder, probe};
pub use status::NodeStatus;
pub use up::Started;
