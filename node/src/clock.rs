//! The wall clock, and how far it is from the others'.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::{SystemTime, UNIX_EPOCH},
};

use quorate_types::{NodeId, ValidatorSet};

/// From this distance to the weighted median on, a leader uses its parent's timestamp and says so.
const MAX_SKEW_MS: i64 = 5_000;
/// How far a fresh proposal's time may be ahead before a validator waits with its vote.
pub(crate) const MAX_AHEAD_MS: u64 = 10_000;

/// Milliseconds since the Unix epoch; 0 on a machine whose clock is before it.
pub(crate) fn now_ms() -> u64 {
    let elapsed = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX)
}

/// The clock that blocks get their time from: the wall's, but for a development chain that a test sends into the future.
#[derive(Clone, Debug, Default)]
pub(crate) struct Clock(Arc<AtomicI64>);

impl Clock {
    /// Milliseconds since the Unix epoch.
    pub(crate) fn now_ms(&self) -> u64 {
        now_ms().saturating_add_signed(self.ahead_ms())
    }

    /// How far it is ahead of the wall's.
    pub(crate) fn ahead_ms(&self) -> i64 {
        self.0.load(Ordering::Relaxed)
    }

    /// From now on it runs from `time_ms` on.
    pub(crate) fn set(&self, time_ms: u64) {
        let ahead = i64::try_from(time_ms).unwrap_or(i64::MAX).saturating_sub_unsigned(now_ms());
        self.0.store(ahead, Ordering::Relaxed);
    }
}

/// The distances of other validators' clocks to this one, from their last statuses.
#[derive(Debug, Default)]
pub(crate) struct ClockSkew {
    /// Each one's last clock, and its distance to this one's then.
    seen: BTreeMap<NodeId, (u64, i64)>,
}

impl ClockSkew {
    /// Notes what `id`'s clock showed just now, delay included.
    pub(crate) fn observe(&mut self, id: NodeId, clock_ms: u64) {
        // A replayed status says nothing about the clock.
        if self.seen.get(&id).is_none_or(|(last, _)| *last < clock_ms) {
            let distance = i64::try_from(clock_ms).unwrap_or(i64::MAX).saturating_sub_unsigned(now_ms());
            self.seen.insert(id, (clock_ms, distance));
        }
    }

    /// The weighted median distance, when it is too large to trust the own clock.
    pub(crate) fn excess_ms(&mut self, set: &ValidatorSet) -> Option<i64> {
        self.seen.retain(|id, _| set.contains(id));
        let mut weighted: Vec<_> =
            self.seen.iter().map(|(id, (_, distance))| (*distance, set.weight_of(id))).collect();
        weighted.sort_unstable();
        let half = weighted.iter().map(|(_, weight)| weight).sum::<u64>() / 2;
        let mut passed = 0;
        let median = weighted.into_iter().find(|(_, weight)| {
            passed += weight;
            passed > half
        })?;
        (median.0.abs() > MAX_SKEW_MS).then_some(median.0)
    }
}

#[cfg(test)]
mod tests {
    use quorate_types::Validator;

    use super::*;

    fn set(ids: std::ops::RangeInclusive<u8>) -> ValidatorSet {
        let keys = ids.map(|id| quorate_types::NodeKey::from_seed([id; 32]).id());
        ValidatorSet::new(keys.map(|id| Validator::new(id, 1))).expect("a set")
    }

    /// faults.md, clock-skew: given a clock that is half a minute behind those of a majority, then it is named with the
    /// distance; one liar's clock moves nobody, nor does what it said before, nor who votes no more.
    #[test]
    fn clock_skew_is_the_distance_to_most_of_the_others() {
        let (four, mut skew) = (set(1..=4), ClockSkew::default());
        let ids: Vec<_> = four.members().iter().map(|it| it.key).collect();
        assert_eq!(skew.excess_ms(&four), None, "nobody was heard");
        let now = now_ms();
        skew.observe(ids[0], u64::MAX);
        skew.observe(ids[1], now);
        skew.observe(ids[2], now + 1_000);
        assert_eq!(skew.excess_ms(&four), None, "one liar");
        for id in &ids[1..3] {
            skew.observe(*id, now + 30_000);
            skew.observe(*id, now);
        }
        let excess = skew.excess_ms(&four).expect("most are far ahead");
        assert!((25_000..=30_000).contains(&excess), "{excess}");
        assert_eq!(skew.excess_ms(&set(5..=8)), None);
    }
}
