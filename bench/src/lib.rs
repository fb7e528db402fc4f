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
mod page;
mod report;
mod watcher;
mod workload;

use std::{sync::Arc, time::Duration};

use alloy_signer_local::PrivateKeySigner;
use tokio::sync::watch;

pub use connection::Transport;
pub use error::BenchError;
pub use ledger::Progress;
pub use page::page;
pub use report::{Audit, Latency, NodeFigures, Quantile, Report, Second};
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
    let blocks = watcher.stop().await?;
    let after = nodes::read(&plan.metrics).await?;
    progress.send_replace(Progress::Auditing);
    let audit = audit::run(plan, &workload, &ledger, &blocks).await?;
    Ok(report::of(plan, &ledger, &blocks, nodes::used(&before, &after, ledger.committed()), audit))
}

/// How much more each step of a ramp is than the one before.
const RAMP_FACTOR: f64 = 1.5;
/// A network that commits less than this part of what is due is beyond its knee.
const KNEE_PART: f64 = 0.9;

/// Carries out the plan at rising rates, each for the time `step`, from the plan's own rate on, until the network commits less
/// than nine tenths of what is due. The last report is that beyond the knee.
///
/// # Errors
/// Those of [`run`], and when the plan has no rate.
pub async fn ramp(
    plan: &Plan,
    step: Duration,
    progress: &watch::Sender<Progress>,
) -> Result<Vec<Report>, BenchError> {
    let mut rate = plan.rate.ok_or(BenchError::Plan("a ramp needs a rate to begin with"))?;
    let mut reports = Vec::new();
    loop {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a count that fits memory"
        )]
        let due = (rate * step.as_secs_f64()) as usize;
        let transactions = due.max(plan.senders);
        let report = run(&Plan { rate: Some(rate), transactions, ..plan.clone() }, progress).await?;
        let beyond = report.committed_per_second < KNEE_PART * rate;
        reports.push(report);
        if beyond {
            return Ok(reports);
        }
        rate *= RAMP_FACTOR;
    }
}
