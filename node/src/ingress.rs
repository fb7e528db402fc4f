//! The way of a transaction into the pool, from a client or a peer alike: decode, cheap checks, recover the sender
//! once, admit, tell the leader-to-be that there is work, and pass on what is new.

use std::sync::Arc;

use parking_lot::Mutex;
use quick_cache::sync::Cache;
use quorate_consensus::Input;
use quorate_proto::TransactionBatch;
use quorate_rpc::Submission;
use quorate_storage::Store;
use quorate_txpool::Pool;
use quorate_types::{
    Address, B256, Block, Bytes, NodeId, Transaction, TransactionError, UnrecoveredTransaction,
};
use rayon::prelude::*;
use tokio::sync::{broadcast, mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use crate::{
    clock,
    conduct::{Conduct, Outcome},
    driver::Event,
    metrics,
    sharing::{MAX_OFFERED, Sharing},
};

/// Submissions that may wait. Beyond it a client is refused at once, instead of waiting without end.
pub(crate) const SUBMISSION_CAPACITY: usize = 8192;
/// Transactions admitted under one lock of the pool: enough to spread the recovery over the cores, few
/// enough that the first of a burst does not wait for the last.
const MAX_BATCH: usize = 256;
/// Senders remembered, so that a block's transactions are recovered only if this node never saw them.
const RECENT_SENDERS: usize = 100_000;

/// Recovers senders, each once.
#[derive(Clone)]
pub(crate) struct Recovery {
    chain_id: u64,
    senders: Arc<Cache<B256, Address>>,
}

impl Recovery {
    pub(crate) fn new(chain_id: u64) -> Self {
        Self { chain_id, senders: Arc::new(Cache::new(RECENT_SENDERS)) }
    }

    fn recover(&self, decoded: UnrecoveredTransaction) -> Result<Transaction, TransactionError> {
        let hash = decoded.hash();
        if let Some(sender) = self.senders.get(&hash) {
            return Ok(decoded.with_sender(sender));
        }
        let transaction = decoded.recover()?;
        self.senders.insert(hash, transaction.sender());
        Ok(transaction)
    }

    /// All transactions of a block in order; `known` need no work.
    pub(crate) async fn recover_block(
        &self,
        block: Arc<Block>,
        known: Vec<Transaction>,
    ) -> Result<Vec<Transaction>, TransactionError> {
        let this = self.clone();
        let (reply, answer) = oneshot::channel();
        rayon::spawn(move || {
            let known: std::collections::HashMap<B256, Transaction> =
                known.into_iter().map(|it| (it.hash(), it)).collect();
            let recover = |(hash, raw): (B256, &Bytes)| match known.get(&hash) {
                Some(transaction) => Ok(transaction.clone()),
                None => this.recover(UnrecoveredTransaction::decode(raw.clone(), this.chain_id)?),
            };
            let hashes = block.transaction_hashes();
            let all: Result<Vec<_>, _> =
                hashes.into_par_iter().zip(block.transactions()).map(recover).collect();
            let _ = reply.send(all);
        });
        answer
            .await
            .unwrap_or_else(|_| Err(TransactionError::Malformed("the recovery was interrupted".to_owned())))
    }
}

/// A raw transaction on its way into the pool.
struct Arrival {
    raw: Bytes,
    origin: Origin,
}

/// Who brought it.
enum Origin {
    /// A client, and where its answer goes.
    Client(oneshot::Sender<Result<B256, String>>),
    Peer(NodeId),
}

/// Why a transaction was not admitted.
enum Refusal {
    /// It is none of this chain, whoever looks at it: no honest node passes such on.
    Forged(String),
    /// This pool does not take it, or not now.
    Declined(String),
}

impl Refusal {
    fn into_reason(self) -> String {
        match self {
            Self::Forged(reason) | Self::Declined(reason) => reason,
        }
    }
}

/// What the ingress works with.
#[derive(Clone)]
pub(crate) struct Ingress {
    pub(crate) pool: Arc<Mutex<Pool>>,
    pub(crate) store: Arc<Store>,
    pub(crate) sharing: Sharing,
    pub(crate) conduct: Conduct,
    pub(crate) recovery: Recovery,
    /// Tells clients that follow the pool.
    pub(crate) admitted: broadcast::Sender<B256>,
    pub(crate) events: mpsc::Sender<Event>,
}

impl Ingress {
    /// Takes clients' transactions until the node stops.
    pub(crate) async fn run(self, mut submissions: mpsc::Receiver<Submission>, cancel: CancellationToken) {
        let mut batch = Vec::with_capacity(MAX_BATCH);
        while cancel
            .run_until_cancelled(submissions.recv_many(&mut batch, MAX_BATCH))
            .await
            .is_some_and(|got| got > 0)
        {
            let arrivals =
                batch.drain(..).map(|it| Arrival { raw: it.raw, origin: Origin::Client(it.reply) }).collect();
            let accepted = self.admit(arrivals).await;
            self.sharing.publish(accepted, None, None);
        }
    }

    /// Takes a peer's batch, and passes on what was new here and is a transaction of this chain.
    pub(crate) async fn take_from_peer(&self, from: NodeId, batch: TransactionBatch) {
        let mut arrivals =
            batch.transactions.into_iter().map(|raw| Arrival { raw, origin: Origin::Peer(from) });
        loop {
            let some: Vec<_> = arrivals.by_ref().take(MAX_BATCH).collect();
            if some.is_empty() {
                return;
            }
            let accepted = self.admit(some).await;
            self.sharing.publish(accepted, batch.trace_id, Some(from));
        }
    }

    /// Offers what waits to a peer that has just come: its pool may be empty, and the next turn its own, for which all would
    /// wait until half of the timer is over (R14).
    pub(crate) fn greet(&self, peer: NodeId) {
        let pool = self.pool.clone();
        self.sharing.greet(peer, move || pool.lock().to_offer(MAX_OFFERED, 0, clock::now_ms()));
    }

    /// Admits what is sound; returns the raw bytes of what the pool took.
    async fn admit(&self, arrivals: Vec<Arrival>) -> Vec<Bytes> {
        let this = self.clone();
        let (reply, admitted) = oneshot::channel();
        rayon::spawn(move || {
            let _ = reply.send(this.admit_now(arrivals));
        });
        let (accepted, executable) = admitted.await.unwrap_or_default();
        if executable {
            let _ = self.events.send(Event::Input(Input::Work(true))).await;
        }
        accepted
    }

    fn admit_now(&self, arrivals: Vec<Arrival>) -> (Vec<Bytes>, bool) {
        let recovered: Vec<_> = arrivals
            .into_par_iter()
            .map(|Arrival { raw, origin }| (raw.len(), self.recover_one(raw), origin))
            .collect();
        let (mut accepted, mut executable) = (Vec::new(), false);
        let mut replies = Vec::with_capacity(recovered.len());
        {
            let mut pool = self.pool.lock();
            let now_ms = clock::now_ms();
            for (bytes, result, origin) in recovered {
                let result = result.and_then(|transaction| {
                    let account = self.store.account(transaction.sender()).map_err(declined)?;
                    let (hash, raw) = (transaction.hash(), transaction.raw().clone());
                    let added =
                        pool.add(transaction, account.unwrap_or_default(), now_ms).map_err(declined)?;
                    executable |= added.executable;
                    accepted.push(raw);
                    Ok(hash)
                });
                metrics::submission(result.is_ok());
                replies.push((bytes, result, origin));
            }
        }
        for (bytes, result, origin) in replies {
            if let Ok(hash) = &result {
                // Nobody may follow the pool.
                let _ = self.admitted.send(*hash);
            }
            match (origin, result) {
                // The client may be gone.
                (Origin::Client(reply), result) => drop(reply.send(result.map_err(Refusal::into_reason))),
                (Origin::Peer(from), Err(Refusal::Forged(reason))) => {
                    tracing::debug!(peer = %from, %reason, "a peer passed on what is no transaction of this chain");
                    self.conduct.count(from, Outcome::ForgedTransaction, bytes);
                }
                (Origin::Peer(_), _) => {}
            }
        }
        (accepted, executable)
    }

    fn recover_one(&self, raw: Bytes) -> Result<Transaction, Refusal> {
        let forged = |error: TransactionError| Refusal::Forged(error.to_string());
        let decoded = UnrecoveredTransaction::decode(raw, self.recovery.chain_id).map_err(forged)?;
        self.pool.lock().check(&decoded).map_err(declined)?;
        self.recovery.recover(decoded).map_err(forged)
    }
}

fn declined(error: impl std::fmt::Display) -> Refusal {
    Refusal::Declined(error.to_string())
}
