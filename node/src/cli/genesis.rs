//! `genesis show`: what a genesis file says, and the hash that follows from it.

use std::{
    fs,
    path::{Path, PathBuf},
};

use clap::Subcommand;
use eyre::WrapErr as _;
use quorate_types::Genesis;
use serde_json::{Value, json};

use super::{Format, output};

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// The chain's id, hash, settings and validators.
    Show {
        /// The genesis file.
        #[arg(default_value = "genesis.json")]
        file: PathBuf,
    },
}

pub(super) fn run(command: &Command, format: Format) -> eyre::Result<()> {
    let Command::Show { file } = command;
    let genesis = read(file)?;
    let summary = summary(&genesis)?;
    match format {
        Format::Json => output::print_json(&summary),
        Format::Text => print(&genesis, &summary),
    }
    Ok(())
}

/// A genesis file that is sound.
pub(super) fn read(file: &Path) -> eyre::Result<Genesis> {
    let text = fs::read_to_string(file).wrap_err_with(|| format!("cannot read {}", file.display()))?;
    Genesis::from_json(&text).wrap_err_with(|| file.display().to_string())
}

fn summary(genesis: &Genesis) -> eyre::Result<Value> {
    let (set, block) = (genesis.validator_set()?, genesis.block()?);
    Ok(json!({
        "chainId": genesis.config.chain_id,
        "hash": block.hash(),
        "stateRoot": block.header().state_root,
        "config": genesis.config,
        "quorum": set.quorum(),
        "maxFaulty": set.max_faulty(),
        "totalWeight": set.total(),
        "validators": genesis.validators,
        "accounts": genesis.alloc.len(),
        "weakness": set.weakness(),
    }))
}

fn print(genesis: &Genesis, summary: &Value) {
    let field = |name: &str| crate::client::text(&summary[name]);
    let quorum =
        format!("{} of {}, {} may be faulty", field("quorum"), field("totalWeight"), field("maxFaulty"));
    output::print_pairs([
        ("chain id", field("chainId")),
        ("genesis hash", field("hash")),
        ("state root", field("stateRoot")),
        ("accounts", field("accounts")),
        ("quorum", quorum),
        ("weakness", field("weakness")),
    ]);
    output::print("");
    let settings = summary["config"].as_object().into_iter().flatten();
    output::print_pairs(settings.map(|(name, value)| (name.as_str(), crate::client::text(value))));
    let mut table = output::table(&["validator", "weight", "fee recipient"]);
    for validator in &genesis.validators {
        table.add_row([
            String::from(validator.key),
            validator.weight.to_string(),
            validator.fee_recipient.to_string(),
        ]);
    }
    output::print(format_args!("\n{table}"));
}
