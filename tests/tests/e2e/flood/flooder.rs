//! A certified peer without manners: somebody who has a node's key and certificate, and a program of his own.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use jsonrpsee::{core::client::ClientT, rpc_params};
use quorate_p2p::{
    Network, NetworkConfig, NetworkEvent, NetworkEvents, NetworkHandle, NetworkLimits,
    cert::read_certificates,
};
use quorate_proto::{Hello, MAX_FRAME_BYTES, PROTOCOL_VERSION, encode_message};
use quorate_tests::cluster::{Cluster, wait_until};
use quorate_types::{
    B256, Bytes, Domain, Height, Message, NodeKey, Phase, Signable, Signed, SignedViewChange, View,
    ViewChange, Vote,
};
use tokio::sync::watch;

/// For how long somebody floods at the most. Generous: two cores may be busy with other stories.
const PATIENCE: Duration = Duration::from_secs(60);
/// How often a flooder looks how far it has come.
const LOOK: Duration = Duration::from_millis(2);

/// A stolen identity, and whom to flood.
#[derive(Clone)]
pub(super) struct Flooder {
    seed: [u8; 32],
    /// What it shows, leaf first, and whom it believes.
    certificates: String,
    ca: String,
    hello: Hello,
    victims: Vec<u16>,
}

impl Flooder {
    /// Has the key and certificate of a node, which must not run, and floods `victims`.
    pub(super) async fn instead_of(cluster: &Cluster, node: usize, victims: &[usize]) -> Self {
        let folder = cluster.folder_of(node);
        let read = |name: &str| std::fs::read_to_string(folder.join(name)).expect("a file of the network");
        let key = NodeKey::from_pem(&read("node.key")).expect("a key");
        let client = cluster.client(victims[0]);
        let chain_id: String = client.request("eth_chainId", rpc_params![]).await.expect("it answers");
        let genesis_hash: B256 =
            cluster.hash_at(victims[0], 0).await.and_then(|hash| hash.parse().ok()).expect("block 0");
        let hello = Hello {
            protocol_version: PROTOCOL_VERSION,
            chain_id: u64::from_str_radix(chain_id.trim_start_matches("0x"), 16).expect("a number"),
            genesis_hash,
            height: Height(0),
            head_hash: genesis_hash,
            agent: "flood/1".to_owned(),
        };
        let victims = victims.iter().map(|node| cluster.p2p_port(*node)).collect();
        Self { seed: key.seed(), certificates: read("node.crt"), ca: read("ca.crt"), hello, victims }
    }

    /// The same without a certificate of this chain: it shows what a node of `other` has.
    pub(super) fn certified_by(mut self, other: &Cluster, node: usize) -> Self {
        let read = |name: &str| {
            std::fs::read_to_string(other.folder_of(node).join(name)).expect("a file of the network")
        };
        self.seed = NodeKey::from_pem(&read("node.key")).expect("a key").seed();
        self.certificates = read("node.crt");
        self
    }

    pub(super) fn key(&self) -> NodeKey {
        NodeKey::from_seed(self.seed)
    }

    /// Starts to dial.
    pub(super) async fn dial(&self) -> (NetworkHandle, NetworkEvents) {
        let peers = self.victims.iter().map(|port| format!("127.0.0.1:{port}").parse().expect("an address"));
        let config = NetworkConfig {
            key: self.key(),
            certificates: read_certificates(&self.certificates, "node.crt").expect("certificates"),
            ca: read_certificates(&self.ca, "ca.crt").expect("a certificate").swap_remove(0),
            crls: vec![],
            listen: "127.0.0.1:0".parse().expect("an address"),
            peers: peers.collect(),
            validators: Default::default(),
            hello: watch::channel(self.hello.clone()).1,
            limits: NetworkLimits::default(),
        };
        Network::start(config).await.expect("it starts")
    }

    /// Connects to all victims; it hears nothing of what it is told.
    pub(super) async fn connect(&self) -> NetworkHandle {
        let (network, mut events) = self.dial().await;
        tokio::spawn(async move { while events.recv().await.is_some() {} });
        let greeted = async || network.peer_count() == self.victims.len();
        wait_until("the flooder has all its victims", greeted).await;
        network
    }

    /// Connects to each victim over and over for ever: greets, or breaks off when the handshake is made, and hangs up.
    pub(super) async fn come_and_go(&self, counted: &AtomicU64) {
        futures::future::join_all(self.victims.iter().map(async |victim| {
            let alone = Self { victims: vec![*victim], ..self.clone() };
            for number in 0_u64.. {
                let greets = number % 2 == 0;
                let (network, _events) = alone.dial().await;
                // A victim takes part in so many handshakes a second, so this may take a while.
                while network.connection_count() == 0 || greets && network.peer_count() == 0 {
                    tokio::time::sleep(LOOK).await;
                }
                network.shutdown().await;
                counted.fetch_add(1, Ordering::Relaxed);
            }
        }))
        .await;
    }

    /// Dials, and returns why it was refused.
    pub(super) async fn refused(&self) -> String {
        let (network, mut events) = self.dial().await;
        let refusal = async {
            loop {
                match events.recv().await.expect("it runs") {
                    NetworkEvent::Refused { reason, .. } => break reason,
                    NetworkEvent::PeerConnected { id, .. } => panic!("{id} let it in"),
                    _ => {}
                }
            }
        };
        let reason = tokio::time::timeout(PATIENCE, refusal).await.expect("it is refused in time");
        network.shutdown().await;
        reason
    }

    fn sign<S: Signable>(&self, statement: S) -> Signed<S> {
        let Hello { chain_id, genesis_hash, .. } = self.hello;
        Signed::sign(statement, &Domain { chain_id, genesis_hash }, &self.key())
            .expect("a key in memory signs")
    }

    /// Votes of heights that nobody will live to see.
    pub(super) fn far_height(&self) -> impl FnMut(u64) -> Bytes + Send + use<> {
        let vote = Vote { phase: Phase::Prevote, height: Height(0), view: View(0), block_hash: B256::ZERO };
        let mut signed = self.sign(vote);
        move |number| {
            signed.statement.height = Height(1_000_000_000 + number);
            encode_message(&Message::Vote(signed)).into()
        }
    }

    /// View changes to views that nobody is at, signed for one of them; the signature is wrong for all others.
    pub(super) fn far_view(&self, height: u64) -> impl FnMut(u64) -> Bytes + Send + use<> {
        let change = ViewChange { height: Height(height), view: View(1), prepared: None };
        let mut signed = self.sign(change);
        move |number| {
            signed.statement.view = View(1_000_000_000 + number);
            encode_message(&Message::ViewChange(SignedViewChange { signed, certificate: None })).into()
        }
    }

    /// The same with a signature for each: a validator's own.
    pub(super) fn signed_far_view(&self, height: u64, number: u64) -> Bytes {
        let view = View(1_000_000_000 + number);
        let signed = self.sign(ViewChange { height: Height(height), view, prepared: None });
        encode_message(&Message::ViewChange(SignedViewChange { signed, certificate: None })).into()
    }

    /// As large as a frame may be, and nothing in it.
    pub(super) fn largest() -> impl FnMut(u64) -> Bytes + Send {
        let mut frame = vec![0xff; MAX_FRAME_BYTES];
        move |number| {
            frame[..8].copy_from_slice(&number.to_be_bytes());
            frame.clone().into()
        }
    }
}

/// Sends frames to everyone until `done`, as fast as they are taken.
pub(super) async fn flood(
    network: &NetworkHandle,
    mut frame: impl FnMut(u64) -> Bytes,
    mut done: impl AsyncFnMut() -> bool,
) {
    let sending = async {
        let mut number = 0;
        while !done().await {
            for _ in 0..256 {
                network.broadcast(&frame(number).into(), None);
                number += 1;
            }
        }
    };
    tokio::time::timeout(PATIENCE, sending).await.expect("the flood has its effect in time");
}
