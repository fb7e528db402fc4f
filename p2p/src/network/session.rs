//! One peer from its first connection to its last.

use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

use libp2p::{Multiaddr, core::ConnectedPoint, swarm::ConnectionId};
use quorate_proto::Hello;
use quorate_types::NodeId;
use tokio::{
    sync::{oneshot, watch},
    time::Instant,
};
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::{
    limits::{GREETING_TIMEOUT, REFUSAL_LINGER, SIMULTANEOUS_WINDOW},
    peer::{Outboxes, Peer, Traffic, Validators},
    stream::StreamNumber,
};

/// What is known of a peer while a connection to it lives.
pub(super) struct Session {
    pub(super) node: NodeId,
    links: Vec<Link>,
    pub(super) traffic: Arc<Traffic>,
    /// The stream that this node opened, and the queues once it is welcome.
    pub(super) outbound: Option<StreamNumber>,
    pub(super) outboxes: Option<Outboxes>,
    /// The stream that the peer opened, and the way to tell it goodbye.
    inbound: Option<Inbound>,
    pub(super) hello: Option<Hello>,
    /// Whether the node was told, so that frames may follow.
    pub(super) announced: watch::Sender<bool>,
    pub(super) ready: bool,
    /// By when both greetings must have been exchanged.
    deadline: Instant,
    /// When a refused peer is cut off.
    closing: Option<Instant>,
    /// Ends the stream tasks.
    pub(super) stop: CancellationToken,
}

struct Inbound {
    stream: StreamNumber,
    farewell: oneshot::Sender<String>,
    /// Ends the stream of transactions beside it.
    batches: Option<DropGuard>,
}

/// One connection.
struct Link {
    id: ConnectionId,
    address: Multiaddr,
    dialed: bool,
    since: Instant,
}

/// What is due with a session at a moment.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Overdue {
    Nothing,
    /// It never greeted.
    Greeting,
    /// It was told why it is refused, and had time to read it.
    Closing,
}

impl Session {
    pub(super) fn new(node: NodeId, validators: Validators, now: Instant) -> Self {
        Self {
            node,
            links: Vec::new(),
            traffic: Arc::new(Traffic::new(node, validators)),
            outbound: None,
            outboxes: None,
            inbound: None,
            hello: None,
            announced: watch::Sender::new(false),
            ready: false,
            deadline: now + GREETING_TIMEOUT,
            closing: None,
            stop: CancellationToken::new(),
        }
    }

    /// Adds a connection. Returns the one to close when there are two now: of simultaneous dials that
    /// of the higher key, else the older, which the peer must have lost to dial again.
    pub(super) fn link(
        &mut self,
        id: ConnectionId,
        endpoint: &ConnectedPoint,
        own: NodeId,
        now: Instant,
    ) -> Option<ConnectionId> {
        let dialed = endpoint.is_dialer();
        let address = endpoint.get_remote_address().clone();
        let fresh = Link { id, address, dialed, since: now };
        let surplus = self.links.last().map(|old| {
            let simultaneous = old.dialed != dialed && now.duration_since(old.since) < SIMULTANEOUS_WINDOW;
            let lower_dialed_old = old.dialed == (own < self.node);
            if simultaneous && lower_dialed_old { id } else { old.id }
        });
        self.links.push(fresh);
        surplus
    }

    /// Forgets a connection; true when it was the last.
    pub(super) fn unlink(&mut self, id: ConnectionId) -> bool {
        self.links.retain(|link| link.id != id);
        self.links.is_empty()
    }

    /// Where the peer is, for people.
    pub(super) fn address(&self) -> String {
        self.links.last().map_or_else(|| self.node.to_string(), |link| link.address.to_string())
    }

    /// Takes a stream that the peer opened; one before it ends.
    pub(super) fn take_inbound(&mut self, stream: StreamNumber, hello: Hello) -> oneshot::Receiver<String> {
        let (farewell, receiver) = oneshot::channel();
        self.inbound = Some(Inbound { stream, farewell, batches: None });
        self.hello = Some(hello);
        receiver
    }

    /// Takes a stream of transactions beside the one of consensus, if there is that; one before it ends. Each after the first
    /// counts as a greeting: a lost stream is opened anew, more is made to keep this node busy.
    pub(super) fn take_batches(&mut self) -> Option<(StreamNumber, CancellationToken)> {
        let inbound = self.inbound.as_mut()?;
        if inbound.batches.is_some() && !self.traffic.may_greet() {
            return None;
        }
        let end = CancellationToken::new();
        inbound.batches = Some(end.clone().drop_guard());
        Some((inbound.stream, end))
    }

    /// Whether this is the stream that the peer opened last.
    pub(super) fn has_inbound(&self, stream: StreamNumber) -> bool {
        self.inbound.as_ref().is_some_and(|inbound| inbound.stream == stream)
    }

    /// A stream ended. False when it is not one of the present ones.
    pub(super) fn end_stream(&mut self, stream: StreamNumber) -> bool {
        if self.outbound == Some(stream) {
            (self.outbound, self.outboxes) = (None, None);
            return true;
        }
        if self.has_inbound(stream) {
            (self.inbound, self.hello) = (None, None);
            return true;
        }
        false
    }

    /// Both sides are welcome.
    pub(super) const fn is_greeted(&self) -> bool {
        self.hello.is_some() && self.outboxes.is_some() && self.closing.is_none()
    }

    /// The peer as everyone else sees it, once it is greeted.
    pub(super) fn peer(&self) -> Option<Arc<Peer>> {
        let (hello, outboxes, link) = (self.hello.clone()?, self.outboxes.clone()?, self.links.last()?);
        Some(Arc::new(Peer {
            id: self.node,
            address: link.address.clone(),
            dialed: link.dialed,
            hello,
            connected_since: SystemTime::now(),
            outboxes,
            traffic: self.traffic.clone(),
        }))
    }

    /// The peer lost its standing, and has as much time as a new one to get it back.
    pub(super) fn lapse(&mut self, now: Instant) {
        self.ready = false;
        self.announced.send_replace(false);
        self.deadline = now + GREETING_TIMEOUT;
    }

    /// Tells the peer why it is refused and sets the time of its end. False when that was done before.
    pub(super) fn refuse(&mut self, reason: &str, now: Instant) -> bool {
        if self.closing.is_some() {
            return false;
        }
        if let Some(inbound) = self.inbound.take() {
            // The stream's task may have ended already.
            let _ = inbound.farewell.send(reason.to_owned());
        }
        self.closing = Some(now + REFUSAL_LINGER);
        true
    }

    pub(super) const fn is_closing(&self) -> bool {
        self.closing.is_some()
    }

    pub(super) fn overdue(&self, now: Instant) -> Overdue {
        match self.closing {
            Some(end) if now >= end => Overdue::Closing,
            Some(_) => Overdue::Nothing,
            None if !self.ready && now >= self.deadline => Overdue::Greeting,
            None => Overdue::Nothing,
        }
    }
}

/// What a living connection waits before it opens a lost stream again; a fresh one waits for nothing.
pub(super) const NO_DELAY: Duration = Duration::ZERO;

#[cfg(test)]
mod tests {
    use libp2p::core::{Endpoint, transport::PortUse};
    use quorate_types::NodeKey;

    use super::*;

    fn dialed() -> ConnectedPoint {
        let address = "/ip4/127.0.0.1/tcp/1".parse().expect("an address");
        ConnectedPoint::Dialer { address, role_override: Endpoint::Dialer, port_use: PortUse::New }
    }

    fn accepted() -> ConnectedPoint {
        let address: Multiaddr = "/ip4/127.0.0.1/tcp/2".parse().expect("an address");
        ConnectedPoint::Listener { local_addr: address.clone(), send_back_addr: address }
    }

    fn ids() -> (NodeId, NodeId) {
        let (a, b) = (NodeKey::from_seed([1; 32]).id(), NodeKey::from_seed([2; 32]).id());
        (a.min(b), a.max(b))
    }

    /// Connection 1 is the one that the lower key dialed, connection 2 the higher one's.
    #[test]
    fn of_simultaneous_dials_both_sides_keep_the_lower_keys() {
        let ((low, high), now) = (ids(), Instant::now());
        let (one, two) = (ConnectionId::new_unchecked(1), ConnectionId::new_unchecked(2));
        for one_first in [true, false] {
            let (mut at_low, mut at_high) = (
                Session::new(high, Validators::default(), now),
                Session::new(low, Validators::default(), now),
            );
            let (a, b) = if one_first {
                at_low.link(one, &dialed(), low, now);
                at_high.link(two, &dialed(), high, now);
                (at_low.link(two, &accepted(), low, now), at_high.link(one, &accepted(), high, now))
            } else {
                at_low.link(two, &accepted(), low, now);
                at_high.link(one, &accepted(), high, now);
                (at_low.link(one, &dialed(), low, now), at_high.link(two, &dialed(), high, now))
            };
            assert_eq!((a, b), (Some(two), Some(two)));
        }
    }

    #[test]
    fn a_later_connection_takes_the_place_of_one_that_the_peer_lost() {
        let ((low, high), now) = (ids(), Instant::now());
        let mut at_low = Session::new(high, Validators::default(), now);
        let (old, new) = (ConnectionId::new_unchecked(1), ConnectionId::new_unchecked(2));
        assert_eq!(at_low.link(old, &dialed(), low, now), None);
        assert_eq!(at_low.link(new, &accepted(), low, now + SIMULTANEOUS_WINDOW), Some(old));
        assert!(!at_low.unlink(old) && at_low.unlink(new));
    }

    #[test]
    fn a_silent_peer_is_overdue_and_a_refused_one_closes_soon() {
        let start = Instant::now();
        let mut session = Session::new(ids().0, Validators::default(), start);
        assert_eq!(session.overdue(start), Overdue::Nothing);
        let late = start + GREETING_TIMEOUT;
        assert_eq!(session.overdue(late), Overdue::Greeting);
        assert!(session.refuse("no greeting", late) && !session.refuse("again", late));
        assert_eq!(session.overdue(late), Overdue::Nothing);
        assert_eq!(session.overdue(late + REFUSAL_LINGER), Overdue::Closing);
    }
}
