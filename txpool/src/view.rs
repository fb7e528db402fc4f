//! What others read of the pool: lookups, counts, contents, and what has waited long.

use std::collections::BTreeMap;

use quorate_types::{Address, B256, Transaction};

use crate::{Pool, queue::Queue};

/// How full the pool is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PoolStatus {
    /// Transactions that can execute by nonce and balance.
    pub pending: usize,
    /// Transactions behind a gap, or beyond the balance.
    pub queued: usize,
    /// Raw bytes of all.
    pub bytes: usize,
}

/// Transactions by sender and nonce, as `txpool_content` shows them.
#[derive(Clone, Debug, Default)]
pub struct Content {
    /// Those that can execute by nonce and balance.
    pub pending: BTreeMap<Address, BTreeMap<u64, Transaction>>,
    /// Those behind a gap, or beyond the balance.
    pub queued: BTreeMap<Address, BTreeMap<u64, Transaction>>,
}

impl Pool {
    /// The transaction with this hash.
    #[must_use]
    pub fn get(&self, hash: B256) -> Option<&Transaction> {
        self.entry(hash).map(|entry| &entry.transaction)
    }

    /// Whether the transaction with this hash waits here.
    #[must_use]
    pub fn contains(&self, hash: B256) -> bool {
        self.entry(hash).is_some()
    }

    /// The nonce that a sender should use next, behind all of its transactions that can execute; never one
    /// behind a gap. `account_nonce` is the account's at the head.
    #[must_use]
    pub fn pending_nonce(&self, sender: Address, account_nonce: u64) -> u64 {
        self.queue(sender).map_or(account_nonce, |queue| queue.next_nonce().max(account_nonce))
    }

    /// How full the pool is.
    #[must_use]
    pub fn status(&self) -> PoolStatus {
        let pending = self.executable();
        PoolStatus { pending, queued: self.len() - pending, bytes: self.bytes() }
    }

    /// All transactions.
    #[must_use]
    pub fn content(&self) -> Content {
        let mut content = Content::default();
        self.queues().for_each(|queue| content.extend(queue));
        content
    }

    /// The transactions of one sender.
    #[must_use]
    pub fn content_of(&self, sender: Address) -> Content {
        let mut content = Content::default();
        self.queue(sender).into_iter().for_each(|queue| content.extend(queue));
        content
    }

    /// Up to `limit` of those that the next leader should take first, as far as they came at least `age_ms` before `now_ms`:
    /// to be offered to peers, for one of them may lack what all are to include. What blocks take makes room for the next
    /// best here, so that each has its turn.
    #[must_use]
    pub fn to_offer(&self, limit: usize, age_ms: u64, now_ms: u64) -> Vec<Transaction> {
        let aged = |transaction: &&Transaction| {
            let entry = self.entry(transaction.hash());
            entry.is_some_and(|entry| now_ms.saturating_sub(entry.arrival.at_ms) >= age_ms)
        };
        self.best(self.rules.base_fee).filter(aged).take(limit).cloned().collect()
    }
}

impl Content {
    fn extend(&mut self, queue: &Queue) {
        for entry in queue.entries() {
            let part = if entry.is_executable() { &mut self.pending } else { &mut self.queued };
            let (sender, nonce) = (entry.transaction.sender(), entry.transaction.nonce());
            part.entry(sender).or_default().insert(nonce, entry.transaction.clone());
        }
    }
}
