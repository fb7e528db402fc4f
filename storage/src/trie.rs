//! The state root: Ethereum's Merkle-Patricia trie over all accounts.
//!
//! This version keeps the accounts in memory, sorted by the hash of their address, and hashes all of
//! them for each root (about 0.1 s for 100,000); a changed account's storage is read and hashed whole.
//! There is one committed state. A candidate's root comes with a [`TrieUpdate`] that changes nothing
//! until its block is committed, and that another candidate may stand on:
//!
//! ```text
//! committed accounts <- update of h+1 <- update of h+2      (building ahead)
//!                    <- update of h+1, another view         (a sibling; one of them is dropped)
//! ```

use std::{collections::BTreeMap, sync::Arc};

use alloy_trie::{EMPTY_ROOT_HASH, TrieAccount, root};
use quorate_types::{AccountChange, AccountState, Address, B256, SlotChange, StateChanges, U256, keccak256};

use crate::{
    StorageError, codec,
    columns::{Column, Database, damaged},
};

/// The most accounts that the state may hold. Each costs some 150 bytes of memory and a microsecond
/// of every root: beyond this a block would take longer than its timer allows.
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
    before: B256,
    after: B256,
    accounts: BTreeMap<B256, Option<TrieAccount>>,
    slots: BTreeMap<Address, BTreeMap<U256, U256>>,
}

impl TrieUpdate {
    /// The state root after the block.
    #[must_use]
    pub fn root(&self) -> B256 {
        self.top().after
    }

    /// For tests: how many blocks' changes it holds.
    #[cfg(test)]
    pub(crate) fn depth(&self) -> usize {
        self.layers.len()
    }

    fn top(&self) -> &Layer {
        self.layers.last().expect("an update has the layer of its own block")
    }
}

/// The trie of the head.
#[derive(Debug)]
pub(crate) struct CommittedTrie {
    root: B256,
    accounts: BTreeMap<B256, TrieAccount>,
}

/// Where the slots of an account at the head come from.
pub(crate) type HeadSlots<'a> = &'a dyn Fn(Address) -> Result<BTreeMap<U256, U256>, StorageError>;

impl CommittedTrie {
    /// Reads all accounts and slots, and hashes them.
    pub(crate) fn rebuild(database: &Database) -> Result<Self, StorageError> {
        let storage_roots = storage_roots(database)?;
        let mut accounts = BTreeMap::new();
        for row in database.all(Column::Accounts) {
            let (key, value) = row?;
            let account = codec::decode_account(&value)
                .ok()
                .flatten()
                .filter(|_| key.len() == Address::len_bytes())
                .ok_or_else(|| damaged(Column::Accounts, &key, "not an account"))?;
            let storage_root = storage_roots.get(&*key).copied().unwrap_or(EMPTY_ROOT_HASH);
            accounts.insert(keccak256(&key), trie_account(account, storage_root));
        }
        check_count(accounts.len())?;
        let root = root::state_root(accounts.iter().map(|(key, account)| (*key, *account)));
        Ok(Self { root, accounts })
    }

    pub(crate) const fn root(&self) -> B256 {
        self.root
    }

    pub(crate) fn accounts(&self) -> usize {
        self.accounts.len()
    }

    /// The root after `changes` on top of `base`, or of the head, and the update that leads there.
    pub(crate) fn root_after(
        &self,
        base: Option<&TrieUpdate>,
        changes: &StateChanges,
        head_slots: HeadSlots<'_>,
    ) -> Result<TrieUpdate, StorageError> {
        let mut layers = self.layers_above(base)?;
        let mut layer = Layer {
            before: layers.last().map_or(self.root, |below| below.after),
            after: B256::ZERO,
            accounts: BTreeMap::new(),
            slots: BTreeMap::new(),
        };
        for (address, change) in &changes.accounts {
            let account = self.changed_account(&layers, *address, change, head_slots)?;
            layer.accounts.insert(keccak256(address), account);
            if !change.storage.is_empty() {
                let slots = change.storage.iter().map(|(slot, value)| (*slot, value.after)).collect();
                layer.slots.insert(*address, slots);
            }
        }
        layer.after = self.root_of(&layers, &layer)?;
        layers.push(Arc::new(layer));
        Ok(TrieUpdate { layers })
    }

    /// Takes the update of the block that was decided.
    pub(crate) fn apply(&mut self, update: &TrieUpdate) {
        let top = update.top();
        for (key, account) in &top.accounts {
            match account {
                Some(account) => self.accounts.insert(*key, *account),
                None => self.accounts.remove(key),
            };
        }
        self.root = top.after;
    }

    /// Whether the update's block may be the next one on the head.
    pub(crate) fn check_applies(&self, update: &TrieUpdate) -> Result<(), StorageError> {
        let base = update.top().before;
        if base == self.root {
            return Ok(());
        }
        Err(StorageError::StaleUpdate { base, committed: self.root })
    }

    /// The layers of `base` that are not committed yet. States are the same when their roots are, so
    /// roots tell where the committed state stands in the chain of layers.
    fn layers_above(&self, base: Option<&TrieUpdate>) -> Result<Vec<Arc<Layer>>, StorageError> {
        let Some(base) = base else { return Ok(Vec::new()) };
        if base.root() == self.root {
            return Ok(Vec::new());
        }
        let start = base.layers.iter().rposition(|layer| layer.before == self.root);
        let start =
            start.ok_or(StorageError::StaleUpdate { base: base.layers[0].before, committed: self.root })?;
        Ok(base.layers[start..].to_vec())
    }

    fn changed_account(
        &self,
        layers: &[Arc<Layer>],
        address: Address,
        change: &AccountChange,
        head_slots: HeadSlots<'_>,
    ) -> Result<Option<TrieAccount>, StorageError> {
        let does_not_fit = |what| StorageError::DoesNotFit { address, what };
        let key = keccak256(address);
        let undecided = layers.iter().rev().find_map(|layer| layer.accounts.get(&key).copied());
        let standing = undecided.unwrap_or_else(|| self.accounts.get(&key).copied());
        if standing.map(account_state) != change.before {
            return Err(does_not_fit("its state before the block is another one"));
        }
        let mut storage_root = standing.map_or(EMPTY_ROOT_HASH, |account| account.storage_root);
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

    /// Hashes the committed accounts with the layers laid over them.
    fn root_of(&self, below: &[Arc<Layer>], top: &Layer) -> Result<B256, StorageError> {
        if top.accounts.is_empty() {
            return Ok(top.before);
        }
        let layers = below.iter().map(|layer| &**layer).chain([top]);
        let over: BTreeMap<_, _> = layers.flat_map(|layer| &layer.accounts).collect();
        let added =
            over.iter().filter(|(key, it)| it.is_some() && !self.accounts.contains_key(**key)).count();
        let removed =
            over.iter().filter(|(key, it)| it.is_none() && self.accounts.contains_key(**key)).count();
        if added > removed {
            check_count(self.accounts.len() + added - removed)?;
        }
        Ok(root::state_root(merged(&self.accounts, &over)))
    }
}

fn check_count(accounts: usize) -> Result<(), StorageError> {
    if accounts > MAX_ACCOUNTS {
        return Err(StorageError::TooManyAccounts { accounts });
    }
    Ok(())
}

/// The committed accounts in order, replaced, removed and joined by those of `over`.
fn merged<'a>(
    committed: &'a BTreeMap<B256, TrieAccount>,
    over: &'a BTreeMap<&'a B256, &'a Option<TrieAccount>>,
) -> impl Iterator<Item = (B256, TrieAccount)> {
    let mut kept = committed.iter().filter(|(key, _)| !over.contains_key(key)).peekable();
    let mut changed =
        over.iter().filter_map(|(key, account)| account.as_ref().map(|it| (*key, it))).peekable();
    std::iter::from_fn(move || {
        let next = match (kept.peek(), changed.peek()) {
            (Some((old, _)), Some((new, _))) if old < new => kept.next(),
            (Some(_), None) => kept.next(),
            _ => changed.next(),
        };
        next.map(|(key, account)| (*key, *account))
    })
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

/// The root of each account's storage, by address.
fn storage_roots(database: &Database) -> Result<BTreeMap<Vec<u8>, B256>, StorageError> {
    let mut roots = BTreeMap::new();
    let mut slots = BTreeMap::new();
    let mut current = Vec::new();
    for row in database.all(Column::Slots) {
        let (key, value) = row?;
        let (address, slot) = key
            .split_at_checked(Address::len_bytes())
            .filter(|(_, slot)| slot.len() == 32)
            .ok_or_else(|| damaged(Column::Slots, &key, "not an address and a slot"))?;
        if *address != *current {
            roots.insert(std::mem::replace(&mut current, address.to_vec()), storage_root_of(slots));
            slots = BTreeMap::new();
        }
        let value = codec::decode_word(&value).map_err(|why| damaged(Column::Slots, &key, why))?;
        slots.insert(U256::from_be_slice(slot), value);
    }
    roots.insert(current, storage_root_of(slots));
    Ok(roots)
}

fn storage_root_of(slots: BTreeMap<U256, U256>) -> B256 {
    let set = slots.into_iter().filter(|(_, value)| !value.is_zero());
    root::storage_root_unhashed(set.map(|(slot, value)| (B256::from(slot), value)))
}

const fn trie_account(account: AccountState, storage_root: B256) -> TrieAccount {
    TrieAccount::new(account.nonce, account.balance, storage_root, account.code_hash)
}

fn account_state(account: TrieAccount) -> AccountState {
    AccountState { nonce: account.nonce, balance: account.balance, code_hash: account.code_hash }
}
