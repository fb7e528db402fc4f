//! # quorate-tests: what no crate can test alone
//!
//! Integration tests over the whole workspace, each a binary under `tests/`:
//!
//! ```text
//! architecture   who depends on whom, size of files and functions, licences; it reads, and runs nothing
//! others         stories over real node processes on loopback, and over the simulator
//! ```
//!
//! What it never holds: code that the product needs. Everything the tests start is what an operator
//! starts, by the same commands.
//!
//! The library holds what those stories are told with: a network of processes ([`cluster`]) and a wallet as SDKs
//! are ([`wallet`]). Benchmarks use the same, and what nodes are measured beside ([`peer`]). [`perturb`] breaks such a network by a written scenario and
//! judges what is left; the stories in `perturbation` and the program `soak` run it.
//!
//! [`clients`] runs what is no Rust of this workspace: SDKs, tools and examples, for the program of that name.

pub mod clients;
pub mod cluster;
pub mod peer;
pub mod perturb;
pub mod wallet;
