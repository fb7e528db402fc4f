//! The orders that the pool keeps over all senders: who gives way first, who has work, who pays best.

use std::{
    cmp::Reverse,
    collections::{BTreeSet, btree_set},
    iter::Rev,
};

use quorate_types::Address;

/// What the orders see of one sender.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Standing {
    /// Entries that cannot execute.
    pub gapped: usize,
    /// Entries beyond the fair share.
    pub over_share: usize,
    /// The lowest tip on the way to the tail, wei per gas.
    pub tip: u128,
    /// The lowest fee cap on the way to the tail, wei per gas.
    pub fee_cap: u128,
    /// When the tail arrived.
    pub youngest: u64,
    /// The first entry, when it can execute.
    pub head: Option<Head>,
}

/// The entry of a sender that can go next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Head {
    /// The highest base fee at which it is ready, wei per gas.
    pub fee_cap: u128,
    /// What it pays the proposer at most, wei per gas.
    pub tip_cap: u128,
    /// When it arrived.
    pub order: u64,
}

/// Gapped entries, entries beyond the fair share, tip, arrival: the greatest gives way first.
type Yielding = (usize, usize, Reverse<u128>, u64, Address);

/// A tip cap and an arrival: the greatest goes first, as far as the base fee leaves it its tip.
pub(crate) type Offer = (u128, Reverse<u64>, Address);

#[derive(Debug, Default)]
pub(crate) struct Ranks {
    yielding: BTreeSet<Yielding>,
    /// By the fee cap of the tail's run, the youngest first.
    fee_caps: BTreeSet<(u128, Reverse<u64>, Address)>,
    /// By the fee cap of the head.
    ready: BTreeSet<(u128, Address)>,
    /// By the tip cap of the head.
    offers: BTreeSet<Offer>,
}

impl Ranks {
    /// Moves a sender from where it stood to where it stands now.
    pub fn update(&mut self, sender: Address, before: Option<Standing>, now: Option<Standing>) {
        let both = (before, now);
        replace(&mut self.yielding, both, |standing| standing.yielding(sender));
        replace(&mut self.fee_caps, both, |standing| standing.by_fee_cap(sender));
        let heads = (before.and_then(|standing| standing.head), now.and_then(|standing| standing.head));
        replace(&mut self.ready, heads, |head| (head.fee_cap, sender));
        replace(&mut self.offers, heads, |head| (head.tip_cap, Reverse(head.order), sender));
    }

    /// The sender whose tail leaves a full pool next; none when the pool is empty.
    pub fn first_to_yield(&self, base_fee: u64) -> Option<Address> {
        let &(gapped, .., sender) = self.yielding.last()?;
        let &(fee_cap, _, cheapest) = self.fee_caps.first()?;
        let nothing_gapped = gapped == 0;
        Some(if nothing_gapped && fee_cap < u128::from(base_fee) { cheapest } else { sender })
    }

    /// Whether any sender's first transaction is ready.
    pub fn any_ready(&self, base_fee: u64) -> bool {
        self.ready.last().is_some_and(|(fee_cap, _)| *fee_cap >= u128::from(base_fee))
    }

    /// The senders whose first transaction can execute, the highest tip cap first, then the earliest.
    pub fn offers(&self) -> Rev<btree_set::Iter<'_, Offer>> {
        self.offers.iter().rev()
    }
}

impl Standing {
    const fn yielding(&self, sender: Address) -> Yielding {
        (self.gapped, self.over_share, Reverse(self.tip), self.youngest, sender)
    }

    const fn by_fee_cap(&self, sender: Address) -> (u128, Reverse<u64>, Address) {
        (self.fee_cap, Reverse(self.youngest), sender)
    }
}

/// Most changes leave most orders as they are, so that is looked at first.
fn replace<T: Copy, K: Ord>(
    set: &mut BTreeSet<K>,
    (before, now): (Option<T>, Option<T>),
    key: impl Fn(T) -> K,
) {
    let (before, now) = (before.map(&key), now.map(&key));
    if before == now {
        return;
    }
    if let Some(before) = before {
        set.remove(&before);
    }
    set.extend(now);
}
