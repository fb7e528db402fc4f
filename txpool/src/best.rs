//! The choice for a proposal: the highest tip first, each sender's nonces in order.

use std::{
    cmp::{Ordering, Reverse},
    collections::{BinaryHeap, HashSet, btree_map, btree_set},
    iter::{Peekable, Rev},
    vec,
};

use quorate_types::{Address, B256, Transaction};

use crate::{Pool, queue::Entry, ranks::Offer};

/// What is ready, best first: by effective tip, then by arrival. It looks into the pool, takes nothing out.
///
/// A sender is looked at when its tip cap says that it may be the best, so the cost grows with what is
/// taken, not with the pool.
#[derive(Debug)]
pub struct Best<'pool> {
    pool: &'pool Pool,
    base_fee: u64,
    /// Senders not yet looked at. Their rank here is an upper bound: the base fee may cut the tip.
    offers: Peekable<Rev<btree_set::Iter<'pool, Offer>>>,
    /// The next transaction of each sender looked at.
    heads: BinaryHeap<Candidate<'pool>>,
}

#[derive(Debug)]
struct Candidate<'pool> {
    tip: u128,
    entry: &'pool Entry,
    rest: btree_map::Range<'pool, u64, Entry>,
}

/// A choice that outlives the pool's lock.
#[derive(Debug)]
pub struct BestTransactions {
    order: vec::IntoIter<Transaction>,
    skipped: HashSet<Address>,
}

impl Pool {
    /// What is ready at `base_fee` (wei per gas), best first.
    #[must_use]
    pub fn best(&self, base_fee: u64) -> Best<'_> {
        Best { pool: self, base_fee, offers: self.offers().peekable(), heads: BinaryHeap::new() }
    }

    /// Up to `max` of the best for a block that follows one with the transactions `included`: the
    /// undecided parent of a block that is built ahead, else none.
    ///
    /// No block holds more than its gas limit / 21,000, so that is all that `max` ever needs to be.
    #[must_use]
    pub fn select(&self, base_fee: u64, max: usize, included: &HashSet<B256>) -> BestTransactions {
        let fresh = self.best(base_fee).filter(|transaction| !included.contains(&transaction.hash()));
        let order: Vec<_> = fresh.take(max).cloned().collect();
        BestTransactions { order: order.into_iter(), skipped: HashSet::new() }
    }
}

impl<'pool> Iterator for Best<'pool> {
    type Item = &'pool Transaction;

    fn next(&mut self) -> Option<Self::Item> {
        self.look_at_offers();
        let Candidate { entry, rest, .. } = self.heads.pop()?;
        self.heads.extend(Candidate::next_of(rest, self.base_fee));
        Some(&entry.transaction)
    }
}

impl Best<'_> {
    /// Takes in all senders that may rank before the best one known.
    fn look_at_offers(&mut self) {
        let best = |heads: &BinaryHeap<Candidate<'_>>| heads.peek().map(Candidate::rank);
        while let Some((.., sender)) =
            self.offers.next_if(|(tip_cap, order, _)| best(&self.heads) < Some((*tip_cap, *order)))
        {
            let start = self.pool.queue(*sender).map(|queue| queue.entries_from(queue.account().nonce));
            self.heads.extend(start.and_then(|rest| Candidate::next_of(rest, self.base_fee)));
        }
    }
}

impl<'pool> Candidate<'pool> {
    fn next_of(mut rest: btree_map::Range<'pool, u64, Entry>, base_fee: u64) -> Option<Self> {
        let (_, entry) = rest.next()?;
        let tip = entry.is_executable().then(|| entry.effective_tip(base_fee))??;
        Some(Self { tip, entry, rest })
    }

    /// The greatest goes first. Arrivals are unique, so the order is total.
    fn rank(&self) -> (u128, Reverse<u64>) {
        (self.tip, Reverse(self.entry.arrival.order))
    }
}

impl Ord for Candidate<'_> {
    fn cmp(&self, other: &Self) -> Ordering {
        self.rank().cmp(&other.rank())
    }
}

impl PartialOrd for Candidate<'_> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Candidate<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.rank() == other.rank()
    }
}

impl Eq for Candidate<'_> {}

impl BestTransactions {
    /// Leaves out the rest of a sender: for when one of its transactions did not go into the block, so
    /// that those behind it cannot either. Not for a nonce that the block's parent has used already:
    /// there the next may well fit.
    pub fn skip_sender(&mut self, sender: Address) {
        self.skipped.insert(sender);
    }
}

impl Iterator for BestTransactions {
    type Item = Transaction;

    fn next(&mut self) -> Option<Transaction> {
        let skipped = &self.skipped;
        self.order.find(|transaction| !skipped.contains(&transaction.sender()))
    }
}
