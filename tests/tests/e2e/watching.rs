//! The chain never stands still without saying why.

use std::{
    io::{BufRead as _, BufReader},
    process::{Command, Stdio},
};

use jsonrpsee::{core::client::ClientT, rpc_params};
use serde_json::Value;

use quorate_tests::{
    cluster::{Cluster, wait_until},
    wallet::{Wallet, receipt, send},
};

use crate::bad_input::get;

async fn state(cluster: &Cluster, node: usize) -> Value {
    let state = cluster.client(node).request("quorate_consensusState", rpc_params![]).await;
    state.unwrap_or(Value::Null)
}

fn command(cluster: &Cluster, arguments: &[&str]) -> Command {
    let mut command = Command::new(cluster.binary());
    command.args(["consensus", "status", "--rpc", &cluster.url(0)]).args(arguments);
    command
}

fn output(cluster: &Cluster, arguments: &[&str]) -> String {
    let output = command(cluster, arguments).output().expect("it runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("text")
}

/// Given four validators, when two of them are killed and a transaction waits, then RPC, command, `/readyz`, metrics and
/// log name the two; when one is back, then none of them has anything to say.
#[tokio::test(flavor = "multi_thread")]
async fn a_stall_names_who_is_missing() {
    let cluster = Cluster::start(4);
    let (mut alice, sink) = (Wallet::development(1), Wallet::fresh(30).address());
    let hash = send(&cluster.client(0), &alice.transfer(sink, 1)).await;
    receipt(&cluster.client(0), hash).await;
    wait_until("nothing is waited for", async || state(&cluster, 0).await["waitingMs"].is_null()).await;

    cluster.kill(2);
    cluster.kill(3);
    let waiting = send(&cluster.client(0), &alice.transfer(sink, 1)).await;
    let mut says = String::new();
    wait_until("the sentence", async || {
        let state = state(&cluster, 0).await;
        says = state["waitingFor"].as_str().unwrap_or_default().to_owned();
        says.starts_with("waiting for 1 more of 3 ")
            && state["missing"].as_array().is_some_and(|it| it.len() == 2)
    })
    .await;
    assert!(
        says.contains("node2") && says.contains("node3") && says.contains("have not been heard for"),
        "{says}"
    );

    wait_until("/readyz says it as well", async || {
        let answer = get(cluster.ops_port(0), "/readyz");
        answer.contains("has not been decided for") && answer.contains("503 Service Unavailable")
    })
    .await;
    assert!(cluster.log_of(0).contains("has not been decided for"), "and so does the log");
    let metrics = get(cluster.ops_port(0), "/metrics");
    assert!(metrics.contains("quorate_validators_missing 2"), "{metrics}");
    assert!(metrics.contains("quorate_view_changes_total{reason="), "{metrics}");
    for until in ["lock", "decision", "durable"] {
        let series = format!("quorate_consensus_since_proposal_seconds_count{{until=\"{until}\"}}");
        assert!(metrics.contains(&series), "{metrics}");
    }

    let page = output(&cluster, &["--events", "20"]);
    assert!(
        page.contains("1 more of 3 ") && page.contains("SILENT") && page.contains("viewChanged"),
        "{page}"
    );
    let parsed: Value =
        serde_json::from_str(&output(&cluster, &["--events", "2", "-o", "json"])).expect("JSON");
    assert_eq!(parsed["events"].as_array().map(Vec::len), Some(2));

    cluster.restart(2);
    receipt(&cluster.client(0), waiting).await;
    wait_until("all is well", async || get(cluster.ops_port(0), "/readyz").contains("200 OK")).await;
    assert!(state(&cluster, 0).await["waitingMs"].is_null());
}

/// Given a network, when somebody watches it without a terminal, then each change is a line.
#[tokio::test(flavor = "multi_thread")]
async fn watching_without_a_terminal_prints_a_line_for_each_change() {
    let cluster = Cluster::start(4);
    let mut child = command(&cluster, &["--watch"]).stdout(Stdio::piped()).spawn().expect("it runs");
    let mut lines = BufReader::new(child.stdout.take().expect("piped")).lines();
    let first = lines.next().expect("a line").expect("text");
    assert!(first.starts_with("height "), "{first}");

    let (mut alice, sink) = (Wallet::development(2), Wallet::fresh(31).address());
    let hash = send(&cluster.client(0), &alice.transfer(sink, 1)).await;
    receipt(&cluster.client(0), hash).await;
    let second = lines.next().expect("a line").expect("text");
    assert_ne!(first, second);
    child.kill().expect("it is ours");
    child.wait().expect("it ends");
}
