//! Roots from rows: what a start begins with, and the root of one account's storage.

use std::collections::BTreeMap;

use alloy_trie::{EMPTY_ROOT_HASH, root};
use quorate_types::{Address, B256, U256, keccak256};

use super::{AccountTrie, MAX_ACCOUNTS, TrieChanges, trie_account};
use crate::{
    StorageError, codec,
    columns::{Column, Database, damaged},
};

/// Reads all accounts and slots, and hashes them.
pub(crate) fn rebuild(database: &Database) -> Result<AccountTrie, StorageError> {
    let storage_roots = storage_roots(database)?;
    let mut accounts = TrieChanges::new();
    for row in database.all(Column::Accounts) {
        let (key, value) = row?;
        let account = codec::decode_account(&value)
            .ok()
            .flatten()
            .filter(|_| key.len() == Address::len_bytes())
            .ok_or_else(|| damaged(Column::Accounts, &key, "not an account"))?;
        let storage_root = storage_roots.get(&*key).copied().unwrap_or(EMPTY_ROOT_HASH);
        accounts.insert(keccak256(&key), Some(trie_account(account, storage_root)));
    }
    check_count(accounts.len())?;
    Ok(AccountTrie::default().with(&accounts))
}

/// That the state may hold so many accounts.
pub(crate) fn check_count(accounts: usize) -> Result<(), StorageError> {
    if accounts > MAX_ACCOUNTS {
        return Err(StorageError::TooManyAccounts { accounts });
    }
    Ok(())
}

/// The root of a storage with these values; zeros are not in it.
pub(crate) fn storage_root_of(slots: BTreeMap<U256, U256>) -> B256 {
    let set = slots.into_iter().filter(|(_, value)| !value.is_zero());
    root::storage_root_unhashed(set.map(|(slot, value)| (B256::from(slot), value)))
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
