//! Others' offers, passed on with other raw transactions than were sent: no signature covers them.

use std::sync::Arc;

use quorate_types::{Bytes, Message, Proposal};

use crate::world::World;

pub(super) fn spoilt(proposal: &Proposal, world: &mut World) -> Message {
    let mut spoilt = proposal.clone();
    for (_, raw) in &mut spoilt.prefilled {
        world.tally.count("transactions spoilt on the way");
        *raw = Bytes::from_static(b"spoilt");
    }
    Message::Proposal(Arc::new(spoilt))
}
