//! `bench`: how much a network commits, how soon, and at which cost.

mod progress;
mod text;

use std::path::PathBuf;

use alloy_signer_local::PrivateKeySigner;
use clap::{Args, ValueEnum};
use eyre::WrapErr as _;
use quorate_bench::{BenchError, Plan, Profile, Progress, Transport};
use serde_json::json;
use tokio::sync::watch;

use super::{Format, keys::read_signer, output};
use crate::{
    client::DEFAULT_URL,
    exit::{Exit, Failure},
    testnet::{Network, development_accounts},
};

#[derive(Debug, Args)]
pub(super) struct BenchArgs {
    /// The folder of a network on this machine: its first node is sent to, its last one watched, all are measured.
    #[arg(value_name = "DIR", conflicts_with_all = ["rpc", "watch", "metrics"])]
    folder: Option<PathBuf>,
    /// Where transactions are sent; may be repeated.
    #[arg(long, value_name = "URL", default_value = DEFAULT_URL)]
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
    /// Begins at --rate and raises it by half, step by step, until less than nine tenths are committed.
    #[arg(long, requires = "rate", conflicts_with = "transactions")]
    ramp: bool,
    /// How long a step of the ramp lasts.
    #[arg(long, value_name = "TIME", default_value = "10s")]
    step: humantime::Duration,
    /// Writes the report as a page of HTML with charts as well.
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,
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
    let reports = runtime.block_on(async {
        let drawing = tokio::spawn(progress::draw(watched));
        let reports = if args.ramp {
            quorate_bench::ramp(&plan, args.step.into(), &progress).await
        } else {
            quorate_bench::run(&plan, &progress).await.map(|report| vec![report])
        };
        drop(progress);
        // It only draws.
        let _ = drawing.await;
        reports
    });
    let reports = reports.map_err(failure)?;
    if let Some(file) = &args.report {
        let page = quorate_bench::page(&reports).map_err(|error| eyre::eyre!("{error}"))?;
        std::fs::write(file, page).wrap_err_with(|| format!("cannot write {}", file.display()))?;
    }
    match (format, &*reports) {
        (Format::Text, [one]) => text::show(one),
        (Format::Text, steps) => text::show_steps(steps),
        (Format::Json, [one]) => output::print_json(&json!(one)),
        (Format::Json, steps) => output::print_json(&json!(steps)),
    }
    let clean = reports.iter().all(|report| report.audit.is_clean());
    Ok(if clean { Exit::Success } else { Exit::Rejected })
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
