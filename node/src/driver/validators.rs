//! What follows from a change of the validator set besides the protocol: reserved places, gauges, and words to the
//! operator.

use quorate_consensus::Snapshot;
use quorate_types::{Height, NodeId, ValidatorSet};

use super::{Current, Driver};
use crate::{
    metrics,
    standing::{Standing, is_heard},
};

impl Driver {
    /// `current` has other validators than the heights before it.
    pub(super) fn on_new_set(&self, before: &ValidatorSet, current: &Current, view: &Snapshot) {
        let Current { height, validators: set } = current;
        self.parts.network.set_validators(set.members().iter().map(|it| it.key).collect());
        let left = before.members().iter().filter(|it| !set.contains(&it.key));
        left.for_each(|it| metrics::validator_left(it.key));
        let standing = self.standing(before, set, view);
        tracing::info!(%height, %standing, "the validator set changed");
        self.tell_own_role(*height, before, set);
        // Whoever is behind replays changes of the past, which worked out.
        let behind = view.validators.iter().any(|it| it.height.is_some_and(|there| there > *height));
        if !standing.can_decide() && !behind {
            tracing::warn!(
                %height, %standing,
                "the validators heard from cannot decide a block: start the silent ones, the chain waits for them"
            );
        }
        if let Some(weakness) = standing.weakness {
            tracing::warn!(%height, "{weakness}");
        }
    }

    /// A new member was never listened to, so being connected must do.
    fn standing(&self, before: &ValidatorSet, set: &ValidatorSet, view: &Snapshot) -> Standing {
        let connected: Vec<NodeId> = self.parts.network.peers().into_iter().map(|peer| peer.id).collect();
        let me = self.parts.network.id();
        Standing::of(set, |id| {
            let known = view.validators.iter().find(|it| it.id == *id);
            let spoke = known.is_some_and(|it| is_heard(it.height, it.silent_ms));
            *id == me || if before.contains(id) { spoke } else { connected.contains(id) }
        })
    }

    fn tell_own_role(&self, height: Height, before: &ValidatorSet, set: &ValidatorSet) {
        let me = self.parts.network.id();
        match (before.weight_of(&me), set.weight_of(&me)) {
            (0, 0) => {}
            (0, weight) => tracing::info!(%height, weight, "this node is a validator from this height on"),
            (_, 0) => {
                tracing::info!(%height, "this node has no vote from this height on: it follows as an observer")
            }
            (was, weight) if was != weight => {
                tracing::info!(%height, was, weight, "this node's vote weighs something else from this height on")
            }
            _ => {}
        }
    }
}
