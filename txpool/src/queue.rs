//! One sender's transactions in nonce order, and how far they can execute.

use std::{collections::BTreeMap, mem};

use alloy_consensus::Transaction as _;
use quorate_types::{AccountState, B256, Transaction, U256};

use crate::{
    FAIR_SHARE,
    ranks::{Head, Standing},
};

/// When a transaction came; a replacement inherits it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Arrival {
    /// Rises by one with each transaction.
    pub order: u64,
    /// The caller's clock, milliseconds.
    pub at_ms: u64,
}

/// A transaction in the pool, with the numbers that are read often.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub transaction: Transaction,
    pub arrival: Arrival,
    /// Wei at the highest price.
    pub cost: U256,
    /// Wei per gas.
    pub fee_cap: u128,
    /// Wei per gas; the gas price of transactions without a tip.
    pub tip_cap: u128,
    run: Run,
}

/// What holds for a sender's queue up to and including one entry. Kept per entry, so that a change
/// costs only what follows it, and an append nothing.
#[derive(Clone, Copy, Debug)]
struct Run {
    /// The nonce that would go on executing; none behind a gap or beyond the balance.
    next: Option<u64>,
    /// How many of the queue's first entries can execute.
    executable: usize,
    /// Wei at the highest prices.
    cost: U256,
    /// The lowest fee cap: the base fee that lets all of them in.
    fee_cap: u128,
    /// The lowest tip: an entry is worth no more than those that must go before it.
    tip: u128,
}

/// The transactions of one sender that left because its account changed.
#[derive(Debug, Default)]
pub(crate) struct Outdated {
    pub stale: Vec<Entry>,
    pub unaffordable: Vec<Entry>,
}

#[derive(Debug)]
pub(crate) struct Queue {
    account: AccountState,
    entries: BTreeMap<u64, Entry>,
}

impl Entry {
    pub fn new(transaction: Transaction, arrival: Arrival, cost: U256) -> Self {
        let content = transaction.envelope();
        let (fee_cap, tip_cap) = (content.max_fee_per_gas(), content.priority_fee_or_price());
        let run = Run { next: None, executable: 0, cost, fee_cap, tip: tip_cap };
        Self { transaction, arrival, cost, fee_cap, tip_cap, run }
    }

    pub fn hash(&self) -> B256 {
        self.transaction.hash()
    }

    /// Whether it can follow the head by nonce and balance, once those before it have.
    pub const fn is_executable(&self) -> bool {
        self.run.next.is_some()
    }

    /// Whether it and all that must go before it can execute at this base fee.
    pub fn is_ready(&self, base_fee: u64) -> bool {
        self.is_executable() && self.run.fee_cap >= u128::from(base_fee)
    }

    /// Wei per gas that the proposer earns; none when the fee cap is below the base fee.
    pub fn effective_tip(&self, base_fee: u64) -> Option<u128> {
        Some(self.fee_cap.checked_sub(u128::from(base_fee))?.min(self.tip_cap))
    }
}

impl Queue {
    pub const fn new(account: AccountState) -> Self {
        Self { account, entries: BTreeMap::new() }
    }

    pub const fn account(&self) -> AccountState {
        self.account
    }

    pub fn len(&self) -> usize {
        self.entries.len()
    }

    pub fn get(&self, nonce: u64) -> Option<&Entry> {
        self.entries.get(&nonce)
    }

    /// The entry with the highest nonce: the only one whose leaving strands no other.
    pub fn tail(&self) -> Option<&Entry> {
        self.entries.last_key_value().map(|(_, entry)| entry)
    }

    pub fn entries(&self) -> impl Iterator<Item = &Entry> {
        self.entries.values()
    }

    /// Those from `nonce` on, in order.
    pub fn entries_from(&self, nonce: u64) -> std::collections::btree_map::Range<'_, u64, Entry> {
        self.entries.range(nonce..)
    }

    pub fn executable(&self) -> usize {
        self.tail().map_or(0, |tail| tail.run.executable)
    }

    /// Wei that all of them may cost.
    pub fn total_cost(&self) -> U256 {
        self.tail().map_or(U256::ZERO, |tail| tail.run.cost)
    }

    /// The first nonce that is neither used nor taken by an executable entry.
    pub fn next_nonce(&self) -> u64 {
        // Executable entries stand without a gap from the account's nonce on.
        self.account.nonce.saturating_add(self.executable() as u64)
    }

    /// Puts an entry at its nonce; the one that stood there comes back.
    pub fn insert(&mut self, entry: Entry) -> Option<Entry> {
        let nonce = entry.transaction.nonce();
        let replaced = self.entries.insert(nonce, entry);
        self.settle_from(nonce);
        replaced
    }

    /// Takes entries out; those behind them stay, gapped.
    pub fn remove(&mut self, nonces: &[u64]) -> Vec<Entry> {
        let removed = nonces.iter().filter_map(|nonce| self.entries.remove(nonce)).collect();
        if let Some(first) = nonces.iter().min() {
            self.settle_from(*first);
        }
        removed
    }

    /// Follows the account: what it has used up leaves, and what its balance does not cover even alone.
    ///
    /// A view of the account that is older than the one at hand changes nothing.
    pub fn set_account(&mut self, account: AccountState) -> Outdated {
        if account.nonce < self.account.nonce || account == self.account {
            return Outdated::default();
        }
        self.account = account;
        let current = self.entries.split_off(&account.nonce);
        let stale = mem::replace(&mut self.entries, current).into_values().collect();
        let unaffordable =
            self.entries.extract_if(.., |_, entry| entry.cost > account.balance).map(|(_, entry)| entry);
        let outdated = Outdated { stale, unaffordable: unaffordable.collect() };
        self.settle_from(account.nonce);
        outdated
    }

    /// What the pool's order of eviction sees of this sender; none when nothing waits.
    pub fn standing(&self) -> Option<Standing> {
        let (_, head) = self.entries.first_key_value()?;
        let tail = self.tail()?;
        Some(Standing {
            gapped: self.len() - self.executable(),
            over_share: self.len().saturating_sub(FAIR_SHARE),
            tip: tail.run.tip,
            fee_cap: tail.run.fee_cap,
            youngest: tail.arrival.order,
            head: head.is_executable().then_some(Head {
                fee_cap: head.fee_cap,
                tip_cap: head.tip_cap,
                order: head.arrival.order,
            }),
        })
    }

    /// Brings the runs from `nonce` on up to date.
    fn settle_from(&mut self, nonce: u64) {
        let before = self.entries.range(..nonce).next_back();
        let mut run = before.map_or(Run::start(self.account.nonce), |(_, entry)| entry.run);
        for (nonce, entry) in self.entries.range_mut(nonce..) {
            run = run.followed_by(*nonce, entry, self.account.balance);
            entry.run = run;
        }
    }
}

impl Run {
    const fn start(nonce: u64) -> Self {
        Self { next: Some(nonce), executable: 0, cost: U256::ZERO, fee_cap: u128::MAX, tip: u128::MAX }
    }

    fn followed_by(self, nonce: u64, entry: &Entry, balance: U256) -> Self {
        let cost = self.cost.saturating_add(entry.cost);
        let goes_on = self.next == Some(nonce) && cost <= balance;
        Self {
            next: goes_on.then(|| nonce.saturating_add(1)),
            executable: self.executable + usize::from(goes_on),
            cost,
            fee_cap: self.fee_cap.min(entry.fee_cap),
            tip: self.tip.min(entry.tip_cap),
        }
    }
}
