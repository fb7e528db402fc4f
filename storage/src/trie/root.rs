//! From rows to tries: what a start begins with.

use std::collections::BTreeMap;

use alloy_trie::EMPTY_ROOT_HASH;
use quorate_types::{Address, B256, U256, keccak256};

use super::{AccountTrie, Storages, trie_account, trie_of};
use crate::{
    StorageError, codec,
    columns::{Column, Database, damaged},
    slots::Deadline,
};

/// Reads all accounts and slots, and hashes them. As many storages as there is room for stay in `storages`.
pub(crate) fn rebuild(database: &Database, storages: &Storages) -> Result<AccountTrie, StorageError> {
    let storage_roots = storage_roots(database, storages)?;
    let mut accounts = Vec::new();
    for row in database.all(Column::Accounts) {
        let (key, value) = row?;
        let account = codec::decode_account(&value)
            .ok()
            .flatten()
            .filter(|_| key.len() == Address::len_bytes())
            .ok_or_else(|| damaged(Column::Accounts, &key, "not an account"))?;
        let storage_root = storage_roots.get(&*key).copied().unwrap_or(EMPTY_ROOT_HASH);
        accounts.push((keccak256(&key), trie_account(account, storage_root)));
    }
    Ok(AccountTrie::of(accounts.into_iter()))
}

/// The root of each account's storage, by address.
fn storage_roots(database: &Database, storages: &Storages) -> Result<BTreeMap<Address, B256>, StorageError> {
    let mut roots = BTreeMap::new();
    let mut slots: Vec<(U256, U256)> = Vec::new();
    let mut current = Address::ZERO;
    let mut finish = |address, slots: &mut Vec<_>| {
        let trie = trie_of(slots.drain(..), Deadline::NONE)?;
        roots.insert(address, trie.root());
        storages.keep(address, trie);
        Ok::<_, StorageError>(())
    };
    for row in database.all(Column::Slots) {
        let (key, value) = row?;
        let (address, slot) = key
            .split_at_checked(Address::len_bytes())
            .filter(|(_, slot)| slot.len() == 32)
            .ok_or_else(|| damaged(Column::Slots, &key, "not an address and a slot"))?;
        if *address != *current {
            finish(current, &mut slots)?;
            current = Address::from_slice(address);
        }
        let value = codec::decode_word(&value).map_err(|why| damaged(Column::Slots, &key, why))?;
        slots.push((U256::from_be_slice(slot), value));
    }
    finish(current, &mut slots)?;
    Ok(roots)
}
