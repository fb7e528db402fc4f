//! The replica: its state, and the dispatch of inputs.

use std::{collections::BTreeMap, sync::Arc};

use quorate_types::{B256, Height, Message, NodeId, ValidatorSet, Verified, View};

use crate::{
    Abstention, Alarm, Effect, Evidence, Head, Input, LastHeard, NotVoting, Note, OwnRecord, Recovered,
    ReplicaConfig, Timer, Trust, Verdict,
    liveness::Liveness,
    mutant::Mutant,
    undecided::{BlockState, Undecided},
};

/// One node's part in the protocol.
#[derive(Debug)]
pub struct Replica {
    pub(crate) config: ReplicaConfig,
    pub(crate) now: Undecided,
    /// The head: the parent of the height in flight.
    pub(crate) head_height: Height,
    /// Up to here block records are synced; the Commit of the height above waits for it (R9).
    pub(crate) durable: Height,
    /// Whether a transaction waits that could be executed now.
    pub(crate) work: bool,
    pub(crate) signing: Signing,
    /// Whether what is signed can be written.
    pub(crate) disk_room: bool,
    pub(crate) liveness: Liveness,
    /// What the vote log held of heights that are not reached yet.
    pub(crate) recovered: BTreeMap<Height, OwnRecord>,
    started: bool,
    effects: Vec<Effect>,
    /// What the last step came to, for people.
    pub(crate) notes: Vec<Note>,
    /// Why this node did not vote when that was last noted.
    pub(crate) noted_voting: Option<NotVoting>,
}

/// Whether this node may sign votes.
#[derive(Clone, Debug)]
pub(crate) enum Signing {
    /// It may.
    Free,
    /// Not yet: its log does not say all that its key signed.
    Abstaining(Abstention),
    /// Never again: its key runs twice, or it executes differently.
    Stopped,
}

impl Replica {
    /// A replica on top of `head`, with what its vote log still held.
    #[must_use]
    pub fn new(config: ReplicaConfig, head: Head, recovered: Recovered) -> Self {
        let signing = match recovered.trust {
            Trust::Full => Signing::Free,
            Trust::None if config.breaks(Mutant::TrustsLostLog) => Signing::Free,
            Trust::None => Signing::Abstaining(Abstention::default()),
        };
        Self {
            config,
            now: Undecided::new(head.height.next(), head.next_validators, head.hash),
            head_height: head.height,
            durable: head.height,
            work: false,
            signing,
            disk_room: true,
            liveness: Liveness::default(),
            recovered: recovered.records,
            started: false,
            effects: Vec::new(),
            notes: Vec::new(),
            noted_voting: None,
        }
    }

    /// Takes one input and says what is to be done, in order.
    #[must_use]
    pub fn step(&mut self, input: Input) -> Vec<Effect> {
        self.notes.clear();
        self.started |= matches!(input, Input::Start);
        if !self.started {
            // What the log held is taken back at the start. Whoever acted before would sign it anew.
            if let Input::DiskRoom(room) = input {
                self.disk_room = room;
            }
            return Vec::new();
        }
        match input {
            Input::Start => self.on_start(),
            Input::Message { message, from } => self.on_message(message, from),
            Input::Own(messages) => self.on_own(messages),
            Input::Timer(timer) => self.on_timer(timer),
            Input::Work(work) => {
                self.work = work;
                self.arm_view_timer();
            }
            Input::Built { plan, candidate } => self.on_built(plan, candidate),
            Input::Executing(block_hash) => self.on_executing(block_hash),
            Input::Checked { block_hash, verdict } => self.on_checked(block_hash, verdict),
            Input::Durable(height) => {
                self.durable = self.durable.max(height);
                self.heed_earlier_wishes();
            }
            Input::Synced(head) => self.on_synced(head),
            Input::DiskRoom(room) => {
                self.disk_room = room;
                self.heed_earlier_wishes();
            }
            Input::PeerConnected => self.announce_status(),
            Input::Behind { height, from } => self.help(from, height),
            Input::Ahead { height, from } => self.ask_to_sync(height, from),
        }
        self.progress();
        self.note_voting();
        std::mem::take(&mut self.effects)
    }

    pub(crate) fn emit(&mut self, effect: Effect) {
        self.effects.push(effect);
    }

    /// Whether this node votes at the current height. With two decided blocks not synced it waits for the disk, so that a power
    /// cut takes back two heights at most (R20).
    pub(crate) fn may_sign(&self) -> bool {
        self.is_trusted()
            && (self.disk_room || self.config.breaks(Mutant::SignsOnFullDisk))
            && (self.durable.next() >= self.head_height || self.config.breaks(Mutant::RunsAheadOfDisk))
            && (self.now.validators.contains(&self.config.me) || self.config.breaks(Mutant::VotesOutside))
    }

    /// Whether this node knows all that its key signed at the current height.
    fn is_trusted(&self) -> bool {
        match &self.signing {
            Signing::Free => true,
            Signing::Abstaining(abstention) => abstention.is_over(self.firm_height()),
            Signing::Stopped => false,
        }
    }

    pub(crate) fn is_leader(&self, view: View) -> bool {
        self.now.leader(view) == self.config.me
    }

    fn on_start(&mut self) {
        self.emit(Effect::SetTimer(Timer::Tick, crate::liveness::TICK));
        self.begin_height();
        self.announce_status();
    }

    /// Everything that may have become possible, in the protocol's order. Each part does nothing
    /// when its time has not come or is over.
    pub(crate) fn progress(&mut self) {
        self.try_leave_abstention();
        self.try_propose();
        self.try_prevote();
        self.try_prepare();
        self.try_commit();
        #[cfg(feature = "mutants")]
        crate::mutations::sign_ahead(self);
        self.try_decide();
    }

    fn on_message(&mut self, message: Verified<Message>, from: NodeId) {
        let height = message.height();
        if let Message::Status(status) = &*message {
            self.on_status(*status, from);
            return;
        }
        if let Some(signer) = message.signer() {
            self.hear(signer, LastHeard::of(&message));
        }
        if height < self.now.height {
            self.help(from, height);
            return;
        }
        if height > self.now.height {
            // Whoever speaks of a height has decided the one before it.
            self.ask_to_sync(height, from);
            return;
        }
        if message.signer() == Some(self.config.me) {
            self.on_own_from_outside(message.into_inner());
            return;
        }
        let relayed = (*message).clone();
        let took_a_slot = match message.into_inner() {
            Message::Proposal(proposal) => self.on_proposal(proposal),
            Message::Vote(vote) => self.on_vote(vote),
            Message::ViewChange(change) => self.on_view_change(change),
            Message::Reject(reject) => self.on_reject(reject),
            Message::Decided(decided) => self.on_decided(decided),
            Message::Status(_) => false,
        };
        self.pass_on(relayed, from, took_a_slot);
    }

    fn on_own(&mut self, messages: Vec<Message>) {
        let height = self.now.height;
        messages
            .into_iter()
            .filter(|message| message.height() == height)
            .for_each(|message| self.take_own(message));
    }

    /// A signature of our own that comes from outside: one of those we sent, or the key runs twice (R23).
    fn on_own_from_outside(&mut self, message: Message) {
        if self.is_trusted() && !self.is_own_known(&message) && !self.config.breaks(Mutant::IgnoresTwin) {
            self.signing = Signing::Stopped;
            self.emit(Effect::Alarm(Alarm::ForeignSignature(message)));
        }
    }

    fn on_timer(&mut self, timer: Timer) {
        let height = self.now.height;
        match timer {
            Timer::View(at, view) if at == height => self.on_view_timeout(view),
            Timer::HalfView(at) if at == height => {
                self.now.timer.half_over = true;
                self.share_work();
            }
            Timer::BlockInterval(at) if at == height => {
                self.now.interval_passed = true;
                self.arm_view_timer();
            }
            Timer::EmptyBlock(at) if at == height => {
                self.now.empty_block_due = true;
                self.arm_view_timer();
            }
            Timer::Resend(at) if at == height => self.on_resend(),
            Timer::Tick => self.on_tick(),
            // It fired for a height that is over.
            Timer::View(..)
            | Timer::HalfView(_)
            | Timer::BlockInterval(_)
            | Timer::EmptyBlock(_)
            | Timer::Resend(_) => {}
        }
    }

    fn on_executing(&mut self, block_hash: B256) {
        if let Some(BlockState::Checking { executing, .. }) = self.now.blocks.get_mut(&block_hash) {
            *executing = true;
        }
    }

    fn on_checked(&mut self, block_hash: B256, verdict: Verdict) {
        let asked = matches!(self.now.blocks.get(&block_hash), Some(BlockState::Checking { .. }));
        // Of two checks of one block the one that failed may have answered first.
        let late = matches!(&verdict, Verdict::Valid(it) if it.block.height() == self.now.height)
            && !self.now.blocks.contains_key(&block_hash);
        if !asked && !late {
            return;
        }
        match verdict {
            Verdict::Valid(candidate) => {
                self.now.note_block(block_hash, BlockState::Valid(candidate));
                self.arm_view_timer();
            }
            Verdict::Invalid { reason, roots } => self.on_refused(block_hash, reason, roots),
            Verdict::Unavailable => {
                // Asked for again with the next resend.
                self.now.blocks.remove(&block_hash);
            }
            Verdict::Mismatched { body_hash } => self.on_mismatched(block_hash, body_hash),
        }
    }

    pub(crate) fn report(&mut self, evidence: Evidence) {
        if !self.config.breaks(Mutant::KeepsEvidence) {
            self.emit(Effect::Report(evidence));
        }
    }

    /// The height being decided.
    #[must_use]
    pub const fn height(&self) -> Height {
        self.now.height
    }

    /// The validators of the height being decided.
    #[must_use]
    pub fn validators(&self) -> &Arc<ValidatorSet> {
        &self.now.validators
    }
}
