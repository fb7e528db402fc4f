//! The pool: queues by sender, the indexes over them, and how both follow the chain.

use std::{
    collections::{BTreeMap, HashMap, btree_set},
    iter::Rev,
};

use quorate_types::{AccountState, Address, B256, ChainConfig, StateChanges, Transaction};

use crate::{
    NextBlock, PoolConfig,
    queue::{Entry, Outdated, Queue},
    ranks::{Offer, Ranks},
    rules::Rules,
};

/// Transactions that wait for a block. See the crate's page for its rules.
#[derive(Debug)]
pub struct Pool {
    pub(crate) config: PoolConfig,
    pub(crate) rules: Rules,
    chain: ChainConfig,
    queues: HashMap<Address, Queue>,
    by_hash: HashMap<B256, Place>,
    /// By the order of arrival.
    arrivals: BTreeMap<u64, Place>,
    pub(crate) ranks: Ranks,
    bytes: usize,
    executable: usize,
    next_arrival: u64,
}

/// Where a transaction stands: whose, and at which nonce.
type Place = (Address, u64);

/// What a new head made leave the pool.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Departed {
    /// Included, or overtaken by another with the same nonce.
    pub stale: Vec<B256>,
    /// The balance no longer covers them.
    pub unaffordable: Vec<B256>,
    /// The fork that begins with the next block forbids them.
    pub forbidden: Vec<B256>,
}

impl Pool {
    /// An empty pool of a chain, before the block `next`.
    #[must_use]
    pub fn new(config: PoolConfig, chain: ChainConfig, next: NextBlock) -> Self {
        Self {
            config,
            rules: Rules::at(&chain, next),
            chain,
            queues: HashMap::new(),
            by_hash: HashMap::new(),
            arrivals: BTreeMap::new(),
            ranks: Ranks::default(),
            bytes: 0,
            executable: 0,
            next_arrival: 0,
        }
    }

    /// Whether a transaction is executable at the head by the chain's rules alone: the reason for a
    /// block, and for arming the timer of view 0.
    #[must_use]
    pub fn has_work(&self) -> bool {
        self.ranks.any_ready(self.rules.base_fee)
    }

    /// Follows a block: `changes` is what it changed, `next` the block that would follow it.
    ///
    /// Call it for each block in order, after the state that `add` reads accounts from shows it.
    pub fn on_committed(&mut self, next: NextBlock, changes: &StateChanges) -> Departed {
        let mut departed = Departed::default();
        let fork = self.rules.fork;
        self.rules = Rules::at(&self.chain, next);
        for (address, change) in &changes.accounts {
            let outdated = self.follow(*address, change.after.unwrap_or_default());
            departed.stale.extend(outdated.stale.iter().map(Entry::hash));
            departed.unaffordable.extend(outdated.unaffordable.iter().map(Entry::hash));
        }
        if self.rules.fork != fork {
            departed.forbidden = self.drop_forbidden();
        }
        departed
    }

    /// Takes out a transaction that execution found invalid. Those behind it wait until its nonce is
    /// sent anew.
    pub fn remove(&mut self, hash: B256) -> Option<Transaction> {
        let (sender, nonce) = *self.by_hash.get(&hash)?;
        self.take(sender, nonce).map(|entry| entry.transaction)
    }

    /// Drops what has waited for the queued lifetime and is not ready: a gap that nobody filled, a fee
    /// cap that the base fee never met. To be called every minute or so.
    pub fn expire(&mut self, now_ms: u64) -> Vec<B256> {
        let lifetime_ms = self.config.queued_lifetime_ms;
        let aged = |entry: &&Entry| now_ms.saturating_sub(entry.arrival.at_ms) >= lifetime_ms;
        let base_fee = self.rules.base_fee;
        let expired = self.oldest_first().take_while(aged).filter(|entry| !entry.is_ready(base_fee));
        let places = expired.map(|entry| (entry.transaction.sender(), entry.transaction.nonce())).collect();
        self.take_all(places)
    }

    pub(crate) fn queue(&self, sender: Address) -> Option<&Queue> {
        self.queues.get(&sender)
    }

    pub(crate) fn queues(&self) -> impl Iterator<Item = &Queue> {
        self.queues.values()
    }

    pub(crate) fn offers(&self) -> Rev<btree_set::Iter<'_, Offer>> {
        self.ranks.offers()
    }

    pub(crate) fn entry(&self, hash: B256) -> Option<&Entry> {
        let (sender, nonce) = self.by_hash.get(&hash)?;
        self.queues.get(sender)?.get(*nonce)
    }

    pub(crate) fn oldest_first(&self) -> impl Iterator<Item = &Entry> {
        self.arrivals.values().filter_map(|(sender, nonce)| self.queues.get(sender)?.get(*nonce))
    }

    pub(crate) fn len(&self) -> usize {
        self.by_hash.len()
    }

    pub(crate) const fn bytes(&self) -> usize {
        self.bytes
    }

    pub(crate) const fn executable(&self) -> usize {
        self.executable
    }

    pub(crate) fn is_over_bounds(&self) -> bool {
        self.len() > self.config.max_transactions || self.bytes > self.config.max_bytes
    }

    /// The number of the next arrival.
    pub(crate) const fn take_arrival(&mut self) -> u64 {
        let order = self.next_arrival;
        self.next_arrival += 1;
        order
    }

    /// Brings a sender's queue up to its account.
    pub(crate) fn follow(&mut self, sender: Address, account: AccountState) -> Outdated {
        let outdated = self.update(sender, |queue| queue.set_account(account)).unwrap_or_default();
        for entry in outdated.stale.iter().chain(&outdated.unaffordable) {
            self.unindex(entry);
        }
        outdated
    }

    /// Puts an entry in, whatever the bounds; the one that it replaces comes back.
    pub(crate) fn put(&mut self, account: AccountState, entry: Entry) -> Option<Entry> {
        let (sender, nonce) = (entry.transaction.sender(), entry.transaction.nonce());
        let (hash, order, size) = (entry.hash(), entry.arrival.order, entry.transaction.raw().len());
        self.queues.entry(sender).or_insert_with(|| Queue::new(account));
        let replaced = self.update(sender, |queue| queue.insert(entry)).flatten();
        if let Some(old) = &replaced {
            self.unindex(old);
        }
        self.by_hash.insert(hash, (sender, nonce));
        self.arrivals.insert(order, (sender, nonce));
        self.bytes += size;
        replaced
    }

    pub(crate) fn take(&mut self, sender: Address, nonce: u64) -> Option<Entry> {
        let entry = self.update(sender, |queue| queue.remove(&[nonce]))?.pop()?;
        self.unindex(&entry);
        Some(entry)
    }

    fn take_all(&mut self, places: Vec<Place>) -> Vec<B256> {
        let mut by_sender: BTreeMap<Address, Vec<u64>> = BTreeMap::new();
        for (sender, nonce) in places {
            by_sender.entry(sender).or_default().push(nonce);
        }
        let mut hashes = Vec::new();
        for (sender, nonces) in by_sender {
            let entries = self.update(sender, |queue| queue.remove(&nonces)).unwrap_or_default();
            entries.iter().for_each(|entry| self.unindex(entry));
            hashes.extend(entries.iter().map(Entry::hash));
        }
        hashes
    }

    fn drop_forbidden(&mut self) -> Vec<B256> {
        let forbidden = self.queues().flat_map(Queue::entries).filter(|entry| {
            let content = entry.transaction.envelope();
            self.rules.check(content).is_err()
        });
        let places = forbidden.map(|entry| (entry.transaction.sender(), entry.transaction.nonce())).collect();
        self.take_all(places)
    }

    /// The one door to a queue: whatever happens behind it, the orders and counts over all senders agree
    /// with it afterwards. None when the sender has no queue.
    fn update<T>(&mut self, sender: Address, change: impl FnOnce(&mut Queue) -> T) -> Option<T> {
        let queue = self.queues.get_mut(&sender)?;
        let before = queue.standing();
        self.executable -= queue.executable();
        let outcome = change(queue);
        self.executable += queue.executable();
        let now = queue.standing();
        self.ranks.update(sender, before, now);
        if now.is_none() {
            self.queues.remove(&sender);
        }
        Some(outcome)
    }

    fn unindex(&mut self, entry: &Entry) {
        self.by_hash.remove(&entry.hash());
        self.arrivals.remove(&entry.arrival.order);
        self.bytes -= entry.transaction.raw().len();
    }

    /// Recomputes all that is kept incrementally, the slow way.
    #[cfg(test)]
    pub(crate) fn assert_consistent(&self) {
        let entries: Vec<_> = self.queues().flat_map(Queue::entries).collect();
        assert_eq!(entries.len(), self.by_hash.len());
        assert_eq!(entries.len(), self.arrivals.len());
        assert_eq!(self.bytes, entries.iter().map(|entry| entry.transaction.raw().len()).sum::<usize>());
        assert_eq!(self.executable, entries.iter().filter(|entry| entry.is_executable()).count());
        for entry in entries {
            let place = (entry.transaction.sender(), entry.transaction.nonce());
            assert_eq!(self.by_hash.get(&entry.hash()), Some(&place));
            assert_eq!(self.arrivals.get(&entry.arrival.order), Some(&place));
        }
        let mut ranks = Ranks::default();
        for (sender, queue) in &self.queues {
            assert!(queue.len() <= self.config.max_per_sender);
            assert!(queue.len() > 0);
            ranks.update(*sender, None, queue.standing());
        }
        assert_eq!(format!("{:?}", self.ranks), format!("{ranks:?}"));
        assert!(!self.is_over_bounds());
    }
}
