//! faults.md, flood: one certified peer that sends whatever it likes, as fast as it can (FISCO audit, Besu #10897).

mod flooder;

use std::{
    io::Write as _,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread::JoinHandle,
    time::{Duration, Instant},
};

use flooder::flood;
use quorate_p2p::NetworkHandle;
use quorate_proto::TransactionBatch;
use quorate_tests::{
    cluster::{Cluster, wait_until},
    wallet::{Wallet, included, receipt, send},
};
use quorate_types::NodeId;
use tokio::{net::TcpSocket, task::JoinSet};

use crate::{bad_input::get, stranger::Stranger};

const VALIDATORS: [usize; 4] = [0, 1, 2, 3];
/// Those that remain when the last one floods: a quorum, and no more.
const HONEST: [usize; 3] = [0, 1, 2];
const LIAR: usize = 3;
/// The observer, whose key and certificate a flooder without a vote uses.
const OBSERVER: usize = 4;
/// What one guest may cost a node: a frame of the largest size that waits (16 MiB), one that is being read, the copies of
/// decoding, windows of the multiplexer; and what the allocator keeps of it.
const MOST_GROWTH: u64 = 160 << 20;
/// The same for a validator, of which 24 MiB may wait.
const MOST_GROWTH_BY_VALIDATOR: u64 = MOST_GROWTH + (64 << 20);
/// Connections of a certified peer in the story of handshakes, at the least.
const CHURNS: u64 = 300;
/// Another of loopback's addresses, as a stranger would have.
const STRANGER: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::new(127, 0, 0, 2)), 0);

/// A network under load, and what it took before the flood.
struct Story {
    cluster: Arc<Cluster>,
    honest: &'static [usize],
    load: Load,
    before: Vec<u64>,
}

impl Story {
    /// Four validators and their observer, of which `flooder` does not run: its place is taken by somebody else.
    async fn without(flooder: usize, honest: &'static [usize]) -> Self {
        let cluster = Arc::new(Cluster::start(4));
        cluster.wait_for_height(&VALIDATORS, 1).await;
        cluster.kill(flooder);
        let load = Load::start(cluster.clone());
        load.goes_on().await;
        let before = honest.iter().map(|node| cluster.resident_bytes(*node)).collect();
        Self { cluster, honest, load, before }
    }

    async fn flooder(&self, node: usize) -> Stranger {
        Stranger::instead_of(&self.cluster, node, self.honest).await
    }

    /// Whether each victim's log says this of the peer, by its name.
    fn logged(&self, what: &str, name: &str) -> bool {
        self.honest.iter().all(|node| {
            let log = self.cluster.log_of(*node);
            log.lines().any(|line| line.contains(what) && line.contains(name))
        })
    }

    /// Each victim has a series of this name and label for the peer.
    fn assert_measured(&self, series: &str, peer: NodeId, further: &str) {
        let series = format!("{series}{{peer=\"{peer}\"{further}}}");
        for node in self.honest {
            assert!(get(self.cluster.ops_port(*node), "/metrics").contains(&series), "{series}");
        }
    }

    /// Transactions are still included, memory has grown by no more than `most`, and all have one chain.
    async fn end(self, most: u64) {
        let Self { cluster, honest, load, before } = self;
        let growth: Vec<_> = honest
            .iter()
            .zip(before)
            .map(|(node, before)| cluster.resident_bytes(*node).saturating_sub(before))
            .collect();
        let shown: Vec<_> = growth.iter().map(|bytes| (bytes >> 20).to_string()).collect();
        println!("memory grew by {} MiB", shown.join(", "));
        assert!(growth.iter().all(|bytes| *bytes < most), "{growth:?}");
        load.goes_on().await;
        load.end();
        cluster.assert_same_chain(honest).await;
    }
}

/// Transactions one after the other through one node, each awaited on another.
struct Load {
    included: Arc<AtomicU64>,
    stop: Arc<AtomicBool>,
    thread: JoinHandle<()>,
}

impl Load {
    fn start(cluster: Arc<Cluster>) -> Self {
        let (included, stop) = (Arc::<AtomicU64>::default(), Arc::<AtomicBool>::default());
        let thread = aside({
            let (included, stop) = (included.clone(), stop.clone());
            async move || {
                let (mut alice, sink) = (Wallet::development(3), Wallet::fresh(40).address());
                while !stop.load(Ordering::Relaxed) {
                    let hash = send(&cluster.client(0), &alice.transfer(sink, 1)).await;
                    receipt(&cluster.client(1), hash).await;
                    included.fetch_add(1, Ordering::Relaxed);
                }
            }
        });
        Self { included, stop, thread }
    }

    /// Two more are included: the second was sent after this was asked.
    async fn goes_on(&self) {
        let now = self.included.load(Ordering::Relaxed);
        wait_until("further transactions", async || self.included.load(Ordering::Relaxed) >= now + 2).await;
    }

    fn end(self) {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().expect("the load ends");
    }
}

/// Runs beside the story, on a thread of its own.
fn aside<T: Send + 'static>(work: impl AsyncFnOnce() -> T + Send + 'static) -> JoinHandle<T> {
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        runtime.expect("a runtime").block_on(work())
    })
}

/// Given a chain under load, when a certified peer floods all validators with far heights and far views, then transactions go
/// on being included, memory stays within what one guest may cost, and log and metrics of each validator name the peer.
#[tokio::test(flavor = "multi_thread")]
async fn flood_of_one_certified_peer_harms_nobody_and_is_named() {
    let story = Story::without(OBSERVER, &VALIDATORS).await;
    let flooder = story.flooder(OBSERVER).await;
    let network = flooder.connect().await;
    flood(&network, flooder.far_height(), async || story.logged("floods this node", "observer0")).await;
    story.load.goes_on().await;
    let mut number = 0;
    wait_until("everyone parts with it", async || {
        send_far_views(&network, &flooder, &story.cluster, &mut number).await;
        story.logged("parted with a peer", "observer0")
    })
    .await;
    network.shutdown().await;

    // It comes back at once, and is not greeted: what it sends is refused before it is read.
    let refused = flooder.refused().await;
    assert!(refused.contains("this node parted with you for what you sent"), "{refused}");
    story.assert_measured("quorate_peer_frames_dropped_total", flooder.key().id(), ",reason=\"far\"");
    story.assert_measured("quorate_peers_parted_total", flooder.key().id(), "");
    story.end(MOST_GROWTH).await;
}

/// Given a peer that sends frames of the largest size, which cost the most to read and to forget, and of which its quota lets
/// one through each second, then each validator names it and parts with it all the same, and its memory stays within what
/// one guest may cost.
#[tokio::test(flavor = "multi_thread")]
async fn flood_of_largest_frames_is_bounded_in_memory() {
    let story = Story::without(OBSERVER, &VALIDATORS).await;
    let flooder = story.flooder(OBSERVER).await;
    let network = flooder.connect().await;
    let (mut largest, mut number) = (Stranger::largest(), 0);
    wait_until("everyone parts with it", async || {
        network.broadcast(&largest(number).into(), None);
        number += 1;
        story.logged("parted with a peer", "observer0")
    })
    .await;
    network.shutdown().await;
    story.assert_measured("quorate_peer_frames_dropped_total", flooder.key().id(), ",reason=\"malformed\"");
    story.assert_measured("quorate_peers_parted_total", flooder.key().id(), "");
    story.end(MOST_GROWTH).await;
}

/// Given three validators that need each other, when the fourth floods them, with far views that it signs as it should, far
/// heights and frames of the largest size, then the three go on, within their bounds, and name it.
#[tokio::test(flavor = "multi_thread")]
async fn flood_of_a_validator_harms_nobody_and_is_named() {
    let story = Story::without(LIAR, &HONEST).await;
    let flooder = story.flooder(LIAR).await;
    let network = flooder.connect().await;
    for number in 0..4096 {
        let in_flight = story.cluster.height(0).await.filter(|_| number % 256 == 0);
        if let Some(height) = in_flight {
            (0..256).for_each(|at| {
                network.broadcast(&flooder.signed_far_view(height + 1, number + at).into(), None);
            });
        }
    }
    story.load.goes_on().await;
    flood(&network, flooder.far_height(), async || story.logged("floods this node", "node3")).await;
    story.load.goes_on().await;
    let (mut largest, mut number) = (Stranger::largest(), 0);
    wait_until("everyone parts with it", async || {
        network.broadcast(&largest(number).into(), None);
        number += 1;
        story.logged("parted with a peer", "node3")
    })
    .await;
    network.shutdown().await;
    story.assert_measured("quorate_peer_frames_dropped_total", flooder.key().id(), ",reason=\"far\"");
    story.assert_measured("quorate_peers_parted_total", flooder.key().id(), "");
    story.end(MOST_GROWTH_BY_VALIDATOR).await;
}

/// Given a chain under load, when strangers without a certificate, one with another chain's, and a certified peer connect
/// hundreds of times, greet or break off, and hang up, then the chain goes on, memory stays within what one guest may cost,
/// the stranger is told why, and log and metrics of each validator name the peer that has a certificate.
#[tokio::test(flavor = "multi_thread")]
async fn flood_of_handshakes_harms_nobody_and_is_named() {
    let story = Story::without(OBSERVER, &VALIDATORS).await;
    let flooder = story.flooder(OBSERVER).await;
    let other = Cluster::create(1);
    let foreign = story.flooder(OBSERVER).await.certified_by(&other, 1);
    let refused = foreign.refused().await;
    assert!(refused.contains("does not lead to the peer's chain CA"), "{refused}");

    let mut strangers = JoinSet::new();
    for node in VALIDATORS {
        strangers.spawn(knock(story.cluster.p2p_port(node)));
    }
    let churns = AtomicU64::new(0);
    let named = wait_until("everyone names it", async || {
        churns.load(Ordering::Relaxed) >= CHURNS
            && story.logged("a peer keeps connecting and leaving", "observer0")
    });
    tokio::select! {
        () = named => {}
        () = flooder.come_and_go(&churns) => {}
    }
    println!("{} connections with a certificate", churns.load(Ordering::Relaxed));
    story.load.goes_on().await;
    strangers.shutdown().await;
    story.assert_measured("quorate_peer_churn_total", flooder.key().id(), "");
    story.end(MOST_GROWTH).await;
}

/// For the height in flight, which moves on under load: few, so that they are there before it is decided.
async fn send_far_views(network: &NetworkHandle, flooder: &Stranger, cluster: &Cluster, number: &mut u64) {
    let in_flight = cluster.height(0).await.expect("it answers") + 1;
    let mut frame = flooder.far_view(in_flight);
    for _ in 0..32 {
        network.broadcast(&frame(*number).into(), None);
        *number += 1;
    }
}

/// Connects without end: says nothing and holds on, talks nonsense, begins what could become a handshake, hangs up.
async fn knock(port: u16) {
    let target = SocketAddr::from(([127, 0, 0, 1], port));
    let mut held = std::collections::VecDeque::new();
    for number in 0_u32.. {
        let socket = TcpSocket::new_v4().expect("a socket");
        socket.bind(STRANGER).expect("an address of loopback");
        let Ok(stream) = socket.connect(target).await else { continue };
        let mut stream = stream.into_std().expect("a socket");
        let word: &[u8] = match number % 4 {
            0 => b"",
            1 => &[0xff; 64],
            2 => b"\x13/multistream/1.0.0\n",
            _ => b"\x13/multistream/1.0.0\n\x10/quorate/mtls/1\n\x16\x03\x01\x02\x00\x01",
        };
        // It may have been turned away already.
        let _ = stream.write_all(word);
        held.push_back(stream);
        if held.len() > 8 {
            held.pop_front();
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// Ways to flood, for the figure.
#[derive(Clone, Copy, Debug)]
enum Kind {
    FarHeights,
    FarViews,
    SignedFarViews,
    LargestFrames,
    Transactions,
    Handshakes,
}

impl Kind {
    const ALL: [Self; 6] = [
        Self::FarHeights,
        Self::FarViews,
        Self::SignedFarViews,
        Self::LargestFrames,
        Self::Transactions,
        Self::Handshakes,
    ];

    async fn run(self, cluster: &Cluster, flooder: &Stranger, stop: &AtomicBool) {
        let done = async || {
            tokio::task::yield_now().await;
            stop.load(Ordering::Relaxed)
        };
        if matches!(self, Self::Handshakes) {
            let counted = AtomicU64::new(0);
            let stopped = async { while !done().await {} };
            tokio::select! {
                () = stopped => return,
                () = flooder.come_and_go(&counted) => return,
            }
        }
        let network = flooder.connect().await;
        match self {
            Self::FarHeights => flood(&network, flooder.far_height(), done).await,
            Self::FarViews => {
                let mut number = 0;
                while !done().await {
                    send_far_views(&network, flooder, cluster, &mut number).await;
                }
            }
            Self::SignedFarViews => {
                let mut number = 0;
                while !done().await {
                    let in_flight = cluster.height(0).await.expect("it answers") + 1;
                    for _ in 0..32 {
                        network.broadcast(&flooder.signed_far_view(in_flight, number).into(), None);
                        number += 1;
                    }
                }
            }
            Self::Transactions => {
                let batch = unfunded(200);
                while !done().await {
                    network.publish_transactions(&batch, None);
                }
            }
            Self::LargestFrames | Self::Handshakes => flood(&network, Stranger::largest(), done).await,
        }
        network.shutdown().await;
    }
}

/// Transfers of those who own nothing: each is sound, and no pool takes it.
fn unfunded(count: u8) -> TransactionBatch {
    let sink = Wallet::fresh(43).address();
    let transactions =
        (100..100 + u32::from(count)).map(|number| Wallet::fresh(number).transfer(sink, 1)).collect();
    TransactionBatch { transactions, trace_id: None }
}

/// Given a guest, or a validator, that floods all others, in each way on a network of its own, then they include more than half
/// of the transactions that they do undisturbed. `make flood`, on a quiet machine.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes minutes, and gives figures that only a quiet machine gives"]
async fn flood_throughput() {
    let guest = (OBSERVER, VALIDATORS.as_slice());
    let validator = (LIAR, HONEST.as_slice());
    let mut worst = f64::INFINITY;
    let stories = [guest, validator].into_iter().flat_map(|who| Kind::ALL.map(|kind| (who, kind)));
    for ((who, victims), kind) in stories {
        let cluster = Arc::new(Cluster::start(4));
        cluster.wait_for_height(&VALIDATORS, 1).await;
        cluster.kill(who);
        let mut wallets: Vec<_> = (0..WALLETS).map(Wallet::development).collect();
        throughput(&cluster, &mut wallets).await;
        let undisturbed = throughput(&cluster, &mut wallets).await;
        let stop = Arc::new(AtomicBool::new(false));
        let flooder = Stranger::instead_of(&cluster, who, victims).await;
        let flood = aside({
            let (cluster, stop) = (cluster.clone(), stop.clone());
            async move || kind.run(&cluster, &flooder, &stop).await
        });
        let flooded = throughput(&cluster, &mut wallets).await;
        stop.store(true, Ordering::Relaxed);
        flood.join().expect("it ends");
        let percent = 100.0 * flooded / undisturbed;
        worst = worst.min(percent);
        println!(
            "{who} floods with {kind:?}: {undisturbed:.1} tx/s undisturbed, {flooded:.1} tx/s flooded: {percent:.0} %"
        );
    }
    assert!(worst >= 50.0, "{worst:.0} % in the worst case");
}

/// Wallets that each send one transfer after another.
const WALLETS: u32 = 8;
/// For how long each figure is taken.
const WATCH: Duration = Duration::from_secs(6);

async fn throughput(cluster: &Cluster, wallets: &mut [Wallet]) -> f64 {
    let started = Instant::now();
    let sink = Wallet::fresh(42).address();
    let (sender, witness) = (cluster.client(0), cluster.client(1));
    let counts = futures::future::join_all(wallets.iter_mut().map(async |wallet| {
        let mut count = 0_u32;
        while started.elapsed() < WATCH {
            included(&witness, send(&sender, &wallet.transfer(sink, 1)).await).await;
            count += 1;
        }
        count
    }));
    f64::from(counts.await.into_iter().sum::<u32>()) / started.elapsed().as_secs_f64()
}
