//! Connections: made, broken, refused, dead.

use libp2p::{
    Multiaddr, PeerId, ping,
    swarm::{ConnectionId, DialError, ListenError, SwarmEvent},
};
use quorate_types::NodeId;
use tokio::time::Instant;

use super::{
    session::{NO_DELAY, Session},
    task::NetworkTask,
};
use crate::{
    NetworkEvent,
    behaviour::BehaviourEvent,
    gate::Turned,
    identity::node_id,
    limits::CHURN_CONNECTIONS,
    stream::{Opening, StreamNumber, open},
    transport::in_words,
};

impl NetworkTask {
    pub(super) fn on_connection_event(&mut self, event: SwarmEvent<BehaviourEvent>) {
        match event {
            SwarmEvent::ConnectionEstablished { peer_id, connection_id, endpoint, .. } => {
                self.on_established(peer_id, connection_id, &endpoint);
            }
            SwarmEvent::ConnectionClosed { peer_id, connection_id, cause, .. } => {
                let cause = cause.map_or_else(|| "closed by this node".into(), |cause| in_words(&cause).0);
                tracing::debug!(peer = %peer_id, %cause, "a connection ended");
                self.on_closed(peer_id, connection_id);
            }
            SwarmEvent::OutgoingConnectionError { connection_id, error, .. } => {
                self.on_dial_error(connection_id, &error);
            }
            SwarmEvent::IncomingConnectionError { send_back_addr, error, .. } => {
                self.on_incoming_error(&send_back_addr, &error);
            }
            SwarmEvent::ListenerClosed { reason, .. } => {
                tracing::error!(?reason, address = %self.listen, "the P2P listener closed; listening anew");
                self.listen_anew();
            }
            SwarmEvent::ListenerError { error, .. } => {
                tracing::warn!(%error, "the P2P listener cannot accept; are file descriptors short?");
            }
            other => tracing::trace!(event = ?other, "swarm"),
        }
    }

    /// Keeps the gauge that operators see.
    fn count_connections(&self) {
        let established = self.swarm.network_info().connection_counters().num_established();
        self.shared.connections.store(established, std::sync::atomic::Ordering::Relaxed);
    }

    fn on_established(
        &mut self,
        peer: PeerId,
        connection: ConnectionId,
        endpoint: &libp2p::core::ConnectedPoint,
    ) {
        self.count_connections();
        // The transport makes peer ids of ed25519 keys alone.
        let Some(node) = node_id(&peer) else { return };
        self.redials.established(connection, node);
        let (own, now) = (self.own, Instant::now());
        if endpoint.is_listener() && self.churn.count(node, now) {
            self.tell_churn(node, endpoint.get_remote_address());
        }
        let validators = self.shared.validators.clone();
        let session = self.sessions.entry(peer).or_insert_with(|| Session::new(node, validators, now));
        let surplus = session.link(connection, endpoint, own, now);
        let opening = session.outbound.is_none() && !session.is_closing();
        if let Some(surplus) = surplus {
            tracing::debug!(peer = %node, "two connections to one peer: one is closed");
            self.swarm.close_connection(surplus);
        }
        if opening {
            self.open_stream(peer, NO_DELAY);
        }
    }

    /// Opens the consensus stream to a peer, after a while.
    pub(super) fn open_stream(&mut self, peer: PeerId, delay: std::time::Duration) {
        let Some(session) = self.sessions.get_mut(&peer) else { return };
        let stream = StreamNumber(self.next_stream);
        self.next_stream += 1;
        session.outbound = Some(stream);
        tokio::spawn(open(Opening {
            peer,
            stream,
            control: self.control.clone(),
            hello: self.hello.clone(),
            traffic: session.traffic.clone(),
            reports: self.lanes.reports.clone(),
            delay,
            stop: session.stop.clone(),
        }));
    }

    fn on_closed(&mut self, peer: PeerId, connection: ConnectionId) {
        self.count_connections();
        let Some(session) = self.sessions.get_mut(&peer) else { return };
        if !session.unlink(connection) {
            // The stream may have been on it, opened or being opened, and nothing wakes who waits there for a word of the
            // peer. Another connection is there, so it is opened there; the first does not count any more, nor is anything
            // sent on it.
            if !session.is_closing() {
                (session.outbound, session.outboxes) = (None, None);
                self.lapse(peer);
                self.open_stream(peer, NO_DELAY);
            }
            return;
        }
        let node = session.node;
        session.stop.cancel();
        self.lapse(peer);
        self.sessions.remove(&peer);
        self.redials.lost(node);
    }

    fn on_dial_error(&mut self, connection: ConnectionId, error: &DialError) {
        let Some(index) = self.redials.dialed_by(connection) else { return };
        let address = self.redials.address(index).to_string();
        let (reason, refused) = match error {
            DialError::LocalPeerId { .. } => {
                tracing::info!(%address, "a configured peer is this node itself; it is not dialed again");
                return self.redials.is_own(index);
            }
            DialError::WrongPeerId { obtained, .. } => (self.wrong_peer(index, obtained), true),
            DialError::Transport(attempts) => transport_words(attempts),
            other => in_words(other),
        };
        if self.redials.failed(index, &reason) {
            tracing::info!(%address, %reason, "cannot connect to a peer; trying again");
            if refused {
                self.tell_refused(address, reason);
            }
        }
    }

    fn wrong_peer(&self, index: usize, obtained: &PeerId) -> String {
        let shown = |node: Option<NodeId>| node.map_or_else(|| "nobody".into(), |node| node.to_string());
        format!(
            "node {} answers there, but node {} is configured: correct the address or the key",
            shown(node_id(obtained)),
            shown(self.redials.expected(index))
        )
    }

    fn on_incoming_error(&mut self, from: &Multiaddr, error: &ListenError) {
        let (reason, refused) = match error {
            ListenError::Denied { cause } if is_flood(cause) => {
                return tracing::debug!(%from, %error, "a connection was turned away at the gate");
            }
            ListenError::Denied { cause } => in_words(cause),
            ListenError::Transport(error) => in_words(error),
            other => in_words(other),
        };
        // Whoever speaks another protocol is told of as well: an operator's mistake looks like this.
        let reason = if refused { reason } else { format!("no handshake came about: {reason}") };
        tracing::debug!(%from, %reason, "an incoming connection failed");
        self.tell_refused(from.to_string(), reason);
    }

    /// Tells the node, unless it has not even taken those before.
    pub(super) fn tell_refused(&self, address: String, reason: String) {
        let refused = NetworkEvent::Refused { address, reason };
        if self.lanes.refusals.try_send(refused).is_err() {
            tracing::debug!("a refusal was not reported: too many wait");
        }
    }

    /// Tells the node, unless it has much else to hear: then in the next window.
    fn tell_churn(&self, id: NodeId, from: &Multiaddr) {
        let churn = NetworkEvent::Churn { id, address: from.to_string(), connections: CHURN_CONNECTIONS };
        if self.lanes.refusals.try_send(churn).is_err() {
            tracing::debug!(peer = %id, "that a peer keeps connecting was not reported: too much waits");
        }
    }

    pub(super) fn on_ping(&mut self, event: ping::Event) {
        match event.result {
            Ok(round_trip) => {
                if let Some(session) = self.sessions.get(&event.peer) {
                    session.traffic.answered_ping(round_trip);
                }
            }
            Err(ping::Failure::Unsupported) => {}
            Err(error) => {
                tracing::info!(peer = %event.peer, %error, "a peer gives no sign of life; the connection is closed");
                self.swarm.close_connection(event.connection);
            }
        }
    }

    fn listen_anew(&mut self) {
        if let Err(error) = self.swarm.listen_on(crate::address::multiaddr(self.listen)) {
            tracing::error!(error = %in_words(&error).0, address = %self.listen, "cannot listen");
        }
    }
}

/// The words of a dial over all addresses of a name; a refusal at one says more than silence at others.
fn transport_words(attempts: &[(Multiaddr, libp2p::TransportError<std::io::Error>)]) -> (String, bool) {
    let words: Vec<_> = attempts.iter().map(|(_, error)| in_words(error)).collect();
    match words.iter().find(|(_, refused)| *refused) {
        Some(refused) => refused.clone(),
        None => (words.into_iter().map(|(text, _)| text).collect::<Vec<_>>().join("; "), false),
    }
}

fn is_flood(cause: &libp2p::swarm::ConnectionDenied) -> bool {
    std::error::Error::source(cause).is_some_and(|inner| inner.is::<Turned>())
}
