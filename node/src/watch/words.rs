//! The replica's kinds and states in words.

use quorate_consensus::{MessageKind, NotVoting, Snapshot, TimerStanding, ViewChangeReason, ViewPhase};
use quorate_types::RejectReason;

/// What an observer says instead of a reason for its silence.
pub(crate) const OBSERVER: &str = "observer: not in the validator set";

pub(super) const fn phase(phase: ViewPhase) -> &'static str {
    match phase {
        ViewPhase::Idle => "idle",
        ViewPhase::Propose => "propose",
        ViewPhase::Prevote => "prevote",
        ViewPhase::Commit => "commit",
        ViewPhase::ViewChange => "viewChange",
    }
}

pub(super) const fn message(kind: MessageKind) -> &'static str {
    match kind {
        MessageKind::Proposal => "proposal",
        MessageKind::Prevote => "prevote",
        MessageKind::Commit => "commit",
        MessageKind::ViewChange => "viewChange",
        MessageKind::Reject => "reject",
        MessageKind::Status => "status",
        MessageKind::Decided => "decided",
    }
}

pub(super) const fn reject(reason: RejectReason) -> &'static str {
    match reason {
        RejectReason::Header => "header",
        RejectReason::Transaction => "transaction",
        RejectReason::Divergence => "divergence",
        RejectReason::Unavailable => "unavailable",
    }
}

pub(super) const fn view_change(reason: ViewChangeReason) -> &'static str {
    match reason {
        ViewChangeReason::Timeout => "timeout",
        ViewChangeReason::SilentLeader => "silent_leader",
        ViewChangeReason::FailingLeader => "failing_leader",
        ViewChangeReason::Jump => "jump",
        ViewChangeReason::Proposal => "proposal",
        ViewChangeReason::Prevotes => "prevotes",
    }
}

/// Why this node does not vote.
pub(super) fn not_voting(why: NotVoting) -> String {
    match why {
        NotVoting::Observer => OBSERVER.to_owned(),
        NotVoting::Stopped => "stopped for safety: see the alarms and the log".to_owned(),
        NotVoting::DiskFull => "paused: the disk is almost full".to_owned(),
        NotVoting::DiskBehind => "waiting for the disk: two decided blocks are not synced yet".to_owned(),
        NotVoting::LogIncomplete { quorum, others, .. } if others < quorum => format!(
            "abstaining: the vote log is not complete, and the others weigh {others} of the {quorum} that decide; only if this key \
             certainly signed nothing that the log lacks, restart this node once with --trust-vote-log"
        ),
        NotVoting::LogIncomplete { resume_at: Some(height), .. } => {
            format!(
                "abstaining: the vote log is not complete; votes again at height {height}: wait for the blocks up to it, or send \
                 transactions when the chain is idle"
            )
        }
        NotVoting::LogIncomplete { resume_at: None, heard, quorum, .. } => format!(
            "abstaining: the vote log is not complete; heard {heard} validators over connections with them, needs others of \
             weight {quorum}: connect this node with more of them"
        ),
    }
}

/// How the view's timer stands.
pub(super) fn timer(snapshot: &Snapshot) -> String {
    let Snapshot { view, quorum, .. } = snapshot;
    match snapshot.timer {
        TimerStanding::Armed { held_back: 0 } => format!("runs in view {view}"),
        TimerStanding::Armed { held_back } => {
            format!("runs in view {view}, held back {held_back} times: the block is being executed")
        }
        TimerStanding::NoWork => "not armed: there is nothing to decide".to_owned(),
        TimerStanding::TooEarly => "not armed: the least interval between blocks is not over".to_owned(),
        TimerStanding::NoQuorum { weight } => {
            format!("not armed: weight {weight} of {quorum} is known to be in view {view}")
        }
        TimerStanding::Decided => "not armed: the height is decided".to_owned(),
        TimerStanding::NotVoting => "not armed: this node does not vote".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use quorate_types::Height;

    use super::*;

    /// R21: an idle chain gets no block, so the reason of a node that waits for some says what helps.
    #[test]
    fn who_abstains_says_what_ends_it() {
        let says = |resume_at: Option<u64>, others| {
            let resume_at = resume_at.map(Height);
            not_voting(NotVoting::LogIncomplete { resume_at, heard: 2, quorum: 3, others })
        };
        assert_eq!(
            says(Some(8), 3),
            "abstaining: the vote log is not complete; votes again at height 8: wait for the blocks up to it, or send transactions \
             when the chain is idle"
        );
        assert!(
            says(None, 3).ends_with(
                "heard 2 validators over connections with them, needs others of weight 3: connect \
                                         this node with more of them"
            ),
            "{}",
            says(None, 3)
        );
        assert!(says(None, 2).ends_with("restart this node once with --trust-vote-log"), "{}", says(None, 2));
    }
}
