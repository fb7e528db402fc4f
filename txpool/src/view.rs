//! What others read of the pool: lookups, counts, contents, and what has waited long.

use std::collections::{BTreeMap, HashMap};

use quorate_types::{Address, B256, Transaction};

use crate::{
    Pool,
    queue::{Entry, Queue},
};

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

    /// The ready transactions that have waited longest, for a validator that suspects that the leader
    /// lacks them: up to `max_bytes` of raw bytes in all, but the first however large it is, and each
    /// behind those of its sender that must go before it.
    #[must_use]
    pub fn waiting_longest(&self, max_bytes: usize) -> Vec<Transaction> {
        let mut chosen = Vec::new();
        let mut bytes = 0;
        let mut next_nonces: HashMap<Address, u64> = HashMap::new();
        for oldest in self.oldest_first().filter(|entry| entry.is_ready(self.rules.base_fee)) {
            let (sender, nonce) = (oldest.transaction.sender(), oldest.transaction.nonce());
            let Some(queue) = self.queue(sender) else { continue };
            let next = next_nonces.entry(sender).or_insert(queue.account().nonce);
            for (_, entry) in queue.entries_from(*next).take_while(|(at, _)| **at <= nonce) {
                bytes += entry.transaction.raw().len();
                if bytes > max_bytes && !chosen.is_empty() {
                    return chosen;
                }
                chosen.push(entry.transaction.clone());
            }
            *next = nonce.saturating_add(1).max(*next);
        }
        chosen
    }

    /// Up to `limit` ready transactions that came at least `age_ms` before `now_ms`, the oldest first: to be
    /// offered to peers again, for a full pool may have refused them when they were new.
    #[must_use]
    pub fn older_than(&self, age_ms: u64, now_ms: u64, limit: usize) -> Vec<B256> {
        let aged = |entry: &&Entry| now_ms.saturating_sub(entry.arrival.at_ms) >= age_ms;
        let ready = self.oldest_first().take_while(aged).filter(|entry| entry.is_ready(self.rules.base_fee));
        ready.take(limit).map(Entry::hash).collect()
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
