//! What a transaction goes through before it is in the pool, whoever brings it: decode, cheap checks, recover the sender once.

use std::{collections::HashMap, sync::Arc};

use parking_lot::Mutex;
use quick_cache::sync::Cache;
use quorate_storage::Store;
use quorate_txpool::Pool;
use quorate_types::{Address, B256, Block, Bytes, Transaction, TransactionError, UnrecoveredTransaction};
use rayon::prelude::*;
use tokio::sync::{broadcast, oneshot};

use crate::{clock, metrics};

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
            let known: HashMap<B256, Transaction> = known.into_iter().map(|it| (it.hash(), it)).collect();
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

/// A transaction that the pool took.
pub(crate) struct Admitted {
    pub(crate) hash: B256,
    /// Whether it can be in the next block by nonce and balance.
    pub(crate) executable: bool,
}

/// Why a transaction was not admitted.
pub(crate) enum Refusal {
    /// It is none of this chain, whoever looks at it: no honest node passes such on.
    Forged(String),
    /// This pool does not take it, or not now.
    Declined(String),
}

impl Refusal {
    pub(crate) fn into_reason(self) -> String {
        match self {
            Self::Forged(reason) | Self::Declined(reason) => reason,
        }
    }
}

/// The door of the pool.
#[derive(Clone)]
pub(crate) struct Admission {
    pub(crate) pool: Arc<Mutex<Pool>>,
    pub(crate) store: Arc<Store>,
    pub(crate) recovery: Recovery,
    /// Tells clients that follow the pool.
    pub(crate) admitted: broadcast::Sender<B256>,
}

impl Admission {
    /// Admits what is sound of raw transactions, under one lock of the pool; the answers are in their order. It takes all
    /// cores for a while, so it is not for a thread that others wait for.
    pub(crate) fn admit(&self, raw: &[Bytes]) -> Vec<Result<Admitted, Refusal>> {
        let recovered: Vec<_> = raw.par_iter().map(|raw| self.recover(raw.clone())).collect();
        let results: Vec<_> = {
            let mut pool = self.pool.lock();
            let now_ms = clock::now_ms();
            let mut add = |transaction| self.add(&mut pool, transaction, now_ms);
            recovered.into_iter().map(|it| it.and_then(&mut add)).collect()
        };
        for result in &results {
            metrics::submission(result.is_ok());
            if let Ok(Admitted { hash, .. }) = result {
                // Nobody may follow the pool.
                let _ = self.admitted.send(*hash);
            }
        }
        results
    }

    fn recover(&self, raw: Bytes) -> Result<Transaction, Refusal> {
        let forged = |error: TransactionError| Refusal::Forged(error.to_string());
        let decoded = UnrecoveredTransaction::decode(raw, self.recovery.chain_id).map_err(forged)?;
        self.pool.lock().check(&decoded).map_err(declined)?;
        self.recovery.recover(decoded).map_err(forged)
    }

    fn add(&self, pool: &mut Pool, transaction: Transaction, now_ms: u64) -> Result<Admitted, Refusal> {
        let account = self.store.account(transaction.sender()).map_err(declined)?;
        let hash = transaction.hash();
        let added = pool.add(transaction, account.unwrap_or_default(), now_ms).map_err(declined)?;
        Ok(Admitted { hash, executable: added.executable })
    }
}

fn declined(error: impl std::fmt::Display) -> Refusal {
    Refusal::Declined(error.to_string())
}
