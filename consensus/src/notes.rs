//! What a step came to, for the people who watch: turning points without a clock and without words. Nothing in the
//! protocol reads them; the driver puts the time to them, counts them and shows them.

use quorate_types::{B256, Height, NodeId, RejectReason, View};

use crate::{NotVoting, Replica};

/// A turning point of a height.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Note {
    /// The height that was in flight.
    pub height: Height,
    /// The view that it was in.
    pub view: View,
    /// What happened.
    pub fact: Fact,
}

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fact {
    /// The height began.
    Entered,
    /// It began with other validators, or other weights, than the one before.
    SetChanged {
        /// How many there are now.
        validators: usize,
        /// The weight that decides now.
        quorum: u64,
    },
    /// The proposal of a view arrived, or was made here.
    Proposed {
        /// Whose it is.
        leader: NodeId,
        /// The block.
        block_hash: B256,
    },
    /// A quorum of prevotes is the lock (R6).
    Locked {
        /// The view of the prevotes.
        view: View,
        /// The block.
        block_hash: B256,
    },
    /// A quorum committed (R10).
    Decided {
        /// The view of the commits.
        view: View,
        /// The block.
        block_hash: B256,
    },
    /// This node left its view for another.
    ViewChanged {
        /// For which.
        to: View,
        /// Why.
        reason: ViewChangeReason,
    },
    /// The timer ran out and was held back, since the block is under execution (R16).
    HeldBack,
    /// A validator refused a block, perhaps this one.
    Rejected {
        /// Who.
        by: NodeId,
        /// The block.
        block_hash: B256,
        /// Why.
        reason: RejectReason,
    },
    /// Nothing of a validator was heard for four ticks (R18).
    Silent(NodeId),
    /// It is heard again.
    Heard(NodeId),
    /// This node stopped voting, for another reason than before, or votes again.
    Voting(Option<NotVoting>),
}

/// Why a view was left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ViewChangeReason {
    /// Its timer ran out (R11).
    Timeout,
    /// Its leader was silent (R18).
    SilentLeader,
    /// The last turns of its leader came to nothing (R18).
    FailingLeader,
    /// Validators with an honest one among them wish for a higher one (R13).
    Jump,
    /// The justified proposal of a higher one arrived.
    Proposal,
    /// A quorum prevoted in a higher one.
    Prevotes,
}

impl Replica {
    /// What the last step came to, in order.
    #[must_use]
    pub fn notes(&self) -> &[Note] {
        &self.notes
    }

    pub(crate) fn note(&mut self, fact: Fact) {
        self.notes.push(Note { height: self.now.height, view: self.now.view, fact });
    }

    /// Takes note when this node begins or ceases to vote. Waiting for the own disk is part of a busy day.
    pub(crate) fn note_voting(&mut self) {
        let why = self.why_not_voting().filter(|why| *why != NotVoting::DiskBehind);
        if why.as_ref().map(std::mem::discriminant) != self.noted_voting.as_ref().map(std::mem::discriminant)
        {
            self.noted_voting = why;
            self.note(Fact::Voting(why));
        }
    }
}
