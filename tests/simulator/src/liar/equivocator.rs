//! A leader that offers two blocks in one view.

use std::sync::Arc;

use quorate_types::{Message, Proposal, Propose, Signer};

use super::{Liar, sign};
use crate::world::World;

impl Liar {
    /// Another valid block for the same view. A block that a lock binds the leader to has no such twin.
    pub(super) fn other_proposal(
        &mut self,
        proposal: &Arc<Proposal>,
        signer: &dyn Signer,
        world: &mut World,
    ) -> Option<Message> {
        if proposal.justification.as_ref().is_some_and(|it| it.certificate.is_some()) {
            return None;
        }
        let block = self.knowledge.invent(proposal)?;
        let other = Propose { block_hash: block.hash(), ..proposal.propose.statement };
        let (propose, header) = (sign(other, signer, world), block.header().clone());
        world.tally.count("views with two proposals");
        Some(Message::Proposal(Arc::new(Proposal { propose, header, ..(**proposal).clone() })))
    }
}
