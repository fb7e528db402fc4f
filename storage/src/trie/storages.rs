//! The storages of accounts as tries, of which those that blocks change stay in memory.

use std::collections::BTreeMap;

use quick_cache::{Weighter, sync::Cache};
use quorate_types::{Address, B256, U256, keccak256};

use super::MerkleTrie;
use crate::{StorageError, slots::Deadline};

/// Slots in memory, about 200 bytes each. A storage of more than these is read and hashed whole by each block that changes it.
const MAX_RESIDENT_SLOTS: u64 = 1_000_000;
/// A guess at how many accounts that is, for the cache's first allocation.
const RESIDENT_STORAGES: usize = 1024;
/// Slots that are put into a trie between two looks at the clock.
const SLOTS_AT_ONCE: usize = 4096;

/// The slots of an account that are not zero, by their hashes.
pub(crate) type StorageTrie = MerkleTrie<U256>;

#[derive(Clone)]
struct Slots;

impl Weighter<Address, StorageTrie> for Slots {
    fn weight(&self, _: &Address, trie: &StorageTrie) -> u64 {
        // An entry without any takes memory as well.
        trie.len() as u64 + 1
    }
}

/// The tries of storages as they were last committed or read.
pub(crate) struct Storages(Cache<Address, StorageTrie, Slots>);

impl Default for Storages {
    fn default() -> Self {
        Self(Cache::with_weighter(RESIDENT_STORAGES, MAX_RESIDENT_SLOTS, Slots))
    }
}

impl Storages {
    /// The storage with this root: what a root stands for is the same at any height.
    pub(crate) fn get(&self, address: Address, root: B256) -> Option<StorageTrie> {
        self.0.get(&address).filter(|trie| trie.root() == root)
    }

    /// For tests: what does not stay is read again.
    #[cfg(test)]
    pub(crate) fn clear(&self) {
        self.0.clear();
    }

    /// Keeps what a block left, or what was read.
    pub(crate) fn keep(&self, address: Address, trie: StorageTrie) {
        self.0.insert(address, trie);
    }
}

/// The trie of these slots, none of which is zero.
///
/// # Errors
/// [`StorageError::TimeLimit`].
pub(crate) fn trie_of(
    slots: impl IntoIterator<Item = (U256, U256)>,
    deadline: Deadline,
) -> Result<StorageTrie, StorageError> {
    let hash = |(slot, value): (U256, U256)| {
        deadline.check()?;
        Ok((keccak256(slot.to_be_bytes::<32>()), Some(value)))
    };
    let mut hashed = slots.into_iter().map(hash).collect::<Result<Vec<_>, StorageError>>()?;
    hashed.sort_unstable_by_key(|(key, _)| *key);
    let mut trie = StorageTrie::default();
    for part in hashed.chunks(SLOTS_AT_ONCE) {
        deadline.check()?;
        trie = trie.with(&part.iter().copied().collect::<BTreeMap<_, _>>());
    }
    Ok(trie)
}
