//! Liars. A liar is a whole node with a real replica, whose mouth says something else: what its replica wants to
//! send passes through its habits, and at each tick it may speak unasked. Each habit has a file of its own.

mod double_voter;
mod equivocator;
mod forgetful;
mod high_view;
mod replayer;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use quorate_types::{B256, Block, Bytes, Height, Message, Signable, Signed, Signer, View, keccak256};
use rand::Rng;

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
    /// Leaves its lock out when it changes the view.
    Forgets,
    /// Speaks to some and not to others.
    Whispers,
    /// Gives bodies with other transactions than the header binds.
    RottenBodies,
}

impl Habit {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::Equivocates,
        Self::VotesTwice,
        Self::Mute,
        Self::HighViews,
        Self::Replays,
        Self::Forgets,
        Self::Whispers,
        Self::RottenBodies,
    ];
}

/// The share of the others that a whisper reaches.
const WHISPER: f64 = 0.6;

/// Views whose proposals a liar remembers.
const MAX_OFFERED: usize = 16;

/// What a liar remembers.
#[derive(Debug)]
pub(crate) struct Liar {
    habits: Vec<Habit>,
    /// Which half of the others hears the other story.
    other_half: Vec<bool>,
    /// The second block that it offered, by the hash of the first.
    twins: BTreeMap<B256, Arc<Block>>,
    /// What any leader offered in one view: liars know of each other's stories.
    offered: BTreeMap<(Height, View), BTreeSet<B256>>,
    memory: replayer::Memory,
}

impl Liar {
    pub(crate) fn new(habits: &[Habit], nodes: usize) -> Self {
        Self {
            habits: habits.to_vec(),
            other_half: vec![false; nodes],
            twins: BTreeMap::new(),
            offered: BTreeMap::new(),
            memory: replayer::Memory::default(),
        }
    }

    fn has(&self, habit: Habit) -> bool {
        self.habits.contains(&habit)
    }

    pub(crate) fn is_mute(&self) -> bool {
        self.has(Habit::Mute)
    }

    /// What it really sends instead of `message`, and to whom.
    pub(crate) fn speak(
        &mut self,
        message: &Message,
        signer: &dyn Signer,
        world: &mut World,
    ) -> Vec<(usize, Message)> {
        if self.is_mute() {
            return Vec::new();
        }
        self.choose_halves(message.height(), world);
        let lie = self.other_story(message, signer, world);
        let me = world.index_of(&signer.id());
        let mut said = Vec::new();
        for to in (0..self.other_half.len()).filter(|to| Some(*to) != me) {
            if self.has(Habit::Whispers) && !world.rng.random_bool(WHISPER) {
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
            Message::Vote(vote) if self.has(Habit::Equivocates) || self.has(Habit::VotesTwice) => {
                self.other_vote(vote.statement, signer, world)
            }
            Message::ViewChange(change) if self.has(Habit::Forgets) => {
                Some(forgetful::without_lock(change.signed.statement, signer, world))
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
    pub(crate) fn mutter(&mut self, at: (Height, View), signer: &dyn Signer, world: &mut World) {
        if self.is_mute() {
            return;
        }
        if self.has(Habit::HighViews) {
            high_view::shout(at, signer, world);
        }
        if self.has(Habit::Replays) {
            self.memory.replay(signer.id(), world);
        }
    }

    pub(crate) fn listen(&mut self, message: &Arc<Message>, world: &mut World) {
        if let Message::Proposal(proposal) = &**message {
            let propose = proposal.propose.statement;
            self.offered.entry((propose.height, propose.view)).or_default().insert(propose.block_hash);
            while self.offered.len() > MAX_OFFERED {
                self.offered.pop_first();
            }
        }
        if self.has(Habit::Replays) {
            self.memory.keep(message, world);
        }
    }

    /// What it gives to somebody who asks for the block with this hash, other than the block.
    pub(crate) fn body(&self, hash: &B256, block: Option<&Arc<Block>>) -> Option<Arc<Block>> {
        if let Some(twin) = self.twins.values().find(|twin| twin.hash() == *hash) {
            return Some(twin.clone());
        }
        let block = block.filter(|_| self.has(Habit::RottenBodies))?;
        let rotten = vec![Bytes::from_static(b"rotten")];
        Some(Arc::new(Block::new(block.header().clone(), rotten)))
    }
}

fn sign<S: Signable>(statement: S, signer: &dyn Signer, world: &World) -> Signed<S> {
    Signed::sign(statement, &world.chain.domain, signer).expect("a key in memory signs")
}
