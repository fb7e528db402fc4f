//! Silence: towards all, towards some, or where an offer is due.

use quorate_types::Message;
use rand::Rng;

use super::{Habit, Liar};
use crate::world::World;

/// The share of the others that a whisper reaches.
const WHISPER: f64 = 0.6;

impl Liar {
    pub(crate) fn is_mute(&self) -> bool {
        self.has(Habit::Mute)
    }

    /// Whether one of the others hears what it says now.
    pub(super) fn is_heard(&self, world: &mut World) -> bool {
        !self.has(Habit::Whispers) || world.rng.random_bool(WHISPER)
    }

    /// Whether it keeps its offer to itself. What else it signs shows that it is alive, so that it does not count as silent.
    pub(super) fn lets_its_turn_pass(&self, message: &Message, world: &mut World) -> bool {
        let passes = self.has(Habit::NeverProposes) && matches!(message, Message::Proposal(_));
        if passes {
            world.tally.count("offers kept back");
        }
        passes
    }
}
