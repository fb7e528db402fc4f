//! The state root: Ethereum's Merkle-Patricia trie over all accounts.
//!
//! The accounts are kept in memory as an [`AccountTrie`], and storages as [`StorageTrie`]s as far as there is room
//! ([`Storages`]): a block costs what it changes. The trie of the head is published with the head itself, and nothing is hashed
//! under a lock.
//! A candidate's root comes with a [`TrieUpdate`] that changes nothing until its block is committed, and
//! that another candidate may stand on:
//!
//! ```text
//! trie of the head <- update of h+1 <- update of h+2      (building ahead)
//!                  <- update of h+1, another view         (a sibling; one of them is dropped)
//! ```

mod accounts;
mod merkle;
mod node;
mod root;
mod storages;

use std::{collections::BTreeMap, sync::Arc};

use alloy_trie::{EMPTY_ROOT_HASH, TrieAccount};
use quorate_types::{AccountChange, AccountState, Address, B256, SlotChange, StateChanges, U256, keccak256};

use crate::StorageError;

pub(crate) use accounts::{AccountTrie, TrieChanges};
use merkle::MerkleTrie;
pub(crate) use root::rebuild;
pub(crate) use storages::{StorageTrie, Storages, trie_of};

/// What a candidate block does to the trie. Made by [`crate::Store::root_after`], used up by
/// [`crate::Store::commit`]; cheap to clone.
#[derive(Clone, Debug)]
pub struct TrieUpdate {
    /// The undecided blocks below, oldest first, and at last the block itself.
    layers: Vec<Arc<Layer>>,
}

/// One block's changes to the trie.
#[derive(Debug)]
struct Layer {
    /// The root below the block.
    before: B256,
    /// The trie after the block.
    trie: AccountTrie,
    /// What turns it back into the trie below.
    undo: Arc<TrieChanges>,
    /// The storages that the block changes, after it.
    storages: BTreeMap<Address, StorageTrie>,
}

/// The storage of an account at the head, by its root.
pub(crate) type HeadStorage<'a> = &'a dyn Fn(Address, B256) -> Result<StorageTrie, StorageError>;

impl TrieUpdate {
    /// The state root after the block.
    #[must_use]
    pub fn root(&self) -> B256 {
        self.trie().root()
    }

    /// What `changes` do on top of `base`, or of the head.
    pub(crate) fn new(
        head: &AccountTrie,
        base: Option<&Self>,
        changes: &StateChanges,
        head_storage: HeadStorage<'_>,
    ) -> Result<Self, StorageError> {
        let mut layers = base.map_or(Ok(Vec::new()), |base| base.layers_above(head.root()))?;
        let below = layers.last().map_or(head, |layer| &layer.trie);
        let (mut accounts, mut undo) = (TrieChanges::new(), TrieChanges::new());
        let mut storages = BTreeMap::new();
        for (address, change) in &changes.accounts {
            let key = keccak256(address);
            let before = below.get(&key);
            let storage_below = |root| {
                let layer = layers.iter().rev().find_map(|layer| layer.storages.get(address));
                layer.map_or_else(|| head_storage(*address, root), |trie| Ok(trie.clone()))
            };
            let (after, storage) = changed_account(before, *address, change, storage_below)?;
            undo.insert(key, before);
            accounts.insert(key, after);
            storages.extend(storage.map(|trie| (*address, trie)));
        }
        let (trie, undo) = (below.with(&accounts), Arc::new(undo));
        let layer = Layer { before: below.root(), trie, undo, storages };
        layers.push(Arc::new(layer));
        Ok(Self { layers })
    }

    /// The trie of a state that is on no disk: `state`, which are changes to nothing.
    ///
    /// # Errors
    /// [`StorageError::DoesNotFit`] when they are not.
    pub fn from_nothing(state: &StateChanges) -> Result<Self, StorageError> {
        Self::new(&AccountTrie::default(), None, state, &nothing)
    }

    /// The trie after `changes` to that state.
    ///
    /// # Errors
    /// [`StorageError::DoesNotFit`] when the changes start from another state.
    pub fn then(&self, changes: &StateChanges) -> Result<Self, StorageError> {
        Self::new(&AccountTrie::default(), Some(self), changes, &nothing)
    }

    /// The trie after the block.
    pub(crate) fn trie(&self) -> &AccountTrie {
        &self.top().trie
    }

    /// The storages that the block changes as they are after it.
    pub(crate) fn storages(&self) -> &BTreeMap<Address, StorageTrie> {
        &self.top().storages
    }

    /// The accounts that the block changes as they were before it.
    pub(crate) fn undo(&self) -> &Arc<TrieChanges> {
        &self.top().undo
    }

    /// Whether the update's block may be the next one on a head with the root `committed`.
    pub(crate) fn check_applies(&self, committed: B256) -> Result<(), StorageError> {
        let base = self.top().before;
        if base == committed {
            return Ok(());
        }
        Err(StorageError::StaleUpdate { base, committed })
    }

    /// For tests: how many blocks' changes it holds.
    #[cfg(test)]
    pub(crate) fn depth(&self) -> usize {
        self.layers.len()
    }

    fn top(&self) -> &Layer {
        self.layers.last().expect("an update has the layer of its own block")
    }

    /// The layers that are not committed yet. States are the same when their roots are, so roots tell
    /// where the committed state stands in the chain of layers.
    fn layers_above(&self, committed: B256) -> Result<Vec<Arc<Layer>>, StorageError> {
        if self.root() == committed {
            return Ok(Vec::new());
        }
        let start = self.layers.iter().rposition(|layer| layer.before == committed);
        let start = start.ok_or(StorageError::StaleUpdate { base: self.layers[0].before, committed })?;
        Ok(self.layers[start..].to_vec())
    }
}

/// Below a state that is made of nothing there is nothing.
#[expect(clippy::unnecessary_wraps, reason = "of a disk that may fail")]
fn nothing(_: Address, _: B256) -> Result<StorageTrie, StorageError> {
    Ok(StorageTrie::default())
}

/// The account after the block, from the one `before` it, and its storage if that changes.
fn changed_account(
    before: Option<TrieAccount>,
    address: Address,
    change: &AccountChange,
    storage_below: impl Fn(B256) -> Result<StorageTrie, StorageError>,
) -> Result<(Option<TrieAccount>, Option<StorageTrie>), StorageError> {
    let does_not_fit = |what| StorageError::DoesNotFit { address, what };
    if before.map(account_state) != change.before {
        return Err(does_not_fit("its state before the block is another one"));
    }
    let mut storage_root = before.map_or(EMPTY_ROOT_HASH, |account| account.storage_root);
    let mut storage = None;
    if !change.storage.is_empty() {
        let below = if storage_root == EMPTY_ROOT_HASH {
            StorageTrie::default()
        } else {
            storage_below(storage_root)?
        };
        let changed = changed_storage(&below, &change.storage)
            .ok_or_else(|| does_not_fit("a slot's value before the block is another one"))?;
        storage_root = changed.root();
        storage = Some(changed);
    }
    if change.after.is_none() && storage_root != EMPTY_ROOT_HASH {
        return Err(does_not_fit("it is removed, but not all of its slots are"));
    }
    Ok((change.after.map(|account| trie_account(account, storage_root)), storage))
}

/// `None` when a value is not what it changes from.
fn changed_storage(below: &StorageTrie, changes: &BTreeMap<U256, SlotChange>) -> Option<StorageTrie> {
    let mut hashed = BTreeMap::new();
    for (slot, SlotChange { before, after }) in changes {
        let key = keccak256(slot.to_be_bytes::<32>());
        if below.get(&key).copied().unwrap_or_default() != *before {
            return None;
        }
        hashed.insert(key, Some(*after).filter(|value| !value.is_zero()));
    }
    Some(below.with(&hashed))
}

/// An account with its storage, as the trie has it (Yellow Paper, section 4.1).
pub(crate) const fn trie_account(account: AccountState, storage_root: B256) -> TrieAccount {
    TrieAccount::new(account.nonce, account.balance, storage_root, account.code_hash)
}

/// An account without its storage.
pub(crate) fn account_state(account: TrieAccount) -> AccountState {
    AccountState { nonce: account.nonce, balance: account.balance, code_hash: account.code_hash }
}
