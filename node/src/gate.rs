//! The gate: every consensus frame passes here before the replica sees it. What was seen a moment ago is dropped
//! by its id, what is for another height is sorted out, and signatures are checked beside the replica's thread.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use quick_cache::sync::Cache;
use quorate_consensus::Input;
use quorate_p2p::Place;
use quorate_proto::{decode_message, frame_id};
use quorate_types::{B256, Domain, Ed25519, Message, NodeId, VerifyContext};
use tokio::sync::{Semaphore, mpsc, watch};

use crate::{
    conduct::{Conduct, Outcome},
    driver::{Current, Event},
};

/// Frame ids remembered: a few heights of a large validator set.
const RECENT_FRAMES: usize = 16_384;
/// For how long a frame counts as seen. Relayed copies come within milliseconds; what is sent again on
/// purpose comes later and must pass, since the first copy may have come too early.
const SEEN_FOR: Duration = Duration::from_millis(200);
/// Frames whose signatures are being checked. Beyond it the gate waits, and the senders' sockets with it.
const MAX_IN_CHECK: usize = 512;

/// What neighbours say without proof, by being at another height, is passed on this often for each at most: the replica
/// helps and asks once a tick anyway.
const HINT_INTERVAL: Duration = Duration::from_millis(200);
/// Neighbours whose last hints are remembered, of both kinds.
const RECENT_HINTS: usize = 2048;

/// What anyone can say at any rate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Hint {
    /// A neighbour is at a lower height.
    Behind,
    /// A neighbour is at a higher one.
    Ahead,
    /// A node without a vote says where it is.
    GuestStatus,
}

/// The gate's state; cheap to clone.
#[derive(Clone)]
pub(crate) struct Gate {
    domain: Domain,
    recent: Arc<Cache<B256, Instant>>,
    /// When each said last what needs no proof, or costs nothing to say.
    hints: Arc<Cache<(NodeId, Hint), Instant>>,
    conduct: Conduct,
    in_check: Arc<Semaphore>,
    current: watch::Receiver<Current>,
    events: mpsc::Sender<Event>,
}

impl Gate {
    pub(crate) fn new(
        domain: Domain,
        conduct: Conduct,
        current: watch::Receiver<Current>,
        events: mpsc::Sender<Event>,
    ) -> Self {
        Self {
            domain,
            recent: Arc::new(Cache::new(RECENT_FRAMES)),
            hints: Arc::new(Cache::new(RECENT_HINTS)),
            conduct,
            in_check: Arc::new(Semaphore::new(MAX_IN_CHECK)),
            current,
            events,
        }
    }

    /// Takes a frame from a neighbour; returns once there is room for the next. The frame keeps its place in its sender's
    /// share until it is checked and taken, so nobody gets more of the checking than that.
    pub(crate) async fn pass(&self, from: NodeId, frame: bytes::Bytes, place: Place) {
        let id = frame_id(&frame);
        if self.recent.get(&id).is_some_and(|seen| seen.elapsed() < SEEN_FOR) {
            return self.conduct.count(from, Outcome::Duplicate, frame.len());
        }
        self.recent.insert(id, Instant::now());
        let Ok(permit) = self.in_check.clone().acquire_owned().await else { return };
        let gate = self.clone();
        rayon::spawn(move || {
            if let Some(event) = gate.check(from, frame) {
                // When the queue is full, waiting here holds the permit, which in turn slows the network down.
                let _ = gate.events.blocking_send(event);
            }
            drop((permit, place));
        });
    }

    /// Whether `who` said this long enough ago; otherwise `from`, which brings it, wastes this node's time.
    fn is_news(&self, from: NodeId, who: NodeId, hint: Hint, bytes: usize) -> bool {
        let news = self.hints.get(&(who, hint)).is_none_or(|last| last.elapsed() >= HINT_INTERVAL);
        if news {
            self.hints.insert((who, hint), Instant::now());
        } else {
            let outcome = if hint == Hint::Behind { Outcome::Late } else { Outcome::Far };
            self.conduct.count(from, outcome, bytes);
        }
        news
    }

    fn check(&self, from: NodeId, frame: bytes::Bytes) -> Option<Event> {
        let bytes = frame.len();
        let message = match decode_message(frame) {
            Ok(message) => message,
            Err(error) => {
                self.conduct.count(from, Outcome::Malformed, bytes);
                tracing::debug!(%from, %error, "dropped a malformed consensus frame");
                return None;
            }
        };
        let Current { height, validators } = self.current.borrow().clone();
        if let Message::Status(status) = &message {
            let guest = !validators.contains(&status.signer);
            if guest && !self.is_news(from, status.signer, Hint::GuestStatus, bytes) {
                return None;
            }
        } else {
            let at = message.height();
            if at < height {
                return self
                    .is_news(from, from, Hint::Behind, bytes)
                    .then_some(Event::Behind { from, height: at });
            }
            if at == height.next() {
                return Some(Event::Early { from, message: Box::new(message) });
            }
            if at > height {
                return self
                    .is_news(from, from, Hint::Ahead, bytes)
                    .then_some(Event::Input(Input::Ahead { height: at, from }));
            }
        }
        let context = VerifyContext { domain: &self.domain, set: &validators, verifier: &Ed25519 };
        match message.verify(context) {
            Ok(message) => {
                self.conduct.count(from, Outcome::Accepted, bytes);
                Some(Event::Input(Input::Message { message, from }))
            }
            Err(error) => {
                self.conduct.count(from, Outcome::Unverified, bytes);
                tracing::debug!(%from, %height, %error, "dropped a consensus message that does not verify");
                None
            }
        }
    }
}
