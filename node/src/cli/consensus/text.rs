//! The replica's state as a page, and as a line.

use comfy_table::Table;
use serde_json::{Value, json};
use time::{OffsetDateTime, format_description::BorrowedFormatItem, macros::format_description};

use crate::client::{number, text};

use super::output;

/// How many hex digits of a hash or key tell it from others at a glance.
const PREFIX: usize = 8;
const TIME: &[BorrowedFormatItem<'_>] = format_description!("[hour]:[minute]:[second].[subsecond digits:3]");

/// Everything on one page.
pub(super) fn page(state: &Value) -> String {
    if let Some(error) = state["error"].as_str() {
        return error.to_owned();
    }
    let mut page = format!("{}\n\n{}", output::pairs(summary(state)), validators(state));
    if !state["events"].is_null() {
        page.push_str(&format!("\n\n{}", events(state)));
    }
    page
}

/// One line, for logs and pipes.
pub(super) fn line(state: &Value) -> String {
    if let Some(error) = state["error"].as_str() {
        return error.lines().next().unwrap_or_default().to_owned();
    }
    let [height, view, phase, waiting] =
        ["height", "view", "phase", "waitingFor"].map(|key| text(&state[key]));
    format!("height {height} view {view} {phase}: {waiting}")
}

/// What makes a new line: everything but the clocks in the state.
pub(super) fn what_changes(state: &Value) -> Value {
    let keys = [
        "error",
        "height",
        "view",
        "phase",
        "prevotes",
        "commits",
        "viewChanges",
        "missing",
        "decided",
        "abstaining",
        "alarms",
    ];
    json!(keys.map(|key| &state[key]))
}

/// The pairs, newest last.
pub(super) fn evidence(evidence: &Value) -> Table {
    let mut table = output::table(&["time", "validator", "kind", "height", "view"]);
    for it in evidence.as_array().into_iter().flatten() {
        let [validator, kind, height, view] =
            ["validator", "kind", "height", "view"].map(|key| text(&it[key]));
        table.add_row([clock(&it["timeMs"]), validator, kind, height, view]);
    }
    table
}

fn summary(state: &Value) -> Vec<(&'static str, String)> {
    let mut pairs: Vec<_> =
        ["height", "view", "phase"].into_iter().map(|key| (key, text(&state[key]))).collect();
    pairs.push(("leader", name(state, &state["leader"])));
    pairs.push(("waiting for", text(&state["waitingFor"]).trim_start_matches("waiting for ").to_owned()));
    pairs.extend(number(&state["waitingMs"]).map(|ms| ("since", format!("{} ago", seconds(ms)))));
    let left = number(&state["timerMs"]).map_or(String::new(), |ms| format!(", {} left", seconds(ms)));
    pairs.push(("timer", format!("{}{left}", text(&state["timer"]))));
    for (label, key) in [("prevotes", "prevotes"), ("commits", "commits"), ("view changes", "viewChanges")] {
        pairs.push((label, tally(state, &state[key])));
    }
    for (label, key) in
        [("locked in view", "lockedView"), ("decided", "decided"), ("not voting", "abstaining")]
    {
        if !state[key].is_null() {
            pairs.push((label, text(&state[key])));
        }
    }
    let alarms = state["alarms"].as_array().into_iter().flatten();
    pairs.extend(alarms.map(|alarm| ("ALARM", text(alarm))));
    pairs
}

fn tally(state: &Value, tally: &Value) -> String {
    let by: Vec<_> = tally["by"].as_array().into_iter().flatten().map(|id| name(state, id)).collect();
    format!("{} of {}  {}", text(&tally["weight"]), text(&state["quorumWeight"]), by.join(" "))
}

fn validators(state: &Value) -> Table {
    let headings =
        ["validator", "weight", "height", "view", "last message", "prevoted", "committed", "view change"];
    let mut table = output::table(&headings);
    for it in state["validators"].as_array().into_iter().flatten() {
        table.add_row([
            name(state, &it["id"]),
            text(&it["weight"]),
            text(&it["height"]),
            text(&it["view"]),
            last_message(it),
            short(&it["prevoted"]),
            short(&it["committed"]),
            text(&it["viewChange"]),
        ]);
    }
    table
}

/// `commit of 7/0, 0.5 s ago`
fn last_message(validator: &Value) -> String {
    let last = &validator["lastMessage"];
    let seen = number(&validator["lastSeenMs"]).map_or(String::new(), |ms| format!("{} ago", seconds(ms)));
    let silent = if validator["silent"] == json!(true) { " SILENT" } else { "" };
    match last {
        Value::Null if silent.is_empty() => "-".to_owned(),
        Value::Null => format!("never heard{silent}"),
        last => {
            let [kind, height, view] = ["kind", "height", "view"].map(|key| text(&last[key]));
            format!("{kind} of {height}/{view}, {seen}{silent}")
        }
    }
}

fn events(state: &Value) -> Table {
    let mut table = output::table(&["time", "height", "view", "event", "block", "detail"]);
    for event in state["events"].as_array().into_iter().flatten() {
        let [height, view, kind, detail] = ["height", "view", "kind", "detail"].map(|key| text(&event[key]));
        table.add_row([clock(&event["timeMs"]), height, view, kind, short(&event["blockHash"]), detail]);
    }
    table
}

/// A validator's name, or the start of its key.
fn name(state: &Value, id: &Value) -> String {
    let mut validators = state["validators"].as_array().into_iter().flatten();
    let named = validators.find(|it| it["id"] == *id).and_then(|it| it["name"].as_str());
    named.map_or_else(|| short(id), str::to_owned)
}

fn short(hex: &Value) -> String {
    text(hex).trim_start_matches("0x").chars().take(PREFIX).collect()
}

fn seconds(ms: u64) -> String {
    format!("{}.{} s", ms / 1000, ms % 1000 / 100)
}

/// The time of day, UTC.
fn clock(ms: &Value) -> String {
    let time =
        number(ms).and_then(|ms| OffsetDateTime::from_unix_timestamp_nanos(i128::from(ms) * 1_000_000).ok());
    time.and_then(|time| time.format(TIME).ok()).unwrap_or_else(|| "-".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state() -> Value {
        json!({
            "height": 7, "view": 0, "phase": "prevote", "leader": "aabbccdd00", "quorumWeight": 3,
            "waitingFor": "waiting for 1 more of 3 prevotes: node2 has not been heard for 34 s",
            "waitingMs": 34_500, "timerMs": 1_250, "timer": "runs in view 0",
            "prevotes": { "weight": 2, "by": ["aabbccdd00", "00aabbccdd"] },
            "validators": [
                { "id": "aabbccdd00", "name": "node1", "weight": 1, "height": 7, "view": 0, "lastSeenMs": 500,
                  "lastMessage": { "kind": "prevote", "height": 7, "view": 0 }, "prevoted": "0x0123456789" },
                { "id": "00aabbccdd", "weight": 1, "lastSeenMs": 34_000, "silent": true },
            ],
            "events": [{ "timeMs": 1_000, "height": 7, "view": 0, "kind": "entered", "detail": "" }],
        })
    }

    #[test]
    fn the_page_answers_why_it_does_not_go_on() {
        let page = page(&state());
        let row = |start: &str| {
            let line = page.lines().find(|line| line.trim_start().starts_with(start)).expect("a row");
            line.split_whitespace().collect::<Vec<_>>().join(" ")
        };
        assert_eq!(row("waiting for"), "waiting for 1 more of 3 prevotes: node2 has not been heard for 34 s");
        assert_eq!(row("timer"), "timer runs in view 0, 1.2 s left");
        assert_eq!(row("prevotes"), "prevotes 2 of 3 node1 00aabbcc");
        assert_eq!(row("node1"), "node1 1 7 0 prevote of 7/0, 0.5 s ago 01234567 - -");
        assert_eq!(row("00aabbcc"), "00aabbcc 1 - - never heard SILENT - - -");
        assert_eq!(row("00:00:01.000"), "00:00:01.000 7 0 entered -");
    }

    #[test]
    fn a_clock_that_goes_on_is_no_change() {
        let (mut later, state) = (state(), state());
        later["waitingMs"] = json!(35_000);
        later["waitingFor"] = json!("waiting for 1 more of 3 prevotes: node2 has not been heard for 35 s");
        assert_eq!(what_changes(&later), what_changes(&state));
        later["prevotes"]["weight"] = json!(3);
        assert_ne!(what_changes(&later), what_changes(&state));
    }

    #[test]
    fn an_answer_of_another_shape_is_an_empty_page() {
        assert_eq!(validators(&Value::Null).to_string().lines().count(), 1);
        assert_eq!(line(&json!({ "error": "no node answers\n  start it" })), "no node answers");
        assert_eq!(page(&json!({ "error": "no node answers" })), "no node answers");
    }
}
