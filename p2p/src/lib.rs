//! # quorate-p2p: who may connect, and what travels between nodes
//!
//! Owns the libp2p swarm, the chain's certificates and admission by them, the consensus streams,
//! those of transactions, requests, and every limit on what a peer may take. A node has one ed25519 key: it signs its
//! votes, names it on the network, and is certified by the chain's X.509 certificates.
//!
//! What it never knows: what a vote means, who may vote, what a block holds. Consensus frames are
//! opaque bytes here; the list of validators reserves places and nothing else.
//!
//! ```text
//! TCP -> gate -> mutual TLS 1.3 -> yamux -> HELLO both ways -> connected
//!        rate    chain CA, role,            version, chain,      |- consensus stream, one each way
//!        by      dates, CRLs                genesis, places      |- transactions, one stream each way
//!        address                                                 `- requests and answers
//! ```
//! Whoever fails a step never reaches the next, and both sides learn why in words:
//! [`NetworkEvent::Refused`]. Consensus frames have a lane of their own up to the node, which takes
//! them before anything else: see [`NetworkEvents::recv`].
//!
//! ```no_run
//! use std::collections::HashSet;
//! use quorate_p2p::{Network, NetworkConfig, NetworkEvent, NetworkLimits, cert};
//! # async fn run(key: quorate_types::NodeKey, hello: tokio::sync::watch::Receiver<quorate_proto::Hello>)
//! # -> Result<(), Box<dyn std::error::Error>> {
//! let (network, mut events) = Network::start(NetworkConfig {
//!     key,
//!     certificates: cert::read_certificates(&std::fs::read_to_string("node.crt")?, "node.crt")?,
//!     ca: cert::read_certificates(&std::fs::read_to_string("ca.crt")?, "ca.crt")?.swap_remove(0),
//!     crls: vec![],
//!     listen: "127.0.0.1:30300".parse()?,
//!     peers: vec!["127.0.0.1:30301".parse()?],
//!     validators: HashSet::new(),
//!     hello,
//!     limits: NetworkLimits::default(),
//! })
//! .await?;
//! while let Some(event) = events.recv().await {
//!     if let NetworkEvent::Consensus { from, frame, .. } = event {
//!         network.broadcast(&frame, Some(from));
//!     }
//! }
//! # Ok(())
//! # }
//! ```

mod address;
pub mod admission;
mod behaviour;
pub mod cert;
mod error;
mod events;
mod gate;
mod identity;
mod limits;
mod network;
mod peer;
mod requests;
mod stream;
#[cfg(test)]
mod tests;
mod transport;

pub use address::PeerAddress;
pub use error::{NetworkError, RequestError};
pub use events::{NetworkEvent, NetworkEvents, Responder};
pub use identity::{node_id, peer_id};
pub use limits::{CHURN_WINDOW, MAX_CONFIGURED_PEERS, MAX_GUEST_PEERS, MAX_PEERS};
pub use network::{Network, NetworkConfig, NetworkHandle, NetworkLimits};
pub use peer::{PeerInfo, Place};
pub use transport::HandshakeError;
