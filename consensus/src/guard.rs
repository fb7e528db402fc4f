//! The last line before the key: refuses to sign what contradicts something signed before, whatever the replica
//! wants. It shares no code with the replica, so that one mistake does not make two.

use std::collections::BTreeMap;

use quorate_types::{B256, Height, Message, Phase, Propose, Statement, View, ViewChange, Vote};

use crate::{Unsigned, VoteBatch};

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
        if let Statement::ViewChange(change) = new {
            let sample = Vote { phase: Phase::Commit, height: change.height, view: View::ZERO, block_hash: B256::ZERO };
            let kind = Statement::Vote(sample).kind();
            let lower = (change.height, kind, View::ZERO)..(change.height, kind, change.view);
            let committed = self.signed.range(lower).next_back().map(|((.., view), _)| *view);
            if committed > change.prepared.map(|lock| lock.view) {
                return Err(GuardError::LockForgotten(Box::new(*new)));
            }
        }
        let sample = ViewChange { height: new.height(), view: View::ZERO, prepared: None };
        let kind = Statement::ViewChange(sample).kind();
        let higher = (new.height(), kind, new.view().next())..=(new.height(), kind, View(u64::MAX));
        let binding = matches!(
            new,
            Statement::Propose(Propose { .. })
                | Statement::Vote(Vote { phase: Phase::Prevote | Phase::Commit, .. })
        );
        if binding && self.signed.range(higher).next().is_some() {
            return Err(GuardError::BelowViewChange(Box::new(*new)));
        }
        Ok(())
    }
}

fn statement_of(unsigned: &Unsigned) -> Statement {
    match unsigned {
        Unsigned::Proposal(it) => Statement::Propose(it.propose),
        Unsigned::Vote(vote) => Statement::Vote(*vote),
        Unsigned::ViewChange { change, .. } => Statement::ViewChange(*change),
    }
}
