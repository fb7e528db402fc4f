//! The kinds of message, and the last that was heard of a validator.

use quorate_types::{Height, Message, Phase, View};

/// The kinds of message, as slots of their signer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[expect(missing_docs, reason = "each is named after its message")]
pub enum MessageKind {
    Proposal,
    Prevote,
    Commit,
    ViewChange,
    Reject,
    Status,
    Decided,
}

/// The last that was heard of a validator, over any path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LastHeard {
    /// What it was.
    pub kind: MessageKind,
    /// The height it was about.
    pub height: Height,
    /// The view it was about.
    pub view: View,
}

impl MessageKind {
    pub(crate) const fn of(message: &Message) -> Self {
        match message {
            Message::Proposal(_) => Self::Proposal,
            Message::Vote(vote) => match vote.statement.phase {
                Phase::Prevote => Self::Prevote,
                Phase::Commit => Self::Commit,
            },
            Message::ViewChange(_) => Self::ViewChange,
            Message::Reject(_) => Self::Reject,
            Message::Status(_) => Self::Status,
            Message::Decided(_) => Self::Decided,
        }
    }
}

impl LastHeard {
    pub(crate) fn of(message: &Message) -> Self {
        let view = match message {
            Message::Proposal(it) => it.propose.statement.view,
            Message::Vote(it) => it.statement.view,
            Message::ViewChange(it) => it.signed.statement.view,
            Message::Reject(it) => it.statement.view,
            Message::Status(it) => it.statement.view,
            Message::Decided(it) => it.certificate.view(),
        };
        Self { kind: MessageKind::of(message), height: message.height(), view }
    }
}
