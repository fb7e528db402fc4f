//! A leader that signs one block's header with another's list of transactions.

use std::sync::Arc;

use quorate_types::{Bytes, Message, Proposal, Propose, Signer, keccak256};

use super::sign;
use crate::world::World;

/// The same header with one transaction too many, which travels along: whoever assembles the list finds out.
pub(super) fn other_list(proposal: &Proposal, signer: &dyn Signer, world: &mut World) -> Message {
    let raw = Bytes::from_static(b"one too many");
    let mut lie = proposal.clone();
    lie.prefilled.push((u32::try_from(lie.transaction_hashes.len()).expect("few"), raw.clone()));
    lie.transaction_hashes.push(keccak256(&raw));
    let body_hash = Proposal::body_hash(&lie.transaction_hashes);
    lie.propose = sign(Propose { body_hash, ..proposal.propose.statement }, signer, world);
    world.tally.count("lists that contradict their header");
    Message::Proposal(Arc::new(lie))
}
