//! The last line before the key: refuses to sign what contradicts something signed before, whatever the replica
//! wants. It shares no code with the replica, so that one mistake does not make two.

use std::collections::BTreeMap;

use quorate_types::{Height, Message, Statement, View, ViewChange};

use crate::{Unsigned, VoteBatch};

/// The numbers of two kinds, as [`Statement::kind`] has them.
const COMMIT: u8 = 3;
const VIEW_CHANGE: u8 = 4;

/// Everything signed above the durable head, by (height, kind, view).
#[derive(Clone, Debug, Default)]
pub struct SignGuard {
    signed: BTreeMap<(Height, u8, View), Statement>,
}

/// Why a statement is not signed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum GuardError {
    /// It was said otherwise before.
    #[error("refused to sign {new:?}: this key already signed {old:?}")]
    Contradiction {
        /// What was signed.
        old: Box<Statement>,
        /// What was asked for.
        new: Box<Statement>,
    },
    /// A view change that hides a lock.
    #[error("refused to sign {0:?}: this key committed in a view that its lock does not reach")]
    LockForgotten(Box<Statement>),
    /// A vote in a view that was given up.
    #[error("refused to sign {0:?}: this key already asked for a higher view")]
    BelowViewChange(Box<Statement>),
}

impl SignGuard {
    /// Takes note of what the vote log holds.
    pub fn remember(&mut self, message: &Message) {
        let statement = match message {
            Message::Proposal(it) => Statement::Propose(it.propose.statement),
            Message::Vote(it) => Statement::Vote(it.statement),
            Message::ViewChange(it) => Statement::ViewChange(it.signed.statement),
            Message::Reject(_) | Message::Status(_) | Message::Decided(_) => return,
        };
        self.signed.insert((statement.height(), statement.kind(), statement.view()), statement);
    }

    /// Admits a batch, and remembers it, or refuses it as a whole.
    ///
    /// # Errors
    /// The first statement that contradicts an earlier one.
    pub fn admit(&mut self, batch: &VoteBatch) -> Result<(), GuardError> {
        let statements: Vec<Statement> = batch.statements.iter().map(statement_of).collect();
        for statement in &statements {
            self.check(statement)?;
        }
        for statement in statements {
            self.signed.insert((statement.height(), statement.kind(), statement.view()), statement);
        }
        Ok(())
    }

    /// Forgets heights that are durable.
    pub fn release(&mut self, durable: Height) {
        self.signed = self.signed.split_off(&(durable.next(), 0, View::ZERO));
    }

    fn check(&self, new: &Statement) -> Result<(), GuardError> {
        let key = (new.height(), new.kind(), new.view());
        if let Some(old) = self.signed.get(&key).filter(|old| *old != new) {
            return Err(GuardError::Contradiction { old: Box::new(*old), new: Box::new(*new) });
        }
        match new {
            Statement::Propose(_) | Statement::Vote(_) if self.gave_up(new.height(), new.view()) => {
                Err(GuardError::BelowViewChange(Box::new(*new)))
            }
            Statement::ViewChange(change)
                if self.committed_below(change) > change.prepared.map(|lock| lock.view) =>
            {
                Err(GuardError::LockForgotten(Box::new(*new)))
            }
            Statement::Propose(_)
            | Statement::Vote(_)
            | Statement::ViewChange(_)
            | Statement::Reject(_)
            | Statement::Status(_) => Ok(()),
        }
    }

    fn gave_up(&self, height: Height, view: View) -> bool {
        let higher = (height, VIEW_CHANGE, view.next())..=(height, VIEW_CHANGE, View(u64::MAX));
        self.signed.range(higher).next().is_some()
    }

    /// The highest view below `change` in which this key committed.
    fn committed_below(&self, change: &ViewChange) -> Option<View> {
        let lower = (change.height, COMMIT, View::ZERO)..(change.height, COMMIT, change.view);
        self.signed.range(lower).next_back().map(|((.., view), _)| *view)
    }
}

fn statement_of(unsigned: &Unsigned) -> Statement {
    match unsigned {
        Unsigned::Proposal(it) => Statement::Propose(it.propose),
        Unsigned::Vote(vote) => Statement::Vote(*vote),
        Unsigned::ViewChange { change, .. } => Statement::ViewChange(*change),
    }
}

#[cfg(test)]
mod tests {
    use quorate_types::{B256, Phase, Prepared, Vote};

    use super::*;

    const HEIGHT: Height = Height(3);

    fn batch(statement: Unsigned) -> VoteBatch {
        VoteBatch { height: HEIGHT, statements: vec![statement], prepared: None }
    }

    fn vote(phase: Phase, view: u64, block: u8) -> VoteBatch {
        let (view, block_hash) = (View(view), B256::repeat_byte(block));
        batch(Unsigned::Vote(Vote { phase, height: HEIGHT, view, block_hash }))
    }

    fn change(view: u64, lock: Option<u64>) -> VoteBatch {
        let prepared = lock.map(|view| Prepared { view: View(view), block_hash: B256::repeat_byte(1) });
        let change = ViewChange { height: HEIGHT, view: View(view), prepared };
        batch(Unsigned::ViewChange { change, certificate: None })
    }

    #[test]
    fn one_vote_for_each_phase_and_view() {
        let mut guard = SignGuard::default();
        assert_eq!(guard.admit(&vote(Phase::Prevote, 0, 1)), Ok(()));
        assert_eq!(guard.admit(&vote(Phase::Prevote, 0, 1)), Ok(()), "the same again is no contradiction");
        let twice = guard.admit(&vote(Phase::Prevote, 0, 2));
        assert!(matches!(twice, Err(GuardError::Contradiction { .. })), "{twice:?}");
        assert_eq!(guard.admit(&vote(Phase::Commit, 0, 1)), Ok(()), "the phases are apart");
        assert_eq!(guard.admit(&vote(Phase::Prevote, 1, 2)), Ok(()), "and so are the views");
    }

    #[test]
    fn no_vote_in_a_view_that_was_given_up() {
        let mut guard = SignGuard::default();
        assert_eq!(guard.admit(&change(2, None)), Ok(()));
        for phase in [Phase::Prevote, Phase::Commit] {
            let late = guard.admit(&vote(phase, 1, 1));
            assert!(matches!(late, Err(GuardError::BelowViewChange(_))), "{late:?}");
            assert_eq!(guard.admit(&vote(phase, 2, 1)), Ok(()));
        }
    }

    #[test]
    fn a_lock_is_never_left_out() {
        let mut guard = SignGuard::default();
        assert_eq!(guard.admit(&vote(Phase::Commit, 1, 1)), Ok(()));
        for lock in [None, Some(0)] {
            let forgetful = guard.admit(&change(2, lock));
            assert!(matches!(forgetful, Err(GuardError::LockForgotten(_))), "{forgetful:?}");
        }
        assert_eq!(guard.admit(&change(2, Some(1))), Ok(()));
    }

    #[test]
    fn what_is_durable_is_forgotten_and_nothing_else() {
        let mut guard = SignGuard::default();
        assert_eq!(guard.admit(&vote(Phase::Commit, 0, 1)), Ok(()));
        guard.release(Height(2));
        assert!(guard.admit(&vote(Phase::Commit, 0, 2)).is_err());
        guard.release(HEIGHT);
        assert_eq!(guard.admit(&vote(Phase::Commit, 0, 2)), Ok(()));
    }
}
