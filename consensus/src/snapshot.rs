//! What an operator is shown: who is in which view, who voted, whose turn it is, and what is waited for. Facts only:
//! the words for them are the node's.

use quorate_types::{B256, Height, NodeId, Prepared, RejectReason, View};

use crate::{Abstention, LastHeard, Replica, liveness::TICK, replica::Signing, undecided::BlockState};

/// How far the current view has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ViewPhase {
    /// Nothing to decide, or too early to.
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

/// Why this node does not vote.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotVoting {
    /// It is not in the validator set.
    Observer,
    /// Its key runs twice, or it executes differently (R22, R23): never again.
    Stopped,
    /// What it signs could not be written.
    DiskFull,
    /// Two decided blocks are not synced yet (R20).
    DiskBehind,
    /// Its vote log may lack something that it signed (R21).
    LogIncomplete {
        /// Where it votes again, once that is known.
        resume_at: Option<Height>,
        /// How many validators told it their head.
        heard: usize,
        /// The weight that others must have told theirs.
        quorum: u64,
        /// The weight of all others: below a quorum they cannot go on without this node.
        others: u64,
    },
}

/// How the timer of the current view stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TimerStanding {
    /// It runs.
    Armed {
        /// How often it was held back for a block under execution (R16).
        held_back: u32,
    },
    /// It waits for work (R14).
    NoWork,
    /// There is work, and the least interval since the last block is not over (R1).
    TooEarly,
    /// It waits for validators of a quorum's weight to be in this view or beyond (R15).
    NoQuorum {
        /// The weight of those that are.
        weight: u64,
    },
    /// The height is decided.
    Decided,
    /// This node does not vote.
    NotVoting,
}

/// What is known of the block that a view or a height is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BlockStanding {
    /// Asked for, and not there.
    Missing,
    /// Its content is being fetched.
    Fetching,
    /// It is being executed.
    Executing,
    /// It was executed, to the roots in its header.
    Valid,
    /// This node refuses it.
    Refused(RejectReason),
}

/// A replica at one moment.
#[derive(Clone, Debug)]
pub struct Snapshot {
    /// This node.
    pub me: NodeId,
    /// The height being decided.
    pub height: Height,
    /// The view it is in.
    pub view: View,
    /// Who leads the view.
    pub leader: NodeId,
    /// How far the view has come.
    pub phase: ViewPhase,
    /// The proposed block, if one is known.
    pub proposed: Option<B256>,
    /// The block that a quorum committed to, while this node cannot go on from it.
    pub decided: Option<B256>,
    /// What is known of the decided block, or else of the proposed one.
    pub block: Option<BlockStanding>,
    /// The lock (R6).
    pub lock: Option<Prepared>,
    /// Whether this node builds a block.
    pub building: bool,
    /// Whether the least interval between two blocks is over (R1).
    pub interval_passed: bool,
    /// Whether something should get into a block (R14).
    pub work: bool,
    /// Up to here block records are synced (R9).
    pub durable: Height,
    /// How the view's timer stands.
    pub timer: TimerStanding,
    /// Why this node does not vote, if it does not.
    pub abstaining: Option<NotVoting>,
    /// The weight that decides.
    pub quorum: u64,
    /// The weight of all.
    pub total_weight: u64,
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
    /// The last that was heard of it; `None` before that, and for this node itself.
    pub heard: Option<LastHeard>,
    /// Roughly how long nothing signed by it has arrived, milliseconds.
    pub silent_ms: u64,
    /// Whether that counts as silent (R18).
    pub silent: bool,
    /// What it prevoted for in the current view.
    pub prevote: Option<B256>,
    /// What it committed to in the current view.
    pub commit: Option<B256>,
    /// The view it wishes for.
    pub view_change: Option<View>,
    /// Why it refused a block of this height.
    pub reject: Option<RejectReason>,
}

impl Replica {
    /// The state as an operator sees it.
    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        let now = &self.now;
        let proposed = now.proposals.get(&now.view).map(|it| it.propose.statement.block_hash);
        let decided = now.decided.as_ref().map(|it| it.block_hash());
        Snapshot {
            me: self.config.me,
            height: now.height,
            view: now.view,
            leader: now.leader(now.view),
            phase: self.phase(),
            proposed,
            decided,
            block: decided.or(proposed).map(|hash| self.standing_of(&hash)),
            lock: now.lock(),
            building: now.building.is_some_and(|plan| plan.view == now.view),
            interval_passed: now.interval_passed,
            work: self.is_block_due(),
            durable: self.durable,
            timer: self.timer_standing(),
            abstaining: self.why_not_voting(),
            quorum: now.validators.quorum(),
            total_weight: now.validators.total(),
            validators: now.validators.members().iter().map(|it| self.view_of(&it.key, it.weight)).collect(),
        }
    }

    fn view_of(&self, id: &NodeId, weight: u64) -> ValidatorView {
        let now = &self.now;
        let status = self.liveness.statuses.get(id).map(|signed| signed.statement);
        let me = *id == self.config.me;
        ValidatorView {
            id: *id,
            weight,
            height: if me { Some(now.height) } else { status.map(|it| it.height) },
            view: if me { Some(now.view) } else { status.map(|it| it.view) },
            heard: self.liveness.last_heard(id).filter(|_| !me),
            silent_ms: if me { 0 } else { self.silent_ms(id) },
            silent: !me && self.liveness.is_silent(id),
            prevote: now.votes.prevotes.of(id, now.view),
            commit: now.votes.commits.of(id, now.view),
            view_change: now.view_changes.get(id).map(|it| it.signed.statement.view),
            reject: now.rejects.get(id).map(|it| it.statement.reason),
        }
    }

    fn silent_ms(&self, id: &NodeId) -> u64 {
        u64::try_from(TICK.as_millis()).unwrap_or(u64::MAX) * u64::from(self.liveness.silent_ticks(id))
    }

    /// How far the current view has come.
    #[must_use]
    pub fn phase(&self) -> ViewPhase {
        let now = &self.now;
        if now.own.committed.contains_key(&now.view) {
            ViewPhase::Commit
        } else if now.proposals.contains_key(&now.view) {
            ViewPhase::Prevote
        } else if now.view > View::ZERO && !now.timer.armed {
            ViewPhase::ViewChange
        } else if now.timer.armed {
            ViewPhase::Propose
        } else {
            ViewPhase::Idle
        }
    }

    fn standing_of(&self, block_hash: &B256) -> BlockStanding {
        match self.now.blocks.get(block_hash) {
            None => BlockStanding::Missing,
            Some(BlockState::Checking { executing: false, .. }) => BlockStanding::Fetching,
            Some(BlockState::Checking { executing: true, .. }) => BlockStanding::Executing,
            Some(BlockState::Valid(_)) => BlockStanding::Valid,
            Some(BlockState::Invalid { reason, .. }) => BlockStanding::Refused(*reason),
        }
    }

    /// In the order in which arming the timer asks.
    fn timer_standing(&self) -> TimerStanding {
        let now = &self.now;
        if now.decided.is_some() {
            TimerStanding::Decided
        } else if !self.may_sign() {
            TimerStanding::NotVoting
        } else if now.timer.armed {
            TimerStanding::Armed { held_back: now.timer.held_back }
        } else if now.view == View::ZERO {
            if self.is_block_due() { TimerStanding::TooEarly } else { TimerStanding::NoWork }
        } else {
            TimerStanding::NoQuorum { weight: now.weight_reaching(now.view) }
        }
    }

    pub(crate) fn why_not_voting(&self) -> Option<NotVoting> {
        let log_incomplete = |abstention: &Abstention| NotVoting::LogIncomplete {
            resume_at: abstention.resume_at(),
            heard: abstention.heads().len(),
            quorum: self.now.validators.quorum(),
            others: self.now.validators.total() - self.now.validators.weight_of(&self.config.me),
        };
        match &self.signing {
            Signing::Stopped => Some(NotVoting::Stopped),
            _ if !self.now.validators.contains(&self.config.me) => Some(NotVoting::Observer),
            Signing::Abstaining(abstention) if !abstention.is_over(self.firm_height()) => {
                Some(log_incomplete(abstention))
            }
            _ if !self.disk_room => Some(NotVoting::DiskFull),
            _ if !self.may_sign() => Some(NotVoting::DiskBehind),
            _ => None,
        }
    }
}
