//! What dead validators cost: blocks a second and commit latency with 4 of 4, 3 of 4, and 5 of 7 alive, one transaction at
//! a time, and the pace of empty blocks. It prints what it saw, as ratios to the undisturbed run beside it.
//!
//! `cargo bench --workspace --bench alive`, or `make bench-alive`.

use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use quorate_tests::{
    cluster::Cluster,
    wallet::{Wallet, included, send},
};

/// Blocks of one measurement.
const BLOCKS: usize = 150;
/// Until everyone knows who is silent.
const SETTLE: Duration = Duration::from_secs(4);
const EMPTY_INTERVAL: &str = "200ms";
/// How long empty blocks are counted.
const WATCH: Duration = Duration::from_secs(10);

#[tokio::main]
async fn main() {
    println!("alive    blocks/s   ratio   p50 ms   p99 ms   max ms   first block after the deaths, ms");
    let whole = with_work(4, 0, None).await;
    with_work(4, 1, Some(whole)).await;
    let whole = with_work(7, 0, None).await;
    with_work(7, 2, Some(whole)).await;
    println!("\nalive    empty blocks/s, one due every {EMPTY_INTERVAL}");
    for dead in [0, 1] {
        empty_blocks(dead).await;
    }
}

/// Each block holds one transaction, sent when the one before is in a block. Returns blocks a second.
async fn with_work(validators: usize, dead: usize, whole: Option<f64>) -> f64 {
    let cluster = Cluster::start(validators);
    let client = cluster.client(0);
    let (mut alice, sink) = (Wallet::development(0), Wallet::fresh(1).address());
    let mut first = String::from("-");
    if dead > 0 {
        (validators - dead..validators).for_each(|index| cluster.kill(index));
        let started = Instant::now();
        let hash = send(&client, &alice.transfer(sink, 1)).await;
        included(&client, hash).await;
        first = format!("{}", started.elapsed().as_millis());
        tokio::time::sleep(SETTLE).await;
    }
    let mut latency = Histogram::<u64>::new(3).expect("three digits");
    let started = Instant::now();
    let before = cluster.height(0).await.expect("it answers");
    for _ in 0..BLOCKS {
        let sent = Instant::now();
        let hash = send(&client, &alice.transfer(sink, 1)).await;
        included(&client, hash).await;
        latency.record(u64::try_from(sent.elapsed().as_micros()).expect("short")).expect("it resizes");
    }
    let blocks = cluster.height(0).await.expect("it answers") - before;
    let rate = blocks as f64 / started.elapsed().as_secs_f64();
    let ms = |quantile| latency.value_at_quantile(quantile) as f64 / 1000.0;
    println!(
        "{} of {validators}   {rate:8.1}   {:5.2}   {:6.1}   {:6.1}   {:6.1}   {first}",
        validators - dead,
        rate / whole.unwrap_or(rate),
        ms(0.5),
        ms(0.99),
        ms(1.0),
    );
    rate
}

async fn empty_blocks(dead: usize) {
    let cluster = Cluster::create_with(4, &["--empty-block-interval", EMPTY_INTERVAL]);
    cluster.up();
    (4 - dead..4).for_each(|index| cluster.kill(index));
    tokio::time::sleep(SETTLE).await;
    let before = cluster.height(0).await.expect("it answers");
    tokio::time::sleep(WATCH).await;
    let blocks = cluster.height(0).await.expect("it answers") - before;
    println!("{} of 4   {:.2}", 4 - dead, blocks as f64 / WATCH.as_secs_f64());
}
