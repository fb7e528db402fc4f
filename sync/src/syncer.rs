//! The syncer: its state, the dispatch of inputs, and what becomes possible after each.

use std::{sync::Arc, time::Duration};

use quorate_types::{B256, Block, CommitCertificate, Height, NodeId, RejectReason, Roots};

use crate::{
    CertifiedBlock, Divergence, Effect, Failure, Head, Input, RequestId, SyncConfig, SyncError, SyncPhase,
    SyncProgress, Timer,
    buffer::{Buffer, MAX_BUFFERED_BLOCKS, Waiting},
    peers::{Fault, Peers},
    requests::{Request, Requests},
    verify,
};

/// How long consensus may take to decide the one block that is missing: a few block intervals (faults.md,
/// sync-one-behind: long enough not to fetch what is being decided, short enough not to stay behind).
const GRACE: Duration = Duration::from_millis(300);
/// How long a peer that always served may take to answer: 32 blocks of 300 KiB over 20 Mbit/s.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(4);
/// How often the timeout is doubled for a peer with strikes: a slow link is no fault, and must work in the end.
const MAX_TIMEOUT_DOUBLINGS: u32 = 4;
/// The unit in which peers rest and are forgiven.
const REST_TICK: Duration = Duration::from_secs(1);

/// The block that execution has.
#[derive(Clone, Debug)]
struct Applying {
    height: Height,
    hash: B256,
    certificate: CommitCertificate,
    sender: NodeId,
}

/// Decides which block to ask of whom, and in which order blocks are applied.
#[derive(Debug)]
pub struct Syncer {
    config: SyncConfig,
    head: Head,
    applying: Option<Applying>,
    peers: Peers,
    requests: Requests,
    buffer: Buffer,
    phase: SyncPhase,
    /// Whether [`Timer::Rest`] runs.
    ticking: bool,
    effects: Vec<Effect>,
}

impl Syncer {
    /// A syncer on top of `head`: genesis, a trusted checkpoint, or the last committed block.
    #[must_use]
    pub fn new(config: SyncConfig, head: Head) -> Self {
        Self {
            config,
            head,
            applying: None,
            peers: Peers::default(),
            requests: Requests::default(),
            buffer: Buffer::default(),
            phase: SyncPhase::Idle,
            ticking: false,
            effects: Vec::new(),
        }
    }

    /// Takes one input and says what is to be done, in order. At most one block's signatures are checked.
    #[must_use]
    pub fn step(&mut self, input: Input) -> Vec<Effect> {
        match input {
            Input::PeerHead { peer, height } => self.peers.set_claim(peer, height),
            Input::PeerGone(peer) => self.on_peer_gone(peer),
            Input::Target { height, from } => self.peers.raise_claim(from, height),
            Input::Head(head) => self.on_head(head),
            Input::Blocks { request, peer, blocks } => self.on_blocks(request, peer, blocks),
            Input::Failed { request, peer, why } => self.on_failed(request, peer, why),
            Input::Refused { height, block_hash, reason, roots } => {
                self.on_refused(height, block_hash, reason, roots);
            }
            Input::Timer(timer) => self.on_timer(timer),
        }
        if self.phase != SyncPhase::Diverged {
            self.try_apply();
        }
        if self.phase != SyncPhase::Diverged {
            self.update_phase();
            self.try_request();
            self.keep_ticking();
        }
        std::mem::take(&mut self.effects)
    }

    /// How far it has come.
    #[must_use]
    pub fn progress(&self) -> SyncProgress {
        let head = self.head.height;
        SyncProgress {
            head,
            target: self.peers.highest_believed().map_or(head, |target| target.max(head)),
            peers: self.peers.ready(),
            buffered: self.buffer.len(),
            in_flight: self.requests.len(),
            phase: self.phase,
        }
    }

    fn emit(&mut self, effect: Effect) {
        self.effects.push(effect);
    }

    fn on_peer_gone(&mut self, peer: NodeId) {
        self.forget_requests_to(&peer);
        self.peers.disconnect(&peer);
    }

    /// The chain went on, whoever brought it forward.
    fn on_head(&mut self, head: Head) {
        if head.height <= self.head.height {
            return;
        }
        if let Some(applied) = self.applying.take_if(|it| it.height <= head.height) {
            self.peers.on_applied(&applied.sender);
            if applied.height == head.height && applied.hash != head.hash {
                // Checked with this node's own set of the height, and yet not this node's own block.
                self.diverge(Divergence::Fork {
                    height: head.height,
                    ours: head.hash,
                    theirs: applied.hash,
                    certificate: applied.certificate,
                });
            }
        }
        self.buffer.drop_through(head.height);
        self.head = head;
    }

    fn on_blocks(&mut self, id: RequestId, peer: NodeId, blocks: Vec<CertifiedBlock>) {
        let Some(request) = self.close(id, peer) else { return };
        let Some((last, _)) = blocks.last() else {
            self.peers.on_fault(&peer, request.from, Fault::Failure(Failure::Empty));
            return;
        };
        let (last, count) = (last.height(), blocks.len());
        if let Err(error) = verify::check_answer(request.from, request.count, &blocks) {
            self.convict(peer, request.from, error);
            return;
        }
        self.peers.on_delivered(&peer, last, u32::try_from(count) == Ok(request.count));
        let done = self.applying.as_ref().map_or(self.head.height, |it| it.height);
        let missing = blocks.into_iter().filter(|(block, _)| block.height() > done);
        missing.for_each(|certified| self.buffer.insert(certified, peer));
    }

    fn on_failed(&mut self, id: RequestId, peer: NodeId, why: Failure) {
        let Some(request) = self.close(id, peer) else { return };
        match why {
            Failure::Malformed => self.convict(peer, request.from, SyncError::Malformed),
            Failure::Timeout | Failure::Empty | Failure::Unreachable => {
                self.peers.on_fault(&peer, request.from, Fault::Failure(why));
            }
        }
    }

    fn on_refused(&mut self, height: Height, hash: B256, reason: RejectReason, roots: Option<Roots>) {
        if let Some(refused) = self.applying.take_if(|it| (it.height, it.hash) == (height, hash)) {
            self.diverge(Divergence::Refused { certificate: refused.certificate, reason, roots });
        }
    }

    fn on_timer(&mut self, timer: Timer) {
        match timer {
            Timer::Grace(height) => {
                if self.phase == SyncPhase::Waiting(height) {
                    self.phase = SyncPhase::Fetching;
                }
            }
            Timer::Request(id) => {
                if let Some(peer) = self.requests.get(id).map(|request| request.peer) {
                    self.on_failed(id, peer, Failure::Timeout);
                }
            }
            Timer::Rest => {
                self.ticking = false;
                self.peers.tick();
            }
        }
    }

    /// Gives the next block to execution, once the validators of its height are known: one at a time, since
    /// what votes on the one after it is known only when it is executed.
    fn try_apply(&mut self) {
        if self.applying.is_some() {
            return;
        }
        let Some(Waiting { certified: (block, certificate), sender, .. }) =
            self.buffer.take(self.head.height.next())
        else {
            return;
        };
        let (domain, set) = (&self.config.domain, &self.head.next_validators);
        match verify::verify_block(&block, &certificate, domain, set, &*self.config.verifier) {
            Err(error) => self.convict(sender, block.height(), error),
            Ok(()) if block.header().parent_hash != self.head.hash => self.diverge(Divergence::Fork {
                height: self.head.height,
                ours: self.head.hash,
                theirs: block.header().parent_hash,
                certificate,
            }),
            Ok(()) => self.apply(block, certificate, sender),
        }
    }

    fn apply(&mut self, block: Arc<Block>, certificate: CommitCertificate, sender: NodeId) {
        let (height, hash) = (block.height(), block.hash());
        self.applying = Some(Applying { height, hash, certificate: certificate.clone(), sender });
        self.emit(Effect::Apply { block, certificate });
    }

    /// Begins, waits for consensus, or ends. Once begun it goes on to the last block: only who is one behind
    /// without having fetched anything gives consensus its chance.
    fn update_phase(&mut self) {
        let head = self.head.height;
        let gap = self.peers.highest_claim().map_or(0, |claim| claim.0.saturating_sub(head.0));
        let before = self.phase;
        self.phase = match (gap, before) {
            (0, _) => SyncPhase::Idle,
            (_, SyncPhase::Fetching) | (2.., _) => SyncPhase::Fetching,
            (1, _) => SyncPhase::Waiting(head.next()),
        };
        if self.phase == before {
            return;
        }
        if let SyncPhase::Waiting(height) = before {
            self.emit(Effect::CancelTimer(Timer::Grace(height)));
        }
        if let SyncPhase::Waiting(height) = self.phase {
            self.emit(Effect::SetTimer(Timer::Grace(height), GRACE));
        }
    }

    fn try_request(&mut self) {
        while self.phase == SyncPhase::Fetching && !self.requests.is_full() {
            let Some((first, last)) = self.lowest_gap() else { return };
            // Whoever claims a higher block claims this one, too: with nobody to ask here, there is nobody at all.
            let Some(choice) = self.peers.choose(first) else { return };
            let wanted = last.min(choice.claim).0 - first.0 + 1;
            let count = u32::try_from(wanted).unwrap_or(u32::MAX).min(choice.batch);
            let id = self.requests.open(Request { peer: choice.peer, from: first, count });
            self.peers.on_asked(&choice.peer, id);
            self.emit(Effect::Request { id, peer: choice.peer, from: first, count });
            let timeout = REQUEST_TIMEOUT * 2_u32.pow(choice.strikes.min(MAX_TIMEOUT_DOUBLINGS));
            self.emit(Effect::SetTimer(Timer::Request(id), timeout));
        }
    }

    /// The lowest heights that are neither here nor asked for, within what may be buffered.
    fn lowest_gap(&self) -> Option<(Height, Height)> {
        let head = self.head.height;
        let next = self.applying.as_ref().map_or(head, |it| it.height).next();
        let end =
            if self.buffer.is_heavy() { next } else { Height(head.0.saturating_add(MAX_BUFFERED_BLOCKS)) };
        let mut first = next;
        while first <= end {
            if let Some(last) = self.requests.covering(first) {
                first = last.next();
            } else if self.buffer.contains(first) {
                first = first.next();
            } else {
                break;
            }
        }
        let obstacles = [self.buffer.first_above(first), self.requests.first_above(first)];
        let last = obstacles.into_iter().flatten().filter_map(Height::previous).fold(end, Height::min);
        (first <= end).then_some((first, last))
    }

    /// A peer lied: nothing more of what it sent, or is about to send, counts.
    fn convict(&mut self, peer: NodeId, height: Height, reason: SyncError) {
        self.emit(Effect::Punish { peer, reason });
        self.buffer.drop_from(&peer);
        self.forget_requests_to(&peer);
        self.peers.on_fault(&peer, height, Fault::Lie);
    }

    fn close(&mut self, id: RequestId, peer: NodeId) -> Option<Request> {
        let request = self.requests.close(id, peer)?;
        self.peers.on_closed(&peer);
        self.emit(Effect::CancelTimer(Timer::Request(id)));
        Some(request)
    }

    fn forget_requests_to(&mut self, peer: &NodeId) {
        for id in self.requests.close_all_of(peer) {
            self.peers.on_closed(peer);
            self.emit(Effect::CancelTimer(Timer::Request(id)));
        }
    }

    fn keep_ticking(&mut self) {
        if !self.ticking && self.peers.is_anyone_struck() {
            self.ticking = true;
            self.emit(Effect::SetTimer(Timer::Rest, REST_TICK));
        }
    }

    /// Stops for good.
    fn diverge(&mut self, divergence: Divergence) {
        if let SyncPhase::Waiting(height) = self.phase {
            self.emit(Effect::CancelTimer(Timer::Grace(height)));
        }
        for id in self.requests.close_all() {
            self.emit(Effect::CancelTimer(Timer::Request(id)));
        }
        if std::mem::take(&mut self.ticking) {
            self.emit(Effect::CancelTimer(Timer::Rest));
        }
        self.buffer.clear();
        self.phase = SyncPhase::Diverged;
        self.emit(Effect::Diverged(divergence));
    }
}
