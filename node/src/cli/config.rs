//! `config check` and `config show`.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use serde_json::{Map, Value, json};

use crate::config::{Key, Overrides, load};

use super::{Format, output};

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Checks a file, with the environment over it, and that the files it names are there; exits 3 when
    /// something is wrong.
    Check(FileArgs),
    /// Prints the effective values and where each comes from.
    Show(FileArgs),
}

#[derive(Debug, Args)]
pub(super) struct FileArgs {
    /// The configuration file.
    file: PathBuf,
    /// Overrides a key of the file; may be repeated.
    #[arg(long = "set", value_name = "KEY=VALUE")]
    overrides: Vec<String>,
}

pub(super) fn run(command: &Command, format: Format) -> eyre::Result<()> {
    let (Command::Check(args) | Command::Show(args)) = command;
    let loaded = load(&args.file, &Overrides::from_process(&args.overrides))?;
    if matches!(command, Command::Check(_)) {
        loaded.check_files()?;
    }
    let values = loaded.values();
    match (command, format) {
        (Command::Check(_), Format::Text) => {
            output::print(format_args!("{} is sound", loaded.file.display()))
        }
        (Command::Check(_), Format::Json) => output::print_json(&json!({ "file": loaded.file, "ok": true })),
        (Command::Show(_), Format::Json) => {
            let entry = |(key, value): (&'static Key, Value)| {
                let origin = loaded.origin(key.path).to_string();
                (key.path.to_owned(), json!({ "value": value, "origin": origin }))
            };
            let all: Map<_, _> = values.into_iter().map(entry).collect();
            output::print_json(&all.into());
        }
        (Command::Show(_), Format::Text) => {
            let mut table = output::table(&["key", "value", "origin"]);
            for (key, value) in values {
                let origin = loaded.origin(key.path).to_string();
                table.add_row([key.path.to_owned(), crate::client::text(&value), origin]);
            }
            output::print(table);
        }
    }
    Ok(())
}
