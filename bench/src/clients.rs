//! Those who send: each has a connection, and transactions of its own in the order of their nonces.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use tokio::{sync::watch, task::JoinSet};

use crate::{
    BenchError, Plan, Progress, Transport, connection::Connection, ledger::Ledger, workload::Workload,
};

/// How often progress is told.
const LOOK: Duration = Duration::from_millis(200);

/// What a client sends: each transaction with its number.
pub(crate) type Share = Vec<(usize, Bytes)>;

struct Client {
    connection: Connection,
    share: Share,
    most: usize,
    pace: Pace,
    ledger: Arc<Ledger>,
}

/// When transactions are due.
#[derive(Clone, Copy)]
enum Pace {
    /// When the client is free.
    Closed,
    /// One every so often, by their numbers.
    Open { every: Duration, from: Instant },
}

/// Sends all that there is.
pub(crate) async fn run(
    plan: &Plan,
    workload: &Workload,
    ledger: &Arc<Ledger>,
    progress: &watch::Sender<Progress>,
) -> Result<(), BenchError> {
    let mut connections = Vec::with_capacity(plan.clients);
    for endpoint in plan.endpoints.iter().cycle().take(plan.clients) {
        connections.push(Connection::open(plan.transport, endpoint).await?);
    }
    let pace = plan.rate.map_or(Pace::Closed, |rate| Pace::Open {
        every: Duration::from_secs_f64(1.0 / rate),
        from: Instant::now(),
    });
    let mut clients = JoinSet::new();
    for (connection, share) in connections.into_iter().zip(workload.shares(plan.clients)) {
        let most = plan.transport.most(plan.batch);
        let client = Client { connection, share, most, pace, ledger: Arc::clone(ledger) };
        clients.spawn(client.run());
    }
    let mut look = tokio::time::interval(LOOK);
    loop {
        tokio::select! {
            ended = clients.join_next() => match ended {
                None => return Ok(()),
                Some(ended) => ended.map_err(|error| BenchError::Preparing(error.to_string()))??,
            },
            _ = look.tick() => drop(progress.send_replace(ledger.progress())),
        }
    }
}

impl Client {
    async fn run(mut self) -> Result<(), BenchError> {
        let mut next = 0;
        while next < self.share.len() {
            let count = self.wait(next).await;
            let now = Instant::now();
            let sent = &self.share[next..next + count];
            if matches!(self.pace, Pace::Closed) {
                sent.iter().for_each(|(number, _)| self.ledger.is_due(*number, now));
            }
            let transactions: Vec<_> = sent.iter().map(|(_, raw)| raw.clone()).collect();
            let outcomes = self.connection.submit(&transactions).await?;
            let now = Instant::now();
            for ((number, _), outcome) in sent.iter().zip(outcomes) {
                match outcome {
                    Ok(()) => self.ledger.is_accepted(*number, now),
                    Err(reason) => self.ledger.is_refused(reason),
                }
            }
            next += count;
        }
        Ok(())
    }

    /// Waits until a transaction is due; tells how many are then, of which one request may have several.
    async fn wait(&self, next: usize) -> usize {
        let rest = &self.share[next..];
        let most = self.most.min(rest.len());
        let Pace::Open { every, from } = self.pace else { return most };
        let due = |number: usize| from + every.mul_f64(number as f64);
        for (number, _) in &rest[..most] {
            self.ledger.is_due(*number, due(*number));
        }
        tokio::time::sleep_until(due(rest[0].0).into()).await;
        let now = Instant::now();
        rest[..most].iter().take_while(|(number, _)| due(*number) <= now).count().max(1)
    }
}

impl Transport {
    /// Its name on the command line.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::HttpBatch => "http-batch",
            Self::WebSocket => "websocket",
            Self::Grpc => "grpc",
        }
    }
}
