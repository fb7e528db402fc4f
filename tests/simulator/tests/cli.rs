//! The contract of the command: exit codes, the replay command, the report as JSON.

use std::process::{Command, Output};

fn simulate(arguments: &str) -> Output {
    Command::new(env!("CARGO_BIN_EXE_simulate")).args(arguments.split(' ')).output().expect("it starts")
}

#[test]
fn seeds_that_pass_exit_with_0() {
    let output = simulate("--seeds 0..5 -o json");
    assert!(output.status.success());
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!((&report["passed"], &report["scenario"]), (&5.into(), &"harsh".into()));
    assert_eq!(report["failures"], serde_json::json!([]));
    for number in ["seconds", "seeds_per_second", "longest_recovery_seconds"] {
        assert!(report[number].as_f64().is_some_and(|it| it > 0.0), "{number}");
    }
    assert!(report["counts"]["starts"].as_u64().is_some_and(|it| it > 0));
}

#[test]
fn a_failure_exits_with_1_and_says_how_to_replay_it() {
    // Three liars of four cannot be outvoted.
    let arguments = "--seeds 0..3 --nodes 4 --byzantine 3 --scenario calm";
    let output = simulate(arguments);
    assert_eq!(output.status.code(), Some(1));
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    let replay =
        text.lines().find_map(|line| line.trim().strip_prefix("replay: simulate ")).expect("a command");
    let again = simulate(replay);
    assert_eq!(again.status.code(), Some(1), "it fails again");
    assert!(!again.stderr.is_empty(), "and shows what happened");
}

/// What the command says of a failure leads to the same failure, also of a mutant, where it is the success.
#[test]
fn a_mutant_that_is_noticed_exits_with_0_and_says_how_to_replay_it() {
    let found = simulate("--seeds 0..20 --scenario torn-log --nodes 5 --mutant counts-duplicates");
    assert_eq!(found.status.code(), Some(0));
    let text = String::from_utf8(found.stdout).expect("UTF-8");
    let mut lines = text.lines();
    let violation = lines.find(|line| line.starts_with("seed ")).expect("a violation");
    let replay =
        lines.next().and_then(|line| line.trim().strip_prefix("replay: simulate ")).expect("a command");
    let again = simulate(replay);
    assert_eq!(again.status.code(), Some(0), "it is noticed again");
    let shown = String::from_utf8(again.stdout).expect("UTF-8");
    assert_eq!(shown.lines().next(), Some(violation), "and it is the same");
    assert!(String::from_utf8_lossy(&again.stderr).contains("VIOLATION"), "at the end of what happened");
    let cured = replay.replace(" --mutant counts-duplicates", "");
    assert_eq!(simulate(&cured).status.code(), Some(0), "the mutant alone is to blame");
    let unnoticed = simulate("--seeds 0..1 --scenario calm --mutant hides-divergence");
    assert_eq!(unnoticed.status.code(), Some(1), "a mutant that nobody notices is the failure");
}

#[test]
fn nonsense_is_refused_with_2() {
    for arguments in ["--seeds 5..5", "--seeds a..b", "--scenario mild", "--nodes 0"] {
        assert_eq!(simulate(arguments).status.code(), Some(2), "{arguments}");
    }
}
