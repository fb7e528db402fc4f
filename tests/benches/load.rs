//! A network of four validators under load, through one endpoint, beside anvil where that is installed: transactions a second, what each
//! costs a validator, and how soon it is committed. `node bench` measures; who is compared takes turns.
//!
//! `cargo bench --workspace --bench load`, or `make bench`.

use std::{collections::BTreeMap, process::Command, time::Duration};

use quorate_tests::{
    cluster::{Cluster, node_binary},
    peer::{Peer, median},
};
use serde_json::Value;

const ROUNDS: usize = 5;
/// The ways in that are measured; anvil has no gRPC.
const TRANSPORTS: [&str; 3] = ["http", "http-batch", "grpc"];
/// anvil falls behind what it takes when it makes a block for each; with one a second it does not.
const ANVIL: [&str; 4] = ["--block-time", "1", "--gas-limit", "300000000"];
/// How long idle nodes are watched.
const IDLE_WATCH: Duration = Duration::from_secs(10);

#[tokio::main]
async fn main() {
    idle().await;
    for (rate, transactions) in [("10", "300"), ("1000", "20000")] {
        let cluster = Cluster::start_alone(4);
        let report = bench(&[&cluster.file(""), "--rate", rate, "--transactions", transactions]);
        let ms = |quantile: &str| report["latency"][quantile].as_f64().expect("a number");
        println!("{rate} a second: p50 {:.1} ms, p99 {:.1} ms to commit", ms("p50"), ms("p99"));
    }
    let mut figures: BTreeMap<String, Vec<f64>> = BTreeMap::new();
    for _ in 0..ROUNDS {
        round(&mut figures).await;
    }
    let medians: BTreeMap<_, _> = figures.into_iter().map(|(name, rates)| (name, median(rates))).collect();
    for (name, value) in &medians {
        println!("{name:32} {value:8.1}");
    }
    for transport in TRANSPORTS {
        let of = |who: &str| medians.get(&format!("{who} {transport}, a second"));
        if let (Some(ours), Some(theirs)) = (of("node"), of("anvil")) {
            println!("{transport}: {:.2} of anvil", ours / theirs);
        }
    }
}

/// One network and one anvil, each asked by every way in that it has.
async fn round(figures: &mut BTreeMap<String, Vec<f64>>) {
    let mut note = |name: String, value: f64| figures.entry(name).or_default().push(value);
    let committed = |report: &Value| report["committed_per_second"].as_f64().expect("a number");
    let cluster = Cluster::start_alone(4);
    for transport in TRANSPORTS {
        let report = bench(&[&cluster.file(""), "--transport", transport]);
        note(format!("node {transport}, a second"), committed(&report));
        let nodes = report["nodes"].as_array().expect("processes");
        let costs = nodes.iter().map(|node| node["cpu_us_per_transaction"].as_f64().expect("a number"));
        note(format!("node {transport}, CPU us"), costs.sum::<f64>() / nodes.len() as f64);
    }
    drop(cluster);
    let Some(anvil) = Peer::anvil(&ANVIL).await else { return };
    for transport in &TRANSPORTS[..2] {
        let report = bench(&["--rpc", &anvil.url(), "--transport", transport]);
        note(format!("anvil {transport}, a second"), committed(&report));
    }
}

/// Runs `node bench`; all must be committed, each once.
fn bench(options: &[&str]) -> Value {
    let output = Command::new(node_binary()).args(["bench", "-o", "json"]).args(options).output();
    let output = output.expect("it is built");
    assert!(output.status.success(), "{options:?}: {}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("a report")
}

/// What nodes take of one core while nothing happens.
async fn idle() {
    let cluster = Cluster::start_alone(4);
    let before: Vec<_> = (0..cluster.len()).map(|index| cluster.cpu_time(index)).collect();
    tokio::time::sleep(IDLE_WATCH).await;
    for (index, before) in before.into_iter().enumerate() {
        let used = cluster.cpu_time(index) - before;
        let share = 100.0 * used.as_secs_f64() / IDLE_WATCH.as_secs_f64();
        println!(
            "node {index}, idle: {share:.1} % of a core, {} MiB resident",
            cluster.resident_bytes(index) >> 20
        );
    }
}
