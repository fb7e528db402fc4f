//! `testnet new|up|down|status`.

use std::{path::PathBuf, time::Duration};

use clap::{Args, Subcommand};
use serde_json::json;

use crate::testnet::{Created, Network, Options, Started, Stopped, create};

use super::{Format, block_on, output};

/// How long a node may take to end by itself before it is killed. Its files survive either way.
const GRACE: Duration = Duration::from_secs(10);

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Writes the folder of a new network: genesis, keys, certificates, configurations, scripts.
    New(NewArgs),
    /// Starts every node that is not running, and returns when the network works.
    Up(UpArgs),
    /// Stops every node, and returns when all have ended.
    Down(FolderArgs),
    /// Shows what each node says of itself.
    Status(FolderArgs),
}

#[derive(Debug, Args)]
pub(super) struct FolderArgs {
    /// The network's folder.
    #[arg(value_name = "DIR", default_value = "./net")]
    folder: PathBuf,
}

#[derive(Debug, Args)]
pub(super) struct UpArgs {
    #[command(flatten)]
    folder: FolderArgs,
    /// How long to wait until the network works.
    #[arg(long, default_value = "60s", value_parser = humantime::parse_duration)]
    timeout: Duration,
}

#[derive(Debug, Args)]
pub(super) struct NewArgs {
    /// The folder to write; it must not exist.
    #[arg(long, value_name = "DIR", default_value = "./net")]
    out: PathBuf,
    /// How many nodes vote.
    #[arg(long, default_value_t = 4)]
    validators: usize,
    /// How many nodes follow without voting.
    #[arg(long, default_value_t = 1)]
    observers: usize,
    /// The EIP-155 chain id.
    #[arg(long, default_value_t = 20200)]
    chain_id: u64,
    /// The least time between two blocks, such as 50ms or 1s.
    #[arg(long, default_value = "50ms", value_parser = humantime::parse_duration)]
    block_interval: Duration,
    /// The time after which a block comes without any transaction, such as 5s; 0s: never.
    #[arg(long, default_value = "0s", value_parser = humantime::parse_duration)]
    empty_block_interval: Duration,
    /// Further accounts of block 0, in geth's form.
    #[arg(long, value_name = "FILE")]
    alloc: Option<PathBuf>,
    /// Node i answers clients at this port + i.
    #[arg(long, default_value_t = 20200)]
    rpc_port: u16,
    /// Node i answers operators at this port + i.
    #[arg(long, default_value_t = 20300)]
    ops_port: u16,
    /// Node i meets other nodes at this port + i.
    #[arg(long, default_value_t = 30300)]
    p2p_port: u16,
    /// The host of each node, validators first, separated by commas; without it all are on this machine.
    #[arg(long, value_delimiter = ',')]
    hosts: Vec<String>,
    /// Writes configurations for containers named like the nodes.
    #[arg(long)]
    docker: bool,
}

impl From<&NewArgs> for Options {
    fn from(args: &NewArgs) -> Self {
        Self {
            out: args.out.clone(),
            validators: args.validators,
            observers: args.observers,
            chain_id: args.chain_id,
            block_interval: args.block_interval,
            empty_block_interval: args.empty_block_interval,
            alloc: args.alloc.clone(),
            rpc_port: args.rpc_port,
            ops_port: args.ops_port,
            p2p_port: args.p2p_port,
            hosts: args.hosts.clone(),
            docker: args.docker,
        }
    }
}

pub(super) fn run(command: &Command, format: Format) -> eyre::Result<()> {
    match command {
        Command::New(args) => print_created(&create(&args.into())?, format),
        Command::Up(args) => up(args, format),
        Command::Down(args) => down(args, format),
        Command::Status(args) => status(args, format),
    }
}

fn print_created(created: &Created, format: Format) -> eyre::Result<()> {
    created.warnings.iter().for_each(|warning| eprintln!("warning: {warning}"));
    let hash = created.genesis.block()?.hash();
    let (folder, nodes) = (created.folder.display(), &created.plan.members);
    match format {
        Format::Json => output::print_json(&json!({
            "folder": created.folder,
            "chainId": created.genesis.config.chain_id,
            "genesisHash": hash,
            "nodes": nodes.iter().map(|node| &node.name).collect::<Vec<_>>(),
        })),
        Format::Text => {
            let chain_id = created.genesis.config.chain_id;
            output::print(format_args!(
                "{folder}: {} nodes, chain id {chain_id}, genesis {hash}",
                nodes.len()
            ));
            if created.plan.local {
                eprintln!("next: testnet up {folder}");
            }
        }
    }
    Ok(())
}

fn up(args: &UpArgs, format: Format) -> eyre::Result<()> {
    let network = Network::open(&args.folder.folder)?;
    let program = std::env::current_exe()?;
    eprintln!("starting {} nodes of {}", network.nodes.len(), network.folder.display());
    let started = block_on(network.up(&program, args.timeout, |warning| eprintln!("warning: {warning}")))??;
    match format {
        Format::Json => output::print_json(&started.iter().map(as_json).collect::<Vec<_>>().into()),
        Format::Text => started.iter().for_each(|node| {
            let Started { name, pid, rpc, p2p, started } = node;
            let how = if *started { "start successfully" } else { "is running" };
            output::print(format_args!("{name} {how} pid={pid} rpc={rpc} p2p={p2p}"));
        }),
    }
    Ok(())
}

fn as_json(node: &Started) -> serde_json::Value {
    let Started { name, pid, rpc, p2p, started } = node;
    json!({ "name": name, "pid": pid, "rpc": rpc, "p2p": p2p, "started": started })
}

fn down(args: &FolderArgs, format: Format) -> eyre::Result<()> {
    let stopped = Network::open(&args.folder)?.down(GRACE)?;
    let word = |how: Stopped| match how {
        Stopped::WasDown => "was not running",
        Stopped::Ended => "stop successfully",
        Stopped::Killed => "did not end within 10 s and was killed",
    };
    match format {
        Format::Json => {
            let row = |(name, how): (String, Stopped)| json!({ "name": name, "how": word(how) });
            output::print_json(&stopped.into_iter().map(row).collect::<Vec<_>>().into());
        }
        Format::Text => {
            stopped.iter().for_each(|(name, how)| output::print(format_args!("{name} {}", word(*how))))
        }
    }
    Ok(())
}

fn status(args: &FolderArgs, format: Format) -> eyre::Result<()> {
    let rows = block_on(Network::open(&args.folder)?.status())?;
    match format {
        Format::Json => output::print_json(&serde_json::to_value(&rows)?),
        Format::Text => {
            let mut table = output::table(&["node", "state", "pid", "height", "view", "peers", "head"]);
            for row in rows {
                table.add_row(row.cells());
            }
            output::print(table);
        }
    }
    Ok(())
}
