//! The replica's facts in sentences. The one that matters: why does it not go on?

use std::time::Duration;

use quorate_consensus::{
    BlockStanding, MessageKind, NotVoting, Phase, Snapshot, TimerStanding, ValidatorView, ViewChangeReason,
};
use quorate_types::{NodeId, RejectReason, View};

/// What an observer says instead of a reason for its silence.
pub(crate) const OBSERVER: &str = "observer: not in the validator set";
/// Names in one sentence; more are counted.
const MAX_NAMED: usize = 8;

pub(super) const fn phase(phase: Phase) -> &'static str {
    match phase {
        Phase::Idle => "idle",
        Phase::Propose => "propose",
        Phase::Prevote => "prevote",
        Phase::Commit => "commit",
        Phase::ViewChange => "viewChange",
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
            format!("abstaining: the vote log is not complete; votes again at height {height}")
        }
        NotVoting::LogIncomplete { resume_at: None, heard, quorum, .. } => format!(
            "abstaining: the vote log is not complete; heard {heard} validators, needs others of weight {quorum}"
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
        TimerStanding::NoQuorum { weight } => {
            format!("not armed: weight {weight} of {quorum} is known to be in view {view}")
        }
        TimerStanding::Decided => "not armed: the height is decided".to_owned(),
        TimerStanding::NotVoting => "not armed: this node does not vote".to_owned(),
    }
}

/// A snapshot and the names in it.
pub(super) struct Teller<'a> {
    pub(super) snapshot: &'a Snapshot,
    /// A key as people know it.
    pub(super) name: &'a dyn Fn(&NodeId) -> String,
}

impl Teller<'_> {
    /// Whether there is something that should go on.
    pub(super) fn is_busy(&self) -> bool {
        let it = self.snapshot;
        it.work || it.proposed.is_some() || it.decided.is_some() || it.view > View::ZERO
    }

    /// What the chain waits for, as far as this node can tell.
    pub(super) fn waiting_for(&self) -> String {
        let it = self.snapshot;
        let what = match (it.decided, it.phase) {
            (Some(_), _) => self.for_decided_block(),
            _ if !self.is_busy() => {
                return self.with_own_trouble("nothing to decide: no transaction waits".to_owned());
            }
            (None, Phase::ViewChange) => self.for_view_changes(),
            (None, Phase::Idle | Phase::Propose) if it.proposed.is_none() => self.for_proposal(),
            (None, _) => self.for_votes(),
        };
        self.with_own_trouble(what)
    }

    fn with_own_trouble(&self, what: String) -> String {
        match self.snapshot.abstaining {
            Some(NotVoting::Stopped) => "this node has stopped voting for safety: see the alarms".to_owned(),
            Some(why @ (NotVoting::DiskFull | NotVoting::DiskBehind | NotVoting::LogIncomplete { .. })) => {
                format!("{what}; this node does not vote ({})", not_voting(why))
            }
            Some(NotVoting::Observer) | None => what,
        }
    }

    fn for_decided_block(&self) -> String {
        let height = self.snapshot.height;
        match self.snapshot.block {
            Some(BlockStanding::Refused(reason)) => {
                format!("height {height} is decided with a block that this node refuses ({})", reject(reason))
            }
            Some(BlockStanding::Executing | BlockStanding::Valid) => {
                format!("height {height} is decided; waiting for the execution of its block")
            }
            _ => format!("height {height} is decided; waiting for its block, which others have"),
        }
    }

    fn for_view_changes(&self) -> String {
        let it = self.snapshot;
        let there = |validator: &ValidatorView| {
            validator.view_change >= Some(it.view)
                || validator.prevote.is_some()
                || validator.commit.is_some()
        };
        self.missing(&format!("view changes to view {}", it.view), there)
            .unwrap_or_else(|| self.for_proposal())
    }

    fn for_proposal(&self) -> String {
        let Snapshot { leader, view, me, building, interval_passed, height, .. } = self.snapshot;
        if leader == me {
            return match (building, interval_passed) {
                (true, _) => "waiting for this node, which builds the block of the height".to_owned(),
                (false, false) if *view == View::ZERO => {
                    "waiting for the least interval between two blocks".to_owned()
                }
                _ => format!("waiting for this node, which leads view {view} of height {height}, to propose"),
            };
        }
        let proposal = format!("waiting for the proposal of {}, who leads view {view}", self.name(leader));
        match self.snapshot.validators.iter().find(|it| it.id == *leader) {
            Some(it) if it.silent => format!("{proposal}: not heard for {}", seconds(it.silent_ms)),
            Some(it) if it.height.is_some_and(|theirs| theirs != *height) => {
                format!("{proposal}: it is at height {}", it.height.unwrap_or_default())
            }
            _ => proposal,
        }
    }

    fn for_votes(&self) -> String {
        let it = self.snapshot;
        let own = match it.block {
            Some(BlockStanding::Missing | BlockStanding::Fetching) => {
                Some("its body is being fetched here".to_owned())
            }
            Some(BlockStanding::Executing) => Some("it is being executed here".to_owned()),
            Some(BlockStanding::Refused(reason)) => {
                Some(format!("this node refuses it ({})", reject(reason)))
            }
            Some(BlockStanding::Valid) | None => None,
        };
        let prevoted =
            |validator: &ValidatorView| validator.prevote.is_some() && validator.prevote == it.proposed;
        let committed =
            |validator: &ValidatorView| validator.commit.is_some() && validator.commit == it.proposed;
        let votes = self.missing("prevotes", prevoted).or_else(|| self.missing("commits", committed));
        let votes =
            votes.unwrap_or_else(|| "waiting for this node to go on from a quorum's votes".to_owned());
        match own {
            Some(own) => format!("{votes}; of the proposed block: {own}"),
            None if it.durable.next() < it.height => {
                format!("{votes}; this node commits once block {} is on its disk", it.durable.next())
            }
            None => votes,
        }
    }

    /// `waiting for 1 more of 3 prevotes: node2 has not been heard for 34 s`; `None` when a quorum is there.
    fn missing(&self, what: &str, has: impl Fn(&ValidatorView) -> bool) -> Option<String> {
        let it = self.snapshot;
        let (there, missing): (Vec<_>, Vec<_>) = it.validators.iter().partition(|validator| has(validator));
        let weight: u64 = there.iter().map(|validator| validator.weight).sum();
        let lacking = it.quorum.checked_sub(weight).filter(|lacking| *lacking > 0)?;
        let equal = it.validators.iter().all(|validator| validator.weight == 1);
        let amount = if equal {
            format!("{lacking} more of {} {what}", it.quorum)
        } else {
            format!("{what} of weight {lacking} more, of {}", it.quorum)
        };
        Some(format!("waiting for {amount}: {}", self.excuses(&missing)))
    }

    /// Why each of these may not have spoken.
    fn excuses(&self, missing: &[&ValidatorView]) -> String {
        let it = self.snapshot;
        let (silent, heard): (Vec<&ValidatorView>, Vec<&ValidatorView>) =
            missing.iter().copied().partition(|validator: &&ValidatorView| validator.silent);
        let mut excuses = Vec::new();
        if let Some(shortest) = silent.iter().map(|validator| validator.silent_ms).min() {
            let verb = if silent.len() == 1 { "has" } else { "have" };
            excuses.push(format!("{} {verb} not been heard for {}", self.names(&silent), seconds(shortest)));
        }
        let apart = |validator: &ValidatorView| {
            let name = self.name(&validator.id);
            match (validator.reject, validator.height, validator.view) {
                (Some(reason), ..) => Some(format!("{name} refused the block ({})", reject(reason))),
                (_, Some(height), _) if height != it.height => Some(format!("{name} is at height {height}")),
                (_, _, Some(view)) if view != it.view => Some(format!("{name} is in view {view}")),
                _ => None,
            }
        };
        let (apart, near): (Vec<_>, Vec<_>) = heard
            .into_iter()
            .map(|validator| (apart(validator), validator))
            .partition(|(excuse, _)| excuse.is_some());
        excuses.extend(apart.into_iter().filter_map(|(excuse, _)| excuse).take(MAX_NAMED));
        if !near.is_empty() {
            let near: Vec<_> = near.into_iter().map(|(_, validator)| validator).collect();
            excuses.push(format!("nothing yet from {}", self.names(&near)));
        }
        excuses.join("; ")
    }

    fn names(&self, of: &[&ValidatorView]) -> String {
        let mut names: Vec<_> = of.iter().take(MAX_NAMED).map(|it| self.name(&it.id)).collect();
        if of.len() > MAX_NAMED {
            names.push(format!("{} others", of.len() - MAX_NAMED));
        }
        match names.split_last() {
            Some((last, [])) => last.clone(),
            Some((last, rest)) => format!("{} and {last}", rest.join(", ")),
            None => "nobody".to_owned(),
        }
    }

    fn name(&self, id: &NodeId) -> String {
        if *id == self.snapshot.me { "this node".to_owned() } else { (self.name)(id) }
    }
}

fn seconds(ms: u64) -> String {
    format!("{} s", Duration::from_millis(ms).as_secs())
}

#[cfg(test)]
mod tests {
    use quorate_types::{B256, Height};

    use super::*;

    fn id(index: u8) -> NodeId {
        NodeId([index; 32])
    }

    /// Four validators at height 7, seen by node0, whose turn it is not.
    fn snapshot() -> Snapshot {
        let validator = |index: u8| ValidatorView {
            id: id(index),
            weight: 1,
            height: Some(Height(7)),
            view: Some(View::ZERO),
            heard: None,
            silent_ms: 0,
            silent: false,
            prevote: None,
            commit: None,
            view_change: None,
            reject: None,
        };
        Snapshot {
            me: id(0),
            height: Height(7),
            view: View::ZERO,
            leader: id(1),
            phase: Phase::Idle,
            proposed: None,
            decided: None,
            block: None,
            lock: None,
            building: false,
            interval_passed: true,
            work: false,
            durable: Height(6),
            timer: TimerStanding::NoWork,
            abstaining: None,
            quorum: 3,
            total_weight: 4,
            validators: (0..4).map(validator).collect(),
        }
    }

    fn proposed() -> Snapshot {
        let block = Some(BlockStanding::Valid);
        Snapshot {
            phase: Phase::Prevote,
            proposed: Some(B256::repeat_byte(7)),
            block,
            work: true,
            ..snapshot()
        }
    }

    fn says(snapshot: &Snapshot) -> String {
        Teller { snapshot, name: &|id| format!("node{}", id.0[0]) }.waiting_for()
    }

    fn silence(snapshot: &mut Snapshot, index: usize, seconds: u64) {
        let it = &mut snapshot.validators[index];
        (it.silent, it.silent_ms) = (true, seconds * 1_000);
    }

    #[test]
    fn a_chain_at_rest_waits_for_nothing() {
        assert_eq!(says(&snapshot()), "nothing to decide: no transaction waits");
    }

    #[test]
    fn silent_validators_are_named_with_how_long() {
        let mut it = proposed();
        it.validators[0].prevote = it.proposed;
        it.validators[1].prevote = it.proposed;
        silence(&mut it, 2, 34);
        silence(&mut it, 3, 35);
        assert_eq!(
            says(&it),
            "waiting for 1 more of 3 prevotes: node2 and node3 have not been heard for 34 s"
        );
    }

    #[test]
    fn a_vote_for_another_block_is_none() {
        let mut it = proposed();
        it.validators[1].prevote = Some(B256::repeat_byte(1));
        assert!(says(&it).starts_with("waiting for 3 more of 3 prevotes: "), "{}", says(&it));
    }

    #[test]
    fn commits_are_waited_for_once_the_prevotes_are_there() {
        let mut it = Snapshot { phase: Phase::Commit, ..proposed() };
        for index in 0..3 {
            it.validators[index].prevote = it.proposed;
        }
        it.validators[0].commit = it.proposed;
        it.validators[1].height = Some(Height(6));
        it.validators[3].reject = Some(RejectReason::Divergence);
        assert_eq!(
            says(&it),
            "waiting for 2 more of 3 commits: node1 is at height 6; node3 refused the block (divergence); \
             nothing yet from node2"
        );
    }

    #[test]
    fn weights_are_told_where_they_differ() {
        let mut it = proposed();
        (it.quorum, it.validators[0].weight, it.validators[0].prevote) = (5, 3, it.proposed);
        let says = says(&it);
        assert!(says.starts_with("waiting for prevotes of weight 2 more, of 5: "), "{says}");
    }

    #[test]
    fn a_silent_leader_is_told_from_a_slow_one() {
        let mut it = Snapshot { phase: Phase::Propose, work: true, ..snapshot() };
        assert_eq!(says(&it), "waiting for the proposal of node1, who leads view 0");
        silence(&mut it, 1, 12);
        assert_eq!(says(&it), "waiting for the proposal of node1, who leads view 0: not heard for 12 s");
    }

    #[test]
    fn a_view_change_without_a_quorum_names_who_is_missing() {
        let mut it = Snapshot { phase: Phase::ViewChange, view: View(2), work: true, ..snapshot() };
        it.timer = TimerStanding::NoQuorum { weight: 2 };
        it.validators[0].view_change = Some(View(2));
        it.validators[1].view_change = Some(View(3));
        it.validators[3].view = Some(View(1));
        silence(&mut it, 2, 9);
        assert_eq!(
            says(&it),
            "waiting for 1 more of 3 view changes to view 2: node2 has not been heard for 9 s; node3 is in view 1"
        );
        assert_eq!(timer(&it), "not armed: weight 2 of 3 is known to be in view 2");
    }

    #[test]
    fn own_trouble_is_never_hidden() {
        let mut it = proposed();
        it.abstaining = Some(NotVoting::DiskFull);
        assert!(
            says(&it).ends_with("this node does not vote (paused: the disk is almost full)"),
            "{}",
            says(&it)
        );
        it.abstaining = Some(NotVoting::Stopped);
        assert_eq!(says(&it), "this node has stopped voting for safety: see the alarms");
        let it = Snapshot { block: Some(BlockStanding::Executing), ..proposed() };
        assert!(says(&it).ends_with("of the proposed block: it is being executed here"), "{}", says(&it));
        let it = Snapshot { durable: Height(5), ..proposed() };
        assert!(says(&it).ends_with("this node commits once block 6 is on its disk"), "{}", says(&it));
    }

    #[test]
    fn a_decided_block_that_is_not_here_is_said_to_be_missing() {
        let it = Snapshot { decided: Some(B256::ZERO), block: Some(BlockStanding::Missing), ..snapshot() };
        assert_eq!(says(&it), "height 7 is decided; waiting for its block, which others have");
    }

    #[test]
    fn many_names_are_counted() {
        let mut it = proposed();
        let more = (4..20).map(|index| ValidatorView { id: id(index), ..it.validators[3].clone() });
        it.validators.extend(more.collect::<Vec<_>>());
        it.quorum = 14;
        assert!(says(&it).ends_with(" and 12 others"), "{}", says(&it));
    }
}
