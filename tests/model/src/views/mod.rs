//! One height, several views: voting, locking, committing, changing the view.

mod state;

use std::iter;

use stateright::{Model, Property};

use crate::{
    HONEST, Mutant, QUORUM,
    statements::{Block, Lock, Votes},
};

pub use state::{Action, Order, Statements};
use state::{Kind, Validator};

/// The rules within one height.
#[derive(Clone, Copy, Debug)]
pub struct Views {
    /// How many views there are: 0 to `count - 1`.
    pub count: u8,
    /// The orders that are looked at.
    pub order: Order,
    /// The rule that is left out.
    pub mutant: Option<Mutant>,
}

impl Views {
    fn without(&self, mutant: Mutant) -> bool {
        self.mutant == Some(mutant)
    }

    /// How many honest validators make a quorum with the liar, who signs whatever completes it.
    fn honest_of_quorum(&self) -> usize {
        let liar = 1;
        QUORUM - liar - usize::from(self.without(Mutant::QuorumMinusOne))
    }

    /// Whether the prevotes of a quorum for `block` in `view` can be collected.
    fn certified(&self, state: &Statements, view: u8, block: Block) -> bool {
        let prevoted = state.0.iter().filter(|it| it.prevotes.contains(view, block)).count();
        prevoted >= self.honest_of_quorum()
    }

    /// Whether the commits of a quorum for `block` in `view` can be collected (R10).
    fn decided(&self, state: &Statements, view: u8, block: Block) -> bool {
        let committed = state.0.iter().filter(|it| it.commits.contains(view, block)).count();
        committed >= self.honest_of_quorum()
    }

    /// Whether a proposal of `block` in `view` can be justified (R3): by the wishes of a quorum for exactly this view,
    /// which name the block of their highest lock, if they carry any.
    ///
    /// The liar's wish is one of them, with any lock that can be certified, and it chooses the others with the
    /// lowest locks.
    fn justified(&self, state: &Statements, view: u8, block: Block) -> bool {
        if view == 0 || self.without(Mutant::UnjustifiedProposals) {
            return true;
        }
        let mut locks = state.0.map(|it| it.wishes.get(view));
        locks.sort_unstable();
        let Some(highest) = locks.iter().flatten().nth(self.honest_of_quorum() - 1) else { return false };
        match highest.get() {
            Some((from, _)) if !self.without(Mutant::IgnoresLock) => {
                (from..view).any(|below| self.certified(state, below, block))
            }
            _ => true,
        }
    }

    /// R12: no vote in a view below the own wish.
    fn may_vote(&self, validator: &Validator, view: u8) -> bool {
        view >= validator.wishes.highest() || self.without(Mutant::VotesBelowWish)
    }

    /// R4: one vote of a kind in a view.
    fn is_first(&self, votes: Votes, view: u8, block: Block) -> bool {
        !votes.any(view) || (self.without(Mutant::VotesAgain) && !votes.contains(view, block))
    }

    /// All pairs of a view and a block.
    fn slots(&self) -> impl Iterator<Item = (u8, Block)> {
        (0..self.count).flat_map(|view| Block::ALL.map(|block| (view, block)))
    }

    /// R5.
    fn prevotes(&self, state: &Statements, by: usize, actions: &mut Vec<Action>) {
        let me = &state.0[by];
        let mine = self.slots().filter(|(view, block)| {
            self.may_vote(me, *view)
                && self.is_first(me.prevotes, *view, *block)
                && self.justified(state, *view, *block)
        });
        actions.extend(mine.map(|(view, block)| Action { by, kind: Kind::Prevote(view, block) }));
    }

    /// R8.
    fn commits(&self, state: &Statements, by: usize, actions: &mut Vec<Action>) {
        let me = &state.0[by];
        let mine = self.slots().filter(|(view, block)| {
            self.may_vote(me, *view)
                && self.is_first(me.commits, *view, *block)
                && self.certified(state, *view, *block)
        });
        actions.extend(mine.map(|(view, block)| Action { by, kind: Kind::Commit(view, block) }));
    }

    /// R11, R13: at any time, since timers and wishes of others may be anything; with the own lock, or with a higher
    /// one that it has seen (R6).
    fn view_changes(&self, state: &Statements, by: usize, actions: &mut Vec<Action>) {
        let me = &state.0[by];
        for view in me.wishes.highest() + 1..self.count {
            if !me.lock.is_below(view) {
                continue;
            }
            let seen = self.slots().filter(|(of, block)| *of < view && self.certified(state, *of, *block));
            let higher = seen.map(|(of, block)| Lock::new(of, block)).filter(|lock| *lock > me.lock);
            let locks = iter::once(me.lock).chain(higher);
            actions.extend(locks.map(|lock| Action { by, kind: Kind::ViewChange(view, lock) }));
        }
    }

    /// Forgets what no rule reads any more once nothing is signed in views below `view`: a certificate that can be
    /// collected there becomes everybody's votes, other votes go, and so do the wishes.
    ///
    /// In ascending order nothing is missed. Each rule reads statements of its own view and of lower ones. Of higher
    /// ones it reads the own wishes and locks alone, only to forbid (R12). So whatever can be signed after statements
    /// of higher views could be signed before them, with the same outcome.
    #[must_use]
    pub fn close_below(&self, state: &Statements, view: u8) -> Statements {
        let slots = || self.slots().filter(|(below, _)| *below < view);
        let collect = |votes: Votes, (view, block): (u8, Block)| votes.with(view, block);
        let certified = slots().filter(|(below, block)| self.certified(state, *below, *block));
        let certified = certified.fold(Votes::default(), collect);
        let decided = slots().filter(|(below, block)| self.decided(state, *below, *block));
        let decided = decided.fold(Votes::default(), collect);
        Statements(state.0.map(|it| Validator {
            wishes: it.wishes.since(view),
            prevotes: it.prevotes.with_below(view, certified),
            commits: it.commits.with_below(view, decided),
            lock: it.lock,
        }))
    }

    /// No two blocks are decided at one height.
    fn agreement(&self, state: &Statements) -> bool {
        let decided = |block| (0..self.count).any(|view| self.decided(state, view, block));
        !Block::ALL.into_iter().all(decided)
    }

    /// The induction of `PROTOCOL.md`: once a quorum committed a block, no other has a certificate in that view or a
    /// later one.
    fn lock_invariant(&self, state: &Statements) -> bool {
        self.slots()
            .filter(|(view, block)| self.decided(state, *view, *block))
            .all(|(view, block)| (view..self.count).all(|above| !self.certified(state, above, block.other())))
    }

    /// Whether a block of which a certificate of view `from` exists was decided in `view`, and not before.
    fn decides_later(&self, state: &Statements, from: u8, view: u8) -> bool {
        Block::ALL.into_iter().any(|block| {
            self.certified(state, from, block)
                && self.decided(state, view, block)
                && (0..view).all(|below| !self.decided(state, below, block))
        })
    }

    /// Whether a certificate that no quorum committed gave way to another block, as it must.
    fn overrules(&self, state: &Statements) -> bool {
        self.slots().any(|(view, block)| {
            self.certified(state, view, block)
                && (view..self.count).any(|above| self.decided(state, above, block.other()))
        })
    }
}

impl Model for Views {
    type State = Statements;
    type Action = Action;

    fn init_states(&self) -> Vec<Self::State> {
        vec![Statements::default()]
    }

    fn actions(&self, state: &Self::State, actions: &mut Vec<Self::Action>) {
        for by in 0..HONEST {
            self.prevotes(state, by, actions);
            self.commits(state, by, actions);
            self.view_changes(state, by, actions);
            actions.push(Action { by, kind: Kind::Restart });
        }
        if self.order == Order::Ascending {
            let reached = state.highest_view();
            actions.retain(|action| action.view().is_none_or(|view| view >= reached));
        }
    }

    fn next_state(&self, last_state: &Self::State, action: Self::Action) -> Option<Self::State> {
        let mut state = *last_state;
        let me = &mut state.0[action.by];
        match action.kind {
            Kind::Prevote(view, block) => {
                me.prevotes = me.prevotes.with(view, block);
            }
            Kind::Commit(view, block) => {
                me.commits = me.commits.with(view, block);
                me.lock = me.lock.max(Lock::new(view, block));
            }
            Kind::ViewChange(view, lock) => {
                me.wishes = me.wishes.with(view, lock);
                me.lock = lock;
            }
            Kind::Restart if self.without(Mutant::ForgetsLock) => me.lock = Lock::NONE,
            Kind::Restart => return None,
        }
        if self.order == Order::Ascending {
            state = self.close_below(&state, state.highest_view());
        }
        (state != *last_state).then_some(state)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::<Self>::always("agreement", Self::agreement),
            Property::<Self>::always("lock invariant", Self::lock_invariant),
            Property::<Self>::always("one certificate for a view", |model, state| {
                (0..model.count).all(|view| !Block::ALL.iter().all(|it| model.certified(state, view, *it)))
            }),
            Property::<Self>::always("no vote twice", |_, state| {
                !state.0.iter().any(|it| it.prevotes.contradict() || it.commits.contradict())
            }),
            Property::<Self>::sometimes("decided in view 0", |model, state| {
                Block::ALL.iter().any(|block| model.decided(state, 0, *block))
            }),
            Property::<Self>::sometimes("locked in view 0, decided in view 1", |model, state| {
                model.decides_later(state, 0, 1)
            }),
            Property::<Self>::sometimes("locked in view 0, decided in the last view", |model, state| {
                model.decides_later(state, 0, model.count - 1)
            }),
            Property::<Self>::sometimes("a lock that no quorum committed gives way", Self::overrules),
        ]
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// All states that can be reached, one for each symmetry.
    fn reach(model: Views) -> BTreeSet<Statements> {
        let mut seen: BTreeSet<_> = model.init_states().into_iter().collect();
        let mut next: Vec<_> = seen.iter().copied().collect();
        while let Some(state) = next.pop() {
            let new = model.next_states(&state).into_iter().map(|it| it.representative());
            next.extend(new.filter(|it| seen.insert(*it)));
        }
        seen
    }

    #[test]
    fn the_ascending_order_misses_no_state() {
        let any = Views { count: 2, order: Order::Any, mutant: None };
        let ascending = Views { order: Order::Ascending, ..any };
        let closed = |state: &Statements| any.close_below(state, state.highest_view()).representative();
        let reached: BTreeSet<_> = reach(any).iter().map(closed).collect();
        assert_eq!(reached, reach(ascending));
    }
}
