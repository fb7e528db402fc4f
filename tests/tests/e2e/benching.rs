//! `node bench`: what it says of a network is so.

use std::process::Output;

use quorate_tests::{
    cluster::Cluster,
    wallet::{Wallet, ask},
};
use serde_json::{Value, json};

const SINK: &str = "0x5b5b5b5b5b5b5b5b5b5b5b5b5b5b5b5b5b5b5b5b";

fn bench(cluster: &Cluster, options: &[&str]) -> Output {
    let net = cluster.file("");
    let few = ["bench", &net, "--transactions", "300", "--senders", "30", "--clients", "4", "-o", "json"];
    cluster.run(&[&few[..], options].concat())
}

fn report(output: &Output) -> Value {
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    serde_json::from_slice(&output.stdout).expect("a report")
}

/// Given a network, when load is sent by each way in, then the report counts what the chain has, by each node's own word.
#[tokio::test(flavor = "multi_thread")]
async fn a_report_says_what_the_chain_has() {
    let cluster = Cluster::start(4);
    let client = cluster.client(1);
    let mut paid = 0;
    for transport in ["http", "http-batch", "websocket", "grpc"] {
        let report = report(&bench(&cluster, &["--transport", transport]));
        assert_eq!((&report["accepted"], &report["committed"]), (&json!(300), &json!(300)), "{transport}");
        let audit = &report["audit"];
        for wrong in ["missing", "twice", "other_hashes", "other_nonces"] {
            assert_eq!(audit[wrong], 0, "{transport}: {audit}");
        }
        let latency = &report["latency"];
        assert!(latency["p50"].as_f64() > Some(0.0) && latency["p50"].as_f64() <= latency["max"].as_f64());
        let nodes = report["nodes"].as_array().expect("processes");
        assert_eq!(nodes.len(), cluster.len());
        assert!(nodes.iter().all(|it| it["cpu_us_per_transaction"].as_f64() > Some(0.0)), "{nodes:?}");
        paid += 300;
        let balance = ask(&client, "eth_getBalance", json!([SINK, "latest"])).await;
        assert_eq!(balance, Ok(json!(format!("{paid:#x}"))), "each paid once");
    }
}

/// Given a rate, when transactions are due at it, of all kinds, then it takes as long as that says, and all are committed.
#[tokio::test(flavor = "multi_thread")]
async fn an_open_loop_keeps_its_rate() {
    let cluster = Cluster::start(1);
    let report = report(&bench(&cluster, &["--rate", "200", "--profile", "mixed"]));
    assert_eq!(report["committed"], 300);
    let seconds = report["seconds"].as_f64().expect("a number");
    assert!(seconds >= 299.0 / 200.0, "the last is due after 299 of 200 parts of a second: {seconds}");
}

/// Given a rate that no network keeps up with, then a ramp ends there, and its page holds the charts.
#[tokio::test(flavor = "multi_thread")]
async fn a_ramp_ends_beyond_the_knee() {
    let cluster = Cluster::start(1);
    let page = cluster.net().join("report.html");
    let few = ["--senders", "30", "--clients", "4", "-o", "json", "--report", page.to_str().expect("plain")];
    let ramp = ["bench", &cluster.file(""), "--ramp", "--rate", "50000", "--step", "20ms"];
    let step = report(&cluster.run(&[&ramp[..], &few].concat()));
    assert_eq!((&step["rate"], &step["committed"]), (&json!(50_000.0), &json!(1000)));
    assert!(step["committed_per_second"].as_f64() < Some(45_000.0));
    let page = std::fs::read_to_string(page).expect("it was written");
    assert!(page.starts_with("<!DOCTYPE html>") && page.matches("<svg").count() == 2, "{page}");
}

/// Given nobody to pay, or nobody who answers, then it ends with a reason and the code for it.
#[tokio::test(flavor = "multi_thread")]
async fn who_cannot_begin_says_why() {
    let cluster = Cluster::start(1);
    let key = cluster.net().join("poor.key");
    std::fs::write(&key, Wallet::fresh(7).secret()).expect("it is ours");
    let poor = bench(&cluster, &["--key", key.to_str().expect("plain letters")]);
    assert_eq!(poor.status.code(), Some(6));
    assert!(String::from_utf8_lossy(&poor.stderr).contains("has 0 wei"), "{poor:?}");
    cluster.down();
    let gone = bench(&cluster, &[]);
    assert_eq!(gone.status.code(), Some(4), "{gone:?}");
}
