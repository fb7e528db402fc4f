//! faults.md, flood: one certified peer that sends whatever it likes, as fast as it can (FISCO audit, Besu #10897).

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::JoinHandle,
    time::{Duration, Instant},
};

use jsonrpsee::{core::client::ClientT, rpc_params};
use quorate_p2p::{
    Network, NetworkConfig, NetworkEvents, NetworkHandle, NetworkLimits, cert::read_certificates,
};
use quorate_proto::{Hello, MAX_FRAME_BYTES, PROTOCOL_VERSION, encode_message};
use quorate_types::{
    B256, Bytes, Domain, Height, Message, NodeKey, Phase, Signable, Signed, SignedViewChange, View,
    ViewChange, Vote,
};
use tokio::sync::watch;

use quorate_tests::{
    cluster::{Cluster, wait_until},
    wallet::{Wallet, receipt, send},
};

use crate::bad_input::get;

const VALIDATORS: [usize; 4] = [0, 1, 2, 3];
/// The observer, whose key and certificate the flooder uses.
const OBSERVER: usize = 4;
/// What one guest may cost a node: a frame of the largest size that waits (16 MiB), one that is being read, the copies of
/// decoding, windows of the multiplexer; and what the allocator keeps of it.
const MOST_GROWTH: u64 = 160 << 20;

/// A certified peer without a vote and without manners.
struct Flooder {
    key: NodeKey,
    domain: Domain,
    network: NetworkHandle,
}

impl Flooder {
    /// Takes the place of the observer, and connects to every validator.
    async fn instead_of_observer(cluster: &Cluster) -> Self {
        let folder = cluster.folder_of(OBSERVER);
        let read = |name: &str| std::fs::read_to_string(folder.join(name)).expect("a file of the network");
        let key = NodeKey::from_pem(&read("node.key")).expect("a key");
        let client = cluster.client(0);
        let chain_id: String = client.request("eth_chainId", rpc_params![]).await.expect("it answers");
        let chain_id = u64::from_str_radix(chain_id.trim_start_matches("0x"), 16).expect("a number");
        let genesis_hash: B256 =
            cluster.hash_at(0, 0).await.and_then(|hash| hash.parse().ok()).expect("block 0");
        let hello = Hello {
            protocol_version: PROTOCOL_VERSION,
            chain_id,
            genesis_hash,
            height: Height(0),
            head_hash: genesis_hash,
            agent: "flood/1".to_owned(),
        };
        let port = |node| cluster.rpc_port(node) + 20;
        let (network, events) = Network::start(NetworkConfig {
            key: NodeKey::from_seed(key.seed()),
            certificates: read_certificates(&read("node.crt"), "node.crt").expect("certificates"),
            ca: read_certificates(&read("ca.crt"), "ca.crt").expect("a certificate").swap_remove(0),
            crls: vec![],
            listen: "127.0.0.1:0".parse().expect("an address"),
            peers: VALIDATORS
                .map(|node| format!("127.0.0.1:{}", port(node)).parse().expect("an address"))
                .to_vec(),
            validators: Default::default(),
            hello: watch::channel(hello).1,
            limits: NetworkLimits::default(),
        })
        .await
        .expect("it starts");
        tokio::spawn(ignore(events));
        Self { key, domain: Domain { chain_id, genesis_hash }, network }
    }

    async fn connect(&self) {
        wait_until("the flooder has all validators", async || self.network.peer_count() == VALIDATORS.len())
            .await;
    }

    fn sign<S: Signable>(&self, statement: S) -> Signed<S> {
        Signed::sign(statement, &self.domain, &self.key).expect("a key in memory signs")
    }

    /// Sends frames to everyone until `done`, as fast as they are taken.
    async fn flood(&self, mut frame: impl FnMut(u64) -> Bytes, mut done: impl AsyncFnMut() -> bool) {
        let mut number = 0;
        while !done().await {
            for _ in 0..256 {
                self.network.broadcast(&frame(number).into(), None);
                number += 1;
            }
        }
    }

    fn far_height(&self) -> impl FnMut(u64) -> Bytes {
        let vote = Vote { phase: Phase::Prevote, height: Height(0), view: View(0), block_hash: B256::ZERO };
        let mut signed = self.sign(vote);
        move |number| {
            signed.statement.height = Height(1_000_000_000 + number);
            encode_message(&Message::Vote(signed)).into()
        }
    }

    fn far_view(&self, height: u64) -> impl FnMut(u64) -> Bytes {
        let change = ViewChange { height: Height(height), view: View(1), prepared: None };
        let mut signed = self.sign(change);
        move |number| {
            signed.statement.view = View(1_000_000_000 + number);
            encode_message(&Message::ViewChange(SignedViewChange { signed, certificate: None })).into()
        }
    }

    fn largest() -> impl FnMut(u64) -> Bytes {
        let mut frame = vec![0xff; MAX_FRAME_BYTES];
        move |number| {
            frame[..8].copy_from_slice(&number.to_be_bytes());
            frame.clone().into()
        }
    }
}

/// It reads nothing of what it is told.
async fn ignore(mut events: NetworkEvents) {
    while events.recv().await.is_some() {}
}

/// Runs beside the story, on a thread of its own.
fn aside<T: Send + 'static>(work: impl AsyncFnOnce() -> T + Send + 'static) -> JoinHandle<T> {
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        runtime.expect("a runtime").block_on(work())
    })
}

/// Transactions one after the other through one node, each awaited on another, until it is told to stop; how many.
fn load(cluster: Arc<Cluster>, stop: Arc<AtomicBool>) -> JoinHandle<u64> {
    aside(async move || {
        let (mut alice, sink) = (Wallet::development(3), Wallet::fresh(40).address());
        let mut included = 0;
        while !stop.load(Ordering::Relaxed) {
            let hash = send(&cluster.client(0), &alice.transfer(sink, 1)).await;
            receipt(&cluster.client(1), hash).await;
            included += 1;
        }
        included
    })
}

fn logged(cluster: &Cluster, what: &str) -> bool {
    VALIDATORS.iter().all(|node| {
        let log = cluster.log_of(*node);
        log.lines().any(|line| line.contains(what) && line.contains("observer0"))
    })
}

/// Given a chain under load, when a certified peer floods all validators with far heights, far views, frames of the
/// largest size and handshakes, then transactions go on being included, memory stays within what one guest may cost, and log
/// and metrics of each validator name the peer.
#[tokio::test(flavor = "multi_thread")]
async fn flood_of_one_certified_peer_harms_nobody_and_is_named() {
    let cluster = Arc::new(Cluster::start(4));
    cluster.wait_for_height(&VALIDATORS, 1).await;
    cluster.kill(OBSERVER);
    let before = VALIDATORS.map(|node| cluster.resident_bytes(node));
    let stop = Arc::new(AtomicBool::new(false));
    let load = load(cluster.clone(), stop.clone());

    let flooder = Flooder::instead_of_observer(&cluster).await;
    flooder.connect().await;
    flooder.flood(flooder.far_height(), async || logged(&cluster, "floods this node")).await;
    wait_until("everyone parts with it", async || {
        // The height in flight moves on under load.
        let in_flight = cluster.height(0).await.expect("it answers") + 1;
        let mut frame = flooder.far_view(in_flight);
        for number in 0..256 {
            flooder.network.broadcast(&frame(number).into(), None);
        }
        logged(&cluster, "parted with a peer")
    })
    .await;
    flooder.network.shutdown().await;

    // It comes back at once, and again: greeted it is not. What it sends is refused before it is read.
    for _ in 0..8 {
        let again = Flooder::instead_of_observer(&cluster).await;
        wait_until("a handshake", async || again.network.connection_count() > 0).await;
        again.network.broadcast(&Flooder::largest()(0).into(), None);
        again.network.shutdown().await;
    }
    let growth = VALIDATORS.map(|node| cluster.resident_bytes(node).saturating_sub(before[node]));
    println!("memory grew by {} MiB", growth.map(|bytes| (bytes >> 20).to_string()).join(", "));
    assert!(growth.iter().all(|bytes| *bytes < MOST_GROWTH), "{growth:?}");

    stop.store(true, Ordering::Relaxed);
    let included = load.join().expect("the load ends");
    assert!(included > 0);
    let peer = flooder.key.id();
    for node in VALIDATORS {
        let metrics = get(cluster.ops_port(node), "/metrics");
        for series in [
            format!("quorate_peer_frames_dropped_total{{peer=\"{peer}\",reason=\"far\"}}"),
            format!("quorate_peers_parted_total{{peer=\"{peer}\"}}"),
        ] {
            assert!(metrics.contains(&series), "{series}");
        }
    }
    cluster.assert_same_chain(&VALIDATORS).await;
}

/// Given a peer that sends frames of the largest size, which cost the most to read and to forget, then each validator drops
/// them at the peer's quota, counts them as its own, and its memory stays within what one guest may cost.
#[tokio::test(flavor = "multi_thread")]
async fn flood_of_largest_frames_is_bounded_in_memory() {
    let cluster = Arc::new(Cluster::start(4));
    cluster.wait_for_height(&VALIDATORS, 1).await;
    cluster.kill(OBSERVER);
    let before = VALIDATORS.map(|node| cluster.resident_bytes(node));
    let flooder = Flooder::instead_of_observer(&cluster).await;
    flooder.connect().await;
    let mut largest = Flooder::largest();
    let mut number = 0;
    let series =
        format!("quorate_peer_frames_dropped_total{{peer=\"{}\",reason=\"malformed\"}}", flooder.key.id());
    wait_until("everyone has dropped some of them", async || {
        flooder.network.broadcast(&largest(number).into(), None);
        number += 1;
        let dropped = |node: &usize| get(cluster.ops_port(*node), "/metrics").contains(&series);
        number >= 16 && VALIDATORS.iter().all(dropped)
    })
    .await;
    let growth = VALIDATORS.map(|node| cluster.resident_bytes(node).saturating_sub(before[node]));
    println!("memory grew by {} MiB", growth.map(|bytes| (bytes >> 20).to_string()).join(", "));
    assert!(growth.iter().all(|bytes| *bytes < MOST_GROWTH), "{growth:?}");
    let hash =
        send(&cluster.client(0), &Wallet::development(3).transfer(Wallet::fresh(41).address(), 1)).await;
    receipt(&cluster.client(1), hash).await;
}

/// Transactions a second, one at a time, undisturbed and while a guest floods all validators with far heights.
/// `cargo test --release --workspace --test e2e flood_throughput -- --ignored --nocapture`, on a quiet machine.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "prints a figure that only a quiet machine gives"]
async fn flood_throughput() {
    const WATCH: Duration = Duration::from_secs(20);
    let cluster = Arc::new(Cluster::start(4));
    cluster.wait_for_height(&VALIDATORS, 1).await;
    cluster.kill(OBSERVER);
    let mut alice = Wallet::development(3);
    let mut measure = async || {
        let (started, sink) = (Instant::now(), Wallet::fresh(42).address());
        let mut included = 0_u32;
        while started.elapsed() < WATCH {
            let hash = send(&cluster.client(0), &alice.transfer(sink, 1)).await;
            receipt(&cluster.client(1), hash).await;
            included += 1;
        }
        f64::from(included) / started.elapsed().as_secs_f64()
    };
    let undisturbed = measure().await;
    let flooder = Arc::new(Flooder::instead_of_observer(&cluster).await);
    flooder.connect().await;
    let stop = Arc::new(AtomicBool::new(false));
    let flood = aside({
        let (flooder, stop) = (flooder.clone(), stop.clone());
        async move || {
            let pause = async || {
                tokio::task::yield_now().await;
                stop.load(Ordering::Relaxed)
            };
            flooder.flood(flooder.far_height(), pause).await;
        }
    });
    let flooded = measure().await;
    stop.store(true, Ordering::Relaxed);
    flood.join().expect("it ends");
    println!(
        "{undisturbed:.1} tx/s undisturbed, {flooded:.1} tx/s flooded: {:.0} %",
        100.0 * flooded / undisturbed
    );
}
