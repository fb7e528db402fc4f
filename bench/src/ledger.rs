//! What is known of each transaction, written by clients and by the watcher at the same time.

use std::{
    collections::{BTreeMap, HashMap},
    sync::atomic::{AtomicU64, AtomicUsize, Ordering},
    time::{Duration, Instant},
};

use parking_lot::Mutex;
use quorate_types::B256;
use tokio::sync::{Notify, watch};

use crate::Second;

/// No instant: a run does not last half a million years.
const NEVER: u64 = u64::MAX;

/// How far a run is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// Accounts are funded, transactions signed.
    Preparing,
    /// Transactions are under way.
    Loading {
        /// Taken by a node.
        accepted: usize,
        /// Seen in a block.
        committed: usize,
        /// All there are.
        of: usize,
    },
    /// What came of it is compared.
    Auditing,
}

/// One row for each transaction, by its number in the order of the plan.
pub(crate) struct Ledger {
    numbers: HashMap<B256, usize>,
    began: Instant,
    /// Microseconds since the beginning.
    due: Vec<AtomicU64>,
    seen: Vec<AtomicU64>,
    accepted: Vec<AtomicU64>,
    counts: Counts,
    refused: Mutex<BTreeMap<String, usize>>,
    news: Notify,
}

#[derive(Default)]
struct Counts {
    accepted: AtomicUsize,
    committed: AtomicUsize,
    twice: AtomicUsize,
}

impl Ledger {
    pub(crate) fn new(hashes: impl Iterator<Item = B256>) -> Self {
        let numbers: HashMap<_, _> = hashes.enumerate().map(|(number, hash)| (hash, number)).collect();
        let column = || (0..numbers.len()).map(|_| AtomicU64::new(NEVER)).collect();
        let (due, seen, accepted) = (column(), column(), column());
        Self {
            numbers,
            began: Instant::now(),
            due,
            seen,
            accepted,
            counts: Counts::default(),
            refused: Mutex::default(),
            news: Notify::new(),
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.numbers.len()
    }

    #[cfg(test)]
    const fn began(&self) -> Instant {
        self.began
    }

    fn micros(&self, at: Instant) -> u64 {
        u64::try_from(at.saturating_duration_since(self.began).as_micros()).unwrap_or(NEVER)
    }

    pub(crate) fn is_due(&self, number: usize, at: Instant) {
        self.due[number].store(self.micros(at), Ordering::Relaxed);
    }

    pub(crate) fn is_accepted(&self, number: usize, at: Instant) {
        self.accepted[number].store(self.micros(at), Ordering::Relaxed);
        self.counts.accepted.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn is_refused(&self, reason: String) {
        *self.refused.lock().entry(reason).or_default() += 1;
    }

    /// A block that became visible then has these transactions, among others perhaps.
    pub(crate) fn is_included(&self, hashes: &[B256], at: Instant) {
        for number in hashes.iter().filter_map(|hash| self.numbers.get(hash)) {
            if self.seen[*number].swap(self.micros(at), Ordering::Relaxed) == NEVER {
                self.counts.committed.fetch_add(1, Ordering::Relaxed);
            } else {
                self.counts.twice.fetch_add(1, Ordering::Relaxed);
            }
        }
        self.news.notify_waiters();
    }

    pub(crate) fn accepted(&self) -> usize {
        self.counts.accepted.load(Ordering::Relaxed)
    }

    pub(crate) fn committed(&self) -> usize {
        self.counts.committed.load(Ordering::Relaxed)
    }

    pub(crate) fn seen_twice(&self) -> usize {
        self.counts.twice.load(Ordering::Relaxed)
    }

    pub(crate) fn refused(&self) -> BTreeMap<String, usize> {
        self.refused.lock().clone()
    }

    pub(crate) fn progress(&self) -> Progress {
        Progress::Loading { accepted: self.accepted(), committed: self.committed(), of: self.len() }
    }

    /// Waits until all that was accepted is in blocks, or none of it was for so long.
    pub(crate) async fn settle(&self, patience: Duration, progress: &watch::Sender<Progress>) {
        loop {
            let news = self.news.notified();
            progress.send_replace(self.progress());
            if self.committed() >= self.accepted() || tokio::time::timeout(patience, news).await.is_err() {
                return;
            }
        }
    }

    /// From due to seen, for each transaction that is in a block.
    pub(crate) fn latencies(&self) -> impl Iterator<Item = Duration> {
        let pairs = self.due.iter().zip(&self.seen);
        let read = |cell: &AtomicU64| cell.load(Ordering::Relaxed);
        pairs.filter_map(move |(due, seen)| {
            let (due, seen) = (read(due), read(seen));
            (due != NEVER && seen != NEVER).then(|| Duration::from_micros(seen.saturating_sub(due)))
        })
    }

    /// What was accepted and what was seen in each second since the first was due.
    pub(crate) fn timeline(&self) -> Vec<Second> {
        let read = |cell: &AtomicU64| Some(cell.load(Ordering::Relaxed)).filter(|at| *at != NEVER);
        let first = self.due.iter().filter_map(read).min().unwrap_or_default();
        let mut timeline: Vec<Second> = Vec::new();
        let mut count = |column: &[AtomicU64], of: fn(&mut Second) -> &mut usize| {
            for at in column.iter().filter_map(read) {
                let second = usize::try_from(at.saturating_sub(first) / 1_000_000).unwrap_or(usize::MAX);
                timeline.resize(timeline.len().max(second + 1), Second::default());
                *of(&mut timeline[second]) += 1;
            }
        };
        count(&self.accepted, |second| &mut second.accepted);
        count(&self.seen, |second| &mut second.committed);
        timeline
    }

    /// From the first that was due to the last that was accepted, and to the last that was seen.
    pub(crate) fn spans(&self) -> (Duration, Duration) {
        let read = |column: &[AtomicU64]| -> Vec<u64> {
            column.iter().map(|it| it.load(Ordering::Relaxed)).filter(|it| *it != NEVER).collect()
        };
        let first = read(&self.due).into_iter().min().unwrap_or_default();
        let last = |column| {
            let last = read(column).into_iter().max().unwrap_or(first);
            Duration::from_micros(last.saturating_sub(first))
        };
        (last(&self.accepted), last(&self.seen))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Given a transaction that is seen in two blocks, then it counts once, and is told of; one that nobody asked about does not
    /// count.
    #[test]
    fn each_transaction_counts_once() {
        let hashes = [1, 2].map(B256::with_last_byte);
        let ledger = Ledger::new(hashes.into_iter());
        let at = |ms| ledger.began() + Duration::from_millis(ms);
        ledger.is_due(0, at(10));
        ledger.is_accepted(0, at(12));
        ledger.is_included(&[hashes[0], B256::with_last_byte(9)], at(30));
        assert_eq!((ledger.accepted(), ledger.committed(), ledger.seen_twice()), (1, 1, 0));
        assert_eq!(ledger.latencies().collect::<Vec<_>>(), [Duration::from_millis(20)]);
        assert_eq!(ledger.spans(), (Duration::from_millis(2), Duration::from_millis(20)));
        assert_eq!(ledger.timeline(), [Second { accepted: 1, committed: 1 }]);
        ledger.is_included(&hashes[..1], at(40));
        assert_eq!((ledger.committed(), ledger.seen_twice()), (1, 1));
    }
}
