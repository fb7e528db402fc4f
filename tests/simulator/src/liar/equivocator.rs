//! A leader that offers two blocks in one view.

use std::sync::Arc;

use quorate_types::{Block, Bytes, Header, Message, Proposal, Propose, Signer};

use super::{Liar, sign};
use crate::world::World;

impl Liar {
    /// Another valid block for the same view. A block that a lock binds the leader to has no such twin.
    pub(super) fn other_proposal(
        &mut self,
        proposal: &Arc<Proposal>,
        signer: &dyn Signer,
        world: &World,
    ) -> Option<Message> {
        if proposal.justification.as_ref().is_some_and(|it| it.certificate.is_some()) {
            return None;
        }
        let propose = proposal.propose.statement;
        // The same transactions, so that execution agrees; the limit is in no rule of this chain.
        let header = Header { gas_limit: proposal.header.gas_limit + 1, ..proposal.header.clone() };
        let other = Propose { block_hash: header.hash_slow(), ..propose };
        let raw: Vec<Bytes> = proposal.prefilled.iter().map(|(_, raw)| raw.clone()).collect();
        self.twins.insert(propose.block_hash, Arc::new(Block::new(header.clone(), raw)));
        let propose = sign(other, signer, world);
        Some(Message::Proposal(Arc::new(Proposal { propose, header, ..(**proposal).clone() })))
    }
}
