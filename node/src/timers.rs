//! The timers of a pure core on tokio's clock.

use std::{
    collections::BTreeMap,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use futures::{Stream, StreamExt};
use tokio::time::Instant;
use tokio_util::time::{
    DelayQueue,
    delay_queue::{Expired, Key},
};

/// The running timers; each name runs once.
pub(crate) struct Timers<T> {
    queue: DelayQueue<T>,
    running: BTreeMap<T, (Key, Instant)>,
}

impl<T: Copy + Ord> Timers<T> {
    /// None runs.
    pub(crate) fn new() -> Self {
        Self { queue: DelayQueue::new(), running: BTreeMap::new() }
    }

    /// Starts a timer, or starts it anew.
    pub(crate) fn set(&mut self, timer: T, after: Duration) {
        let ends = Instant::now() + after;
        match self.running.get_mut(&timer) {
            Some((key, deadline)) => {
                self.queue.reset_at(key, ends);
                *deadline = ends;
            }
            None => {
                let key = self.queue.insert_at(timer, ends);
                self.running.insert(timer, (key, ends));
            }
        }
    }

    /// Stops a timer, if it runs.
    pub(crate) fn cancel(&mut self, timer: &T) {
        if let Some((key, _)) = self.running.remove(timer) {
            self.queue.remove(&key);
        }
    }

    /// What is left of a timer.
    pub(crate) fn left(&self, timer: &T) -> Option<Duration> {
        Some(self.running.get(timer)?.1.saturating_duration_since(Instant::now()))
    }
}

impl<T: Copy + Ord + Unpin> Stream for Timers<T> {
    type Item = T;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<T>> {
        let expired = std::task::ready!(self.queue.poll_next_unpin(cx)).map(Expired::into_inner);
        if let Some(timer) = &expired {
            self.running.remove(timer);
        }
        Poll::Ready(expired)
    }
}
