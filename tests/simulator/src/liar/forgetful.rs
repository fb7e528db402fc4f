//! A view change that hides the lock.

use quorate_types::{Message, SignedViewChange, Signer, ViewChange};

use super::sign;
use crate::world::World;

pub(super) fn without_lock(change: ViewChange, signer: &dyn Signer, world: &World) -> Message {
    let signed = sign(ViewChange { prepared: None, ..change }, signer, world);
    Message::ViewChange(SignedViewChange { signed, certificate: None })
}
