//! Liars. A liar is a whole node with a real replica, whose mouth says something else: what its replica wants to
//! send passes through its habits, and at each tick it may speak unasked. Each habit has a file of its own.

mod amnesiac;
mod contradictor;
mod double_voter;
mod equivocator;
mod forged_certificate;
mod forged_justification;
mod high_view;
mod knowledge;
mod rotten_bodies;
mod silent;
mod spammer;
mod spoiler;
mod stale_replayer;

use std::sync::Arc;

use quorate_consensus::Replica;
use quorate_types::{
    B256, Block, Height, Message, NodeId, Phase, Signable, Signed, Signer, ValidatorSet, View, keccak256,
};

use crate::world::World;

/// One way to lie. A liar has one or more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Habit {
    /// As a leader, offers two blocks to two halves, and votes for each before those who know it.
    Equivocates,
    /// Votes for something else before half of the others.
    VotesTwice,
    /// Says nothing at all.
    Mute,
    /// Asks for absurdly high views and votes in them.
    HighViews,
    /// Sends again what it once heard, to anyone.
    Replays,
    /// Leaves its lock out when it changes the view, and starts as if it had never signed anything.
    Forgets,
    /// Speaks to some and not to others.
    Whispers,
    /// Gives bodies with other transactions than the header binds.
    RottenBodies,
    /// Proposes in views that nobody wished for, with wishes that it made up.
    ForgesJustifications,
    /// Shows locks and decisions that nobody voted for.
    ForgesCertificates,
    /// Alters what is not signed in the offers that it passes on.
    SpoilsOffers,
    /// As a leader, signs a header with transactions that are not its own.
    Contradicts,
    /// Floods: other heights and views, messages as large as they may be, bytes that are no message.
    Spams,
    /// As a leader, proposes nothing; it votes and wishes like anyone.
    NeverProposes,
}

impl Habit {
    /// All of them.
    pub const ALL: [Self; 14] = [
        Self::Equivocates,
        Self::VotesTwice,
        Self::Mute,
        Self::HighViews,
        Self::Replays,
        Self::Forgets,
        Self::Whispers,
        Self::RottenBodies,
        Self::ForgesJustifications,
        Self::ForgesCertificates,
        Self::SpoilsOffers,
        Self::Contradicts,
        Self::Spams,
        Self::NeverProposes,
    ];

    /// How the report calls it.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Equivocates => "liars that equivocate",
            Self::VotesTwice => "liars that vote twice",
            Self::Mute => "liars that are mute",
            Self::HighViews => "liars that ask for high views",
            Self::Replays => "liars that replay",
            Self::Forgets => "liars that forget",
            Self::Whispers => "liars that whisper",
            Self::RottenBodies => "liars that give rotten bodies",
            Self::ForgesJustifications => "liars that forge justifications",
            Self::ForgesCertificates => "liars that forge certificates",
            Self::SpoilsOffers => "liars that spoil offers",
            Self::Contradicts => "liars that contradict themselves",
            Self::Spams => "liars that spam",
            Self::NeverProposes => "liars that never propose",
        }
    }
}

/// Where a liar speaks from.
pub(crate) struct Mouth<'a> {
    /// Its number.
    pub(crate) me: usize,
    pub(crate) signer: &'a dyn Signer,
    /// What its replica decides now.
    pub(crate) at: (Height, View),
    /// Who votes on it.
    pub(crate) set: &'a Arc<ValidatorSet>,
}

impl<'a> Mouth<'a> {
    pub(crate) fn of(me: usize, signer: &'a dyn Signer, replica: &'a Replica) -> Self {
        Self { me, signer, at: (replica.height(), replica.view()), set: replica.validators() }
    }

    fn sign<S: Signable>(&self, statement: S, world: &World) -> Signed<S> {
        sign(statement, self.signer, world)
    }

    fn id(&self) -> NodeId {
        self.signer.id()
    }

    fn shout(&self, message: Message, world: &mut World) {
        world.send_to_all(self.me, &World::consensus(message));
    }
}

/// A liar's habits, and what they need to remember.
#[derive(Debug)]
pub(crate) struct Liar {
    habits: Vec<Habit>,
    /// Which half of the others hears the other story.
    other_half: Vec<bool>,
    knowledge: knowledge::Knowledge,
    memory: stale_replayer::Memory,
}

impl Liar {
    pub(crate) fn new(habits: &[Habit], nodes: usize) -> Self {
        Self {
            habits: habits.to_vec(),
            other_half: vec![false; nodes],
            knowledge: knowledge::Knowledge::default(),
            memory: stale_replayer::Memory::default(),
        }
    }

    fn has(&self, habit: Habit) -> bool {
        self.habits.contains(&habit)
    }

    /// What it really sends instead of `message`, and to whom.
    pub(crate) fn speak(
        &mut self,
        message: &Message,
        (me, signer): (usize, &dyn Signer),
        world: &mut World,
    ) -> Vec<(usize, Message)> {
        if self.is_mute() || self.lets_its_turn_pass(message, world) {
            return Vec::new();
        }
        self.choose_halves(message.height(), world);
        let lie = self.other_story(message, signer, world);
        let mut said = Vec::new();
        for to in (0..self.other_half.len()).filter(|to| *to != me) {
            if !self.is_heard(world) || self.withholds(message, to) {
                continue;
            }
            let told = lie.as_ref().filter(|_| self.other_half[to]).unwrap_or(message);
            said.push((to, told.clone()));
            // Liars among themselves tell everything.
            if let Some(lie) = lie.as_ref().filter(|_| world.oracle.is_liar(&world.ids[to])) {
                said.extend([(to, lie.clone()), (to, message.clone())]);
            }
        }
        said
    }

    /// A commit that few know is the best ground for a forged view: some have decided, and others have not.
    fn withholds(&self, message: &Message, to: usize) -> bool {
        self.has(Habit::ForgesJustifications) && is_commit(message) && !self.other_half[to]
    }

    /// Speaks at the worst moment: once the others commit.
    pub(crate) fn follow_up(&mut self, message: &Message, mouth: &Mouth<'_>, world: &mut World) {
        if self.has(Habit::ForgesJustifications) && is_commit(message) {
            self.forge_justification(mouth, world);
        }
    }

    /// Two halves for each height, the same for all liars.
    fn choose_halves(&mut self, height: Height, world: &World) {
        let bits = keccak256([world.collusion, height.0].map(u64::to_be_bytes).as_flattened());
        for (half, byte) in self.other_half.iter_mut().zip(bits.iter().cycle()) {
            *half = byte % 2 == 1;
        }
    }

    /// What the other half hears.
    fn other_story(&mut self, message: &Message, signer: &dyn Signer, world: &mut World) -> Option<Message> {
        match message {
            Message::Proposal(proposal) if self.has(Habit::Equivocates) => {
                self.other_proposal(proposal, signer, world)
            }
            Message::Proposal(proposal) if self.has(Habit::Contradicts) => {
                Some(contradictor::other_list(proposal, signer, world))
            }
            Message::Vote(vote) if self.has(Habit::Equivocates) || self.has(Habit::VotesTwice) => {
                self.other_vote(vote.statement, signer, world)
            }
            Message::ViewChange(change) if self.has(Habit::Forgets) => {
                Some(amnesiac::without_lock(change.signed.statement, signer, world))
            }
            Message::Proposal(_)
            | Message::Vote(_)
            | Message::ViewChange(_)
            | Message::Reject(_)
            | Message::Status(_)
            | Message::Decided(_) => None,
        }
    }

    /// Speaks unasked.
    pub(crate) fn mutter(&mut self, mouth: &Mouth<'_>, world: &mut World) {
        if self.is_mute() {
            return;
        }
        if self.has(Habit::HighViews) {
            high_view::shout(mouth, world);
        }
        if self.has(Habit::Replays) {
            self.memory.replay(mouth.me, world);
        }
        if self.has(Habit::ForgesJustifications) {
            self.forge_justification(mouth, world);
        }
        if self.has(Habit::ForgesCertificates) {
            self.forge_certificates(mouth, world);
        }
        if self.has(Habit::Spams) {
            self.spam(mouth, world);
        }
    }

    pub(crate) fn listen(&mut self, message: &Arc<Message>, world: &mut World) {
        self.knowledge.learn(message);
        if self.has(Habit::Replays) {
            self.memory.keep(message, world);
        }
    }

    /// What it passes on instead of what others said.
    pub(crate) fn pass_on(&self, message: Message, world: &mut World) -> Message {
        match message {
            Message::Proposal(proposal) if self.has(Habit::SpoilsOffers) => spoiler::spoilt(&proposal, world),
            message => message,
        }
    }

    /// What it gives to somebody who asks for the block with this hash, other than the block.
    pub(crate) fn body(&self, hash: &B256, block: Option<&Arc<Block>>) -> Option<Arc<Block>> {
        let invented = self.knowledge.invented(hash).cloned();
        invented.or_else(|| block.filter(|_| self.has(Habit::RottenBodies)).map(rotten_bodies::of))
    }
}

fn is_commit(message: &Message) -> bool {
    matches!(message, Message::Vote(vote) if vote.statement.phase == Phase::Commit)
}

fn sign<S: Signable>(statement: S, signer: &dyn Signer, world: &World) -> Signed<S> {
    Signed::sign(statement, &world.chain.domain, signer).expect("a key in memory signs")
}
