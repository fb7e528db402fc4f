//! Silence, towards all or some.

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
}
