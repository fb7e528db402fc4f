//! `bench`: how much a network commits, how soon, and at which cost.

use std::{io::IsTerminal as _, path::PathBuf, time::Duration};

use alloy_signer_local::PrivateKeySigner;
use clap::{Args, ValueEnum};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use quorate_bench::{BenchError, Plan, Profile, Progress, Report, Transport};
use serde_json::json;
use tokio::sync::watch;

use super::{Format, keys::read_signer, output};
use crate::{
    client::DEFAULT_URL,
    exit::{Exit, Failure},
    testnet::{Network, development_accounts},
};

/// How often a progress line is drawn anew.
const REDRAW: Duration = Duration::from_millis(200);

#[derive(Debug, Args)]
pub(super) struct BenchArgs {
    /// The folder of a network on this machine: its first node is sent to, its last one watched, all are measured.
    #[arg(value_name = "DIR", conflicts_with_all = ["rpc", "watch", "metrics"])]
    folder: Option<PathBuf>,
    /// Where transactions are sent; may be repeated.
    #[arg(long, value_name = "URL", env = "NODE_RPC_URL", default_value = DEFAULT_URL)]
    rpc: Vec<String>,
    /// The node whose blocks count; the last one that is sent to when left out.
    #[arg(long, value_name = "URL")]
    watch: Option<String>,
    /// Where a node's processor time, memory and disk are told, such as http://127.0.0.1:9100/metrics; may be repeated.
    #[arg(long, value_name = "URL")]
    metrics: Vec<String>,
    /// What transactions do.
    #[arg(long, value_enum, default_value_t)]
    profile: ProfileArg,
    /// How they are sent.
    #[arg(long, value_enum, default_value_t)]
    transport: TransportArg,
    /// Transactions a second, due whatever the node does; as fast as it answers when left out.
    #[arg(long, value_name = "PER_SECOND")]
    rate: Option<f64>,
    /// How many transactions.
    #[arg(long, value_name = "COUNT", default_value_t = 20_000)]
    transactions: usize,
    /// How many connections.
    #[arg(long, value_name = "COUNT", default_value_t = 64)]
    clients: usize,
    /// How many accounts send; each belongs to one connection.
    #[arg(long, value_name = "COUNT", default_value_t = 256)]
    senders: usize,
    /// The most transactions of one request, where the transport has several.
    #[arg(long, value_name = "COUNT", default_value_t = 100)]
    batch: usize,
    /// A file with the private key, in hex, of who pays; the first account of a development network when left out.
    #[arg(long, value_name = "FILE")]
    key: Option<PathBuf>,
    /// How long a block is waited for that has something of what was accepted.
    #[arg(long, value_name = "TIME", default_value = "30s")]
    patience: humantime::Duration,
}

#[derive(Clone, Copy, Debug, Default, ValueEnum)]
enum ProfileArg {
    /// Ether from one account to another.
    #[default]
    Transfer,
    /// Tokens: two balances and an event.
    Erc20,
    /// Five slots that were empty.
    Storage,
    /// Of ten, seven transfers, two of tokens, one of storage.
    Mixed,
}

#[derive(Clone, Copy, Debug, Default, ValueEnum)]
enum TransportArg {
    /// JSON-RPC over HTTP, a transaction a request.
    #[default]
    Http,
    /// JSON-RPC over HTTP, in batches.
    HttpBatch,
    /// JSON-RPC over WebSockets, a transaction a request.
    Websocket,
    /// quorate.v1, batches in a stream.
    Grpc,
}

impl From<ProfileArg> for Profile {
    fn from(profile: ProfileArg) -> Self {
        match profile {
            ProfileArg::Transfer => Self::Transfer,
            ProfileArg::Erc20 => Self::Erc20,
            ProfileArg::Storage => Self::Storage,
            ProfileArg::Mixed => Self::Mixed,
        }
    }
}

impl From<TransportArg> for Transport {
    fn from(transport: TransportArg) -> Self {
        match transport {
            TransportArg::Http => Self::Http,
            TransportArg::HttpBatch => Self::HttpBatch,
            TransportArg::Websocket => Self::WebSocket,
            TransportArg::Grpc => Self::Grpc,
        }
    }
}

/// Runs it; exits 6 when what a node accepted is lost or double, or nodes differ.
pub(super) fn run(args: &BenchArgs, format: Format) -> eyre::Result<Exit> {
    let plan = plan(args)?;
    let (progress, watched) = watch::channel(Progress::Preparing);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let report = runtime.block_on(async {
        let drawing = tokio::spawn(draw(watched));
        let report = quorate_bench::run(&plan, &progress).await;
        drop(progress);
        // It only draws.
        let _ = drawing.await;
        report
    });
    let report = report.map_err(failure)?;
    match format {
        Format::Text => show(&report),
        Format::Json => output::print_json(&json!(report)),
    }
    Ok(if report.audit.is_clean() { Exit::Success } else { Exit::Rejected })
}

fn plan(args: &BenchArgs) -> eyre::Result<Plan> {
    let (endpoints, watched, metrics) = match &args.folder {
        Some(folder) => of_network(&Network::open(folder)?),
        None => (args.rpc.clone(), args.watch.clone(), args.metrics.clone()),
    };
    let watched = watched.or_else(|| endpoints.last().cloned()).unwrap_or_else(|| DEFAULT_URL.to_owned());
    Ok(Plan {
        endpoints,
        watched,
        metrics,
        profile: args.profile.into(),
        transport: args.transport.into(),
        rate: args.rate,
        transactions: args.transactions,
        clients: args.clients,
        senders: args.senders,
        batch: args.batch,
        funder: funder(args)?,
        patience: args.patience.into(),
    })
}

fn of_network(network: &Network) -> (Vec<String>, Option<String>, Vec<String>) {
    let first = network.nodes.iter().take(1).map(|node| node.url()).collect();
    let watched = network.nodes.last().map(|node| node.url());
    let metrics = network.nodes.iter().map(|node| format!("http://{}/metrics", node.config.ops.listen));
    (first, watched, metrics.collect())
}

fn funder(args: &BenchArgs) -> eyre::Result<PrivateKeySigner> {
    match &args.key {
        Some(file) => Ok(read_signer(file, "the payer's")?),
        None => Ok(development_accounts()?[0].private_key.parse()?),
    }
}

fn failure(error: BenchError) -> Failure {
    let exit = match &error {
        BenchError::Plan(_) => Exit::Usage,
        BenchError::Node { .. } => Exit::Unreachable,
        BenchError::Poor { .. } | BenchError::Preparing(_) => Exit::Rejected,
    };
    Failure::new(exit, error.to_string())
}

/// Draws how far it is, where somebody looks.
async fn draw(mut progress: watch::Receiver<Progress>) {
    let target = if std::io::stderr().is_terminal() {
        ProgressDrawTarget::stderr()
    } else {
        ProgressDrawTarget::hidden()
    };
    let bar = ProgressBar::with_draw_target(None, target);
    let style = ProgressStyle::with_template("{spinner} {msg} {wide_bar} {pos}/{len} committed, {elapsed}");
    bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
    bar.enable_steady_tick(REDRAW);
    loop {
        match *progress.borrow_and_update() {
            Progress::Preparing => bar.set_message("preparing"),
            Progress::Auditing => bar.set_message("auditing"),
            Progress::Loading { accepted, committed, of } => {
                bar.set_message(format!("{accepted} accepted"));
                bar.set_length(of as u64);
                bar.set_position(committed as u64);
            }
        }
        if progress.changed().await.is_err() {
            bar.finish_and_clear();
            return;
        }
    }
}

fn show(report: &Report) {
    let pace =
        report.rate.map_or_else(|| "as fast as it answers".to_owned(), |rate| format!("{rate} a second"));
    let latency = report.latency;
    let audit = report.audit;
    output::print_pairs([
        ("load", format!("{} over {}, {pace}", report.profile, report.transport)),
        ("from", format!("{} accounts, {} connections", report.senders, report.clients)),
        ("submitted", report.submitted.to_string()),
        ("accepted", format!("{}, {:.0} a second", report.accepted, report.accepted_per_second)),
        (
            "committed",
            format!(
                "{}, {:.0} a second, in {} blocks and {:.1} s",
                report.committed, report.committed_per_second, report.blocks, report.seconds
            ),
        ),
        (
            "to commit",
            format!(
                "p50 {:.1} ms, p95 {:.1} ms, p99 {:.1} ms, at most {:.1} ms",
                latency.p50, latency.p95, latency.p99, latency.max
            ),
        ),
        (
            "audit",
            if audit.is_clean() {
                format!("each once, {} blocks compared", audit.compared)
            } else {
                format!(
                    "WRONG: {} lost, {} twice, {} other hashes, {} other nonces",
                    audit.missing, audit.twice, audit.other_hashes, audit.other_nonces
                )
            },
        ),
    ]);
    for (reason, count) in &report.refused {
        output::print(format_args!("refused {count}: {reason}"));
    }
    if !report.nodes.is_empty() {
        let mut table = output::table(&["process", "CPU µs per tx", "memory MiB", "disk bytes per tx"]);
        for node in &report.nodes {
            table.add_row([
                node.url.clone(),
                format!("{:.0}", node.cpu_us_per_transaction),
                format!("{:.0}", node.resident_bytes / f64::from(1 << 20)),
                format!("{:.0}", node.data_bytes_per_transaction),
            ]);
        }
        output::print(table);
    }
}
