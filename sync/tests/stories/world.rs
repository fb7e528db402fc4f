//! A driver in virtual time: peers of all characters, an execution that knows the right chain, and checks of
//! every effect against the rules, made independently of the syncer.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use quorate_sync::{
    CertifiedBlock, Divergence, Effect, Failure, Input, MAX_BLOCKS_PER_REQUEST, MAX_BUFFERED_BLOCKS,
    MAX_IN_FLIGHT, RequestId, SyncConfig, SyncError, Syncer, Timer,
};
use quorate_types::{B256, Block, Ed25519, Height, NodeId, QuorumCertificate, RejectReason};
use rand::{Rng, SeedableRng, seq::IndexedRandom};
use rand_chacha::ChaCha8Rng;

use crate::chain::CHAIN;

/// How a peer serves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Character {
    Honest,
    /// Answers, later than anyone waits for at first.
    Slow,
    Silent,
    /// Claims to be far ahead of everybody; serves what there is.
    Boaster,
    /// Claims the head, and has no block.
    Withholder,
    /// One of these, at random, in each answer.
    Garbage,
    /// Serves always the same lie.
    Lies(Lie),
    /// One block at a time.
    Stingy,
    /// Blocks in abundance, and answers that nobody asked for.
    Flooder,
    Unreachable,
    Malformed,
    /// Leaves whenever it is asked, and returns.
    Flapping,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lie {
    /// A signature of another message.
    ForgedSignature,
    /// Two of four signers.
    NoQuorum,
    /// The certificate of the block before.
    OtherHeight,
    /// A block of its own on a parent of its own, with a certificate for it by one's own signature.
    WrongParent,
    /// The right header with other transactions.
    OtherBody,
    /// The right blocks, from a height that was not asked for.
    Shifted,
    /// No signers at all.
    Unsigned,
}

pub const LIES: [Lie; 7] = [
    Lie::ForgedSignature,
    Lie::NoQuorum,
    Lie::OtherHeight,
    Lie::WrongParent,
    Lie::OtherBody,
    Lie::Shifted,
    Lie::Unsigned,
];

#[derive(Clone, Debug)]
enum Event {
    Timer(Timer),
    /// A peer answers what it was asked.
    Answer(Ask),
    /// Peers say where their heads are.
    Statuses,
    /// Another block is decided among the peers.
    Grow,
    /// Execution is done with the block of this height.
    Executed(Height),
    Return(NodeId),
}

#[derive(Clone, Copy, Debug)]
pub struct Ask {
    pub id: RequestId,
    pub peer: NodeId,
    pub from: Height,
    pub count: u32,
}

pub struct World {
    pub syncer: Syncer,
    pub now: Duration,
    pub head: Height,
    /// The head of the honest peers.
    pub tip: Height,
    pub applied: Vec<Height>,
    pub asked: Vec<(Duration, Ask)>,
    pub punished: Vec<(NodeId, SyncError)>,
    pub diverged: Option<Divergence>,
    /// Execution refuses this height.
    pub refuses: Option<Height>,
    /// The chain grows this often.
    pub block_interval: Option<Duration>,
    executing: Option<Height>,
    peers: BTreeMap<NodeId, Character>,
    away: BTreeSet<NodeId>,
    /// What was asked and is neither answered, nor timed out, nor forfeited by a lie or a farewell.
    open: BTreeMap<RequestId, Ask>,
    events: BTreeMap<(Duration, u64), Event>,
    timers: BTreeMap<Timer, (Duration, u64)>,
    sequence: u64,
    rng: ChaCha8Rng,
}

const LATENCY: Duration = Duration::from_millis(20);
const EXECUTION: Duration = Duration::from_millis(2);
const STATUS_INTERVAL: Duration = Duration::from_secs(1);
/// Longer than the first timeouts, shorter than the longest.
const SLOW: Duration = Duration::from_secs(11);

impl World {
    pub fn new(seed: u64, tip: Height, peers: impl IntoIterator<Item = (NodeId, Character)>) -> Self {
        let config = SyncConfig { domain: CHAIN.domain, verifier: Arc::new(Ed25519) };
        let mut world = Self {
            syncer: Syncer::new(config, CHAIN.head(Height::ZERO)),
            now: Duration::ZERO,
            head: Height::ZERO,
            tip,
            applied: Vec::new(),
            asked: Vec::new(),
            punished: Vec::new(),
            diverged: None,
            refuses: None,
            block_interval: None,
            executing: None,
            peers: peers.into_iter().collect(),
            away: BTreeSet::new(),
            open: BTreeMap::new(),
            events: BTreeMap::new(),
            timers: BTreeMap::new(),
            sequence: 0,
            rng: ChaCha8Rng::seed_from_u64(seed),
        };
        world.after(Duration::ZERO, Event::Statuses);
        world
    }

    /// Lets the chain of the peers grow.
    pub fn growing(mut self, interval: Duration) -> Self {
        self.block_interval = Some(interval);
        self.after(interval, Event::Grow);
        self
    }

    /// Runs until `done`; panics when that takes longer than `limit` of virtual time.
    pub fn run_until(&mut self, limit: Duration, done: impl Fn(&Self) -> bool) {
        while !done(self) {
            let ((time, _), event) = self.events.pop_first().expect("statuses never end");
            let progress = self.syncer.progress();
            assert!(time <= limit, "not done after {time:?}: {progress:?}, punished {:?}", self.punished);
            self.now = time;
            self.happen(event);
        }
    }

    pub fn run_for(&mut self, time: Duration) {
        let end = self.now + time;
        self.run_until(end + STATUS_INTERVAL, |world| world.now >= end);
    }

    pub fn punished(&self, peer: NodeId) -> Vec<&SyncError> {
        self.punished.iter().filter(|(who, _)| *who == peer).map(|(_, why)| why).collect()
    }

    pub fn asked_of(&self, peer: NodeId) -> usize {
        self.asked.iter().filter(|(_, ask)| ask.peer == peer).count()
    }

    /// Peers change their ways.
    pub fn turn(&mut self, peers: impl IntoIterator<Item = (NodeId, Character)>) {
        self.peers.extend(peers);
    }

    /// Consensus decides the next block by itself.
    pub fn decide(&mut self) {
        self.executing = None;
        self.tip = self.tip.max(self.head.next());
        self.go_on_to(self.head.next());
    }

    fn go_on_to(&mut self, height: Height) {
        self.head = height;
        self.feed(Input::Head(CHAIN.head(height)));
    }

    pub fn feed(&mut self, input: Input) {
        self.close_what(&input);
        let effects = self.syncer.step(input);
        effects.into_iter().for_each(|effect| self.perform(effect));
        let progress = self.syncer.progress();
        assert_eq!(progress.head, self.head);
        assert!(progress.in_flight <= MAX_IN_FLIGHT);
        assert!(progress.buffered as u64 <= MAX_BUFFERED_BLOCKS);
    }

    fn close_what(&mut self, input: &Input) {
        match input {
            Input::Blocks { request, .. } | Input::Failed { request, .. } => {
                self.open.remove(request);
            }
            Input::Timer(Timer::Request(id)) => {
                self.open.remove(id);
            }
            Input::PeerGone(peer) => self.open.retain(|_, ask| ask.peer != *peer),
            _ => {}
        }
    }

    fn perform(&mut self, effect: Effect) {
        assert!(
            self.diverged.is_none() || matches!(effect, Effect::CancelTimer(_)),
            "after the end: {effect:?}"
        );
        match effect {
            Effect::Request { id, peer, from, count } => self.on_request(Ask { id, peer, from, count }),
            Effect::Apply { block, certificate } => self.on_apply(&block, &certificate),
            Effect::Punish { peer, reason } => {
                self.open.retain(|_, ask| ask.peer != peer);
                self.punished.push((peer, reason));
            }
            Effect::Diverged(divergence) => self.diverged = Some(divergence),
            Effect::SetTimer(timer, duration) => {
                let key = self.after(duration, Event::Timer(timer));
                if let Some(old) = self.timers.insert(timer, key) {
                    self.events.remove(&old);
                }
            }
            Effect::CancelTimer(timer) => {
                if let Some(key) = self.timers.remove(&timer) {
                    self.events.remove(&key);
                }
            }
        }
    }

    fn on_request(&mut self, ask: Ask) {
        let end = |ask: &Ask| ask.from.0 + u64::from(ask.count);
        assert!((1..=MAX_BLOCKS_PER_REQUEST).contains(&ask.count), "{ask:?}");
        assert!(ask.from > self.head && end(&ask) <= self.head.0 + MAX_BUFFERED_BLOCKS + 1, "{ask:?}");
        assert!(!self.away.contains(&ask.peer), "asked who is gone: {ask:?}");
        let clash = self.open.values().find(|other| ask.from.0 < end(other) && other.from.0 < end(&ask));
        assert!(clash.is_none(), "{ask:?} beside {clash:?}");
        self.open.insert(ask.id, ask);
        self.asked.push((self.now, ask));
        let jitter = Duration::from_millis(self.rng.random_range(0..30));
        let delay = if self.peers.get(&ask.peer) == Some(&Character::Slow) { SLOW } else { LATENCY + jitter };
        self.after(delay, Event::Answer(ask));
    }

    /// Only the next block, once, and nothing without its proof.
    fn on_apply(&mut self, block: &Block, certificate: &QuorumCertificate) {
        assert_eq!((self.executing, block.height()), (None, self.head.next()));
        assert_eq!(block.header().parent_hash, CHAIN.hash(self.head), "not on the head");
        let set = CHAIN.set(block.height());
        assert_eq!(certificate.verify(&CHAIN.domain, &set, &Ed25519), Ok(()));
        assert_eq!((certificate.vote.height, certificate.vote.block_hash), (block.height(), block.hash()));
        assert!(block.is_body_bound());
        self.executing = Some(block.height());
        self.after(EXECUTION, Event::Executed(block.height()));
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::Timer(timer) => {
                self.timers.remove(&timer);
                self.feed(Input::Timer(timer));
            }
            Event::Answer(ask) => self.answer(ask),
            Event::Statuses => {
                self.after(STATUS_INTERVAL, Event::Statuses);
                let peers: Vec<_> = self.peers.keys().copied().collect();
                peers.into_iter().for_each(|peer| self.say_head(peer));
            }
            Event::Grow => {
                if let Some(interval) = self.block_interval {
                    self.tip = self.tip.next().min(crate::chain::LAST);
                    self.after(interval, Event::Grow);
                }
            }
            Event::Executed(height) => self.on_executed(height),
            Event::Return(peer) => {
                self.away.remove(&peer);
                self.say_head(peer);
            }
        }
    }

    fn on_executed(&mut self, height: Height) {
        // Consensus may have been faster: then its head was the answer.
        if self.executing.take_if(|executing| *executing == height).is_none() {
            return;
        }
        if self.refuses == Some(height) {
            let (block_hash, reason) = (CHAIN.hash(height), RejectReason::Divergence);
            self.feed(Input::Refused { height, block_hash, reason, roots: None });
        } else {
            self.applied.push(height);
            self.go_on_to(height);
        }
    }

    fn say_head(&mut self, peer: NodeId) {
        if self.away.contains(&peer) {
            return;
        }
        let height = if self.peers[&peer] == Character::Boaster { Height(u64::MAX) } else { self.tip };
        self.feed(Input::PeerHead { peer, height });
    }

    fn answer(&mut self, ask: Ask) {
        if self.away.contains(&ask.peer) {
            return;
        }
        let blocks = CHAIN.range(ask.from, ask.count, self.tip);
        match self.peers[&ask.peer] {
            Character::Honest | Character::Slow | Character::Boaster => self.deliver(ask, blocks),
            Character::Silent => {}
            Character::Withholder => self.deliver(ask, Vec::new()),
            Character::Garbage => {
                let lie = *LIES.choose(&mut self.rng).expect("there are lies");
                self.lie(ask, blocks, lie);
            }
            Character::Lies(lie) => self.lie(ask, blocks, lie),
            Character::Stingy => self.deliver(ask, blocks.into_iter().take(1).collect()),
            Character::Flooder => {
                let many = CHAIN.range(ask.from, 200, self.tip);
                let never_asked = RequestId(ask.id.0 + 1_000_000);
                self.deliver(Ask { id: never_asked, ..ask }, many.clone());
                self.deliver(ask, many.clone());
                self.deliver(ask, many);
            }
            Character::Unreachable => self.fail(ask, Failure::Unreachable),
            Character::Malformed => self.fail(ask, Failure::Malformed),
            Character::Flapping => {
                self.away.insert(ask.peer);
                self.feed(Input::PeerGone(ask.peer));
                self.after(Duration::from_secs(2), Event::Return(ask.peer));
            }
        }
    }

    fn lie(&mut self, ask: Ask, mut blocks: Vec<CertifiedBlock>, lie: Lie) {
        if lie == Lie::Shifted {
            let shifted = CHAIN.range(ask.from.next(), ask.count, self.tip);
            self.deliver(ask, shifted);
            return;
        }
        let victim = self.rng.random_range(0..blocks.len());
        blocks[victim] = falsify(&blocks[victim], lie);
        self.deliver(ask, blocks);
    }

    fn deliver(&mut self, ask: Ask, blocks: Vec<CertifiedBlock>) {
        self.feed(Input::Blocks { request: ask.id, peer: ask.peer, blocks });
    }

    fn fail(&mut self, ask: Ask, why: Failure) {
        self.feed(Input::Failed { request: ask.id, peer: ask.peer, why });
    }

    fn after(&mut self, delay: Duration, event: Event) -> (Duration, u64) {
        self.sequence += 1;
        let key = (self.now + delay, self.sequence);
        self.events.insert(key, event);
        key
    }
}

/// The block, or its certificate, with one lie in it.
pub fn falsify((block, certificate): &CertifiedBlock, lie: Lie) -> CertifiedBlock {
    let (height, hash) = (block.height(), block.hash());
    let remade = |change: &dyn Fn(&mut QuorumCertificate)| {
        let mut plain: QuorumCertificate = (**certificate).clone();
        change(&mut plain);
        quorate_types::CommitCertificate::new(plain).expect("still votes to commit")
    };
    match lie {
        Lie::ForgedSignature => (block.clone(), remade(&|it| it.signatures[1] = it.signatures[0])),
        Lie::Unsigned => (
            block.clone(),
            remade(&|it| {
                it.signers.clear();
                it.signatures.clear();
            }),
        ),
        Lie::NoQuorum => (block.clone(), CHAIN.certify(height, hash, &CHAIN.voters(height)[..2])),
        Lie::OtherHeight | Lie::Shifted => {
            let other = if height == Height(1) { Height(2) } else { Height(height.0 - 1) };
            (block.clone(), CHAIN.at(other).1)
        }
        Lie::WrongParent => {
            let header = CHAIN.header(height, B256::repeat_byte(0xbd));
            let own = Block::new(header, block.transactions().to_vec());
            let certificate = CHAIN.certify(height, own.hash(), &CHAIN.voters(height)[..1]);
            (Arc::new(own), certificate)
        }
        Lie::OtherBody => {
            let mut body = block.transactions().to_vec();
            body.push(b"pay mallory".as_slice().into());
            (Arc::new(Block::new(block.header().clone(), body)), certificate.clone())
        }
    }
}
