//! Networks of one consortium on loopback, for the stories of this crate.

use std::{sync::LazyLock, time::Duration};

use quorate_p2p::{
    Network, NetworkConfig, NetworkEvents, NetworkHandle, NetworkLimits, PeerAddress,
    cert::{
        AGENCY_VALIDITY, Authority, CHAIN_CA_VALIDITY, NODE_VALIDITY, Validity, issue_agency, issue_chain_ca,
        issue_node,
    },
};
use quorate_proto::{Hello, PROTOCOL_VERSION};
use quorate_types::{B256, Domain, Height, NodeKey};
use tokio::sync::watch;

/// Longer than anything takes on a busy machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);
pub(crate) const DOMAIN: Domain = Domain { chain_id: 20200, genesis_hash: B256::repeat_byte(9) };

/// The chain CA and an agency.
static AUTHORITIES: LazyLock<(Authority, Authority)> = LazyLock::new(|| {
    let ca = issue_chain_ca("chain", Validity::from_now(CHAIN_CA_VALIDITY)).expect("a CA");
    let agency = issue_agency(&ca, "agency", Validity::from_now(AGENCY_VALIDITY)).expect("an agency");
    (ca, agency)
});

pub(crate) fn key(seed: u8) -> NodeKey {
    NodeKey::from_seed([seed; 32])
}

/// The network of a node that dials `peers`.
pub(crate) async fn start(seed: u8, peers: &[&NetworkHandle]) -> (NetworkHandle, NetworkEvents) {
    let (ca, agency) = &*AUTHORITIES;
    let issued = issue_node(agency, key(seed).id(), "node", Validity::from_now(NODE_VALIDITY));
    let hello = Hello {
        protocol_version: PROTOCOL_VERSION,
        chain_id: DOMAIN.chain_id,
        genesis_hash: DOMAIN.genesis_hash,
        height: Height::ZERO,
        head_hash: DOMAIN.genesis_hash,
        agent: "test/1".to_owned(),
    };
    let address_of = |network: &&NetworkHandle| {
        let socket = network.listening()[0];
        PeerAddress { host: socket.ip().to_string(), port: socket.port(), node: None }
    };
    let started = Network::start(NetworkConfig {
        key: key(seed),
        certificates: issued.expect("a certificate").chain,
        ca: ca.certificate().clone(),
        crls: vec![],
        listen: "127.0.0.1:0".parse().expect("an address"),
        peers: peers.iter().map(address_of).collect(),
        validators: Default::default(),
        hello: watch::channel(hello).1,
        limits: NetworkLimits::default(),
    });
    started.await.expect("it starts")
}
