//! Who is in a run: liars, keys that run twice, wrong clocks, weights, and changes of the set.

use rand::Rng;

use super::Planner;
use crate::{chain::MAX_AHEAD_S, fault::Fault, liar::Habit};

/// The highest weight that is drawn.
const MAX_WEIGHT: u64 = 5;
/// How often weights are drawn that must suit the cast.
const MAX_DRAWN: usize = 6;
/// How far a wrong clock is off, seconds.
const MAX_OFF_S: i64 = 30;

impl Planner<'_> {
    /// How many of equal weight may lie: F.
    pub(crate) const fn tolerated(&self) -> usize {
        self.nodes.saturating_sub(1) / 3
    }

    /// How many more may be missing at the end: a quorum needs the rest.
    pub(crate) fn spare(&self) -> usize {
        let quorum = usize::midpoint(self.nodes, self.tolerated()) + 1;
        let missing = self.liars.len() + self.twins.len() + self.unreliable.len();
        (self.nodes - quorum).saturating_sub(missing)
    }

    /// How many more may lie. Of those who lose their logs each but the first counts as one that does (R21).
    pub(crate) fn may_lie(&self) -> usize {
        let lying = self.liars.len() + self.twins.len() + self.losers.saturating_sub(1);
        self.spare().min(self.tolerated().saturating_sub(lying))
    }

    /// A validator with nothing against it; `None` when there is none.
    pub(crate) fn someone_reliable(&mut self) -> Option<usize> {
        let lies = |node: &usize| self.liars.iter().any(|(liar, _)| liar == node);
        let good =
            |node: &usize| !lies(node) && !self.twins.contains(node) && !self.unreliable.contains(node);
        let candidates: Vec<usize> = (0..self.nodes).filter(good).collect();
        (!candidates.is_empty()).then(|| candidates[self.rng.random_range(0..candidates.len())])
    }

    /// So many liars, or as many as are tolerated still.
    pub(crate) fn lie(&mut self, count: Option<usize>) {
        for _ in 0..count.unwrap_or_else(|| self.may_lie()) {
            let Some(node) = self.someone_reliable() else { return };
            let mut habits: Vec<Habit> = (0..self.rng.random_range(1..=4))
                .map(|_| Habit::ALL[self.rng.random_range(0..Habit::ALL.len())])
                .collect();
            // Silence leaves no room for other lies.
            if habits.iter().any(|habit| *habit != Habit::Mute) {
                habits.retain(|habit| *habit != Habit::Mute);
            }
            self.liars.push((node, habits));
        }
    }

    /// In larger sets a node that lost its log leaves room for liars of any kind; in the others for one that tells tales and
    /// votes.
    pub(crate) fn lie_beside_a_lost_log(&mut self) {
        if self.may_lie() > 0 {
            self.lie(None);
        } else if self.tolerated() > 0 && self.losers == 1 && self.chance(0.4) {
            self.tell_tales();
        }
    }

    /// A liar among those who forget. It votes like anyone, so that the others need not wait; its tales are for the one
    /// without a memory. Wishes for high views would cost the others its vote, which they can spare in larger sets alone.
    fn tell_tales(&mut self) {
        let habits = [Habit::Replays, Habit::HighViews];
        let node = self.rng.random_range(0..self.nodes);
        self.liars.push((node, habits[..self.tolerated().min(2)].to_vec()));
    }

    /// A key runs twice.
    pub(crate) fn twins(&mut self) {
        if self.may_lie() > 0 {
            let twin = self.someone_reliable();
            self.twins.extend(twin);
        }
    }

    /// One clock is wrong: a little, or, where its vote can be missing, more than others bear with.
    pub(crate) fn wrong_clock(&mut self) {
        let borne = i64::try_from(MAX_AHEAD_S).expect("seconds") - 1;
        let Some(node) = self.someone_reliable() else { return };
        let far = self.spare() > 0 && self.chance(0.8);
        let most = if far { MAX_OFF_S } else { borne };
        let off_s = self.rng.random_range(-most..=most);
        if off_s.abs() > borne {
            self.unreliable.push(node);
        }
        if self.chance(0.5) {
            self.clocks_off_s = vec![0; node];
            self.clocks_off_s.push(off_s);
        } else {
            let at = self.moment();
            self.add(at, Fault::Clock { node, off_s });
        }
    }

    /// Weights that differ, if the cast allows those that are drawn.
    pub(crate) fn weights(&mut self) {
        for _ in 0..MAX_DRAWN {
            let weights: Vec<u64> = (0..self.nodes).map(|_| self.rng.random_range(1..=MAX_WEIGHT)).collect();
            if self.suits(&weights) {
                self.weights = weights;
                return;
            }
        }
    }

    fn suits(&self, weights: &[u64]) -> bool {
        let total: u64 = weights.iter().sum();
        let faulty = (total - 1) / 3;
        let quorum = u64::midpoint(total, faulty) + 1;
        let liars = self.liars.iter().map(|(liar, _)| liar).chain(&self.twins);
        let lying: u64 = liars.map(|liar| weights[*liar]).sum();
        let missing: u64 = self.unreliable.iter().map(|node| weights[*node]).sum();
        lying <= faulty && total - lying - missing >= quorum
    }

    /// Nodes without a vote.
    pub(crate) fn observe(&mut self, count: std::ops::RangeInclusive<usize>) {
        self.observers = self.rng.random_range(count);
    }

    /// Members come, go, and get other weights.
    pub(crate) fn set_changes(&mut self, most: usize) {
        for _ in 0..self.rng.random_range(1..=most) {
            let (at, client, chance) = (self.moment(), self.node(), self.rng.random());
            self.add(at, Fault::ChangeSet { chance, client });
        }
    }
}
