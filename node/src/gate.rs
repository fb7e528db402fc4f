//! The gate: every consensus frame passes here before the replica sees it. A copy of what was found sound a moment ago is
//! dropped, what is for another height is sorted out, and signatures are checked beside the replica's thread. What is
//! for the next height waits here until that begins.

mod allowance;
mod recent;
#[cfg(test)]
mod tests;

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
    time::{Duration, Instant},
};

use parking_lot::Mutex;
use quick_cache::sync::Cache;
use quorate_consensus::{Early, Input};
use quorate_p2p::Place;
use quorate_proto::{decode_message, frame_id};
use quorate_types::{B256, Domain, Ed25519, Message, NodeId, Signed, Status, ValidatorSet, VerifyContext};
use tokio::sync::{Semaphore, mpsc, watch};

use self::{allowance::Allowance, recent::Recent};
use crate::{
    conduct::{Conduct, Outcome},
    driver::{Current, Event},
};

/// Frames whose signatures are being checked. Beyond it the gate waits, and the senders' sockets with it.
const MAX_IN_CHECK: usize = 512;

/// A status takes less: what is larger is not looked into.
const MAX_STATUS_BYTES: usize = 512;
/// What neighbours say without proof, by being at another height, is passed on this often for each at most: the replica
/// helps and asks once a tick anyway.
const HINT_INTERVAL: Duration = Duration::from_millis(200);
/// Last hints that are remembered, of each neighbour and kind.
const RECENT_HINTS: usize = 2048;

/// What anyone can say at any rate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Hint {
    /// A neighbour is at a lower height.
    Behind,
    /// A neighbour is at a higher one.
    Ahead,
    /// It says where it is, without a vote or by a clock that does not go on.
    Status,
}

/// The gate's state; cheap to clone.
#[derive(Clone)]
pub(crate) struct Gate {
    domain: Domain,
    recent: Arc<Recent>,
    /// When each said last what needs no proof, or costs nothing to say.
    hints: Arc<Cache<(NodeId, Hint), Instant>>,
    /// The clocks in the validators' last checked statuses, milliseconds.
    clocks: Arc<Mutex<HashMap<NodeId, u64>>>,
    early: Arc<Mutex<Early>>,
    conduct: Conduct,
    allowance: Arc<Allowance>,
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
            recent: Arc::new(Recent::new(domain)),
            hints: Arc::new(Cache::new(RECENT_HINTS)),
            clocks: Arc::default(),
            early: Arc::default(),
            conduct,
            allowance: Arc::default(),
            in_check: Arc::new(Semaphore::new(MAX_IN_CHECK)),
            current,
            events,
        }
    }

    /// Takes a frame from a neighbour; returns once there is room for the next. The frame keeps its place in its sender's
    /// share until it is checked and taken, so nobody gets more of the checking than that.
    pub(crate) async fn pass(&self, from: NodeId, frame: bytes::Bytes, place: Place) {
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

    /// Whether these bytes were found sound a moment ago, and it is not their signer who brings them now.
    fn is_repeated(&self, from: NodeId, id: &B256, frame: &bytes::Bytes) -> bool {
        let told_in_person = || {
            frame.len() <= MAX_STATUS_BYTES
                && decode_message(frame.clone()).is_ok_and(|it| recent::is_told_in_person(from, &it))
        };
        self.recent.has(id) && !told_in_person()
    }

    /// The height that was told last begins. What came early for it is judged as if it came now, each neighbour's by
    /// itself: who left much that is forged holds up nobody else's.
    pub(crate) fn begin(&self) {
        let Current { height, validators } = self.current.borrow().clone();
        self.clocks.lock().retain(|signer, _| validators.contains(signer));
        self.allowance.forget();
        let mut waiting = BTreeMap::<NodeId, Vec<Message>>::new();
        for (from, message) in self.early.lock().take(height) {
            waiting.entry(from).or_default().push(message);
        }
        for (from, messages) in waiting {
            let gate = self.clone();
            rayon::spawn(move || {
                // Their bytes were counted when they waited for a place.
                let events = messages.into_iter().filter_map(|message| gate.judge(from, message, 0));
                events.for_each(|event| drop(gate.events.blocking_send(event)));
            });
        }
    }

    /// Whether the neighbour said this long enough ago; otherwise it wastes this node's time.
    fn is_news(&self, from: NodeId, hint: Hint, bytes: usize) -> bool {
        let news = self.hints.get(&(from, hint)).is_none_or(|last| last.elapsed() >= HINT_INTERVAL);
        if news {
            self.hints.insert((from, hint), Instant::now());
        } else {
            let outcome = if hint == Hint::Behind { Outcome::Late } else { Outcome::Far };
            self.conduct.count(from, outcome, bytes);
        }
        news
    }

    fn check(&self, from: NodeId, frame: bytes::Bytes) -> Option<Event> {
        let (id, bytes) = (frame_id(&frame), frame.len());
        if self.is_repeated(from, &id, &frame) {
            self.conduct.count(from, Outcome::Duplicate, bytes);
            return None;
        }
        match decode_message(frame) {
            Ok(message) => {
                let event = self.judge(from, message, bytes);
                if matches!(event, Some(Event::Input(Input::Message { .. }))) {
                    self.recent.remember(id);
                }
                event
            }
            Err(error) => {
                self.conduct.count(from, Outcome::Malformed, bytes);
                tracing::debug!(%from, %error, "dropped a malformed consensus frame");
                None
            }
        }
    }

    fn judge(&self, from: NodeId, message: Message, bytes: usize) -> Option<Event> {
        let Current { height, validators } = self.current.borrow().clone();
        let at = message.height();
        match &message {
            Message::Status(status) if !self.is_worth_checking(from, status, &validators, bytes) => {
                return None;
            }
            Message::Status(_) => {}
            _ if at < height => {
                return self.is_news(from, Hint::Behind, bytes).then_some(Event::Behind { from, height: at });
            }
            _ if at > height => return self.wait(from, message, bytes),
            _ => {}
        }
        if self.recent.is_variant(from, &message) {
            self.conduct.count(from, Outcome::Duplicate, bytes);
            return None;
        }
        if let Some(signer) = message.signer().filter(|it| validators.contains(it))
            && !self.allowance.takes(from, signer, &message)
        {
            self.conduct.count(from, Outcome::Far, bytes);
            return None;
        }
        let context = VerifyContext { domain: &self.domain, set: &validators, verifier: &Ed25519 };
        match message.verify(context) {
            Ok(message) => {
                self.conduct.count(from, Outcome::Accepted, bytes);
                self.recent.remember_signed(&message);
                self.note_clock(&message, &validators);
                Some(Event::Input(Input::Message { message, from }))
            }
            Err(error) => {
                self.conduct.count(from, Outcome::Unverified, bytes);
                tracing::debug!(%from, %height, %error, "dropped a consensus message that does not verify");
                None
            }
        }
    }

    /// A message of a height to come: if that is the next one it waits, since its validators are not known.
    fn wait(&self, from: NodeId, message: Message, bytes: usize) -> Option<Event> {
        let at = message.height();
        let mut early = self.early.lock();
        // Read under the lock: what is held here for a height is held before `begin` takes it.
        let next = self.current.borrow().height.next();
        if at == next {
            if !early.hold(next, from, message) {
                self.conduct.count(from, Outcome::Far, bytes);
            }
            return None;
        }
        drop(early);
        if at < next {
            return self.judge(from, message, bytes);
        }
        self.is_news(from, Hint::Ahead, bytes).then_some(Event::Input(Input::Ahead { height: at, from }))
    }

    /// Whether a status may say something new, as far as that shows without its signature: keys cost nothing, and old
    /// statuses of others are there for everyone to send again.
    fn is_worth_checking(
        &self,
        from: NodeId,
        status: &Signed<Status>,
        validators: &ValidatorSet,
        bytes: usize,
    ) -> bool {
        let signer = status.signer;
        let votes = validators.contains(&signer);
        let goes_on = || self.clocks.lock().get(&signer).is_none_or(|last| *last < status.statement.clock_ms);
        if votes && goes_on() {
            return true;
        }
        if signer == from {
            // A guest, or a validator whose clock was set back.
            return self.is_news(from, Hint::Status, bytes);
        }
        // Nobody passes on a guest's, nor a validator's older one.
        self.conduct.count(from, if votes { Outcome::Late } else { Outcome::Far }, bytes);
        false
    }

    fn note_clock(&self, message: &Message, validators: &ValidatorSet) {
        if let Message::Status(status) = message
            && validators.contains(&status.signer)
        {
            let mut clocks = self.clocks.lock();
            let last = clocks.entry(status.signer).or_default();
            *last = status.statement.clock_ms.max(*last);
        }
    }
}
