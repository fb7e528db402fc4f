//! Four validators with real keys, and one replica among them whose disk never fails.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use quorate_consensus::{
    Candidate, Effect, Head, Input, OwnRecord, Recovered, Replica, ReplicaConfig, SignGuard, Timer, Trust,
    Unsigned, Verdict,
};
use quorate_types::{
    B256, Block, CommitCertificate, Decided, Domain, Ed25519, Header, Height, Justification, Message, NodeId,
    NodeKey, Phase, PrepareCertificate, Prepared, Proposal, Propose, QuorumCertificate, Reject, RejectReason,
    Roots, Signable, Signed, SignedViewChange, Statement, Status, Validator, ValidatorSet, VerifyContext,
    View, ViewChange, Vote, VoteTally,
};

/// The height in flight in most stories. Its leaders are, from view 0 on, members 1, 2, 3, 0.
pub const HEIGHT: Height = Height(5);
/// The timer of view 0.
pub const BASE: Duration = Duration::from_secs(1);

/// A set of validators and their keys, in the set's order.
pub struct Net {
    pub keys: Vec<NodeKey>,
    pub set: Arc<ValidatorSet>,
    pub domain: Domain,
}

impl Net {
    pub fn of(members: u8) -> Self {
        Self::weighing(members, 1)
    }

    /// Members of this weight each.
    pub fn weighing(members: u8, weight: u64) -> Self {
        let mut keys: Vec<NodeKey> = (1..=members).map(|seed| NodeKey::from_seed([seed; 32])).collect();
        keys.sort_by_key(NodeKey::id);
        let set = ValidatorSet::new(keys.iter().map(|key| Validator::new(key.id(), weight)));
        let domain = Domain { chain_id: 20_200, genesis_hash: B256::repeat_byte(0xaa) };
        Self { keys, set: Arc::new(set.expect("sound keys")), domain }
    }

    pub fn id(&self, who: usize) -> NodeId {
        self.keys[who].id()
    }

    pub fn context(&self) -> VerifyContext<'_> {
        VerifyContext { domain: &self.domain, set: &self.set, verifier: &Ed25519 }
    }

    pub fn sign<S: Signable>(&self, who: usize, statement: S) -> Signed<S> {
        Signed::sign(statement, &self.domain, &self.keys[who]).expect("a key in memory signs")
    }

    /// The head on which most stories begin.
    pub fn head(&self) -> Head {
        Head { height: Height(4), hash: B256::repeat_byte(4), next_validators: self.set.clone() }
    }

    /// An empty block of [`HEIGHT`]; blocks of different salts differ.
    pub fn block(&self, salt: u64) -> Arc<Block> {
        self.block_on(&self.head(), salt)
    }

    pub fn block_on(&self, head: &Head, salt: u64) -> Arc<Block> {
        let header = Header {
            number: head.height.0 + 1,
            parent_hash: head.hash,
            timestamp: 1_000 + salt,
            transactions_root: Block::transactions_root(&[]),
            ..Header::default()
        };
        Arc::new(Block::new(header, vec![]))
    }

    pub fn proposal(&self, view: u64, block: &Block, justification: Option<Justification>) -> Proposal {
        self.proposal_with(view, block, block.transaction_hashes(), justification)
    }

    /// With a list of transactions that need not be the header's.
    pub fn proposal_with(
        &self,
        view: u64,
        block: &Block,
        transaction_hashes: Vec<B256>,
        justification: Option<Justification>,
    ) -> Proposal {
        let (height, view) = (block.height(), View(view));
        let leader = self.set.leader(height, view).key;
        let who = self.keys.iter().position(|key| key.id() == leader).expect("the leader is a member");
        let body_hash = Proposal::body_hash(&transaction_hashes);
        let propose = Propose { height, view, block_hash: block.hash(), body_hash };
        Proposal {
            propose: self.sign(who, propose),
            header: block.header().clone(),
            transaction_hashes,
            prefilled: vec![],
            justification,
        }
    }

    pub fn proposed(&self, view: u64, block: &Block, justification: Option<Justification>) -> Message {
        Message::Proposal(Arc::new(self.proposal(view, block, justification)))
    }

    pub fn vote(&self, who: usize, phase: Phase, view: u64, block: &Block) -> Message {
        let vote = Vote { phase, height: block.height(), view: View(view), block_hash: block.hash() };
        Message::Vote(self.sign(who, vote))
    }

    fn quorum(&self, phase: Phase, view: u64, block: &Block, who: &[usize]) -> QuorumCertificate {
        let vote = Vote { phase, height: block.height(), view: View(view), block_hash: block.hash() };
        let mut tally = VoteTally::new(vote);
        who.iter().for_each(|who| tally.add(&self.set, &self.id(*who), self.sign(*who, vote).signature));
        tally.certificate(&self.set).expect("a quorum")
    }

    /// The prevotes of `who`, a quorum.
    pub fn lock(&self, view: u64, block: &Block, who: &[usize]) -> PrepareCertificate {
        PrepareCertificate::new(self.quorum(Phase::Prevote, view, block, who)).expect("of prevotes")
    }

    /// The commits of `who`, a quorum.
    pub fn proof(&self, view: u64, block: &Block, who: &[usize]) -> CommitCertificate {
        CommitCertificate::new(self.quorum(Phase::Commit, view, block, who)).expect("of commits")
    }

    pub fn wish(&self, who: usize, view: u64, lock: Option<&PrepareCertificate>) -> SignedViewChange {
        let prepared = lock.map(|lock| Prepared { view: lock.view(), block_hash: lock.block_hash() });
        let change = ViewChange { height: HEIGHT, view: View(view), prepared };
        SignedViewChange { signed: self.sign(who, change), certificate: lock.cloned() }
    }

    pub fn wished(&self, who: usize, view: u64, lock: Option<&PrepareCertificate>) -> Message {
        Message::ViewChange(self.wish(who, view, lock))
    }

    /// What a leader makes of these wishes.
    pub fn justify(&self, wishes: &[SignedViewChange]) -> Justification {
        let mut view_changes: Vec<_> = wishes.iter().map(|wish| wish.signed).collect();
        view_changes.sort_by_key(|signed| signed.signer);
        let locks = wishes.iter().filter_map(|wish| wish.certificate.clone());
        Justification { view_changes, certificate: locks.max_by_key(|lock| lock.view()) }
    }

    /// Each later than the one before: a replayed status counts for nothing.
    pub fn status(&self, who: usize, height: u64) -> Message {
        static CLOCK: AtomicU64 = AtomicU64::new(1);
        self.status_at(who, height, CLOCK.fetch_add(1, Ordering::Relaxed))
    }

    pub fn status_at(&self, who: usize, height: u64, clock_ms: u64) -> Message {
        let head_hash = B256::ZERO;
        let (height, view) = (Height(height), View::ZERO);
        let status = Status { height, view, head_hash, clock_ms, in_view_change: false };
        Message::Status(self.sign(who, status))
    }

    pub fn reject(&self, who: usize, block: &Block, roots: Roots) -> Message {
        self.reject_in(who, 0, block, roots)
    }

    pub fn reject_in(&self, who: usize, view: u64, block: &Block, roots: Roots) -> Message {
        let (height, view, reason) = (block.height(), View(view), RejectReason::Divergence);
        let reject = Reject { height, view, block_hash: block.hash(), reason, roots: Some(roots) };
        Message::Reject(self.sign(who, reject))
    }

    pub fn candidate(&self, block: &Arc<Block>) -> Candidate {
        Candidate { block: block.clone(), next_validators: self.set.clone() }
    }
}

/// One replica with a disk, a guard and a key.
pub struct Node {
    pub net: Net,
    pub me: usize,
    pub replica: Replica,
    guard: SignGuard,
    records: BTreeMap<Height, OwnRecord>,
    pub head: Head,
}

impl Node {
    /// Member 0 of four, started on the block before [`HEIGHT`].
    pub fn started() -> Self {
        Self::with(Net::of(4), 0, Trust::Full)
    }

    pub fn with(net: Net, me: usize, trust: Trust) -> Self {
        let head = net.head();
        let mut node = Self::new(net, me, head, Recovered { records: BTreeMap::new(), trust });
        node.feed(Input::Start);
        node
    }

    pub fn new(net: Net, me: usize, head: Head, recovered: Recovered) -> Self {
        Self::configured(net, me, head, recovered, None)
    }

    /// Started on the block before [`HEIGHT`], where empty blocks are wanted after `interval`.
    pub fn wanting_empty_blocks(net: Net, me: usize, interval: Duration) -> (Self, Vec<Effect>) {
        let head = net.head();
        let recovered = Recovered { records: BTreeMap::new(), trust: Trust::Full };
        let mut node = Self::configured(net, me, head, recovered, Some(interval));
        let effects = node.feed(Input::Start);
        (node, effects)
    }

    fn configured(
        net: Net,
        me: usize,
        head: Head,
        recovered: Recovered,
        empty_block_interval: Option<Duration>,
    ) -> Self {
        let config = ReplicaConfig {
            me: net.id(me),
            base_timeout: BASE,
            min_block_interval: Duration::from_millis(50),
            empty_block_interval,
            #[cfg(feature = "mutants")]
            mutant: quorate_consensus::Mutant::active(),
        };
        let mut guard = SignGuard::default();
        recovered.records.values().flat_map(|it| &it.messages).for_each(|it| guard.remember(it));
        let records = recovered.records.clone();
        Self { replica: Replica::new(config, head.clone(), recovered), net, me, guard, records, head }
    }

    /// The process ends and starts again with what its disk holds; what it does at once comes back as well.
    pub fn restarted(self) -> (Self, Vec<Effect>) {
        let recovered = Recovered { records: self.records, trust: Trust::Full };
        let mut node = Self::new(self.net, self.me, self.head, recovered);
        let effects = node.feed(Input::Start);
        (node, effects)
    }

    /// Gives an input, signs what is to be signed, gives that back, and tells all effects.
    pub fn feed(&mut self, input: Input) -> Vec<Effect> {
        let mut inputs = VecDeque::from([input]);
        let mut effects = Vec::new();
        while let Some(input) = inputs.pop_front() {
            for effect in self.replica.step(input) {
                if let Effect::Vote(batch) = &effect {
                    self.guard.admit(batch).expect("a replica never wants what its guard forbids");
                    let messages: Vec<_> = batch.statements.iter().map(|it| self.signed(it)).collect();
                    let record = self.records.entry(batch.height).or_default();
                    record.messages.extend(messages.clone());
                    record.prepared = batch.prepared.clone().or(record.prepared.take());
                    inputs.push_back(Input::Own(messages));
                }
                effects.push(effect);
            }
        }
        effects
    }

    fn signed(&self, unsigned: &Unsigned) -> Message {
        match unsigned.clone() {
            Unsigned::Proposal(it) => {
                let propose = self.net.sign(self.me, it.propose);
                Message::Proposal(Arc::new(it.into_signed(propose)))
            }
            Unsigned::Vote(vote) => Message::Vote(self.net.sign(self.me, vote)),
            Unsigned::ViewChange { change, certificate } => {
                Message::ViewChange(SignedViewChange { signed: self.net.sign(self.me, change), certificate })
            }
        }
    }

    /// Hears a sound message over the connection of its signer.
    pub fn hears(&mut self, message: Message) -> Vec<Effect> {
        let from = message.signer().unwrap_or(self.net.id(1));
        self.hears_from(from, message)
    }

    pub fn hears_from(&mut self, from: NodeId, message: Message) -> Vec<Effect> {
        let message = message.verify(self.net.context()).expect("the story's messages are sound");
        self.feed(Input::Message { message, from })
    }

    /// Finishes a check: the block is valid.
    pub fn executes(&mut self, block: &Arc<Block>) -> Vec<Effect> {
        let verdict = Verdict::Valid(self.net.candidate(block));
        self.feed(Input::Checked { block_hash: block.hash(), verdict })
    }

    /// Finishes a check: this node computes something else.
    pub fn refuses(&mut self, block: &Block, roots: Roots) -> Vec<Effect> {
        let verdict = Verdict::Invalid { reason: RejectReason::Divergence, roots: Some(roots) };
        self.feed(Input::Checked { block_hash: block.hash(), verdict })
    }

    /// Takes part in view 0 up to its own prevote.
    pub fn prevotes(&mut self, block: &Arc<Block>) {
        self.hears(self.net.proposed(0, block, None));
        let effects = self.executes(block);
        assert_eq!(votes(&effects), [(Phase::Prevote, View(0), block.hash())]);
    }

    /// The least interval is over, and there is work.
    pub fn has_work(&mut self) -> Vec<Effect> {
        let mut effects = self.feed(Input::Timer(Timer::BlockInterval(self.replica.height())));
        effects.extend(self.feed(Input::Work(true)));
        effects
    }

    /// The timer of this view of [`HEIGHT`] runs out.
    pub fn times_out(&mut self, view: u64) -> Vec<Effect> {
        let height = self.replica.height();
        let mut effects = self.feed(Input::Timer(Timer::HalfView(height)));
        effects.extend(self.feed(Input::Timer(Timer::View(height, View(view)))));
        effects
    }

    pub fn view(&self) -> View {
        self.replica.snapshot().view
    }

    pub fn decided(&self, block: &Arc<Block>, view: u64) -> Message {
        let certificate = self.net.proof(view, block, &[1, 2, 3]);
        Message::Decided(Decided { certificate, block: Some(block.clone()) })
    }
}

/// All that was to be signed.
pub fn statements(effects: &[Effect]) -> Vec<Statement> {
    let batches = effects.iter().filter_map(|effect| match effect {
        Effect::Vote(batch) => Some(&batch.statements),
        _ => None,
    });
    let statement = |unsigned: &Unsigned| match unsigned {
        Unsigned::Proposal(it) => Statement::Propose(it.propose),
        Unsigned::Vote(vote) => Statement::Vote(*vote),
        Unsigned::ViewChange { change, .. } => Statement::ViewChange(*change),
    };
    batches.flatten().map(statement).collect()
}

/// The prevotes and commits that were to be signed.
pub fn votes(effects: &[Effect]) -> Vec<(Phase, View, B256)> {
    let vote = |it: Statement| match it {
        Statement::Vote(vote) => Some((vote.phase, vote.view, vote.block_hash)),
        _ => None,
    };
    statements(effects).into_iter().filter_map(vote).collect()
}

/// The wishes that were to be signed.
pub fn wishes(effects: &[Effect]) -> Vec<ViewChange> {
    let wish = |it: Statement| match it {
        Statement::ViewChange(change) => Some(change),
        _ => None,
    };
    statements(effects).into_iter().filter_map(wish).collect()
}

/// The proposals that were to be signed.
pub fn proposals(effects: &[Effect]) -> Vec<Propose> {
    let proposal = |it: Statement| match it {
        Statement::Propose(propose) => Some(propose),
        _ => None,
    };
    statements(effects).into_iter().filter_map(proposal).collect()
}

/// Whether a timer was set.
pub fn sets(effects: &[Effect], timer: Timer) -> bool {
    effects.iter().any(|effect| matches!(effect, Effect::SetTimer(it, _) if *it == timer))
}

/// Whether a timer was set to this time.
pub fn sets_to(effects: &[Effect], timer: Timer, time: Duration) -> bool {
    effects
        .iter()
        .any(|effect| matches!(effect, Effect::SetTimer(it, after) if (*it, *after) == (timer, time)))
}

/// The place of the first effect of a kind.
pub fn position(effects: &[Effect], kind: impl Fn(&Effect) -> bool) -> Option<usize> {
    effects.iter().position(kind)
}

/// Whether there is an effect of a kind.
pub fn has(effects: &[Effect], kind: impl Fn(&Effect) -> bool) -> bool {
    position(effects, kind).is_some()
}
