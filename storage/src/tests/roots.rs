//! The state root against two other implementations.

use std::{collections::BTreeMap, sync::Arc};

use alloy_trie::TrieAccount;
use eth_trie::{EthTrie, MemoryDB, Trie};
use proptest::prelude::*;
use quorate_types::{
    AccountChange, AccountState, Address, B256, Height, SlotChange, StateChanges, U256, keccak256,
};
use rand::{Rng, SeedableRng, rngs::StdRng};

use super::{Chain, candidate, model::Model, model::set_balance};
use crate::{StorageError, Store, StoreOptions};

const ALICE: Address = Address::repeat_byte(0xa1);

/// A trie that is changed key by key: unlike our own, it has to get deletes right.
struct Oracle {
    accounts: EthTrie<MemoryDB>,
    storage: BTreeMap<Address, EthTrie<MemoryDB>>,
}

fn empty_trie() -> EthTrie<MemoryDB> {
    // `false`: nodes that occur twice must not go when one of them does.
    EthTrie::new(Arc::new(MemoryDB::new(false)))
}

impl Oracle {
    fn genesis() -> Self {
        let mut oracle = Self { accounts: empty_trie(), storage: BTreeMap::new() };
        oracle.apply(&super::genesis_of(7).state());
        oracle
    }

    fn apply(&mut self, changes: &StateChanges) -> B256 {
        for (address, change) in &changes.accounts {
            let storage = self.storage.entry(*address).or_insert_with(empty_trie);
            for (slot, value) in &change.storage {
                let key = keccak256(B256::from(*slot));
                if value.after.is_zero() {
                    storage.remove(key.as_slice()).expect("in memory");
                } else {
                    storage.insert(key.as_slice(), &alloy_rlp::encode(value.after)).expect("in memory");
                }
            }
            let storage_root = storage.root_hash().expect("in memory");
            let key = keccak256(address);
            match change.after {
                Some(AccountState { nonce, balance, code_hash }) => {
                    let account = TrieAccount { nonce, balance, storage_root, code_hash };
                    self.accounts.insert(key.as_slice(), &alloy_rlp::encode(account)).expect("in memory");
                }
                None => drop(self.accounts.remove(key.as_slice()).expect("in memory")),
            }
        }
        self.accounts.root_hash().expect("in memory")
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    /// Random inserts, updates and deletes of accounts and slots, on committed and on undecided
    /// parents up to three deep, with rows written or not, with storages in memory or not.
    #[test]
    fn roots_are_those_of_two_other_implementations(seed: u64) {
        let mut random = StdRng::seed_from_u64(seed);
        let chain = Chain::new();
        let (mut model, mut oracle) = (Model::genesis(), Oracle::genesis());
        let mut ahead: Vec<super::Candidate> = Vec::new();
        for _ in 0..30 {
            let changes = model.random_changes(&mut random);
            model.apply(&changes);
            let expected = oracle.apply(&changes);
            prop_assert_eq!(model.root(), expected, "the oracles agree");

            if random.random_bool(0.3) {
                chain.store.ledger.storages.clear();
            }
            let base = ahead.last();
            let update = chain.store.root_after(base.map(|it| &it.update), &changes).expect("fits");
            prop_assert_eq!(update.0, expected);
            let head = chain.store.head();
            let (parent, hash) = base.map_or((head.header.clone(), head.hash), |it| {
                (it.block.block.header().clone(), it.block.hash())
            });
            ahead.push(candidate(&parent, hash, update, changes, &[]));
            while ahead.len() > random.random_range(0..4) {
                let decided = ahead.remove(0);
                if random.random() {
                    decided.commit(&chain.store).expect("commits");
                } else {
                    decided.decide(&chain.store);
                }
            }
        }
        for decided in ahead {
            decided.commit(&chain.store).expect("commits");
        }
        model.assert_is_head(&chain.store);
        let chain = chain.reopen();
        prop_assert_eq!(chain.store.head().height, Height(30));
        model.assert_is_head(&chain.store);
    }
}

/// An update may be built upon after its block was committed: its state is the head's then.
#[test]
fn an_update_stays_a_base_when_its_block_is_committed() {
    let chain = Chain::new();
    let (one, first) = set_balance(ALICE, None, 1);
    let committed = chain.extend(first);
    let (_, second) = set_balance(ALICE, Some(one), 2);
    let on_update = chain.store.root_after(Some(&committed.update), &second).expect("the head's state");
    let on_head = chain.store.root_after(None, &second).expect("the head's state");
    assert_eq!(on_update.0, on_head.0);
    chain.extend(second);
    let stale = chain.store.root_after(Some(&committed.update), &StateChanges::default());
    assert!(matches!(stale, Err(StorageError::StaleUpdate { .. })), "below the head");
}

#[test]
fn changes_that_start_from_another_state_are_refused() {
    let chain = Chain::new();
    let slot = |before: u64, after: u64| {
        BTreeMap::from([(U256::ZERO, SlotChange { before: U256::from(before), after: U256::from(after) })])
    };
    let state = AccountState { nonce: 1, ..AccountState::default() };
    let with_slot = AccountChange { before: None, after: Some(state), storage: slot(0, 5) };
    let one = |change| StateChanges { accounts: BTreeMap::from([(ALICE, change)]), codes: BTreeMap::new() };
    chain.extend(one(with_slot.clone()));

    let wrong = [
        with_slot,
        AccountChange { before: Some(state), after: Some(state), storage: slot(4, 6) },
        AccountChange { before: Some(state), after: None, storage: BTreeMap::new() },
    ];
    for change in wrong {
        let error = chain.store.root_after(None, &one(change)).expect_err("does not fit");
        assert!(matches!(error, StorageError::DoesNotFit { .. }), "{error}");
    }
    let removed = AccountChange { before: Some(state), after: None, storage: slot(5, 0) };
    let (root, _) = chain.store.root_after(None, &one(removed)).expect("with its slots it may go");
    assert_eq!(root, Model::genesis().root());
}

#[test]
fn the_number_of_accounts_is_bounded() {
    const MOST: usize = 1_000;
    let folder = tempfile::tempdir().expect("a temporary folder");
    let options = StoreOptions { max_accounts: MOST, ..StoreOptions::default() };
    let store = Store::open(folder.path(), &super::genesis_of(7), options).expect("opens");
    let room = u64::try_from(MOST - Model::genesis().accounts.len()).expect("small");
    let state = AccountState { nonce: 1, ..AccountState::default() };
    let accounts = |count: u64| {
        let change = |number: u64| {
            let address = Address::left_padding_from(&(number + 1_000_000).to_be_bytes());
            (address, AccountChange { before: None, after: Some(state), storage: BTreeMap::new() })
        };
        StateChanges { accounts: (0..count).map(change).collect(), codes: BTreeMap::new() }
    };
    let (_, full) = store.root_after(None, &accounts(room)).expect("there is room");
    let error = store.root_after(None, &accounts(room + 1)).expect_err("one too many");
    assert!(matches!(error, StorageError::TooManyAccounts { accounts: 1_001, most: MOST }));
    let (_, one_more) = set_balance(ALICE, None, 1);
    let error = store.root_after(Some(&full), &one_more).expect_err("undecided ones count");
    assert!(!error.is_fatal() && error.to_string().contains("1001 accounts"), "{error}");
}
