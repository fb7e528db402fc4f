//! How this node meets others: its key, its certificates, its greeting.

use std::path::Path;

use eyre::WrapErr as _;
use quorate_p2p::{Network, NetworkConfig, NetworkEvents, NetworkHandle, NetworkLimits, cert};
use quorate_proto::{Hello, PROTOCOL_VERSION};
use quorate_storage::Head;
use quorate_types::{Domain, NodeId, NodeKey};
use tokio::sync::watch;

use crate::{
    config::{NodeConfig, PeerName},
    exit::{Exit, Failure},
};

/// Reads a file of the identity section.
fn read(file: &Path) -> eyre::Result<String> {
    std::fs::read_to_string(file).map_err(|error| {
        Failure::new(Exit::Configuration, format!("cannot read {}: {error}", file.display())).into()
    })
}

/// The node's secret key.
pub(crate) fn read_key(file: &Path) -> eyre::Result<NodeKey> {
    let key = NodeKey::from_pem(&read(file)?);
    key.map_err(|error| Failure::new(Exit::Configuration, format!("{}: {error}", file.display())).into())
}

/// The greeting for a head.
pub(crate) fn hello(domain: &Domain, head: &Head) -> Hello {
    Hello {
        protocol_version: PROTOCOL_VERSION,
        chain_id: domain.chain_id,
        genesis_hash: domain.genesis_hash,
        height: head.height,
        head_hash: head.hash,
        agent: format!("quorate/{}", env!("CARGO_PKG_VERSION")),
    }
}

/// A configured peer as the network dials it: a name is for people to read, a key must answer.
fn dial(peer: &crate::config::PeerAddress) -> quorate_p2p::PeerAddress {
    let node = match &peer.name {
        PeerName::Key(key) => Some(*key),
        PeerName::Label(_) => None,
    };
    quorate_p2p::PeerAddress { host: peer.at.host.clone(), port: peer.at.port, node }
}

/// Listens and starts to dial the configured peers.
pub(crate) async fn start_network(
    config: &NodeConfig,
    key: &NodeKey,
    validators: impl IntoIterator<Item = NodeId>,
    hello: watch::Receiver<Hello>,
) -> eyre::Result<(NetworkHandle, NetworkEvents)> {
    let identity = &config.identity;
    let certificates =
        cert::read_certificates(&read(&identity.certificate)?, &identity.certificate.display().to_string())?;
    let mut ca = cert::read_certificates(&read(&identity.ca)?, &identity.ca.display().to_string())?;
    let crls = identity.crls.iter().map(|file| Ok(read(file)?.into_bytes())).collect::<eyre::Result<_>>()?;
    let peers = config.p2p.peers.iter().map(dial).collect();
    if ca.is_empty() {
        return Err(Failure::new(
            Exit::Configuration,
            format!("{} holds no certificate", identity.ca.display()),
        )
        .into());
    }
    let network = Network::start(NetworkConfig {
        key: NodeKey::from_seed(key.seed()),
        certificates,
        ca: ca.swap_remove(0),
        crls,
        listen: config.p2p.listen,
        peers,
        validators: validators.into_iter().collect(),
        hello,
        limits: NetworkLimits::default(),
    });
    network.await.map_err(|error| Failure::new(Exit::Configuration, error.to_string())).wrap_err("p2p")
}
