//! Who gets in: the checks of a newcomer, replacement, and who gives way when the pool is full.

use alloy_consensus::Transaction as _;
use alloy_eips::Encodable2718;
use quorate_types::{AccountState, B256, Transaction, U256, UnrecoveredTransaction};

use crate::{
    Pool, PoolError,
    queue::{Arrival, Entry, Queue},
};

/// How a transaction entered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Added {
    /// The transaction whose nonce it took over.
    pub replaced: Option<B256>,
    /// Whether it can follow the head by nonce and balance, once those before it have.
    pub executable: bool,
    /// What left the pool for it.
    pub evicted: Vec<B256>,
}

/// An entry that left, with what putting it back takes.
struct Evicted {
    account: AccountState,
    entry: Entry,
}

impl Pool {
    /// Every check that needs neither the sender nor state, for before the costly recovery.
    ///
    /// # Errors
    /// Why no block, or not this node, would take the transaction.
    pub fn check(&self, transaction: &UnrecoveredTransaction) -> Result<(), PoolError> {
        // Decoding accepts one encoding only, so this is the length of what arrived.
        self.check_size(transaction.hash(), transaction.envelope().encode_2718_len())?;
        self.rules.check(transaction.envelope())
    }

    /// Admits a transaction. `account` is its sender's at the head, read while the pool cannot move
    /// on (under its lock): an older view could bring back what a block has just included.
    ///
    /// # Errors
    /// Why it is refused; the pool holds what it held before.
    pub fn add(
        &mut self,
        transaction: Transaction,
        account: AccountState,
        now_ms: u64,
    ) -> Result<Added, PoolError> {
        self.check_size(transaction.hash(), transaction.raw().len())?;
        self.rules.check(transaction.envelope())?;
        self.follow(transaction.sender(), account);
        let (account, arrival) = match self.queue(transaction.sender()) {
            Some(queue) => (queue.account(), queue.get(transaction.nonce()).map(|old| old.arrival)),
            None => (account, None),
        };
        let cost = self.check_sender(&transaction, account)?;
        let arrival = arrival.unwrap_or_else(|| Arrival { order: self.take_arrival(), at_ms: now_ms });
        self.insert(account, Entry::new(transaction, arrival, cost))
    }

    fn check_size(&self, hash: B256, size: usize) -> Result<(), PoolError> {
        if self.contains(hash) {
            return Err(PoolError::AlreadyKnown);
        }
        let limit = self.config.max_transaction_bytes;
        if size > limit {
            return Err(PoolError::Oversized { size, limit });
        }
        Ok(())
    }

    /// The checks against the account and what waits of it. Returns the cost, in wei.
    fn check_sender(&self, transaction: &Transaction, account: AccountState) -> Result<U256, PoolError> {
        let (next, nonce, gap) = (account.nonce, transaction.nonce(), self.config.max_nonce_gap);
        if nonce < next {
            return Err(PoolError::NonceTooLow { next, nonce });
        }
        if nonce - next > gap {
            return Err(PoolError::NonceTooHigh { next, nonce, gap });
        }
        let cost = transaction.max_cost().ok_or(PoolError::CostOverflow)?;
        if cost > account.balance {
            return Err(PoolError::InsufficientFunds { balance: account.balance, cost });
        }
        if let Some(queue) = self.queue(transaction.sender()) {
            self.check_queue(queue, transaction, cost)?;
        }
        Ok(cost)
    }

    /// The checks against the sender's other transactions.
    fn check_queue(&self, queue: &Queue, transaction: &Transaction, cost: U256) -> Result<(), PoolError> {
        let (balance, old) = (queue.account().balance, queue.get(transaction.nonce()));
        let leaving = old.or_else(|| self.own_tail_giving_way(queue, transaction.nonce()));
        let freed = leaving.map_or(U256::ZERO, |entry| entry.cost);
        let queued = queue.total_cost().saturating_sub(freed);
        // A balance that fell below what waits must not keep its owner from replacing by something cheaper.
        let covered = queued.checked_add(cost).is_some_and(|sum| sum <= balance);
        if !covered && cost > freed {
            return Err(PoolError::Overdraft { balance, queued, cost });
        }
        match old {
            Some(old) => self.check_replacement(old, transaction),
            None if queue.len() >= self.config.max_per_sender && leaving.is_none() => {
                Err(PoolError::SenderLimit { pooled: queue.len() })
            }
            None => Ok(()),
        }
    }

    /// Both fee fields must rise, so that neither a base fee nor a tip alone buys another round through the network.
    fn check_replacement(&self, old: &Entry, transaction: &Transaction) -> Result<(), PoolError> {
        let content = transaction.envelope();
        let enough = content.max_fee_per_gas() >= self.config.bumped(old.fee_cap)
            && content.priority_fee_or_price() >= self.config.bumped(old.tip_cap);
        enough.then_some(()).ok_or(PoolError::ReplacementUnderpriced)
    }

    /// A sender at its limit makes room itself for a nonce before its last: else a queue full of gapped
    /// transactions could never take the one that is missing.
    fn own_tail_giving_way<'a>(&self, queue: &'a Queue, nonce: u64) -> Option<&'a Entry> {
        let crowded = queue.len() >= self.config.max_per_sender && queue.get(nonce).is_none();
        queue.tail().filter(|tail| crowded && tail.transaction.nonce() > nonce)
    }

    /// Puts a checked entry in and evicts until the bounds hold; or leaves all as it was.
    fn insert(&mut self, account: AccountState, entry: Entry) -> Result<Added, PoolError> {
        let (hash, sender, nonce) = (entry.hash(), entry.transaction.sender(), entry.transaction.nonce());
        let own_tail = self.queue(sender).and_then(|queue| self.own_tail_giving_way(queue, nonce));
        let own_tail = own_tail.map(|tail| tail.transaction.nonce());
        let mut evicted: Vec<Evicted> = Vec::new();
        evicted.extend(
            own_tail.and_then(|tail| self.take(sender, tail)).map(|entry| Evicted { account, entry }),
        );
        let replaced = self.put(account, entry);
        while self.is_over_bounds() {
            let Some(yielding) = self.take_first_to_yield() else { break };
            if yielding.entry.hash() == hash {
                let back = evicted.into_iter().chain(replaced.map(|entry| Evicted { account, entry }));
                back.for_each(|evicted| drop(self.put(evicted.account, evicted.entry)));
                return Err(PoolError::Full { transactions: self.len(), bytes: self.bytes() });
            }
            evicted.push(yielding);
        }
        Ok(Added {
            replaced: replaced.map(|entry| entry.hash()),
            executable: self.entry(hash).is_some_and(Entry::is_executable),
            evicted: evicted.iter().map(|evicted| evicted.entry.hash()).collect(),
        })
    }

    fn take_first_to_yield(&mut self) -> Option<Evicted> {
        let sender = self.ranks.first_to_yield(self.rules.base_fee)?;
        let queue = self.queue(sender)?;
        let (account, nonce) = (queue.account(), queue.tail()?.transaction.nonce());
        Some(Evicted { account, entry: self.take(sender, nonce)? })
    }
}
