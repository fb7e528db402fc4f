//! How time passes in a run: what is done and looked at meanwhile, and what is waited for.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::{LOOK, Violation, runner::Run};

/// A node that is killed and started again and again.
pub(super) struct CrashLoop {
    pub(super) every: Duration,
    pub(super) due: Instant,
}

impl Run<'_> {
    /// What has to be done and looked at all the time: crash loops, ends of processes, refused blocks.
    fn tend(&mut self) -> Result<(), Violation> {
        let now = Instant::now();
        for (node, crash_loop) in &mut self.loops {
            if now < crash_loop.due {
                continue;
            }
            crash_loop.due = now + crash_loop.every;
            if self.processes.runs(*node) {
                self.processes.kill(*node)?;
            }
            self.processes.start(*node)?;
        }
        if let Some(ended) = self.processes.ended() {
            return Err(ended);
        }
        let found = self.book.borrow().violations().first().cloned();
        found.map_or(Ok(()), Err)
    }

    /// Lets time pass.
    pub(super) async fn pass(&mut self, time: Duration) -> Result<(), Violation> {
        let end = Instant::now() + time;
        while Instant::now() < end {
            self.tend()?;
            sleep(LOOK.min(end - Instant::now())).await;
        }
        self.tend()
    }

    /// Waits until a condition holds; returns how long it took.
    pub(super) async fn until(
        &mut self,
        what: impl Into<String>,
        within: Duration,
        condition: impl AsyncFn(&Self) -> bool,
    ) -> Result<Duration, Violation> {
        let began = Instant::now();
        loop {
            self.tend()?;
            if condition(self).await {
                return Ok(began.elapsed());
            }
            if began.elapsed() > within {
                return Err(Violation::Late { what: what.into(), within });
            }
            sleep(LOOK).await;
        }
    }

    /// Waits until a node has ended by itself, with this code.
    pub(super) async fn ends(&mut self, node: usize, code: i32, within: Duration) -> Result<(), Violation> {
        let began = Instant::now();
        loop {
            // Before anything that takes an end for a violation.
            if let Some(status) = self.processes.take_end(node) {
                if status.code() == Some(code) {
                    return Ok(());
                }
                let node = self.processes.cluster.name(node).to_owned();
                return Err(Violation::Ended { node, status: format!("{status}, {code} is expected") });
            }
            self.tend()?;
            if began.elapsed() > within {
                let what = format!("{} ends with code {code}", self.processes.cluster.name(node));
                return Err(Violation::Late { what, within });
            }
            sleep(LOOK).await;
        }
    }
}
