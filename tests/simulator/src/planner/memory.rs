//! A node forgets what it signed.

use std::time::Duration;

use rand::Rng;

use super::Planner;
use crate::{disk::Death, fault::Fault, network::between};

/// In smaller sets the others are no quorum: nobody could say what the lost log held.
const MIN_NODES: usize = 3;
/// By how much a copy of the blocks is older.
const BACK: std::ops::RangeInclusive<u64> = 1..=8;

/// What is lost.
#[derive(Clone, Copy, Debug)]
enum Loss {
    Folder,
    Log,
    Bytes,
    Blocks,
}

impl Planner<'_> {
    /// The data folder.
    pub(crate) fn wipe(&mut self) {
        self.lose(Loss::Folder);
    }

    /// Any part of it.
    pub(crate) fn lose_something(&mut self) {
        let losses = [Loss::Folder, Loss::Log, Loss::Bytes, Loss::Blocks];
        let loss = losses[self.rng.random_range(0..losses.len())];
        self.lose(loss);
    }

    /// The same happens to a second node, where that is within what the set tolerates.
    pub(crate) fn lose_another(&mut self) {
        if self.losers > 0 && self.may_lie() > 0 && self.chance(0.4) {
            self.lose_something();
        }
    }

    fn lose(&mut self, loss: Loss) {
        if self.nodes < MIN_NODES || self.spare() == 0 {
            return;
        }
        let Some(node) = self.someone_reliable() else { return };
        self.losers += 1;
        self.unreliable.push(node);
        // Not in the first moments: who forgets then cannot know that the chain has begun.
        let at = between(self.rng, self.length / 3, self.length);
        self.add(at, Fault::Crash { node, death: Death::TornPowerCut, after: 0 });
        let fault = match loss {
            Loss::Folder => Fault::Wipe(node),
            Loss::Log => Fault::LoseLog(node),
            Loss::Bytes => Fault::DamageLog { node, chance: self.rng.random() },
            Loss::Blocks => Fault::RestoreCopy { node, back: self.rng.random_range(BACK) },
        };
        self.add(at + Duration::from_millis(10), fault);
        let back = at + self.millis(20, 1000);
        self.add(back, Fault::Start(node));
    }
}
