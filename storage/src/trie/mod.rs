//! The state root: Ethereum's Merkle-Patricia trie over all accounts.
//!
//! The accounts are kept in memory as an [`AccountTrie`]; a changed account's storage is read and hashed
//! whole. The trie of the head is published with the head itself, and nothing is hashed under a lock.
//! A candidate's root comes with a [`TrieUpdate`] that changes nothing until its block is committed, and
//! that another candidate may stand on:
//!
//! ```text
//! trie of the head <- update of h+1 <- update of h+2      (building ahead)
//!                  <- update of h+1, another view         (a sibling; one of them is dropped)
//! ```

mod proof;
mod root;
mod shard;

use std::{collections::BTreeMap, sync::Arc};

use alloy_trie::{EMPTY_ROOT_HASH, TrieAccount};
use quorate_types::{AccountChange, AccountState, Address, B256, SlotChange, StateChanges, U256, keccak256};

use crate::StorageError;

pub(crate) use proof::prove_slots;
pub(crate) use root::{check_count, rebuild, storage_root_of};
pub(crate) use shard::{AccountTrie, TrieChanges};

/// The most accounts that the state may hold. Each costs some 200 bytes of memory and a microsecond
/// of every start, and of the root of a block that touches them all: beyond this such a block would
/// take longer than its timer allows.
pub const MAX_ACCOUNTS: usize = 200_000;

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
    slots: BTreeMap<Address, BTreeMap<U256, U256>>,
}

/// The slots that are not zero of an account at the head.
pub(crate) type HeadSlots<'a> = &'a dyn Fn(Address) -> Result<BTreeMap<U256, U256>, StorageError>;

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
        head_slots: HeadSlots<'_>,
    ) -> Result<Self, StorageError> {
        let mut layers = base.map_or(Ok(Vec::new()), |base| base.layers_above(head.root()))?;
        let below = layers.last().map_or(head, |layer| &layer.trie);
        let (mut accounts, mut undo, mut slots) = (TrieChanges::new(), TrieChanges::new(), BTreeMap::new());
        for (address, change) in &changes.accounts {
            let key = keccak256(address);
            let before = below.get(&key);
            undo.insert(key, before);
            accounts.insert(key, changed_account(before, &layers, *address, change, head_slots)?);
            if !change.storage.is_empty() {
                slots.insert(*address, change.storage.iter().map(|(slot, it)| (*slot, it.after)).collect());
            }
        }
        let (before, after) = (undo.values().flatten().count(), accounts.values().flatten().count());
        if after > before {
            check_count(below.len() - before + after)?;
        }
        let (trie, undo) = (below.with(&accounts), Arc::new(undo));
        let layer = Layer { before: below.root(), trie, undo, slots };
        layers.push(Arc::new(layer));
        Ok(Self { layers })
    }

    /// The trie of a state that is on no disk: `state`, which are changes to nothing.
    ///
    /// # Errors
    /// [`StorageError::TooManyAccounts`].
    pub fn from_nothing(state: &StateChanges) -> Result<Self, StorageError> {
        Self::new(&AccountTrie::default(), None, state, &|_| Ok(BTreeMap::new()))
    }

    /// The trie after `changes` to that state.
    ///
    /// # Errors
    /// [`StorageError::DoesNotFit`] when the changes start from another state, [`StorageError::TooManyAccounts`].
    pub fn then(&self, changes: &StateChanges) -> Result<Self, StorageError> {
        Self::new(&AccountTrie::default(), Some(self), changes, &|_| Ok(BTreeMap::new()))
    }

    /// The trie after the block.
    pub(crate) fn trie(&self) -> &AccountTrie {
        &self.top().trie
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

/// The account after the block, from the one `before` it.
fn changed_account(
    before: Option<TrieAccount>,
    layers: &[Arc<Layer>],
    address: Address,
    change: &AccountChange,
    head_slots: HeadSlots<'_>,
) -> Result<Option<TrieAccount>, StorageError> {
    let does_not_fit = |what| StorageError::DoesNotFit { address, what };
    if before.map(account_state) != change.before {
        return Err(does_not_fit("its state before the block is another one"));
    }
    let mut storage_root = before.map_or(EMPTY_ROOT_HASH, |account| account.storage_root);
    if !change.storage.is_empty() {
        let mut slots = BTreeMap::new();
        if storage_root != EMPTY_ROOT_HASH {
            slots = head_slots(address)?;
            slots.extend(layers.iter().filter_map(|layer| layer.slots.get(&address)).flatten());
        }
        change_slots(&mut slots, &change.storage)
            .map_err(|()| does_not_fit("a slot's value before the block is another one"))?;
        storage_root = storage_root_of(slots);
    }
    if change.after.is_none() && storage_root != EMPTY_ROOT_HASH {
        return Err(does_not_fit("it is removed, but not all of its slots are"));
    }
    Ok(change.after.map(|account| trie_account(account, storage_root)))
}

fn change_slots(slots: &mut BTreeMap<U256, U256>, changes: &BTreeMap<U256, SlotChange>) -> Result<(), ()> {
    for (slot, value) in changes {
        let before = slots.insert(*slot, value.after).unwrap_or_default();
        if before != value.before {
            return Err(());
        }
    }
    Ok(())
}

/// An account with its storage, as the trie has it (Yellow Paper, section 4.1).
pub(crate) const fn trie_account(account: AccountState, storage_root: B256) -> TrieAccount {
    TrieAccount::new(account.nonce, account.balance, storage_root, account.code_hash)
}

/// An account without its storage.
pub(crate) fn account_state(account: TrieAccount) -> AccountState {
    AccountState { nonce: account.nonce, balance: account.balance, code_hash: account.code_hash }
}
