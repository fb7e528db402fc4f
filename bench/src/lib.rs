//! # quorate-bench: signed transactions at a rate, and what became of them
//!
//! What it owns: load against the client ports of any Ethereum node, latency from when a transaction was due to when another
//! node shows its block, and the audit that follows.
//!
//! What it never knows: how a node works inside. It speaks JSON-RPC, `quorate.v1` and Prometheus' text, and so measures other
//! nodes too.
//!
//! ```text
//! Plan -> Workload: senders funded, contracts deployed, all transactions signed
//!                     | each client has senders of its own, in the order of their nonces
//!                     v
//!         clients: when it is due (open loop) or when the last was answered (closed) --submit--> nodes
//!                     | due, accepted                                                            |
//!                     v                                                                          v
//!         Ledger: one row for each transaction <--------- included, seen ------------- Watcher: new heads of one node
//!                     |
//!                     v
//!         Report <- audit: each once, the same hashes everywhere <- figures of the nodes' processes
//! ```
//! ## Open and closed
//! In a closed loop each client sends when its last request was answered, so a slow node is asked less: it shows what is
//! reached at most. In an open loop transactions are due at a fixed rate whatever the node does, and latency counts from then: a
//! stall shows in each transaction that had to wait (Tene's coordinated omission).

mod audit;
mod clients;
mod connection;
mod error;
mod funding;
mod grpc;
mod http;
mod ledger;
mod nodes;
mod report;
mod watcher;
mod workload;

use std::{sync::Arc, time::Duration};

use alloy_signer_local::PrivateKeySigner;
use tokio::sync::watch;

pub use connection::Transport;
pub use error::BenchError;
pub use ledger::Progress;
pub use report::{Audit, Latency, NodeFigures, Report};
pub use workload::Profile;

use ledger::Ledger;

/// What to measure.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Where transactions are sent, `http://HOST:PORT`; clients are dealt out among them.
    pub endpoints: Vec<String>,
    /// The node whose blocks tell that a transaction is committed. Not one of the endpoints, where there is another.
    pub watched: String,
    /// Where processes' figures are read, `http://HOST:PORT/metrics`; none where the nodes have none.
    pub metrics: Vec<String>,
    /// What transactions do.
    pub profile: Profile,
    /// How they are sent.
    pub transport: Transport,
    /// Transactions a second; `None` for a closed loop.
    pub rate: Option<f64>,
    /// How many in all.
    pub transactions: usize,
    /// Connections.
    pub clients: usize,
    /// Accounts that send; each belongs to one client.
    pub senders: usize,
    /// The most transactions of one request, where the transport has several.
    pub batch: usize,
    /// Who pays for it all.
    pub funder: PrivateKeySigner,
    /// How long blocks are waited for that hold what was accepted, after the last that did.
    pub patience: Duration,
}

impl Plan {
    fn check(&self) -> Result<(), BenchError> {
        let wrong = |what| Err(BenchError::Plan(what));
        if self.endpoints.is_empty() {
            return wrong("it names no endpoint");
        }
        if self.clients == 0 || self.senders < self.clients || self.transactions < self.senders {
            return wrong(
                "it needs a sender for each client at the least, and a transaction for each sender",
            );
        }
        if self.batch == 0 || self.rate.is_some_and(|rate| !rate.is_finite() || rate <= 0.0) {
            return wrong("batch and rate are above 0");
        }
        Ok(())
    }
}

/// Carries out the plan, and tells how far it is meanwhile.
///
/// # Errors
/// When a node does not answer, the funder is too poor, or the plan makes no sense. What is refused, lost or late is no
/// error: the report tells it.
pub async fn run(plan: &Plan, progress: &watch::Sender<Progress>) -> Result<Report, BenchError> {
    plan.check()?;
    progress.send_replace(Progress::Preparing);
    let workload = workload::prepare(plan).await?;
    let ledger = Arc::new(Ledger::new(workload.hashes()));
    let watcher = watcher::start(&plan.watched, Arc::clone(&ledger)).await?;
    let before = nodes::read(&plan.metrics).await?;
    clients::run(plan, &workload, &ledger, progress).await?;
    ledger.settle(plan.patience, progress).await;
    let blocks = watcher.stop();
    let after = nodes::read(&plan.metrics).await?;
    progress.send_replace(Progress::Auditing);
    let audit = audit::run(plan, &workload, &ledger, &blocks).await?;
    Ok(report::of(plan, &ledger, &blocks, nodes::used(&before, &after, ledger.committed()), audit))
}
