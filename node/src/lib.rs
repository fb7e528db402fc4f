//! # quorate-node: the shell around the pure cores
//!
//! The binary and its parts: the command line, the configuration of one node, the generator and
//! process control of a local network, and the daemon that joins consensus, chain, network and RPC.
//!
//! What it never knows: the rules of the protocol. Those are in `quorate-consensus`.
//!
//! ```text
//! main -> cli: one command line -> config: one checked NodeConfig -> the daemon
//!                 |                                                     ^
//!                 +-> testnet new: a folder -> testnet up: one process per node
//!                 +-> client: asks a running node (health, status, consensus)
//!                 +-> dev: a chain in one process
//! ```
//!
//! Data goes to stdout, progress and errors to stderr; every command ends with a code of [`exit::Exit`].

mod admission;
mod asking;
mod bodies;
mod chain;
pub mod cli;
pub mod client;
mod clock;
mod conduct;
pub mod config;
mod dev;
mod driver;
pub mod exit;
mod gate;
pub mod identity;
mod ingress;
mod labels;
mod logging;
mod metrics;
pub mod node;
mod open_files;
mod ops;
mod over_quota;
mod peering;
mod recovered;
mod serve;
mod sharing;
mod standing;
mod statetest;
mod status;
mod stop;
mod sync_task;
#[cfg(test)]
mod test_network;
pub mod testnet;
mod timers;
mod watch;
