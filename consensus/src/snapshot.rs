//! What an operator is shown: who is in which view, who voted, whose turn it is.

use quorate_types::{B256, Height, NodeId, View};

use crate::{Replica, liveness::TICK, replica::Signing};

/// How far the current view has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Nothing to decide.
    Idle,
    /// Waiting for the leader's proposal.
    Propose,
    /// Waiting for a quorum of prevotes.
    Prevote,
    /// Waiting for a quorum of commits.
    Commit,
    /// Waiting for a quorum to change the view.
    ViewChange,
}

/// A replica at one moment.
#[derive(Clone, Debug)]
pub struct Snapshot {
    /// The height being decided.
    pub height: Height,
    /// The view it is in.
    pub view: View,
    /// Who leads the view.
    pub leader: NodeId,
    /// How far the view has come.
    pub phase: Phase,
    /// The proposed block, if one is known.
    pub proposed: Option<B256>,
    /// Whether this node votes, and if not, why.
    pub abstaining: Option<String>,
    /// Everyone in the set.
    pub validators: Vec<ValidatorView>,
}

/// What is known of one validator.
#[derive(Clone, Debug)]
pub struct ValidatorView {
    /// Who.
    pub id: NodeId,
    /// Its weight.
    pub weight: u64,
    /// The height in its last status.
    pub height: Option<Height>,
    /// The view in its last status.
    pub view: Option<View>,
    /// Roughly how long nothing signed by it has arrived, milliseconds.
    pub silent_ms: u64,
    /// What it prevoted for in the current view.
    pub prevote: Option<B256>,
    /// What it committed to in the current view.
    pub commit: Option<B256>,
    /// The view it wishes for.
    pub view_change: Option<View>,
}

impl Replica {
    /// The state as an operator sees it.
    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        let now = &self.now;
        let validators = now.validators.members().iter().map(|member| {
            let status = self.liveness.statuses.get(&member.key).map(|signed| signed.statement);
            let me = member.key == self.config.me;
            ValidatorView {
                id: member.key,
                weight: member.weight,
                height: if me { Some(now.height) } else { status.map(|it| it.height) },
                view: if me { Some(now.view) } else { status.map(|it| it.view) },
                silent_ms: if me { 0 } else { self.silent_ms(&member.key) },
                prevote: now.votes.prevotes.of(&member.key, now.view),
                commit: now.votes.commits.of(&member.key, now.view),
                view_change: now.view_changes.get(&member.key).map(|it| it.signed.statement.view),
            }
        });
        Snapshot {
            height: now.height,
            view: now.view,
            leader: now.leader(now.view),
            phase: self.phase(),
            proposed: now.proposals.get(&now.view).map(|it| it.propose.statement.block_hash),
            abstaining: self.why_not_voting(),
            validators: validators.collect(),
        }
    }

    fn silent_ms(&self, id: &NodeId) -> u64 {
        u64::try_from(TICK.as_millis()).unwrap_or(u64::MAX) * u64::from(self.liveness.silent_ticks(id))
    }

    fn phase(&self) -> Phase {
        let now = &self.now;
        if now.own.committed.contains_key(&now.view) {
            Phase::Commit
        } else if now.proposals.contains_key(&now.view) {
            Phase::Prevote
        } else if now.view < now.abandoned_below || (now.view > View::ZERO && !now.timer.armed) {
            Phase::ViewChange
        } else if now.timer.armed {
            Phase::Propose
        } else {
            Phase::Idle
        }
    }

    fn why_not_voting(&self) -> Option<String> {
        if matches!(self.signing, Signing::Stopped) {
            return Some("stopped for safety: see the log for the alarm".to_owned());
        }
        if !self.now.validators.contains(&self.config.me) {
            return Some("observer: not in the validator set".to_owned());
        }
        match &self.signing {
            Signing::Free if !self.disk_room => Some("paused: the disk is almost full".to_owned()),
            Signing::Free => None,
            Signing::Stopped => None,
            Signing::Abstaining(abstention) => match abstention.resume_at() {
                Some(height) if self.now.height >= height => None,
                Some(height) => {
                    Some(format!("abstaining: the vote log is not complete; votes again at height {height}"))
                }
                None => Some(format!(
                    "abstaining: the vote log is not complete; heard {} validators, needs others of weight {}",
                    abstention.heads().len(),
                    self.now.validators.quorum()
                )),
            },
        }
    }
}
