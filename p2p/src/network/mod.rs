//! Starting the network. One task owns the swarm and everything that changes; the rest of the node
//! talks to it through [`NetworkHandle`] and hears of it through [`NetworkEvents`].

mod churn;
mod connections;
mod dials;
mod handle;
mod redial;
mod session;
mod sessions;
mod task;
mod traffic;

use std::{collections::HashSet, net::SocketAddr, sync::Arc, time::Duration};

use futures::StreamExt;
use libp2p::{
    Swarm,
    swarm::{self, SwarmEvent},
};
use quorate_proto::Hello;
use quorate_types::{NodeId, NodeKey};
use rustls::pki_types::CertificateDer;
use tokio::{sync::watch, time::timeout};

pub use handle::NetworkHandle;
use task::NetworkTask;

use crate::{
    NetworkError, NetworkEvents, PeerAddress,
    address::{multiaddr, socket_address},
    admission::Admission,
    behaviour::Behaviour,
    identity::peer_id,
    limits::{IDLE_TIMEOUT, MAX_CONFIGURED_PEERS, MAX_GUEST_PEERS},
    transport::{MutualTls, transport},
};

/// How long the operating system may take to say what address a bound socket has.
const LISTEN_TIMEOUT: Duration = Duration::from_secs(10);

/// Everything that a network needs.
pub struct NetworkConfig {
    /// The node's key: its identity, and the key of its certificate.
    pub key: NodeKey,
    /// The node's certificate and those between it and the chain CA, leaf first: what `node.crt` holds.
    pub certificates: Vec<CertificateDer<'static>>,
    /// The chain CA's certificate: the only root.
    pub ca: CertificateDer<'static>,
    /// Revocation lists, each a file's bytes in PEM or DER.
    pub crls: Vec<Vec<u8>>,
    /// Where to listen; port 0 takes a free one.
    pub listen: SocketAddr,
    /// Whom to dial. It may hold this node itself, so that all nodes can have the same list.
    pub peers: Vec<PeerAddress>,
    /// Who has a reserved place from the start.
    pub validators: HashSet<NodeId>,
    /// The greeting as it should be now; its chain, genesis and version never change.
    pub hello: watch::Receiver<Hello>,
    /// What an operator may set.
    pub limits: NetworkLimits,
}

/// The limits that an operator may set; all others are constants of this crate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NetworkLimits {
    /// Peers outside the validators, at most [`MAX_GUEST_PEERS`].
    pub guests: usize,
}

impl Default for NetworkLimits {
    fn default() -> Self {
        Self { guests: MAX_GUEST_PEERS }
    }
}

/// The P2P network of a node.
pub struct Network;

impl Network {
    /// Listens, starts dialing, and returns as soon as the address is known. Must be called within a
    /// tokio runtime. A certificate that peers will refuse is no error here, since an operator can
    /// renew it while the node serves its clients: it is logged, and peers say so as well.
    ///
    /// # Errors
    /// When a certificate cannot be read or is not for this key, or the address cannot be listened on.
    pub async fn start(config: NetworkConfig) -> Result<(NetworkHandle, NetworkEvents), NetworkError> {
        if config.peers.len() > MAX_CONFIGURED_PEERS {
            return Err(NetworkError::TooManyPeers(config.peers.len()));
        }
        let admission = Admission::new(&config.ca, &config.crls)?;
        let tls = MutualTls::new(&config.key, config.certificates.clone(), admission.clone())?;
        warn_about_own_certificate(&admission, &config.certificates);
        let mut swarm = new_swarm(&config, tls)?;
        let listening = listen(&mut swarm, config.listen).await?;
        tracing::info!(id = %config.key.id(), addresses = ?listening, "the P2P network listens");
        NetworkTask::spawn(swarm, Arc::clone(&admission), listening, config)
    }
}

/// What peers will say, said early.
fn warn_about_own_certificate(admission: &Admission, chain: &[CertificateDer<'static>]) {
    use crate::admission::Side;
    for side in [Side::Listener, Side::Dialer] {
        if let Err(refusal) = admission.check(chain, side, std::time::SystemTime::now()) {
            tracing::error!(%refusal, "peers will refuse this node's own certificate; have it issued anew");
            return;
        }
    }
}

fn new_swarm(config: &NetworkConfig, tls: MutualTls) -> Result<Swarm<Behaviour>, NetworkError> {
    let own = peer_id(&config.key.id())
        .ok_or_else(|| NetworkError::Stack("the node's key is no ed25519 point".into()))?;
    let swarm_config = swarm::Config::with_tokio_executor().with_idle_connection_timeout(IDLE_TIMEOUT);
    Ok(Swarm::new(transport(tls), Behaviour::new(), own, swarm_config))
}

/// Listens and waits for the address that it became.
async fn listen(swarm: &mut Swarm<Behaviour>, address: SocketAddr) -> Result<Vec<SocketAddr>, NetworkError> {
    let failed = |reason: String| NetworkError::Listen { address, reason };
    // Libp2p shares its port (SO_REUSEPORT): a second node would listen beside the first, and each get
    // half of the connections. So the port is probed with a socket that does not share.
    std::net::TcpListener::bind(address).map_err(|error| failed(error.to_string()))?;
    swarm.listen_on(multiaddr(address)).map_err(|error| failed(crate::transport::in_words(&error).0))?;
    let first = async {
        loop {
            match swarm.select_next_some().await {
                SwarmEvent::NewListenAddr { address, .. } => return Ok(socket_address(&address)),
                SwarmEvent::ListenerClosed { reason: Err(error), .. } => return Err(error.to_string()),
                _ => {}
            }
        }
    };
    match timeout(LISTEN_TIMEOUT, first).await {
        Ok(Ok(address)) => Ok(address.into_iter().collect()),
        Ok(Err(reason)) => Err(failed(reason)),
        Err(_) => Err(failed("no address came within 10 s".into())),
    }
}
