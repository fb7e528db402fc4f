//! Views do not run away (R13, R15): whoever leaves a view follows others that an honest one is among, or a timer that
//! ran only since a quorum had come as far.

use std::collections::BTreeMap;

use quorate_types::{Height, NodeId, Statement, ValidatorSet, View};

/// The highest view that an honest key has spoken in, and has wished for.
#[derive(Clone, Copy, Debug, Default)]
struct Reached {
    spoke: View,
    wished: View,
}

/// How far the honest keys came at each height.
#[derive(Debug, Default)]
pub(super) struct Views(BTreeMap<Height, BTreeMap<NodeId, Reached>>);

impl Views {
    /// An honest key says something: a wish for a view above 1 must have a reason, and a vote above view 0 the wishes of
    /// a quorum (R3).
    pub(super) fn on_said(
        &mut self,
        who: NodeId,
        new: &Statement,
        set: &ValidatorSet,
        is_liar: impl Fn(&NodeId) -> bool,
    ) -> Result<(), String> {
        let view = new.view();
        let is_wish = matches!(new, Statement::ViewChange(_));
        let height = self.0.entry(new.height()).or_default();
        let liars = set.members().iter().map(|member| &member.key).filter(|key| is_liar(key));
        let liars = set.weight_of_all(liars);
        let others = |far: &dyn Fn(&Reached) -> bool| {
            set.weight_of_all(height.iter().filter(|(_, it)| far(it)).map(|(key, _)| key))
        };
        if !is_wish && view > View::ZERO && others(&|it| it.wished >= view) + liars < set.quorum() {
            return Err(format!("votes in a view that no quorum wished for: {new:?}"));
        }
        if is_wish && view > View(1) {
            let before = View(view.0 - 1);
            let timed_out = others(&|it| it.spoke >= before) + liars >= set.quorum();
            let followed = others(&|it| it.wished >= view) + liars >= set.honest();
            if !timed_out && !followed {
                return Err(format!("a view runs away: {new:?} without a quorum in view {before}"));
            }
        }
        let reached = height.entry(who).or_default();
        reached.spoke = reached.spoke.max(view);
        if is_wish {
            reached.wished = reached.wished.max(view);
        }
        Ok(())
    }
}
