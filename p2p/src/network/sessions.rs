//! Sessions: greetings judged, streams lost and found, peers announced, refused and dropped.

use std::sync::Arc;

use libp2p::PeerId;
use quorate_proto::Hello;
use quorate_types::NodeId;
use tokio::{sync::oneshot, time::Instant};

use super::{
    session::{Overdue, Session},
    task::{Announcement, NetworkTask},
};
use crate::{
    NetworkEvent,
    identity::node_id,
    limits::{GREETING_TIMEOUT, MAX_PARTED, STREAM_RETRY},
    stream::{Batches, End, Report, Serving, StreamNumber, Verdict, check_greeting},
};

impl NetworkTask {
    pub(super) fn on_report(&mut self, report: Report) {
        match report {
            Report::Greeted { peer, hello, verdict } => self.on_greeting(peer, hello, verdict),
            Report::Batches { peer, verdict } => self.on_batches(peer, verdict),
            Report::Welcomed { peer, stream, outboxes } => {
                if let Some(session) = self.sessions.get_mut(&peer).filter(|it| it.outbound == Some(stream)) {
                    session.outboxes = Some(outboxes);
                    self.settle(peer);
                }
            }
            Report::Violation { peer, stream, reason } => {
                if let Some(session) = self.sessions.get(&peer).filter(|it| it.has_inbound(stream)) {
                    let told = format!("node {} broke the protocol: {reason}", session.node);
                    self.refuse(peer, &reason, &told);
                }
            }
            Report::Ended { peer, stream, end } => self.on_stream_end(peer, stream, end),
        }
    }

    /// Judges a greeting.
    fn on_greeting(&mut self, peer: PeerId, hello: Hello, verdict: oneshot::Sender<Verdict>) {
        let Some(node) = node_id(&peer).filter(|_| self.swarm.is_connected(&peer)) else { return };
        let validators = self.shared.validators.clone();
        self.sessions.entry(peer).or_insert_with(|| Session::new(node, validators, Instant::now()));
        if let Err(reason) = self.judge(peer, &hello) {
            let _ = verdict.send(Verdict::Refuse(reason.clone()));
            return self.refuse(peer, &reason, &format!("node {node} was refused: {reason}"));
        }
        // A second stream takes the place of the first, whose link may be lost already.
        self.lapse(peer);
        let stream = StreamNumber(self.next_stream);
        self.next_stream += 1;
        let Some(session) = self.sessions.get_mut(&peer) else { return };
        let farewell = session.take_inbound(stream, hello);
        let serving = Serving {
            node,
            stream,
            announced: session.announced.subscribe(),
            lane: self.lanes.consensus.clone(),
            traffic: session.traffic.clone(),
            farewell,
        };
        let _ = verdict.send(Verdict::Welcome(Box::new(serving)));
        self.settle(peer);
    }

    /// Lets a peer that has greeted send transactions; the streams of others are closed.
    fn on_batches(&mut self, peer: PeerId, verdict: oneshot::Sender<Batches>) {
        let Some(session) = self.sessions.get_mut(&peer) else { return };
        let Some((stream, end)) = session.take_batches() else { return };
        let _ = verdict.send(Batches {
            node: session.node,
            stream,
            announced: session.announced.subscribe(),
            lane: self.lanes.batches.clone(),
            traffic: session.traffic.clone(),
            end,
        });
    }

    /// Whether a peer with this greeting may stay.
    fn judge(&self, peer: PeerId, hello: &Hello) -> Result<(), String> {
        check_greeting(&self.hello.borrow(), hello)?;
        let Some(session) = self.sessions.get(&peer) else { return Ok(()) };
        if session.is_closing() {
            return Err("the connection is closing".into());
        }
        if let Some(left) =
            self.parted.get(&session.node).and_then(|until| until.checked_duration_since(Instant::now()))
        {
            return Err(format!(
                "this node parted with you for what you sent; come back in {} s",
                left.as_secs() + 1
            ));
        }
        if !session.traffic.may_greet() {
            return Err("too many greetings on one connection".into());
        }
        let validators = self.shared.validators.load();
        let is_guest = |session: &Session| session.hello.is_some() && !validators.contains(&session.node);
        let others = self.sessions.iter().filter(|(id, session)| **id != peer && is_guest(session)).count();
        if !validators.contains(&session.node) && others >= self.guests_most {
            return Err(format!(
                "all {} places for nodes that are no validators are taken",
                self.guests_most
            ));
        }
        Ok(())
    }

    /// Announces a peer once both sides are welcome.
    fn settle(&mut self, peer: PeerId) {
        let Some(session) = self.sessions.get_mut(&peer).filter(|it| it.is_greeted() && !it.ready) else {
            return;
        };
        let (Some(shown), Some(hello)) = (session.peer(), session.hello.clone()) else { return };
        session.ready = true;
        let node = session.node;
        tracing::info!(peer = %node, address = %shown.address, agent = hello.agent, height = hello.height.0, "a peer connected");
        self.update_roster(|roster| {
            roster.insert(node, shown.clone());
        });
        self.announcements.push_back(Announcement::Connected(peer, node, hello));
        self.redials.greeted(node);
    }

    /// A peer is not connected any more, as far as the node is concerned.
    pub(super) fn lapse(&mut self, peer: PeerId) {
        let Some(session) = self.sessions.get_mut(&peer).filter(|session| session.ready) else { return };
        session.lapse(Instant::now());
        let node = session.node;
        tracing::info!(peer = %node, "a peer disconnected");
        self.update_roster(|roster| {
            roster.remove(&node);
        });
        let untold = self.announcements.iter().rposition(
            |announcement| matches!(announcement, Announcement::Connected(_, id, _) if *id == node),
        );
        match untold {
            // The node never heard of it: nothing to take back.
            Some(index) => drop(self.announcements.remove(index)),
            None => self.announcements.push_back(Announcement::Disconnected(node)),
        }
    }

    fn update_roster(&self, change: impl Fn(&mut super::handle::Roster)) {
        self.shared.roster.rcu(|roster| {
            let mut next = (**roster).clone();
            change(&mut next);
            Arc::new(next)
        });
    }

    /// The next peer to tell the node of; its frames may follow.
    pub(super) fn next_announcement(&mut self) -> Option<NetworkEvent> {
        let event = match self.announcements.pop_front()? {
            Announcement::Connected(peer, id, hello) => {
                if let Some(session) = self.sessions.get(&peer) {
                    session.announced.send_replace(true);
                }
                NetworkEvent::PeerConnected { id, hello }
            }
            Announcement::Disconnected(id) => NetworkEvent::PeerDisconnected { id },
        };
        Some(event)
    }

    fn on_stream_end(&mut self, peer: PeerId, stream: StreamNumber, end: End) {
        let Some(session) = self.sessions.get_mut(&peer) else { return };
        let (ours, node) = (session.outbound == Some(stream), session.node);
        if !session.end_stream(stream) {
            return;
        }
        self.lapse(peer);
        match end {
            End::Refused(reason) => {
                self.refuse(peer, &reason, &format!("node {node} refused this node: {reason}"));
            }
            End::Violation(reason) => {
                self.refuse(peer, &reason, &format!("node {node} broke the protocol: {reason}"));
            }
            End::Closed(_) if ours && self.may_open(peer) => self.open_stream(peer, STREAM_RETRY),
            End::Closed(_) => {}
        }
    }

    fn may_open(&self, peer: PeerId) -> bool {
        self.sessions.get(&peer).is_some_and(|session| !session.is_closing())
            && self.swarm.is_connected(&peer)
    }

    /// Tells a peer why it is refused, tells the node, and closes a moment later.
    fn refuse(&mut self, peer: PeerId, reason: &str, told: &str) {
        self.lapse(peer);
        let Some(session) = self.sessions.get_mut(&peer) else { return };
        if session.refuse(reason, Instant::now()) {
            let address = session.address();
            tracing::info!(%address, reason = told, "a connection was refused");
            self.tell_refused(address, told.to_owned());
        }
    }

    /// Ends a connection, and lets the peer come back later only.
    pub(super) fn part(&mut self, node: NodeId, reason: &str, until: Instant) {
        if self.parted.len() >= MAX_PARTED
            && let Some(first) = self.parted.iter().min_by_key(|(_, until)| **until).map(|(id, _)| *id)
        {
            self.parted.remove(&first);
        }
        self.parted.insert(node, until);
        if let Some(peer) = crate::identity::peer_id(&node) {
            self.refuse(peer, reason, &format!("node {node} was parted with: {reason}"));
        }
    }

    pub(super) fn on_tick(&mut self) {
        let now = Instant::now();
        self.parted.retain(|_, until| *until > now);
        self.churn.forget(now);
        let overdue: Vec<_> = self
            .sessions
            .iter()
            .map(|(peer, session)| (*peer, session.node, session.overdue(now)))
            .filter(|(_, _, overdue)| *overdue != Overdue::Nothing)
            .collect();
        for (peer, node, overdue) in overdue {
            if overdue == Overdue::Closing {
                // Fails only for a peer that is disconnected already.
                let _ = self.swarm.disconnect_peer_id(peer);
            } else {
                let reason = format!("no greeting was exchanged within {} s", GREETING_TIMEOUT.as_secs());
                self.refuse(peer, &reason, &format!("node {node}: {reason}"));
            }
        }
    }

    /// Drops live peers that the new revocation lists, or the date, exclude.
    pub(super) fn recheck(&mut self) {
        let live = self.sessions.values().map(|session| session.node).collect();
        for (node, reason) in self.shared.admission.recheck(&live, std::time::SystemTime::now()) {
            if let Some(peer) = crate::identity::peer_id(&node) {
                self.refuse(peer, &reason, &format!("node {node} was dropped: {reason}"));
            }
        }
    }
}
