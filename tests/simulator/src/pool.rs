//! Transactions that wait at one node, oldest first.

use quorate_types::{B256, Bytes, keccak256};

/// More than any run injects: a pool that grows beyond it is a fault of the simulator.
const MAX_WAITING: usize = 4096;

/// The waiting transactions.
#[derive(Debug, Default)]
pub(crate) struct Pool(Vec<(B256, Bytes)>);

impl Pool {
    /// Adds a transaction; `false` when it is there already.
    pub(crate) fn add(&mut self, raw: Bytes) -> bool {
        let hash = keccak256(&raw);
        let new = self.0.len() < MAX_WAITING && self.get(&hash).is_none();
        if new {
            self.0.push((hash, raw));
        }
        new
    }

    pub(crate) fn get(&self, hash: &B256) -> Option<&Bytes> {
        self.0.iter().find(|(it, _)| it == hash).map(|(_, raw)| raw)
    }

    pub(crate) fn remove(&mut self, hashes: &[B256]) {
        self.0.retain(|(hash, _)| !hashes.contains(hash));
    }

    pub(crate) fn oldest(&self, count: usize) -> Vec<Bytes> {
        self.0.iter().take(count).map(|(_, raw)| raw.clone()).collect()
    }

    /// The oldest ones that take no more than so many bytes together, one at least.
    pub(crate) fn oldest_within(&self, bytes: usize) -> Vec<Bytes> {
        let mut left = bytes;
        let fits = |(index, raw): &(usize, &Bytes)| {
            let rest = left.checked_sub(raw.len());
            left = rest.unwrap_or(0);
            rest.is_some() || *index == 0
        };
        self.0.iter().map(|(_, raw)| raw).enumerate().take_while(fits).map(|(_, raw)| raw.clone()).collect()
    }

    pub(crate) const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) const fn len(&self) -> usize {
        self.0.len()
    }
}
