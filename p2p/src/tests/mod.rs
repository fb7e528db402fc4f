//! Networks of a few nodes on loopback. Every wait is on an event, with a bound.

mod admission;
mod churn;
mod greeting;
mod liar;
mod links;
mod traffic;

use std::{
    collections::{BTreeSet, HashSet},
    net::SocketAddr,
    time::Duration,
};

use bytes::Bytes;
use quorate_proto::{Hello, PROTOCOL_VERSION};
use quorate_types::{B256, Height, NodeId, NodeKey};
use rustls::pki_types::CertificateDer;
use tokio::{sync::watch, time::timeout};

use crate::{
    Network, NetworkConfig, NetworkEvent, NetworkEvents, NetworkHandle, NetworkLimits, PeerAddress,
    cert::{
        AGENCY_VALIDITY, Authority, CHAIN_CA_VALIDITY, NODE_VALIDITY, Validity, issue_agency, issue_chain_ca,
        issue_node,
    },
};

/// Longer than anything here takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);
const LOOPBACK: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 0);

/// A consortium's authorities.
struct Chain {
    ca: Authority,
    agency: Authority,
}

/// What a node is started with.
#[derive(Clone)]
struct Identity {
    seed: u8,
    certificates: Vec<CertificateDer<'static>>,
    ca: CertificateDer<'static>,
    serial: Vec<u8>,
}

/// A running node.
struct Node {
    network: NetworkHandle,
    events: NetworkEvents,
    hello: watch::Sender<Hello>,
    /// Whom it heard of or from, by connection or frame.
    heard: BTreeSet<NodeId>,
    /// What it was told, for a failing test to print.
    log: Vec<String>,
}

impl Chain {
    fn new() -> Self {
        Self::named("chain")
    }

    fn named(name: &str) -> Self {
        let ca = issue_chain_ca(name, Validity::from_now(CHAIN_CA_VALIDITY)).expect("a CA");
        let agency = issue_agency(&ca, "agency-a", Validity::from_now(AGENCY_VALIDITY)).expect("an agency");
        Self { ca, agency }
    }

    fn identity(&self, seed: u8) -> Identity {
        self.identity_until(seed, Validity::from_now(NODE_VALIDITY))
    }

    fn identity_until(&self, seed: u8, validity: Validity) -> Identity {
        let name = format!("node{seed}");
        let issued = issue_node(&self.agency, key(seed).id(), &name, validity).expect("a certificate");
        let serial = issued.details.serial.clone();
        Identity { seed, certificates: issued.chain, ca: self.ca.certificate().clone(), serial }
    }
}

impl Identity {
    fn id(&self) -> NodeId {
        key(self.seed).id()
    }

    fn config(&self, hello: watch::Receiver<Hello>) -> NetworkConfig {
        NetworkConfig {
            key: key(self.seed),
            certificates: self.certificates.clone(),
            ca: self.ca.clone(),
            crls: vec![],
            listen: LOOPBACK,
            peers: vec![],
            validators: HashSet::new(),
            hello,
            limits: NetworkLimits::default(),
        }
    }

    async fn start(&self, peers: &[&Node]) -> Node {
        let peers = peers.iter().map(|node| node.address()).collect();
        self.start_with(hello(), |config| config.peers = peers).await
    }

    async fn start_with(&self, hello: Hello, change: impl FnOnce(&mut NetworkConfig)) -> Node {
        let (hello, receiver) = watch::channel(hello);
        let mut config = self.config(receiver);
        change(&mut config);
        let (network, events) = Network::start(config).await.expect("it starts");
        Node { network, events, hello, heard: BTreeSet::new(), log: Vec::new() }
    }
}

impl Node {
    fn id(&self) -> NodeId {
        self.network.id()
    }

    fn socket(&self) -> SocketAddr {
        self.network.listening()[0]
    }

    /// Where to dial it, and who must answer.
    fn address(&self) -> PeerAddress {
        PeerAddress { node: Some(self.id()), ..address_of(self.socket()) }
    }

    /// Waits for the first event that `pick` takes.
    async fn until<T>(&mut self, what: &str, mut pick: impl FnMut(NetworkEvent) -> Option<T>) -> T {
        let search = async {
            loop {
                let event = self.events.recv().await.expect("the network runs");
                self.log.push(format!("{event:?}"));
                if let NetworkEvent::PeerConnected { id, .. } | NetworkEvent::Consensus { from: id, .. } =
                    &event
                {
                    self.heard.insert(*id);
                }
                if let Some(found) = pick(event) {
                    return found;
                }
            }
        };
        match timeout(PATIENCE, search).await {
            Ok(found) => found,
            Err(_) => panic!("waited for {what}; it was told: {:#?}", self.log),
        }
    }

    async fn connected(&mut self, peer: NodeId) -> Hello {
        self.until("a connection", |event| match event {
            NetworkEvent::PeerConnected { id, hello } if id == peer => Some(hello),
            _ => None,
        })
        .await
    }

    async fn disconnected(&mut self, peer: NodeId) {
        self.until("a disconnection", |event| {
            matches!(event, NetworkEvent::PeerDisconnected { id } if id == peer).then_some(())
        })
        .await;
    }

    /// The first reason of a refusal that says `what`.
    async fn refused(&mut self, what: &str) -> String {
        self.until(what, |event| match event {
            NetworkEvent::Refused { reason, .. } if reason.contains(what) => Some(reason),
            _ => None,
        })
        .await
    }

    async fn frame_from(&mut self, peer: NodeId) -> Bytes {
        self.until("a frame", |event| match event {
            NetworkEvent::Consensus { from, frame, .. } if from == peer => Some(frame),
            _ => None,
        })
        .await
    }
}

/// A frame passes in both directions.
async fn assert_they_talk(a: &mut Node, b: &mut Node) {
    assert!(a.network.send(b.id(), &Bytes::from_static(b"there")), "a has b: {:?}", a.network.peers());
    assert!(b.network.send(a.id(), &Bytes::from_static(b"back")), "b has a: {:?}", b.network.peers());
    assert_eq!(b.frame_from(a.id()).await, "there");
    assert_eq!(a.frame_from(b.id()).await, "back");
}

/// Connects two nodes, of which `b` was started with `a` as its peer.
async fn connect(a: &mut Node, b: &mut Node) {
    a.connected(b.id()).await;
    b.connected(a.id()).await;
}

/// The victim still serves a good peer, and has heard nothing of the bad one.
async fn assert_only_good_peers_are_heard(victim: &mut Node, good: &Identity, bad: NodeId) {
    let mut good = good.start(&[victim]).await;
    connect(victim, &mut good).await;
    assert_they_talk(victim, &mut good).await;
    assert_eq!(victim.heard, BTreeSet::from([good.id()]), "{bad:?} was heard");
    assert_eq!(victim.network.peer_count(), 1);
}

fn key(seed: u8) -> NodeKey {
    NodeKey::from_seed([seed; 32])
}

fn hello() -> Hello {
    Hello {
        protocol_version: PROTOCOL_VERSION,
        chain_id: 20200,
        genesis_hash: B256::repeat_byte(7),
        height: Height(0),
        head_hash: B256::repeat_byte(7),
        agent: "quorate/test".into(),
    }
}

fn address_of(socket: SocketAddr) -> PeerAddress {
    PeerAddress { host: socket.ip().to_string(), port: socket.port(), node: None }
}

/// Waits until something holds that no event tells of.
async fn eventually(what: &str, holds: impl Fn() -> bool) {
    let wait = async {
        while !holds() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    assert!(timeout(PATIENCE, wait).await.is_ok(), "never happened: {what}");
}
