//! A certified peer that is no node of ours: somebody who has a node's key and certificate, and a program of his own.

use std::time::Duration;

use jsonrpsee::{core::client::ClientT, rpc_params};
use quorate_p2p::{
    Network, NetworkConfig, NetworkEvent, NetworkEvents, NetworkHandle, NetworkLimits,
    cert::read_certificates,
};
use quorate_proto::{Hello, PROTOCOL_VERSION};
use quorate_tests::cluster::{Cluster, wait_until};
use quorate_types::{B256, Height, NodeKey};
use tokio::sync::watch;

/// For how long somebody is waited for at the most. Generous: two cores may be busy with other stories.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// A stolen identity, and whom to meet.
#[derive(Clone)]
pub(crate) struct Stranger {
    seed: [u8; 32],
    /// What it shows, leaf first, and whom it believes.
    certificates: String,
    ca: String,
    pub(crate) hello: Hello,
    pub(crate) victims: Vec<u16>,
}

impl Stranger {
    /// Has the key and certificate of a node, which must not run, and meets `victims`.
    pub(crate) async fn instead_of(cluster: &Cluster, node: usize, victims: &[usize]) -> Self {
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
            agent: "stranger/1".to_owned(),
        };
        let victims = victims.iter().map(|node| cluster.p2p_port(*node)).collect();
        Self { seed: key.seed(), certificates: read("node.crt"), ca: read("ca.crt"), hello, victims }
    }

    /// The same without a certificate of this chain: it shows what a node of `other` has.
    pub(crate) fn certified_by(mut self, other: &Cluster, node: usize) -> Self {
        let read = |name: &str| {
            std::fs::read_to_string(other.folder_of(node).join(name)).expect("a file of the network")
        };
        self.seed = NodeKey::from_pem(&read("node.key")).expect("a key").seed();
        self.certificates = read("node.crt");
        self
    }

    pub(crate) fn key(&self) -> NodeKey {
        NodeKey::from_seed(self.seed)
    }

    /// Starts to dial.
    pub(crate) async fn dial(&self) -> (NetworkHandle, NetworkEvents) {
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
    pub(crate) async fn connect(&self) -> NetworkHandle {
        let (network, mut events) = self.dial().await;
        tokio::spawn(async move { while events.recv().await.is_some() {} });
        let greeted = async || network.peer_count() == self.victims.len();
        wait_until("the stranger has met all its victims", greeted).await;
        network
    }

    /// Dials, and returns why it was refused.
    pub(crate) async fn refused(&self) -> String {
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
}
