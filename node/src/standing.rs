//! The arithmetic of a validator set: what it needs to decide, and how much of that is heard.

use std::fmt;

use quorate_types::{Height, NodeId, Validator, ValidatorSet};
use serde::Serialize;

/// A validator of whom nothing signed came for this long is not heard. It sends a status every second, so four are lost by
/// then; the protocol's own silence (R18) is shorter, as it may be wrong about a leader at little cost.
const HEARD_WITHIN_MS: u64 = 5_000;

/// Whether a validator is heard, by the height in its last status and for how long nothing signed by it has come. The time
/// alone does not tell: it begins at 0 when the node starts, also for those who never said anything.
pub(crate) const fn is_heard(height: Option<Height>, silent_ms: u64) -> bool {
    height.is_some() && silent_ms < HEARD_WITHIN_MS
}

/// Weights of one set, and how much of it is heard from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Standing {
    /// How many members vote.
    pub(crate) validators: usize,
    /// W.
    pub(crate) total_weight: u64,
    /// F.
    pub(crate) max_faulty: u64,
    /// Q.
    pub(crate) quorum: u64,
    /// The weight of those heard from.
    pub(crate) heard: u64,
    /// Those not heard from.
    pub(crate) silent: Vec<NodeId>,
    /// What the set does not tolerate, whoever is heard; see [`ValidatorSet::weakness`].
    pub(crate) weakness: Option<String>,
}

impl Standing {
    pub(crate) fn of(set: &ValidatorSet, is_heard: impl Fn(&NodeId) -> bool) -> Self {
        let (heard, silent): (Vec<&Validator>, Vec<&Validator>) =
            set.members().iter().partition(|it| is_heard(&it.key));
        Self {
            validators: set.len(),
            total_weight: set.total(),
            max_faulty: set.max_faulty(),
            quorum: set.quorum(),
            heard: heard.iter().map(|it| it.weight).sum(),
            silent: silent.iter().map(|it| it.key).collect(),
            weakness: set.weakness(),
        }
    }

    /// Whether those heard from can decide a block.
    pub(crate) const fn can_decide(&self) -> bool {
        self.heard >= self.quorum
    }
}

impl fmt::Display for Standing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { validators, total_weight, max_faulty, quorum, heard, silent, weakness: _ } = self;
        let may_be_down = total_weight - quorum;
        write!(
            f,
            "{validators} validators of weight W = {total_weight}: F = {max_faulty} may lie, Q = {quorum} decide, \
             {may_be_down} may be down; heard from {heard}"
        )?;
        match heard.checked_sub(*quorum) {
            Some(spare) => write!(f, ", so {spare} more may go down")?,
            None => write!(f, ", {} too few to decide", quorum - heard)?,
        }
        if !silent.is_empty() {
            let silent: Vec<_> = silent.iter().map(|id| format!("0x{id}")).collect();
            write!(f, "; silent: {}", silent.join(", "))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use quorate_types::NodeKey;

    use super::*;

    fn set(weights: &[u64]) -> ValidatorSet {
        let member =
            |(weight, seed): (&u64, u8)| Validator::new(NodeKey::from_seed([seed; 32]).id(), *weight);
        ValidatorSet::new(weights.iter().zip(1..).map(member)).expect("sound")
    }

    /// The arithmetic behind faults.md, offline-candidate (Besu #8425, Edge #637).
    #[test]
    fn a_fifth_validator_that_is_down_leaves_nobody_to_spare() {
        let down = NodeKey::from_seed([5; 32]).id();
        let standing = Standing::of(&set(&[1; 5]), |id| *id != down);
        assert!(standing.can_decide());
        let text = standing.to_string();
        assert!(
            text.contains("W = 5: F = 1 may lie, Q = 4 decide, 1 may be down; heard from 4, so 0 more"),
            "{text}"
        );
        assert!(text.contains(&format!("silent: 0x{down}")), "{text}");
    }

    /// Given a node that has just started, when nobody has said anything yet, then nobody is heard.
    #[test]
    fn who_never_said_anything_is_not_heard() {
        assert!(!is_heard(None, 0));
        assert!(is_heard(Some(Height(7)), 0));
        assert!(is_heard(Some(Height(7)), HEARD_WITHIN_MS - 1));
        assert!(!is_heard(Some(Height(7)), HEARD_WITHIN_MS));
    }

    #[test]
    fn weights_count_and_not_heads() {
        let heavy = NodeKey::from_seed([1; 32]).id();
        let standing = Standing::of(&set(&[7, 1, 1, 1]), |id| *id != heavy);
        assert!(!standing.can_decide());
        assert!(standing.to_string().contains("heard from 3, 4 too few to decide"), "{standing}");
        assert!(Standing::of(&set(&[7, 1, 1, 1]), |id| *id == heavy).can_decide());
    }
}
