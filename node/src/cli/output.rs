//! How answers look: tables for people, JSON for programs. Both go to stdout.

use std::{
    fmt::Display,
    io::{self, Write as _},
};

use comfy_table::{Table, presets};
use serde_json::Value;

/// The form of an answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// For people.
    #[default]
    Text,
    /// For programs.
    Json,
}

/// Prints a line, or many. Whoever closed the other end of a pipe has read enough, which is no failure.
pub(super) fn print(text: impl Display) {
    let _ = writeln!(io::stdout().lock(), "{text}");
}

/// Prints one JSON value.
pub(super) fn print_json(value: &Value) {
    print(format_args!("{value:#}"));
}

/// A table with these headings; wide cells stay in one line, so that scripts can cut columns.
pub(super) fn table(headings: &[&str]) -> Table {
    let mut table = Table::new();
    table.load_preset(presets::NOTHING).set_header(headings.iter().map(|heading| heading.to_uppercase()));
    table
}

/// Names and values in two columns.
pub(super) fn pairs<'a>(pairs: impl IntoIterator<Item = (&'a str, String)>) -> Table {
    let mut table = Table::new();
    table.load_preset(presets::NOTHING);
    for (name, value) in pairs {
        table.add_row([name.to_owned(), value]);
    }
    table
}

/// Prints names and values in two columns.
pub(super) fn print_pairs<'a>(rows: impl IntoIterator<Item = (&'a str, String)>) {
    print(pairs(rows));
}
