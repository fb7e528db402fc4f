//! Whoever forgets: a view change that hides the lock, and a start without a past.

use quorate_types::{Message, SignedViewChange, Signer, ViewChange};

use super::{Habit, Liar, sign};
use crate::world::World;

impl Liar {
    /// Whether it starts as if it had never signed anything, and trusts that.
    pub(crate) fn forgets(&self) -> bool {
        self.has(Habit::Forgets)
    }
}

pub(super) fn without_lock(change: ViewChange, signer: &dyn Signer, world: &mut World) -> Message {
    if change.prepared.is_some() {
        world.tally.count("locks hidden");
    }
    let signed = sign(ViewChange { prepared: None, ..change }, signer, world);
    Message::ViewChange(SignedViewChange { signed, certificate: None })
}
