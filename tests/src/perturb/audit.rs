//! The end: nothing is broken any more, the chain goes on, and every block and proof of every node is read again.

use std::time::Duration;

use jsonrpsee::{core::client::ClientT, rpc_params};
use quorate_types::U256;

use super::{
    Violation,
    expect::READINESS,
    load::sink,
    runner::{Run, Summary},
    watch::{PATIENCE, block_at, client},
};
use crate::cluster::accused;

/// Once the faults have ended, a block comes within this time: a dial that failed is tried again after 15 s at most, and
/// a timer that has grown while the network was bad runs out.
const PROGRESS: Duration = Duration::from_secs(30);
/// How often a block or proof that is read at the end is asked for: a busy node may not answer in time once.
const TRIES: u32 = 3;

impl Run<'_> {
    /// Ends all faults and waits until every node is well, the clients have what they wait for, and all heads are the same.
    pub(super) async fn end_faults(&mut self) -> Result<(), Violation> {
        self.say("the faults end");
        self.calm()?;
        self.proxies.heal_all();
        self.processes.free().map_err(|error| Violation::Script(format!("the small disk: {error}")))?;
        self.processes.restore()?;
        self.next_block(PROGRESS).await?;
        self.ready(&(0..self.scenario.nodes()).collect::<Vec<_>>()).await?;
        if let Some(load) = self.load.take() {
            load.finish().await?;
        }
        for node in 0..self.scenario.nodes() {
            let what = format!("{} has the head that others have", self.processes.cluster.name(node));
            let has_head = async |run: &Self| {
                let head = run.book.borrow().height();
                run.status(node).await.is_some_and(|it| it.height >= head)
            };
            self.until(what, READINESS, has_head).await?;
        }
        Ok(())
    }

    /// Reads every block of every node, and compares it with what was ever seen.
    pub(super) async fn audit(&mut self) -> Result<Summary, Violation> {
        let head = self.book.borrow().height();
        for node in 0..self.scenario.nodes() {
            self.read_again(node, head).await;
            self.read_evidence(node).await?;
            self.check_balance(node).await?;
            self.check_log(node)?;
        }
        let record = self.book.borrow();
        if let Some(violation) = record.violations().first() {
            return Err(violation.clone());
        }
        Ok(Summary {
            blocks: head,
            transactions: record.included(),
            accepted: record.accepted(),
            longest_pause: record.longest_pause(),
        })
    }

    async fn read_again(&self, node: usize, head: u64) {
        let (cluster, name) = (&self.processes.cluster, self.processes.cluster.name(node));
        let client = client(cluster, node);
        for height in 0..=head {
            let mut shown = block_at(&client, height).await;
            for _ in 1..TRIES {
                if shown.is_err() {
                    shown = block_at(&client, height).await;
                }
            }
            self.book.send_modify(|record| match shown {
                Ok(Some(block)) => record.observe(name, block, self.began.elapsed()),
                Ok(None) | Err(_) => record.vanish(name, height),
            });
        }
    }

    /// Nobody lies in a scenario: whoever signed two things that exclude each other has forgotten the first.
    async fn read_evidence(&self, node: usize) -> Result<(), Violation> {
        let (cluster, name) = (&self.processes.cluster, self.processes.cluster.name(node));
        let client = client(cluster, node);
        for _ in 0..TRIES {
            if let Ok(liars) = accused(&client).await {
                self.book.send_modify(|record| record.accuse(name, &liars));
                return Ok(());
            }
        }
        Err(Violation::Late {
            what: format!("an answer of {name} to quorate_evidence"),
            within: PATIENCE * TRIES,
        })
    }

    /// The state says what the blocks say: each transfer was of 1.
    async fn check_balance(&self, node: usize) -> Result<(), Violation> {
        let client = client(&self.processes.cluster, node);
        let balance: Result<U256, _> = client.request("eth_getBalance", rpc_params![sink(), "latest"]).await;
        let included = self.book.borrow().included();
        if balance.as_ref().is_ok_and(|paid| *paid == U256::from(included)) {
            return Ok(());
        }
        let balance = balance.map_or_else(|error| error.to_string(), |paid| paid.to_string());
        Err(Violation::Balance { node: self.processes.cluster.name(node).to_owned(), balance, included })
    }

    /// A panic that did not end the process is a defect all the same.
    fn check_log(&self, node: usize) -> Result<(), Violation> {
        let cluster = &self.processes.cluster;
        let log = cluster.log_of(node);
        let Some(line) = log.lines().find(|line| line.contains("panicked at")) else { return Ok(()) };
        Err(Violation::Ended { node: cluster.name(node).to_owned(), status: line.to_owned() })
    }
}
