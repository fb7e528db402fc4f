//! What runs over the connections: libp2p's protocols put together, each within its bounds.

use libp2p::{
    connection_limits::{self, ConnectionLimits},
    ping,
    swarm::NetworkBehaviour,
};

use crate::{
    gate::Gate,
    limits::{
        MAX_CONNECTIONS_PER_PEER, MAX_PEERS, MAX_PENDING_INCOMING, MAX_PENDING_OUTGOING, PING_INTERVAL,
        PING_TIMEOUT,
    },
    requests,
};

/// The behaviours of one swarm. The gate and the limits come first: what they refuse costs the others nothing.
#[derive(NetworkBehaviour)]
pub(crate) struct Behaviour {
    gate: Gate,
    limits: connection_limits::Behaviour,
    pub(crate) ping: ping::Behaviour,
    pub(crate) streams: libp2p_stream::Behaviour,
    pub(crate) requests: requests::Behaviour,
}

impl Behaviour {
    pub(crate) fn new() -> Self {
        let most = u32::try_from(MAX_PEERS).unwrap_or(u32::MAX);
        let limits = ConnectionLimits::default()
            .with_max_pending_incoming(Some(MAX_PENDING_INCOMING))
            .with_max_pending_outgoing(Some(MAX_PENDING_OUTGOING))
            .with_max_established_per_peer(Some(MAX_CONNECTIONS_PER_PEER))
            .with_max_established(Some(most * MAX_CONNECTIONS_PER_PEER));
        Self {
            gate: Gate::new(),
            limits: connection_limits::Behaviour::new(limits),
            ping: ping::Behaviour::new(
                ping::Config::new().with_interval(PING_INTERVAL).with_timeout(PING_TIMEOUT),
            ),
            streams: libp2p_stream::Behaviour::new(),
            requests: requests::behaviour(),
        }
    }
}
