//! What a restarted replica knows of its own past: sent again, never signed again.

use std::{collections::BTreeMap, sync::Arc};

use quorate_types::{Block, Height, Message, Phase, PrepareCertificate, Prepared, View};

use crate::{BlockSource, Fact, MessageKind, Replica, mutant::Mutant, undecided::BlockState};

/// Views of own statements kept for comparison with what comes back from others (R23).
const MAX_OWN_VIEWS: usize = 64;

/// What the vote log held of one height.
#[derive(Clone, Debug, Default)]
pub struct OwnRecord {
    /// Own signed messages in the order of signing.
    pub messages: Vec<Message>,
    /// The last lock.
    pub prepared: Option<(PrepareCertificate, Arc<Block>)>,
}

/// Whether what the vote log says is all that this key ever signed above the head.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trust {
    /// It is.
    Full,
    /// It may not be: the log was missing, damaged, or the database went back.
    None,
}

/// What a replica is given back after a restart.
#[derive(Clone, Debug)]
pub struct Recovered {
    /// By height, above the head.
    pub records: BTreeMap<Height, OwnRecord>,
    /// Whether that is all.
    pub trust: Trust,
}

impl Replica {
    /// Takes back what the vote log held of this height (R20).
    pub(crate) fn restore(&mut self, record: OwnRecord) {
        // Where it was comes first: counting an own wish at view 0 would look like a reason to jump, and to sign
        // it again; and a timer set for view 0 would be taken for that of the view it returns to.
        self.now.view = record.messages.iter().filter_map(view_of).max().unwrap_or(View::ZERO);
        let prepared = record.prepared.filter(|_| !self.config.breaks(Mutant::ForgetsLock));
        if let Some((certificate, block)) = prepared {
            let block_hash = certificate.block_hash();
            self.now.prepared = Some((certificate, block.clone()));
            self.check_block(block_hash, BlockSource::Block(block), false);
        }
        for message in record.messages {
            self.take_own(message);
        }
        self.send_own_again();
    }

    /// Counts an own message like anyone's, and remembers it as said.
    pub(crate) fn take_own(&mut self, message: Message) {
        match &message {
            Message::Proposal(proposal) => {
                let propose = proposal.propose.statement;
                if !self.config.breaks(Mutant::ProposesAgain) {
                    self.now.own.proposed.insert(propose.view, propose.block_hash);
                }
                self.now.keep_proposal(proposal.clone());
                self.note(Fact::Proposed { leader: self.config.me, block_hash: propose.block_hash });
                if !matches!(self.now.blocks.get(&propose.block_hash), Some(BlockState::Valid(_))) {
                    self.check_block(propose.block_hash, BlockSource::Proposal(proposal.clone()), false);
                }
            }
            Message::Vote(vote) => {
                let said = match vote.statement.phase {
                    Phase::Prevote => &mut self.now.own.prevoted,
                    Phase::Commit => &mut self.now.own.committed,
                };
                said.insert(vote.statement.view, vote.statement.block_hash);
                self.on_vote(*vote);
            }
            Message::ViewChange(change) => {
                let said = change.signed.statement;
                self.now.own.changed.insert(said.view, said.prepared);
                self.on_view_change(change.clone());
            }
            Message::Reject(_) | Message::Status(_) | Message::Decided(_) => return,
        }
        self.now.own.latest.insert(MessageKind::of(&message), message);
        self.forget_oldest_own();
    }

    fn forget_oldest_own(&mut self) {
        let own = &mut self.now.own;
        for said in [&mut own.proposed, &mut own.prevoted, &mut own.committed] {
            while said.len() > MAX_OWN_VIEWS {
                said.pop_first();
            }
        }
        while own.changed.len() > MAX_OWN_VIEWS {
            own.changed.pop_first();
        }
    }

    /// Whether a statement of the own key is one that this replica made. Views older than those kept count as
    /// known: what is too old to compare must not stop the node.
    pub(crate) fn is_own_known(&self, message: &Message) -> bool {
        fn known<T: PartialEq>(said: &BTreeMap<View, T>, view: View, what: &T) -> bool {
            let older =
                said.len() >= MAX_OWN_VIEWS && said.first_key_value().is_some_and(|(first, _)| view < *first);
            older || said.get(&view) == Some(what)
        }
        let own = &self.now.own;
        match message {
            Message::Proposal(it) => {
                let propose = it.propose.statement;
                known(&own.proposed, propose.view, &propose.block_hash)
            }
            Message::Vote(it) => {
                let vote = it.statement;
                let said = if vote.phase == Phase::Prevote { &own.prevoted } else { &own.committed };
                known(said, vote.view, &vote.block_hash)
            }
            Message::ViewChange(it) => {
                let prepared: Option<Prepared> = it.signed.statement.prepared;
                known(&own.changed, it.signed.statement.view, &prepared)
            }
            // They bind nobody, or have no single signer.
            Message::Reject(_) | Message::Status(_) | Message::Decided(_) => true,
        }
    }
}

/// The view that its signer was in: a wish is signed on leaving those below.
fn view_of(message: &Message) -> Option<View> {
    match message {
        Message::Proposal(proposal) => Some(proposal.propose.statement.view),
        Message::Vote(vote) => Some(vote.statement.view),
        Message::ViewChange(change) => Some(change.signed.statement.view),
        Message::Reject(_) | Message::Status(_) | Message::Decided(_) => None,
    }
}
