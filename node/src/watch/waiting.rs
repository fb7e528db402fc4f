//! Why does the chain not go on? What a node waits for, and on whom, in one sentence.

use std::time::Duration;

use quorate_consensus::{BlockStanding, NotVoting, Snapshot, ValidatorView, ViewPhase};
use quorate_types::{NodeId, View};

use super::words::{not_voting, reject};

/// Names in one sentence; more are counted.
const MAX_NAMED: usize = 8;

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
            (None, ViewPhase::ViewChange) => self.for_view_changes(),
            (None, ViewPhase::Idle | ViewPhase::Propose) if it.proposed.is_none() => self.for_proposal(),
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
#[path = "waiting_tests.rs"]
mod tests;
