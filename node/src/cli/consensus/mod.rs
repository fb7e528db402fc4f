//! `consensus status` and `consensus evidence`: where the replica of one node stands, whom it hears, what it waits for,
//! and who lied.

mod text;

use std::{
    io::{IsTerminal as _, stdout},
    time::Duration,
};

use clap::{Args, Subcommand};
use jsonrpsee::rpc_params;
use serde_json::{Value, json};

use crate::{client::Client, exit::Failure};

use super::{Format, NodeArgs, block_on, output};

/// How often a watched node is asked: as often as a silence can change.
const WATCH_INTERVAL: Duration = Duration::from_millis(500);
/// Clears a terminal and goes to its first cell (ECMA-48: ED 2, CUP).
const CLEAR: &str = "\x1b[2J\x1b[H";

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Where a node's replica stands: what it waits for, who voted, the timer, and what it last heard of each validator.
    Status(StatusArgs),
    /// The pairs of contradicting signatures that a node has seen, with all it takes to check them.
    Evidence(NodeArgs),
}

#[derive(Debug, Args)]
pub(super) struct StatusArgs {
    #[command(flatten)]
    node: NodeArgs,
    /// Shows also the last N turning points: proposals, locks, decisions, view changes with their reasons.
    #[arg(long, value_name = "N", default_value_t = 0)]
    events: usize,
    /// Goes on until it is interrupted: redraws a terminal, and prints a line for each change elsewhere.
    #[arg(long)]
    watch: bool,
}

pub(super) fn run(command: &Command, format: Format) -> eyre::Result<()> {
    match command {
        Command::Status(args) if args.watch => block_on(watch(args, format))??,
        Command::Status(args) => {
            let state = block_on(ask(&args.node.client()?, args.events))??;
            match format {
                Format::Json => output::print_json(&state),
                Format::Text => output::print(text::page(&state)),
            }
        }
        Command::Evidence(node) => {
            let evidence = block_on(node.client()?.call("quorate_evidence"))??;
            match format {
                Format::Json => output::print_json(&evidence),
                Format::Text => output::print(text::evidence(&evidence)),
            }
        }
    }
    Ok(())
}

/// The state, with the last events in it when they are wanted.
async fn ask(client: &Client, events: usize) -> Result<Value, Failure> {
    let mut state = client.call("quorate_consensusState").await?;
    if events > 0 {
        state["events"] = client.call_with("quorate_consensusEvents", rpc_params![events]).await?;
    }
    Ok(state)
}

/// Asks for ever. A node that does not answer at first is an error; one that stops to answer is being watched.
async fn watch(args: &StatusArgs, format: Format) -> Result<(), Failure> {
    let client = args.node.client()?;
    let redraws = format == Format::Text && stdout().is_terminal();
    let mut state = ask(&client, args.events).await?;
    let mut shown = Value::Null;
    loop {
        let key = text::what_changes(&state);
        if redraws {
            output::print(format_args!("{CLEAR}{}", text::page(&state)));
        } else if key != shown {
            match format {
                Format::Json => output::print(&state),
                Format::Text => output::print(text::line(&state)),
            }
        }
        shown = key;
        tokio::time::sleep(WATCH_INTERVAL).await;
        state =
            ask(&client, args.events).await.unwrap_or_else(|failure| json!({ "error": failure.to_string() }));
    }
}
