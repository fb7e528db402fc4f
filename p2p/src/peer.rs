//! A connected peer as everyone sees it: its outbox, its counters, its quota.

use std::{
    collections::HashSet,
    num::NonZeroU32,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, SystemTime},
};

use arc_swap::ArcSwap;
use bytes::Bytes;
use governor::{DefaultDirectRateLimiter, Quota as Rate};
use libp2p::Multiaddr;
use quorate_proto::{Hello, MAX_BATCH_BYTES, MAX_FRAME_BYTES};
use quorate_types::NodeId;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};

use crate::limits::{
    ANSWER_KIB_PER_SECOND, BATCH_BYTES_IN_HAND, BATCH_KIB_PER_SECOND, BATCHES_IN_HAND,
    CONSENSUS_KIB_PER_SECOND, FRAMES_IN_HAND, GREETINGS_AT_ONCE, GUEST_CONSENSUS_KIB_PER_SECOND,
    GUEST_FRAMES_IN_HAND, GUEST_INBOX_BYTES, INBOX_BYTES_PER_PEER, MIN_FRAME_KIB, OUTBOX_BATCH_BYTES,
    OUTBOX_BATCHES, OUTBOX_BYTES, OUTBOX_FRAMES, REQUESTS_PER_SECOND,
};

/// A peer that has greeted and was greeted, at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PeerInfo {
    /// Who it is.
    pub id: NodeId,
    /// Where it is, as a multiaddress.
    pub address: String,
    /// Whether this node dialed it.
    pub dialed: bool,
    /// Whether it has a reserved place: see [`crate::NetworkHandle::set_validators`].
    pub validator: bool,
    /// What it said when it connected.
    pub hello: Hello,
    /// Since when.
    pub connected_since: SystemTime,
    /// When its last consensus frame came.
    pub last_frame: Option<SystemTime>,
    /// The last ping's time there and back.
    pub round_trip: Option<Duration>,
    /// Consensus frames taken from it.
    pub frames_in: u64,
    /// Their bytes.
    pub bytes_in: u64,
    /// Consensus frames written to it.
    pub frames_out: u64,
    /// Their bytes.
    pub bytes_out: u64,
    /// Frames and batches that were dropped because its outbox was full.
    pub frames_dropped: u64,
    /// Requests and greetings of it that were passed over for coming too fast.
    pub over_quota: u64,
    /// Consensus frames and batches of it that had to wait for its own quota.
    pub frames_held_up: u64,
}

/// A greeted peer.
pub(crate) struct Peer {
    pub(crate) id: NodeId,
    pub(crate) address: Multiaddr,
    pub(crate) dialed: bool,
    pub(crate) hello: Hello,
    pub(crate) connected_since: SystemTime,
    pub(crate) outboxes: Outboxes,
    pub(crate) traffic: Arc<Traffic>,
}

impl Peer {
    /// Queues a frame, or counts that it could not.
    pub(crate) fn queue(&self, frame: &Bytes) -> bool {
        self.count(self.outboxes.frames.queue(frame))
    }

    /// The same with a batch of transactions.
    pub(crate) fn queue_batch(&self, batch: &Bytes) -> bool {
        self.count(self.outboxes.batches.queue(batch))
    }

    fn count(&self, queued: bool) -> bool {
        if !queued {
            self.traffic.frames_dropped.fetch_add(1, Relaxed);
        }
        queued
    }

    pub(crate) fn info(&self, validator: bool) -> PeerInfo {
        let of = |counter: &AtomicU64| counter.load(Relaxed);
        let traffic = &self.traffic;
        let (last_frame, round_trip) = (of(&traffic.last_frame_ms), of(&traffic.round_trip_us));
        PeerInfo {
            id: self.id,
            address: self.address.to_string(),
            dialed: self.dialed,
            validator,
            hello: self.hello.clone(),
            connected_since: self.connected_since,
            last_frame: (last_frame > 0).then(|| SystemTime::UNIX_EPOCH + Duration::from_millis(last_frame)),
            round_trip: (round_trip > 0).then(|| Duration::from_micros(round_trip)),
            frames_in: of(&traffic.frames_in),
            bytes_in: of(&traffic.bytes_in),
            frames_out: of(&traffic.frames_out),
            bytes_out: of(&traffic.bytes_out),
            frames_dropped: of(&traffic.frames_dropped),
            over_quota: of(&traffic.over_quota),
            frames_held_up: of(&traffic.frames_held_up),
        }
    }
}

/// What a peer's connection has seen, and what it may do.
pub(crate) struct Traffic {
    last_frame_ms: AtomicU64,
    round_trip_us: AtomicU64,
    frames_in: AtomicU64,
    bytes_in: AtomicU64,
    frames_out: AtomicU64,
    bytes_out: AtomicU64,
    frames_dropped: AtomicU64,
    over_quota: AtomicU64,
    frames_held_up: AtomicU64,
    node: NodeId,
    validators: Validators,
    as_validator: Share,
    as_guest: Share,
    batches: Share,
    greetings: DefaultDirectRateLimiter,
    requests: DefaultDirectRateLimiter,
    answers: DefaultDirectRateLimiter,
}

/// Who votes now, as the node says. What depends on it looks here each time, so that a change counts at once.
pub(crate) type Validators = Arc<ArcSwap<HashSet<NodeId>>>;

/// What a peer's consensus frames, or its batches, may take of this node.
struct Share {
    rate: DefaultDirectRateLimiter,
    inbox: Arc<Semaphore>,
    in_hand: Arc<Semaphore>,
}

impl Share {
    fn new(kib_per_second: u32, inbox_bytes: usize, frames_in_hand: usize) -> Self {
        Self {
            rate: rate(kib_per_second),
            inbox: Arc::new(Semaphore::new(inbox_bytes)),
            in_hand: Arc::new(Semaphore::new(frames_in_hand)),
        }
    }
}

/// A frame's place in its sender's share, until the node has finished with it. Dropping it makes room for the next.
#[derive(Debug)]
pub struct Place {
    _bytes: OwnedSemaphorePermit,
    _frame: OwnedSemaphorePermit,
}

impl Traffic {
    pub(crate) fn new(node: NodeId, validators: Validators) -> Self {
        Self {
            last_frame_ms: AtomicU64::new(0),
            round_trip_us: AtomicU64::new(0),
            frames_in: AtomicU64::new(0),
            bytes_in: AtomicU64::new(0),
            frames_out: AtomicU64::new(0),
            bytes_out: AtomicU64::new(0),
            frames_dropped: AtomicU64::new(0),
            over_quota: AtomicU64::new(0),
            frames_held_up: AtomicU64::new(0),
            node,
            validators,
            as_validator: Share::new(CONSENSUS_KIB_PER_SECOND, INBOX_BYTES_PER_PEER, FRAMES_IN_HAND),
            as_guest: Share::new(GUEST_CONSENSUS_KIB_PER_SECOND, GUEST_INBOX_BYTES, GUEST_FRAMES_IN_HAND),
            batches: Share::new(BATCH_KIB_PER_SECOND, BATCH_BYTES_IN_HAND, BATCHES_IN_HAND),
            greetings: DefaultDirectRateLimiter::direct(
                Rate::per_second(NonZeroU32::MIN)
                    .allow_burst(NonZeroU32::new(GREETINGS_AT_ONCE).unwrap_or(NonZeroU32::MIN)),
            ),
            requests: rate(REQUESTS_PER_SECOND),
            answers: rate(ANSWER_KIB_PER_SECOND),
        }
    }

    /// Its share as what the peer is at this moment. Both are kept, so that who is made a validator and a guest in turn has
    /// no more than the two of them.
    fn share(&self) -> &Share {
        if self.is_validator() { &self.as_validator } else { &self.as_guest }
    }

    pub(crate) fn is_validator(&self) -> bool {
        self.validators.load().contains(&self.node)
    }

    /// Waits until the peer's quota and its share of the node have room for a frame, which has its place there until the
    /// node has finished with it. A frame that waits when the validators change goes on waiting as what its sender was: for
    /// others in hand, or a second.
    pub(crate) async fn receive(&self, frame: &Bytes) -> Option<Place> {
        let place = self.admit(self.share(), frame).await?;
        self.frames_in.fetch_add(1, Relaxed);
        self.bytes_in.fetch_add(frame.len() as u64, Relaxed);
        self.last_frame_ms.store(now_ms(), Relaxed);
        Some(place)
    }

    /// The same with a batch of transactions.
    pub(crate) async fn receive_batch(&self, batch: &Bytes) -> Option<Place> {
        self.admit(&self.batches, batch).await
    }

    async fn admit(&self, share: &Share, frame: &Bytes) -> Option<Place> {
        let cost = kib(frame.len()).max(NonZeroU32::new(MIN_FRAME_KIB).unwrap_or(NonZeroU32::MIN));
        // The rate's burst is one second's worth, far above the largest frame.
        if !matches!(share.rate.check_n(cost), Ok(Ok(()))) {
            self.frames_held_up.fetch_add(1, Relaxed);
            let _ = share.rate.until_n_ready(cost).await;
        }
        Some(Place {
            _bytes: share.inbox.clone().acquire_many_owned(bytes(frame.len())).await.ok()?,
            _frame: share.in_hand.clone().acquire_owned().await.ok()?,
        })
    }

    pub(crate) fn sent(&self, frame: &Bytes) {
        self.frames_out.fetch_add(1, Relaxed);
        self.bytes_out.fetch_add(frame.len() as u64, Relaxed);
    }

    pub(crate) fn answered_ping(&self, round_trip: Duration) {
        let micros = u64::try_from(round_trip.as_micros()).unwrap_or(u64::MAX);
        self.round_trip_us.store(micros.max(1), Relaxed);
    }

    /// Whether one more greeting is within the quota: each is announced to the node, and logged.
    pub(crate) fn may_greet(&self) -> bool {
        self.within(self.greetings.check().is_ok())
    }

    /// Whether one more request is within the quota.
    pub(crate) fn may_ask(&self) -> bool {
        self.within(self.requests.check().is_ok())
    }

    /// Waits until an answer of this size may go out.
    pub(crate) async fn pace_answer(&self, len: usize) {
        let _ = self.answers.until_n_ready(kib(len)).await;
    }

    fn within(&self, within: bool) -> bool {
        if !within {
            self.over_quota.fetch_add(1, Relaxed);
        }
        within
    }
}

/// What is on its way to one peer.
#[derive(Clone)]
pub(crate) struct Outboxes {
    pub(crate) frames: Outbox,
    pub(crate) batches: Outbox,
}

/// Frames of one kind on their way to one peer, bounded in number and bytes.
#[derive(Clone)]
pub(crate) struct Outbox {
    queue: mpsc::Sender<Queued>,
    room: Arc<Semaphore>,
    /// The largest frame.
    most: usize,
}

/// A frame with its place in the outbox.
pub(crate) struct Queued {
    pub(crate) frame: Bytes,
    _place: OwnedSemaphorePermit,
}

impl Outbox {
    pub(crate) fn of_frames() -> (Self, mpsc::Receiver<Queued>) {
        Self::new(OUTBOX_FRAMES, OUTBOX_BYTES, MAX_FRAME_BYTES)
    }

    pub(crate) fn of_batches() -> (Self, mpsc::Receiver<Queued>) {
        Self::new(OUTBOX_BATCHES, OUTBOX_BATCH_BYTES, MAX_BATCH_BYTES)
    }

    fn new(frames: usize, room: usize, most: usize) -> (Self, mpsc::Receiver<Queued>) {
        let (queue, receiver) = mpsc::channel(frames);
        (Self { queue, room: Arc::new(Semaphore::new(room)), most }, receiver)
    }

    /// Queues a frame. When the outbox is full the new frame is the one to go: the replica sends again what is still
    /// undecided, the pool what is in no block, and the older frames are nearer to their turn.
    fn queue(&self, frame: &Bytes) -> bool {
        if frame.is_empty() || frame.len() > self.most {
            return false;
        }
        match self.room.clone().try_acquire_many_owned(bytes(frame.len())) {
            Ok(place) => self.queue.try_send(Queued { frame: frame.clone(), _place: place }).is_ok(),
            Err(_) => false,
        }
    }

    /// The same, waiting for room for as long as the stream lives. False when it does not any more.
    pub(crate) async fn queue_when_possible(&self, frame: Bytes) -> bool {
        if frame.is_empty() || frame.len() > self.most {
            return false;
        }
        match self.room.clone().acquire_many_owned(bytes(frame.len())).await {
            Ok(place) => self.queue.send(Queued { frame, _place: place }).await.is_ok(),
            Err(_) => false,
        }
    }
}

fn rate(per_second: u32) -> DefaultDirectRateLimiter {
    DefaultDirectRateLimiter::direct(Rate::per_second(NonZeroU32::new(per_second).unwrap_or(NonZeroU32::MIN)))
}

fn bytes(len: usize) -> u32 {
    u32::try_from(len).unwrap_or(u32::MAX)
}

/// KiB begun, at least one.
fn kib(len: usize) -> NonZeroU32 {
    NonZeroU32::new(bytes(len.div_ceil(1024))).unwrap_or(NonZeroU32::MIN)
}

fn now_ms() -> u64 {
    let elapsed = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use futures::FutureExt as _;

    use super::*;

    #[test]
    fn a_full_outbox_drops_the_new_frame_and_keeps_the_old() {
        let (outbox, mut queue) = Outbox::of_frames();
        let largest = Bytes::from(vec![1; MAX_FRAME_BYTES]);
        assert!(outbox.queue(&largest) && outbox.queue(&largest), "two of the largest fit");
        let queued = (0..OUTBOX_FRAMES * 2).filter(|_| outbox.queue(&largest)).count();
        assert!(queued < 4, "bytes are bounded: {queued} more");
        assert_eq!(queue.try_recv().ok().map(|queued| queued.frame), Some(largest));
    }

    #[test]
    fn frames_are_bounded_in_number() {
        let (outbox, _queue) = Outbox::of_frames();
        let vote = Bytes::from_static(b"vote");
        assert_eq!((0..OUTBOX_FRAMES * 2).filter(|_| outbox.queue(&vote)).count(), OUTBOX_FRAMES);
    }

    #[test]
    fn empty_and_oversized_frames_never_leave() {
        let (outbox, _queue) = Outbox::of_frames();
        assert!(!outbox.queue(&Bytes::new()));
        assert!(!outbox.queue(&Bytes::from(vec![0; MAX_FRAME_BYTES + 1])));
    }

    fn guest() -> (Traffic, Validators) {
        let (node, validators) = (quorate_types::NodeKey::from_seed([1; 32]).id(), Validators::default());
        (Traffic::new(node, validators.clone()), validators)
    }

    /// Frames as long as they need not wait.
    fn fill(traffic: &Traffic) -> Vec<Place> {
        let vote = Bytes::from_static(b"vote");
        // Unconstrained: tokio would have a test yield that has taken so much.
        let receive = || tokio::task::unconstrained(traffic.receive(&vote)).now_or_never().flatten();
        std::iter::from_fn(receive).collect()
    }

    #[tokio::test]
    async fn a_peers_inbox_has_an_end() {
        let (traffic, _) = guest();
        let frame = Bytes::from(vec![0; MAX_FRAME_BYTES]);
        let held = traffic.receive(&frame).await.expect("room for one");
        let second = traffic.receive(&frame);
        tokio::pin!(second);
        assert!(futures::poll!(&mut second).is_pending(), "the node has not taken the first one");
        drop(held);
        assert!(second.await.is_some());
    }

    /// faults.md, flood: small frames as well as large ones.
    #[tokio::test]
    async fn flood_of_a_guest_waits_in_its_own_share() {
        let (traffic, _) = guest();
        let mut held = fill(&traffic);
        assert_eq!(held.len(), GUEST_FRAMES_IN_HAND);
        held.pop();
        assert_eq!(fill(&traffic).len(), 1, "the next follows when one is finished");
    }

    /// Given a guest that uses all of its share, when it becomes a validator, then it has a validator's at once; and when it
    /// is one no more, it has what is left of a guest's.
    #[tokio::test]
    async fn a_share_follows_the_validator_set() {
        let (traffic, validators) = guest();
        let mut held = fill(&traffic);
        validators.store(Arc::new(HashSet::from([traffic.node])));
        assert_eq!(fill(&traffic).len(), FRAMES_IN_HAND);
        validators.store(Arc::default());
        assert_eq!(fill(&traffic).len(), 0);
        held.pop();
        assert_eq!(fill(&traffic).len(), 1);
    }
}
