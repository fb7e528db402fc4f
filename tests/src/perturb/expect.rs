//! What steps expect: time under load, measured and judged.

use std::time::Duration;

use jsonrpsee::{core::client::ClientT, rpc_params};
use serde::Deserialize;
use tokio::time::sleep;

use super::{Step, Violation, runner::Run, watch::client};

/// A node is ready, or says why it is not, within this time: a dial that failed is tried again after 15 s at most.
pub(super) const READINESS: Duration = Duration::from_secs(60);
/// A node notices a full disk and ends within this time.
const END: Duration = Duration::from_secs(30);
/// A block that was under way when the quorum was lost is shown within this time.
const UNDER_WAY: Duration = Duration::from_secs(1);
/// Rates are integers: transactions in this many milliseconds.
const RATE_PER_MS: u64 = 1_000_000;

/// What is read of `quorate_status`.
#[derive(Deserialize)]
pub(super) struct Status {
    pub(super) height: u64,
    ready: bool,
    reasons: Vec<String>,
}

impl Run<'_> {
    pub(super) async fn expect(&mut self, step: &Step) -> Result<(), Violation> {
        match step {
            Step::Baseline(lasting) => {
                let rate = self.measure(*lasting).await?;
                self.baseline = Some(rate);
                self.say(&format!("undisturbed: {} transactions a second", rate / 1000));
                Ok(())
            }
            Step::Throughput { lasting, at_least_percent } => {
                self.throughput(*lasting, *at_least_percent).await
            }
            Step::NextBlock(within) => self.next_block(*within).await,
            Step::Stall(lasting) => self.stall(*lasting).await,
            Step::Ready(nodes) => self.ready(nodes).await,
            Step::Unready { node, because } => self.unready(*node, because).await,
            Step::Ends { node, code } => self.ends(*node, *code, END).await,
            Step::Wait(time) => self.pass(*time).await,
            done => Err(Violation::Script(format!("{done:?} expects nothing"))),
        }
    }

    /// Transactions in a thousand seconds, measured over some time.
    async fn measure(&mut self, lasting: Duration) -> Result<u64, Violation> {
        let from = self.began.elapsed();
        self.pass(lasting).await?;
        let to = self.began.elapsed();
        let count = self.book.borrow().included_between(from, to);
        let millis = u64::try_from((to - from).as_millis()).unwrap_or(u64::MAX).max(1);
        Ok(count * RATE_PER_MS / millis)
    }

    async fn throughput(&mut self, lasting: Duration, at_least: u32) -> Result<(), Violation> {
        let Some(baseline) = self.baseline.filter(|rate| *rate > 0) else {
            return Err(Violation::Script("throughput needs a baseline above 0 before it".to_owned()));
        };
        let rate = self.measure(lasting).await?;
        let percent = u32::try_from(rate * 100 / baseline).unwrap_or(u32::MAX);
        self.say(&format!("{} transactions a second, {percent} % of the undisturbed run", rate / 1000));
        if percent < at_least { Err(Violation::Slow { percent, at_least }) } else { Ok(()) }
    }

    pub(super) async fn next_block(&mut self, within: Duration) -> Result<(), Violation> {
        let before = self.book.borrow().height();
        let what = format!("a block above {before}");
        let took = self.until(what, within, async |run: &Self| run.book.borrow().height() > before).await?;
        self.say(&format!("the next block came after {took:.2?}"));
        Ok(())
    }

    async fn stall(&mut self, lasting: Duration) -> Result<(), Violation> {
        self.pass(UNDER_WAY).await?;
        let before = self.book.borrow().height();
        self.pass(lasting).await?;
        let height = self.book.borrow().height();
        if height > before { Err(Violation::Unexpected { height }) } else { Ok(()) }
    }

    pub(super) async fn ready(&mut self, nodes: &[usize]) -> Result<(), Violation> {
        for node in nodes {
            let what = format!("{} is ready", self.processes.cluster.name(*node));
            let is_ready =
                async |run: &Self| run.status(*node).await.is_some_and(|it| it.ready && it.height > 0);
            self.until(what, READINESS, is_ready).await?;
        }
        Ok(())
    }

    async fn unready(&mut self, node: usize, because: &str) -> Result<(), Violation> {
        let what = format!("{} is not ready because of: {because}", self.processes.cluster.name(node));
        let says = async |run: &Self| {
            let status = run.status(node).await;
            status.is_some_and(|it| !it.ready && it.reasons.iter().any(|why| why.contains(because)))
        };
        self.until(what, READINESS, says).await?;
        Ok(())
    }

    /// What a node says of itself, if it answers.
    pub(super) async fn status(&self, node: usize) -> Option<Status> {
        let client = client(&self.processes.cluster, node);
        let answer = client.request("quorate_status", rpc_params![]).await;
        if answer.is_err() {
            // It is asked again at once otherwise, and is about to start.
            sleep(super::LOOK).await;
        }
        answer.ok()
    }
}
