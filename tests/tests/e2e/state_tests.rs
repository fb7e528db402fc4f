//! Ethereum's state tests, as people who check an EVM run them.

use std::{
    fs,
    process::{Command, Output},
};

use quorate_tests::cluster::node_binary;
use serde_json::{Value, json};

const FIXTURES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/state-tests/transactions.json");

fn statetest(file: &str) -> Output {
    Command::new(node_binary()).args(["evm", "statetest", file]).output().expect("it runs")
}

fn verdicts(output: &Output) -> Vec<Value> {
    let text = String::from_utf8_lossy(&output.stdout);
    text.lines().map(|line| serde_json::from_str(line).expect("each line is JSON")).collect()
}

/// Given cases whose results are geth's, when they are run, then all pass, each in a line of its own; a refused transaction left
/// the root as it was; and cases of forks that this chain does not have are counted aside.
#[test]
fn each_case_is_a_line() {
    let output = statetest(FIXTURES);
    let all = verdicts(&output);
    let failed: Vec<_> = all.iter().filter(|it| it["pass"] != json!(true)).collect();
    assert!(failed.is_empty() && output.status.code() == Some(0), "{failed:#?}");
    let refused: Vec<_> = all.iter().filter(|it| !it["error"].is_null()).collect();
    assert_eq!((all.len(), refused.len()), (41, 13));
    assert!(all.iter().all(|it| it["fork"] != json!("London")));
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(told.contains("41 passed, 0 failed, 5 of forks that this chain does not have"), "{told}");

    let of = |g: u64| {
        let is = |it: &&Value| {
            it["test"] == json!("legacy_transfers") && it["fork"] == json!("Osaka") && it["g"] == json!(g)
        };
        all.iter().find(is).expect("it is in the file")
    };
    let blob = all
        .iter()
        .find(|it| it["test"] == json!("a_blob_transaction_without_blobs"))
        .expect("it is in the file");
    assert!(blob["error"].as_str().expect("refused").contains("type 3 (blobs)"));
    assert_ne!(of(1)["stateRoot"], of(2)["stateRoot"], "one was executed, the other was not");
}

/// Given cases that expect something else, when they are run, then these fail and no others, and the exit code says so.
#[test]
fn a_wrong_expectation_fails() {
    let mut tests: Value = serde_json::from_slice(&fs::read(FIXTURES).expect("the file")).expect("JSON");
    tests["a_creation"]["post"]["Osaka"][0]["hash"] = json!(format!("0x{}", "11".repeat(32)));
    tests["a_creation"]["post"]["Prague"][0]["logs"] = json!(format!("0x{}", "11".repeat(32)));
    tests["a_creation"]["post"]["Cancun"][0]["expectException"] = json!("TransactionException.NONCE_IS_MAX");
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("other.json");
    fs::write(&file, tests.to_string()).expect("written");
    let output = statetest(&file.display().to_string());
    let all = verdicts(&output);
    let failed: Vec<_> = all.iter().filter(|it| it["pass"] == json!(false)).map(|it| &it["test"]).collect();
    assert_eq!(failed, vec![&json!("a_creation"); 3]);
    assert_eq!(output.status.code(), Some(1));
}

/// Given a file that holds something else, when it is run, then that is said, and nothing else comes out.
#[test]
fn another_file_is_refused() {
    let output = statetest(concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml"));
    assert_eq!(output.status.code(), Some(1));
    assert!(output.stdout.is_empty());
    assert!(String::from_utf8_lossy(&output.stderr).contains("is no file of state tests"));
}
