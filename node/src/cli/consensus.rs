//! `consensus status`: where the replica of one node stands, and whom it hears.

use clap::Subcommand;
use serde_json::Value;

use crate::client::text;

use super::{Format, NodeArgs, block_on, output};

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Height, view, leader and phase of a node, and what it last heard of each validator.
    Status(NodeArgs),
}

pub(super) fn run(command: &Command, format: Format) -> eyre::Result<()> {
    let Command::Status(node) = command;
    let client = node.client()?;
    let state = block_on(client.call("quorate_consensusState"))??;
    match format {
        Format::Json => output::print_json(&state),
        Format::Text => print(&state),
    }
    Ok(())
}

fn print(state: &Value) {
    let field = |name: &'static str| (name, text(&state[name]));
    output::print_pairs([
        field("height"),
        field("view"),
        field("leader"),
        field("phase"),
        ("timer ms", text(&state["timerMs"])),
    ]);
    output::print(format_args!("\n{}", validators(state)));
}

fn validators(state: &Value) -> comfy_table::Table {
    let columns = [
        ("validator", "id"),
        ("height", "height"),
        ("view", "view"),
        ("last seen ms", "lastSeenMs"),
        ("prevoted", "prevoted"),
        ("committed", "committed"),
        ("in view change", "inViewChange"),
    ];
    let mut table = output::table(&columns.map(|(heading, _)| heading));
    for validator in state["validators"].as_array().into_iter().flatten() {
        table.add_row(columns.map(|(_, key)| text(&validator[key])));
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_validator_is_a_row_and_what_is_missing_is_a_dash() {
        let state = serde_json::json!({ "validators": [{ "id": "0xab", "height": 7, "prevoted": true }] });
        let table = validators(&state).to_string();
        let row: Vec<_> = table.lines().nth(1).expect("a row").split_whitespace().collect();
        assert_eq!(row, ["0xab", "7", "-", "-", "true", "-", "-"]);
    }

    #[test]
    fn an_answer_of_another_shape_is_an_empty_table() {
        assert_eq!(validators(&Value::Null).to_string().lines().count(), 1);
    }
}
