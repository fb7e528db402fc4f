//! `validators list|add|observe|remove|set-weight`: who votes, and the administrator's changes of it.
//!
//! ```text
//! look (nodes in the contract, whom the node hears) -> the arithmetic before and after
//!      -> estimate: would the contract refuse? -> could those heard decide? else only with --force
//!      -> sign, send, wait for the receipt
//! ```

mod picture;
mod transaction;

use std::path::PathBuf;

use clap::{Args, Subcommand};
use quorate_types::NodeId;
use serde_json::{Value, json};

use self::picture::{Change, Picture};
use super::{Format, NodeArgs, block_on, keys::read_signer, output};
use crate::{
    client::Client,
    exit::{Exit, Failure},
    standing::Standing,
};

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Shows who votes with which weight, who follows, and whom the node hears.
    List(NodeArgs),
    /// Gives a node a vote from the next height on.
    Add {
        /// Its share of the vote.
        #[arg(long, default_value_t = 1)]
        weight: u64,
        #[command(flatten)]
        change: ChangeArgs,
    },
    /// Takes a node's vote, or makes a new node known: it follows as an observer.
    Observe(ChangeArgs),
    /// Forgets a node: it has no vote, and follows for as long as its certificate is valid.
    Remove(ChangeArgs),
    /// Gives a validator another weight.
    SetWeight {
        /// Its share of the vote.
        #[arg(long)]
        weight: u64,
        #[command(flatten)]
        change: ChangeArgs,
    },
}

/// Whose vote changes, and who says so.
#[derive(Debug, Args)]
pub(super) struct ChangeArgs {
    /// The node's public key, 64 hex digits; the node itself shows it as `nodeId` in quorate_status.
    #[arg(value_name = "NODE_ID")]
    id: NodeId,
    #[command(flatten)]
    node: NodeArgs,
    /// A file with the administrator's private key in hex.
    #[arg(long, value_name = "FILE")]
    key: PathBuf,
    /// What the leader earns for each gas, in wei, 0 allowed; what the node suggests when this is left out.
    #[arg(long, value_name = "WEI")]
    tip: Option<u64>,
    /// Send it although those heard from could not decide a block afterwards.
    #[arg(long)]
    force: bool,
}

pub(super) fn run(command: &Command, format: Format) -> eyre::Result<()> {
    match command {
        Command::List(node) => list(&node.client()?, format),
        Command::Add { weight, change } => apply(change, Change::Vote(*weight), format),
        Command::Observe(change) => apply(change, Change::Observe, format),
        Command::Remove(change) => apply(change, Change::Remove, format),
        Command::SetWeight { weight, change } => apply(change, Change::Reweigh(*weight), format),
    }
}

fn list(client: &Client, format: Format) -> eyre::Result<()> {
    let picture = block_on(Picture::take(client))??;
    match format {
        Format::Json => output::print_json(&picture.as_json()?),
        Format::Text => {
            let mut table = output::table(&["node", "role", "weight", "heard", "fee recipient"]);
            for node in &picture.nodes {
                let role = if node.weight > 0 { "validator" } else { "observer" };
                let heard = if picture.hears(&node.key) { "yes" } else { "no" };
                table.add_row([
                    String::from(node.key),
                    role.to_owned(),
                    node.weight.to_string(),
                    heard.to_owned(),
                    node.fee_recipient.to_string(),
                ]);
            }
            output::print(table);
            let standing = picture.standing()?;
            output::print(format_args!("\n{standing}"));
            if let Some(weakness) = &standing.weakness {
                output::print(weakness);
            }
            output::print(format_args!("administrator {}", picture.administrator_text()));
        }
    }
    Ok(())
}

fn apply(args: &ChangeArgs, change: Change, format: Format) -> eyre::Result<()> {
    let signer = read_signer(&args.key, "the administrator's")?;
    let client = args.node.client()?;
    block_on(async {
        let picture = Picture::take(&client).await?;
        let prepared = transaction::prepare(&client, &signer, change.call(&args.id), args.tip).await?;
        let (before, after) = (picture.standing()?, picture.after(change, args.id)?);
        eprintln!("now:   {before}\nafter: {after}");
        if let Some(weakness) = &after.weakness {
            eprintln!("       {weakness}");
        }
        if needs_start(change, picture.hears(&args.id)) {
            eprintln!(
                "warning: {} does not hear node 0x{}: it counts as down until it is started",
                args.node.rpc, args.id
            );
        }
        check(&after, args.force)?;
        let done = transaction::send(&client, &signer, prepared).await?;
        print(&done, &before, &after, format)
    })?
}

/// Whether a node would be waited for: one that loses its vote, or is forgotten, may as well be down.
const fn needs_start(change: Change, is_heard: bool) -> bool {
    change.weight() > 0 && !is_heard
}

/// Refuses what would stop the chain at the next height (faults.md, offline-candidate: Besu #8425, Edge #637).
fn check(after: &Standing, force: bool) -> Result<(), Failure> {
    if after.can_decide() {
        return Ok(());
    }
    let Standing { heard, quorum, .. } = after;
    let what =
        format!("the validators heard from would weigh {heard}, and {quorum} decide: no block would follow");
    if force {
        eprintln!("warning: {what}");
        return Ok(());
    }
    Err(Failure::new(
        Exit::Refused,
        format!(
            "{what}\n  start those that are silent first, or repeat with --force if this node just does not hear them"
        ),
    ))
}

fn print(done: &transaction::Done, before: &Standing, after: &Standing, format: Format) -> eyre::Result<()> {
    let from = done.height + 1;
    match format {
        Format::Json => {
            let standing = |it: &Standing| serde_json::to_value(it);
            let answer: Value = json!({
                "transaction": done.hash,
                "height": done.height,
                "inForceFrom": from,
                "before": standing(before)?,
                "after": standing(after)?,
            });
            output::print_json(&answer);
        }
        Format::Text => output::print(format_args!(
            "in force from height {from}; transaction {} in block {}",
            done.hash, done.height
        )),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_who_gets_a_vote_has_to_be_up() {
        assert!(needs_start(Change::Vote(1), false) && needs_start(Change::Reweigh(2), false));
        assert!(!needs_start(Change::Vote(1), true));
        assert!(!needs_start(Change::Remove, false) && !needs_start(Change::Observe, false));
    }
}
