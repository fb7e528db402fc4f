//! What came of a run.

use std::{collections::BTreeMap, time::Duration};

use hdrhistogram::Histogram;
use serde::Serialize;

use crate::{Plan, ledger::Ledger, watcher::SeenBlock};

/// What came of a run. Times are in milliseconds where nothing else is said.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// What transactions did.
    pub profile: &'static str,
    /// How they were sent.
    pub transport: &'static str,
    /// At which rate they were due, a second; `None` for a closed loop.
    pub rate: Option<f64>,
    /// Connections.
    pub clients: usize,
    /// Accounts that sent.
    pub senders: usize,
    /// All that were sent.
    pub submitted: usize,
    /// What nodes took into their pools.
    pub accepted: usize,
    /// What was refused, by the nodes' words.
    pub refused: BTreeMap<String, usize>,
    /// What came into blocks.
    pub committed: usize,
    /// From the first that was due to the last that was seen in a block, seconds.
    pub seconds: f64,
    /// Accepted a second, until the last was.
    pub accepted_per_second: f64,
    /// Committed a second, until the last was seen.
    pub committed_per_second: f64,
    /// From due to visible on the watched node.
    pub latency: Latency,
    /// The whole distribution of the same.
    pub quantiles: Vec<Quantile>,
    /// Second by second, from when the first was due.
    pub timeline: Vec<Second>,
    /// Blocks with transactions that the watched node showed.
    pub blocks: usize,
    /// The processes, where their metrics are known.
    pub nodes: Vec<NodeFigures>,
    /// Whether the chain is as it should be.
    pub audit: Audit,
}

/// A distribution, in milliseconds.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct Latency {
    /// The median.
    pub p50: f64,
    /// Of 100, 95 took less.
    pub p95: f64,
    /// Of 100, 99 took less.
    pub p99: f64,
    /// The longest.
    pub max: f64,
}

/// A point of a distribution.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Quantile {
    /// Of 100, so many took less.
    pub percent: f64,
    /// Than this.
    pub milliseconds: f64,
}

/// What came to pass in one second.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Second {
    /// Taken by a node.
    pub accepted: usize,
    /// Seen in a block.
    pub committed: usize,
}

/// What one process used.
#[derive(Clone, Debug, Serialize)]
pub struct NodeFigures {
    /// Where it tells.
    pub url: String,
    /// Processor time for each committed transaction, microseconds.
    pub cpu_us_per_transaction: f64,
    /// Its memory at the end.
    pub resident_bytes: f64,
    /// What its folder grew by for each.
    pub data_bytes_per_transaction: f64,
}

/// What must be zero.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Audit {
    /// Accepted, and in no block that was seen.
    pub missing: usize,
    /// In more than one block.
    pub twice: usize,
    /// Blocks that a node has another one for.
    pub other_hashes: usize,
    /// Senders whose nonce is not the number of their transactions, where all were committed.
    pub other_nonces: usize,
    /// How many blocks were compared.
    pub compared: usize,
}

impl Audit {
    /// Whether nothing is wrong.
    #[must_use]
    pub const fn is_clean(&self) -> bool {
        self.missing == 0 && self.twice == 0 && self.other_hashes == 0 && self.other_nonces == 0
    }
}

pub(crate) fn of(
    plan: &Plan,
    ledger: &Ledger,
    blocks: &[SeenBlock],
    nodes: Vec<crate::NodeFigures>,
    audit: Audit,
) -> Report {
    let (until_accepted, until_seen) = ledger.spans();
    let rate = |count: usize, span: Duration| {
        if span.is_zero() { 0.0 } else { count as f64 / span.as_secs_f64() }
    };
    let histogram = distribution(ledger);
    Report {
        profile: plan.profile.name(),
        transport: plan.transport.name(),
        rate: plan.rate,
        clients: plan.clients,
        senders: plan.senders,
        submitted: ledger.len(),
        accepted: ledger.accepted(),
        refused: ledger.refused(),
        committed: ledger.committed(),
        seconds: until_seen.as_secs_f64(),
        accepted_per_second: rate(ledger.accepted(), until_accepted),
        committed_per_second: rate(ledger.committed(), until_seen),
        latency: latency_of(&histogram),
        quantiles: quantiles_of(&histogram),
        timeline: ledger.timeline(),
        blocks: blocks.iter().filter(|block| !block.transactions.is_empty()).count(),
        nodes,
        audit,
    }
}

fn distribution(ledger: &Ledger) -> Histogram<u64> {
    let mut histogram = Histogram::<u64>::new(3).expect("three digits");
    for latency in ledger.latencies() {
        let micros = u64::try_from(latency.as_micros()).unwrap_or(u64::MAX);
        histogram.record(micros).expect("it grows with its values");
    }
    histogram
}

fn milliseconds(micros: u64) -> f64 {
    Duration::from_micros(micros).as_secs_f64() * 1e3
}

fn latency_of(histogram: &Histogram<u64>) -> Latency {
    let at = |quantile| milliseconds(histogram.value_at_quantile(quantile));
    Latency { p50: at(0.5), p95: at(0.95), p99: at(0.99), max: milliseconds(histogram.max()) }
}

fn quantiles_of(histogram: &Histogram<u64>) -> Vec<Quantile> {
    let point = |percent: u32| Quantile {
        percent: percent.into(),
        milliseconds: milliseconds(histogram.value_at_percentile(percent.into())),
    };
    (0..=100).map(point).collect()
}
