//! Two votes in one phase of one view.

use quorate_types::{Message, Signer, Vote, keccak256};

use super::{Liar, sign};
use crate::world::World;

impl Liar {
    /// A vote for the twin of the block, for another one that was offered, or for nothing that exists.
    pub(super) fn other_vote(&self, vote: Vote, signer: &dyn Signer, world: &World) -> Option<Message> {
        let twin = self.twins.get(&vote.block_hash).map(|twin| twin.hash());
        let offered = self.offered.get(&(vote.height, vote.view)).into_iter().flatten();
        let other = offered.copied().find(|hash| *hash != vote.block_hash);
        let nothing = self.has(super::Habit::VotesTwice).then(|| keccak256(vote.block_hash));
        let block_hash = twin.or(other).or(nothing)?;
        Some(Message::Vote(sign(Vote { block_hash, ..vote }, signer, world)))
    }
}
