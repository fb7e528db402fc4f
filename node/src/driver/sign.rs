//! The signing desk: the only place that holds the key. Guard, sign, log, sync, and only then does a vote leave.

use std::sync::Arc;

use quorate_consensus::{GuardError, SignGuard, Unsigned, VoteBatch};
use quorate_proto::LogRecord;
use quorate_types::{
    Domain, Height, Message, Reject, Signable, Signed, SignedViewChange, Signer, SignerError, Status,
};
use quorate_vote_log::{VoteLog, VoteLogError};

/// Why nothing more is signed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SignError {
    /// The replica wanted to contradict itself: a defect, stopped at the last line.
    #[error(transparent)]
    Guard(#[from] GuardError),
    /// The key's device does not answer.
    #[error(transparent)]
    Signer(#[from] SignerError),
    /// The vote log could not be written or synced, which is final.
    #[error(transparent)]
    Log(#[from] VoteLogError),
}

/// Key, guard and log of one node.
pub(crate) struct SigningDesk {
    signer: Box<dyn Signer>,
    domain: Domain,
    guard: SignGuard,
    log: VoteLog,
}

impl SigningDesk {
    pub(crate) fn new(signer: impl Signer + 'static, domain: Domain, log: VoteLog) -> Self {
        Self { signer: Box::new(signer), domain, guard: SignGuard::default(), log }
    }

    /// Takes note of what the log already holds.
    pub(crate) fn remember(&mut self, message: &Message) {
        self.guard.remember(message);
    }

    /// Signs a batch and makes it permanent: what comes back may be sent.
    pub(crate) fn sign_votes(&mut self, batch: VoteBatch) -> Result<Vec<Message>, SignError> {
        self.guard.admit(&batch)?;
        let messages = batch.statements.into_iter().map(|it| self.sign(it)).collect::<Result<Vec<_>, _>>()?;
        let record = LogRecord { messages, prepared: batch.prepared };
        self.log.append(batch.height, &record.encode())?;
        Ok(record.messages)
    }

    fn sign(&self, unsigned: Unsigned) -> Result<Message, SignerError> {
        Ok(match unsigned {
            Unsigned::Proposal(it) => {
                let propose = self.seal(it.propose)?;
                Message::Proposal(Arc::new(it.into_signed(propose)))
            }
            Unsigned::Vote(vote) => Message::Vote(self.seal(vote)?),
            Unsigned::ViewChange { change, certificate } => {
                Message::ViewChange(SignedViewChange { signed: self.seal(change)?, certificate })
            }
        })
    }

    fn seal<S: Signable>(&self, statement: S) -> Result<Signed<S>, SignerError> {
        Signed::sign(statement, &self.domain, &*self.signer)
    }

    /// Signs what binds nobody.
    pub(crate) fn sign_reject(&self, reject: Reject) -> Result<Message, SignerError> {
        self.seal(reject).map(Message::Reject)
    }

    /// Signs a sign of life.
    pub(crate) fn sign_status(&self, status: Status) -> Result<Message, SignerError> {
        self.seal(status).map(Message::Status)
    }

    /// Heights up to here are in the database: their frames may be overwritten.
    pub(crate) fn release(&mut self, durable: Height) {
        self.guard.release(durable);
        self.log.release(durable);
    }
}
