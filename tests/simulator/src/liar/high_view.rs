//! Huge views (faults.md, liar-high-view: FISCO #2206, #2211).

use quorate_types::{B256, Height, Message, Phase, SignedViewChange, Status, View, ViewChange, Vote};
use rand::Rng;

use super::Mouth;
use crate::world::World;

/// A little higher, much higher, and as high as it gets.
const STEPS: [u64; 4] = [1, 2, 1000, u64::MAX];

/// Wishes, votes and boasts far above where everyone is.
pub(super) fn shout(mouth: &Mouth<'_>, world: &mut World) {
    let (height, view) = mouth.at;
    let mut higher = || View(view.0.saturating_add(STEPS[world.rng.random_range(0..STEPS.len())]));
    let (view, vote_view) = (higher(), higher());
    let change = ViewChange { height, view, prepared: None };
    let vote = Vote { phase: Phase::Commit, height, view: vote_view, block_hash: B256::repeat_byte(1) };
    let status = Status {
        height: Height(height.0.saturating_add(view.0)),
        view,
        head_hash: B256::ZERO,
        clock_ms: u64::MAX,
        in_view_change: true,
    };
    let messages = [
        Message::ViewChange(SignedViewChange { signed: mouth.sign(change, world), certificate: None }),
        Message::Vote(mouth.sign(vote, world)),
        Message::Status(mouth.sign(status, world)),
    ];
    for message in messages {
        world.tally.count("high views asked for");
        mouth.shout(message, world);
    }
}
