//! A network of four validators and an observer under load, through one endpoint: transactions a second, commit
//! latency when idle, memory. It prints what it saw; it judges nothing but that each transaction is included once.
//!
//! `cargo bench --workspace --bench load`, or `make bench`.

use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use jsonrpsee::{
    core::{client::ClientT, params::BatchRequestBuilder},
    http_client::HttpClient,
    rpc_params,
};
use quorate_tests::{
    cluster::Cluster,
    wallet::{Wallet, counter_code, included, receipt, send},
};
use quorate_types::{Address, B256, Bytes, U256};

const ACCOUNTS: u32 = 200;
const TRANSFERS: usize = 20_000;
const CALLS: usize = 2_000;
/// How long idle nodes are watched.
const IDLE_WATCH: Duration = Duration::from_secs(10);
const BATCH: usize = 200;
const SINGLE: usize = 200;
/// Longer than the block interval of `testnet new`.
const IDLE: Duration = Duration::from_millis(100);

#[tokio::main]
async fn main() {
    let started = Instant::now();
    let cluster = Cluster::start(4);
    println!("new and up, to the first block on every node: {:.2?}", started.elapsed());
    let client = cluster.client(0);
    idle_latency(&client).await;
    idle_load(&cluster).await;
    let wallets = fund(&client).await;
    let contract = deploy(&client).await;
    throughput(&cluster, &client, wallets, contract).await;
    let top = cluster.assert_same_chain(&[0, 1, 2, 3, 4]).await;
    println!("{top} blocks, the same hashes on all five nodes");
    for index in 0..cluster.len() {
        println!("node {index}: {} MiB resident", cluster.resident_bytes(index) >> 20);
    }
}

/// One transaction at a time, from sending to its receipt on the same node.
async fn idle_latency(client: &HttpClient) {
    let (mut alice, sink) = (Wallet::development(9), Wallet::fresh(1).address());
    let mut latency = Histogram::<u64>::new(3).expect("three digits");
    for _ in 0..SINGLE {
        // Idle: the least time between two blocks is over.
        tokio::time::sleep(IDLE).await;
        let raw = alice.transfer(sink, 1);
        let sent = Instant::now();
        let hash = send(client, &raw).await;
        included(client, hash).await;
        latency.record(u64::try_from(sent.elapsed().as_micros()).expect("short")).expect("it resizes");
    }
    let ms = |quantile| Duration::from_micros(latency.value_at_quantile(quantile));
    println!("commit latency of one transaction, idle: p50 {:.1?}, p99 {:.1?}", ms(0.5), ms(0.99));
}

/// What a node takes of one core while nothing happens.
async fn idle_load(cluster: &Cluster) {
    let before: Vec<_> = (0..cluster.len()).map(|index| cluster.cpu_time(index)).collect();
    tokio::time::sleep(IDLE_WATCH).await;
    for (index, before) in before.into_iter().enumerate() {
        let used = cluster.cpu_time(index) - before;
        let share = 100.0 * used.as_secs_f64() / IDLE_WATCH.as_secs_f64();
        let resident = cluster.resident_bytes(index) >> 20;
        println!("node {index}, idle: {share:.1} % of a core, {resident} MiB resident");
    }
}

async fn fund(client: &HttpClient) -> Vec<Wallet> {
    let mut rich = Wallet::development(0);
    let wallets: Vec<_> = (0..ACCOUNTS).map(|index| Wallet::fresh(1000 + index)).collect();
    let transfers =
        wallets.iter().map(|wallet| rich.transfer(wallet.address(), 1_000_000_000_000_000_000)).collect();
    let hashes = submit(client, transfers).await;
    receipt(client, *hashes.last().expect("some")).await;
    wallets
}

async fn deploy(client: &HttpClient) -> Address {
    let hash = send(client, &Wallet::development(1).deploy(counter_code())).await;
    serde_json::from_value(receipt(client, hash).await["contractAddress"].clone()).expect("an address")
}

async fn submit(client: &HttpClient, raw: Vec<Bytes>) -> Vec<B256> {
    let mut batch = BatchRequestBuilder::new();
    for raw in raw {
        batch.insert("eth_sendRawTransaction", rpc_params![raw]).expect("it encodes");
    }
    let answers = client.batch_request::<B256>(batch).await.expect("a batch");
    answers.into_iter().map(|answer| answer.expect("none is refused")).collect()
}

async fn throughput(cluster: &Cluster, client: &HttpClient, mut wallets: Vec<Wallet>, contract: Address) {
    let sink = Wallet::fresh(2).address();
    let mut raw = Vec::with_capacity(TRANSFERS + CALLS);
    for round in 0..TRANSFERS / wallets.len() {
        for wallet in &mut wallets {
            raw.push(wallet.transfer(sink, 1));
        }
        if round % 10 == 0 {
            raw.extend(wallets.iter_mut().map(|wallet| wallet.call(contract, Bytes::new())));
        }
    }
    let total = raw.len();
    let started = Instant::now();
    let mut hashes = Vec::with_capacity(total);
    for batch in raw.chunks(BATCH) {
        hashes.extend(submit(client, batch.to_vec()).await);
    }
    let submitted = started.elapsed();
    for hash in hashes.iter().rev().take(wallets.len()) {
        receipt(client, *hash).await;
    }
    let lasted = started.elapsed();
    println!(
        "{total} transactions ({CALLS} of them calls) in batches of {BATCH}: submitted in {submitted:.2?}, included in {lasted:.2?}, {:.0} a second",
        total as f64 / lasted.as_secs_f64()
    );
    for hash in &hashes {
        assert_eq!(receipt(client, *hash).await["status"], "0x1");
    }
    let paid: U256 = client.request("eth_getBalance", rpc_params![sink, "latest"]).await.expect("a balance");
    let called: U256 =
        client.request("eth_getStorageAt", rpc_params![contract, "0x0", "latest"]).await.expect("a slot");
    assert_eq!((paid, called), (U256::from(TRANSFERS), U256::from(CALLS)), "each exactly once");
    cluster.assert_same_chain(&[0, 4]).await;
}
