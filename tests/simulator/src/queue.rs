//! What will happen, in the order of virtual time.

use std::{cmp::Reverse, collections::BinaryHeap, time::Duration};

use quorate_consensus::{BuildPlan, Timer};
use quorate_types::{B256, Height};

use crate::{fault::Fault, packet::Packet};

/// Something that happens at a moment of virtual time.
#[derive(Debug)]
pub(crate) enum Event {
    /// A packet arrives, unless the connection it was sent over is gone.
    Arrival { to: usize, from: usize, life: u32, packet: Packet },
    /// Something that a node waits for; a crash takes it away.
    Wake { node: usize, life: u32, what: Wake },
    /// Something goes wrong, or right again.
    Fault(Fault),
}

/// What a node waits for.
#[derive(Debug)]
pub(crate) enum Wake {
    /// A timer; the number tells whether it was set anew or stopped since.
    Timer(Timer, u64),
    /// The vote log is synced.
    LogSynced,
    /// Block records up to this height are synced, written by the sync if so said.
    BlocksSynced { height: Height, by_sync: bool },
    /// A block is built.
    Built(BuildPlan),
    /// Ask the next neighbour for a body, or give up.
    AskAgain { block_hash: B256, number: u64 },
    /// A block's content is at hand and its time has come.
    Execute { block_hash: B256, number: u64 },
    /// A block is executed.
    Executed { block_hash: B256, number: u64 },
}

/// The queue, and the time it has reached.
#[derive(Debug, Default)]
pub(crate) struct Queue {
    heap: BinaryHeap<Reverse<Entry>>,
    sequence: u64,
    now: Duration,
}

#[derive(Debug)]
struct Entry {
    at: Duration,
    sequence: u64,
    event: Event,
}

impl Queue {
    pub(crate) const fn now(&self) -> Duration {
        self.now
    }

    pub(crate) fn push(&mut self, after: Duration, event: Event) {
        self.sequence += 1;
        self.heap.push(Reverse(Entry { at: self.now + after, sequence: self.sequence, event }));
    }

    /// The next event not later than `until`; without one, time moves on to `until`.
    pub(crate) fn pop(&mut self, until: Duration) -> Option<Event> {
        if self.heap.peek().is_none_or(|Reverse(entry)| entry.at > until) {
            self.now = self.now.max(until);
            return None;
        }
        let Reverse(entry) = self.heap.pop()?;
        self.now = entry.at;
        Some(entry.event)
    }

    /// Takes back the faults that have not happened yet.
    pub(crate) fn forget_faults(&mut self) {
        self.heap.retain(|Reverse(entry)| !matches!(entry.event, Event::Fault(_)));
    }
}

impl PartialEq for Entry {
    fn eq(&self, other: &Self) -> bool {
        (self.at, self.sequence) == (other.at, other.sequence)
    }
}

impl Eq for Entry {}

impl PartialOrd for Entry {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Entry {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.at, self.sequence).cmp(&(other.at, other.sequence))
    }
}
