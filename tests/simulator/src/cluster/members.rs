//! Who votes changes, through transactions of the chain.

use std::sync::Arc;

use quorate_types::{NodeId, ValidatorSet};
use rand::Rng;

use super::Cluster;
use crate::chain::Change;

/// The highest weight that is drawn.
const MAX_WEIGHT: u64 = 5;
/// How many changes are drawn before there is none.
const MAX_DRAWN: u64 = 8;

impl Cluster {
    /// The validators of the height after the last decided one.
    #[must_use]
    pub fn validators(&self) -> Arc<ValidatorSet> {
        self.world.set_of(self.highest().next()).expect("the blocks up to the highest are known")
    }

    /// Whether a node votes on the height after the last decided one.
    #[must_use]
    pub fn is_validator(&self, node: usize) -> bool {
        self.validators().contains(&self.world.ids[node])
    }

    /// Asks for another weight of a node: 0 makes it an observer.
    pub(super) fn set_weight(&mut self, member: usize, weight: u64, client: usize) {
        let change = Change { base: self.validators().hash(), key: self.world.ids[member], weight };
        self.ask_for(change, client);
    }

    /// Asks for some change that leaves the chain able to go on.
    pub(super) fn change_set(&mut self, chance: u64, client: usize) {
        let set = self.validators();
        let drawn = (0..MAX_DRAWN).map(|step| {
            let chance = chance.wrapping_add(step.wrapping_mul(0x9e37_79b9_7f4a_7c15));
            let node = usize::try_from(chance % self.nodes.len() as u64).expect("few nodes");
            // A quarter of the changes, and more of those that hit an observer, change nothing or remove.
            let weight = (chance >> 32) % (MAX_WEIGHT + 2) % (MAX_WEIGHT + 1);
            Change { base: set.hash(), key: self.world.ids[node], weight }
        });
        let differs = |new: &ValidatorSet| *new != *set && self.is_sound(new);
        let found = drawn.into_iter().find(|change| change.apply(&set).is_some_and(|new| differs(&new)));
        if let Some(change) = found {
            self.ask_for(change, client);
        }
    }

    /// Whether the liars in a set are few enough, and the reliable members a quorum.
    fn is_sound(&self, set: &ValidatorSet) -> bool {
        let weight = |keys: &[NodeId]| set.weight_of_all(keys);
        weight(self.world.oracle.liars()) <= set.max_faulty()
            && set.total() - weight(&self.unreliable) >= set.quorum()
    }

    fn ask_for(&mut self, change: Change, client: usize) {
        let salt = self.world.rng.random();
        self.world
            .note(client, || format!("is asked to give {} weight {}", change.key.short(), change.weight));
        self.nodes[client].inject(change.encode(salt), &mut self.world);
    }
}
