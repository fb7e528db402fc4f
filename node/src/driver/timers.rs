//! The replica's timers on tokio's clock.

use std::{
    collections::BTreeMap,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use futures::{Stream, StreamExt};
use quorate_consensus::Timer;
use tokio::time::Instant;
use tokio_util::time::{DelayQueue, delay_queue::Key};

/// The running timers; each name runs once.
#[derive(Default)]
pub(super) struct Timers {
    queue: DelayQueue<Timer>,
    running: BTreeMap<Timer, (Key, Instant)>,
}

impl Timers {
    /// Starts a timer, or starts it anew.
    pub(super) fn set(&mut self, timer: Timer, after: Duration) {
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
    pub(super) fn cancel(&mut self, timer: &Timer) {
        if let Some((key, _)) = self.running.remove(timer) {
            self.queue.remove(&key);
        }
    }

    /// What is left of a timer.
    pub(super) fn left(&self, timer: &Timer) -> Option<Duration> {
        Some(self.running.get(timer)?.1.saturating_duration_since(Instant::now()))
    }
}

impl Stream for Timers {
    type Item = Timer;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Timer>> {
        let expired = std::task::ready!(self.queue.poll_next_unpin(cx)).map(tokio_util::time::delay_queue::Expired::into_inner);
        if let Some(timer) = &expired {
            self.running.remove(timer);
        }
        Poll::Ready(expired)
    }
}
