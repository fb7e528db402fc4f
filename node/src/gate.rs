//! The gate: every consensus frame passes here before the replica sees it. What was seen a moment ago is dropped
//! by its id, what is for another height is sorted out, and signatures are checked beside the replica's thread.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use quick_cache::sync::Cache;
use quorate_consensus::Input;
use quorate_proto::{decode_message, frame_id};
use quorate_types::{B256, Domain, Ed25519, Message, NodeId, VerifyContext};
use tokio::sync::{Semaphore, mpsc, watch};

use crate::{
    driver::{Current, Event},
    metrics,
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

/// The gate's state; cheap to clone.
#[derive(Clone)]
pub(crate) struct Gate {
    domain: Domain,
    recent: Arc<Cache<B256, Instant>>,
    /// When a neighbour was last seen behind (false) or ahead (true).
    hints: Arc<Cache<(NodeId, bool), Instant>>,
    in_check: Arc<Semaphore>,
    current: watch::Receiver<Current>,
    events: mpsc::Sender<Event>,
}

impl Gate {
    pub(crate) fn new(
        domain: Domain,
        current: watch::Receiver<Current>,
        events: mpsc::Sender<Event>,
    ) -> Self {
        Self {
            domain,
            recent: Arc::new(Cache::new(RECENT_FRAMES)),
            hints: Arc::new(Cache::new(RECENT_HINTS)),
            in_check: Arc::new(Semaphore::new(MAX_IN_CHECK)),
            current,
            events,
        }
    }

    /// Takes a frame from a neighbour; returns once there is room for the next.
    pub(crate) async fn pass(&self, from: NodeId, frame: bytes::Bytes) {
        let id = frame_id(&frame);
        if self.recent.get(&id).is_some_and(|seen| seen.elapsed() < SEEN_FOR) {
            metrics::frame("duplicate");
            return;
        }
        self.recent.insert(id, Instant::now());
        let Ok(permit) = self.in_check.clone().acquire_owned().await else { return };
        let gate = self.clone();
        rayon::spawn(move || {
            if let Some(event) = gate.check(from, frame) {
                // When the queue is full, waiting here holds the permit, which in turn slows the network down.
                let _ = gate.events.blocking_send(event);
            }
            drop(permit);
        });
    }

    fn is_news(&self, hint: (NodeId, bool)) -> bool {
        let news = self.hints.get(&hint).is_none_or(|last| last.elapsed() >= HINT_INTERVAL);
        if news {
            self.hints.insert(hint, Instant::now());
        }
        news
    }

    fn check(&self, from: NodeId, frame: bytes::Bytes) -> Option<Event> {
        let message = match decode_message(frame) {
            Ok(message) => message,
            Err(error) => {
                metrics::frame("malformed");
                tracing::debug!(%from, %error, "dropped a malformed consensus frame");
                return None;
            }
        };
        let Current { height, validators } = self.current.borrow().clone();
        if !matches!(message, Message::Status(_)) {
            let at = message.height();
            if at < height {
                return self.is_news((from, false)).then_some(Event::Behind { from, height: at });
            }
            if at == height.next() {
                return Some(Event::Early { from, message: Box::new(message) });
            }
            if at > height {
                return self.is_news((from, true)).then_some(Event::Input(Input::Ahead { height: at, from }));
            }
        }
        let context = VerifyContext { domain: &self.domain, set: &validators, verifier: &Ed25519 };
        match message.verify(context) {
            Ok(message) => {
                metrics::frame("accepted");
                Some(Event::Input(Input::Message { message, from }))
            }
            Err(error) => {
                metrics::frame("refused");
                tracing::debug!(%from, %height, %error, "dropped a consensus message that does not verify");
                None
            }
        }
    }
}
