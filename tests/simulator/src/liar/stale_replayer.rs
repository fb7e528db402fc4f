//! Old messages of others, sent again: their signatures are good.

use std::sync::Arc;

use quorate_types::Message;
use rand::Rng;

use crate::{packet::Packet, world::World};

/// Messages kept.
const KEPT: usize = 256;
/// Of which so many are the first ones ever heard, and stay.
const OLDEST: usize = 64;
/// Messages sent again at each tick.
const AT_ONCE: usize = 8;

/// What was heard.
#[derive(Debug, Default)]
pub(super) struct Memory(Vec<Arc<Message>>);

impl Memory {
    pub(super) fn keep(&mut self, message: &Arc<Message>, world: &mut World) {
        if self.0.len() < KEPT {
            self.0.push(message.clone());
        } else {
            self.0[world.rng.random_range(OLDEST..KEPT)] = message.clone();
        }
    }

    pub(super) fn replay(&self, me: usize, world: &mut World) {
        if self.0.is_empty() {
            return;
        }
        for _ in 0..AT_ONCE {
            let message = self.0[world.rng.random_range(0..self.0.len())].clone();
            let to = world.rng.random_range(0..world.ids.len());
            if to != me {
                world.tally.count("old messages sent again");
                world.send(me, to, &Packet::Consensus(message));
            }
        }
    }
}
