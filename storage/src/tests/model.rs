//! The state as plain maps, changed at random: what the store is compared with.

use std::collections::BTreeMap;

use alloy_trie::{TrieAccount, root};
use quorate_types::{
    AccountChange, AccountState, Address, B256, Bytes, Genesis, SlotChange, StateChanges, U256, keccak256,
};
use rand::{Rng, rngs::StdRng};

use super::genesis_of;
use crate::{StateView, Store};

/// Few enough that accounts and slots are changed, cleared and made again all the time.
const ADDRESSES: u8 = 20;
const SLOTS: u64 = 8;

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Model {
    pub accounts: BTreeMap<Address, (AccountState, BTreeMap<U256, U256>)>,
}

impl Model {
    /// The state of block 0.
    pub(super) fn genesis() -> Self {
        Self::of(&genesis_of(7))
    }

    pub(super) fn of(genesis: &Genesis) -> Self {
        let mut model = Self::default();
        model.apply(&genesis.state());
        model
    }

    pub(super) fn apply(&mut self, changes: &StateChanges) {
        for (address, change) in &changes.accounts {
            let (_, mut slots) = self.accounts.remove(address).unwrap_or_default();
            slots.extend(change.storage.iter().map(|(slot, value)| (*slot, value.after)));
            slots.retain(|_, value| !value.is_zero());
            if let Some(account) = change.after {
                self.accounts.insert(*address, (account, slots));
            }
        }
    }

    /// Some inserts, updates and deletes of accounts and slots. It may be none.
    pub(super) fn random_changes(&self, random: &mut StdRng) -> StateChanges {
        let mut changes = StateChanges::default();
        for _ in 0..random.random_range(0..7) {
            let address = Address::with_last_byte(random.random_range(0..ADDRESSES));
            let change = self.random_change(address, random, &mut changes.codes);
            changes.accounts.insert(address, change);
        }
        changes
    }

    fn random_change(
        &self,
        address: Address,
        random: &mut StdRng,
        codes: &mut BTreeMap<B256, Bytes>,
    ) -> AccountChange {
        let (before, slots) = self.accounts.get(&address).cloned().unzip();
        let slots = slots.unwrap_or_default();
        if before.is_some() && random.random_bool(0.3) {
            let cleared = |(slot, before)| (slot, SlotChange { before, after: U256::ZERO });
            return AccountChange { before, after: None, storage: slots.into_iter().map(cleared).collect() };
        }
        let mut after = before.unwrap_or_default();
        if before.is_none() || random.random_bool(0.6) {
            after.nonce += 1;
            after.balance = U256::from(random.random::<u128>());
        }
        if random.random_bool(0.2) {
            let code: Bytes = vec![0x60, random.random(), 0x50].into();
            after.code_hash = keccak256(&code);
            codes.insert(after.code_hash, code);
        }
        let mut storage = BTreeMap::new();
        for _ in 0..random.random_range(0..4) {
            let slot = U256::from(random.random_range(0..SLOTS)) << (random.random_range(0..2_usize) * 200);
            let value = if random.random_bool(0.4) { U256::ZERO } else { U256::from(random.random::<u64>()) };
            storage.insert(
                slot,
                SlotChange { before: slots.get(&slot).copied().unwrap_or_default(), after: value },
            );
        }
        AccountChange { before, after: Some(after), storage }
    }

    /// The root by alloy's helpers, which hash addresses and slots and sort them themselves.
    pub(super) fn root(&self) -> B256 {
        root::state_root_unhashed(self.accounts.iter().map(|(address, (account, slots))| {
            let AccountState { nonce, balance, code_hash } = *account;
            let slots = slots.iter().map(|(slot, value)| (B256::from(*slot), *value));
            let storage_root = root::storage_root_unhashed(slots);
            (*address, TrieAccount { nonce, balance, storage_root, code_hash })
        }))
    }

    /// Every account and slot that a test may ever have touched reads as it is here.
    pub(super) fn assert_same(&self, view: &StateView) {
        for byte in 0..ADDRESSES {
            let address = Address::with_last_byte(byte);
            let (account, slots) = self.accounts.get(&address).cloned().unzip();
            assert_eq!(view.account(address).expect("reads"), account, "{address} at {}", view.height());
            for slot in (0..SLOTS).flat_map(|slot| [U256::from(slot), U256::from(slot) << 200]) {
                let expected = slots.as_ref().and_then(|slots| slots.get(&slot)).copied().unwrap_or_default();
                let value = view.slot(address, slot).expect("reads");
                assert_eq!(value, expected, "{address} slot {slot} at {}", view.height());
            }
            if let Some(account) = account.filter(AccountState::has_code) {
                let code = view.code(account.code_hash).expect("deployed");
                assert_eq!(keccak256(code), account.code_hash);
            }
        }
    }

    pub(super) fn assert_is_head(&self, store: &Store) {
        self.assert_same(&store.view(&[]));
        assert_eq!(store.head().header.state_root, self.root());
    }
}

/// A change of one account that has no storage.
pub(super) fn set_balance(
    address: Address,
    before: Option<AccountState>,
    balance: u64,
) -> (AccountState, StateChanges) {
    let after = AccountState { nonce: 1, balance: U256::from(balance), ..AccountState::default() };
    let change = AccountChange { before, after: Some(after), storage: BTreeMap::new() };
    let accounts = BTreeMap::from([(address, change)]);
    (after, StateChanges { accounts, codes: BTreeMap::new() })
}
