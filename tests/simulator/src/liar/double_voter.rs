//! Two votes in one phase of one view.

use quorate_types::{Message, Signer, Vote, keccak256};

use super::{Habit, Liar, sign};
use crate::world::World;

impl Liar {
    /// A vote for the twin of the block, for another one that was offered, or for nothing that exists.
    pub(super) fn other_vote(&self, vote: Vote, signer: &dyn Signer, world: &mut World) -> Option<Message> {
        let twin = self.knowledge.twin_of(&vote.block_hash);
        let other = self.knowledge.other_offer((vote.height, vote.view), &vote.block_hash);
        let nothing = self.has(Habit::VotesTwice).then(|| keccak256(vote.block_hash));
        let block_hash = twin.or(other).or(nothing)?;
        world.tally.count("votes cast twice");
        Some(Message::Vote(sign(Vote { block_hash, ..vote }, signer, world)))
    }
}
