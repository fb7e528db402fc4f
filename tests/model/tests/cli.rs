//! The contract of the command: exit codes, the run that breaks a rule, the report as JSON.

use std::process::{Command, Output};

fn model(arguments: &str) -> Output {
    Command::new(env!("CARGO_BIN_EXE_model")).args(arguments.split(' ')).output().expect("it starts")
}

#[test]
fn rules_that_hold_exit_with_0() {
    let output = model("--views 2 --heights 4 -o json");
    assert!(output.status.success());
    let reports: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(reports[0]["bounds"], "views 0 to 1, any order");
    assert!(reports.as_array().expect("a list").iter().all(|it| it["exhausted"] == true));
}

#[test]
fn a_rule_left_out_exits_with_1_and_shows_the_run() {
    let output = model("--views 2 --mutant quorum-minus-one");
    assert_eq!(output.status.code(), Some(1));
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    assert!(text.contains("BROKEN       agreement\n      validator "), "{text}");
}

#[test]
fn nonsense_is_refused_with_2() {
    for arguments in
        ["--views 1", "--views 9", "--heights 3", "--mutant x", "--order ascending --mutant votes-again"]
    {
        assert_eq!(model(arguments).status.code(), Some(2), "{arguments}");
    }
}
