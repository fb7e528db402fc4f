//! The trie of accounts against a plain builder over all of them.

use std::collections::BTreeMap;

use alloy_trie::{EMPTY_ROOT_HASH, KECCAK_EMPTY, Nibbles, TrieAccount, proof::verify_proof, root};
use proptest::prelude::*;
use quorate_types::{B256, U256};
use rand::{Rng, SeedableRng, rngs::StdRng};

use crate::trie::{AccountTrie, TrieChanges};

/// Keys that share many first nibbles, so that every kind of node stands at every depth.
struct Keys {
    /// How many of the first bytes may differ from zero.
    bytes: usize,
    /// How many values such a byte has.
    values: u8,
}

impl Keys {
    fn random(random: &mut StdRng) -> Self {
        Self { bytes: random.random_range(1..5), values: [2, 3, 17, 255][random.random_range(0..4)] }
    }

    fn key(&self, random: &mut StdRng) -> B256 {
        let mut key = B256::ZERO;
        for byte in &mut key[..self.bytes] {
            *byte = random.random_range(0..self.values);
        }
        key
    }
}

fn assert_same(trie: &AccountTrie, model: &BTreeMap<B256, TrieAccount>) {
    assert_eq!(trie.root(), root::state_root(model.iter().map(|(key, account)| (*key, *account))));
    assert_eq!(trie.len(), model.len());
}

fn assert_proves(trie: &AccountTrie, model: &BTreeMap<B256, TrieAccount>, key: B256) {
    let account = model.get(&key);
    assert_eq!(trie.get(&key).as_ref(), account);
    let proof = trie.prove(&key);
    verify_proof(trie.root(), Nibbles::unpack(key), account.map(alloy_rlp::encode), &proof)
        .unwrap_or_else(|error| panic!("{key} among {} accounts: {error}", model.len()));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    /// From no account to a few and back.
    #[test]
    fn roots_and_proofs_are_those_of_one_builder_over_all_accounts(seed: u64) {
        let mut random = StdRng::seed_from_u64(seed);
        let keys = Keys::random(&mut random);
        let (mut trie, mut model) = (AccountTrie::default(), BTreeMap::new());
        let mut older = Vec::new();
        for _ in 0..24 {
            let mut changes = TrieChanges::new();
            for _ in 0..random.random_range(0..5) {
                let standing = model.len().checked_sub(1).filter(|_| random.random_bool(0.5));
                let standing = standing.and_then(|last| model.keys().nth(random.random_range(0..=last)));
                let key = standing.copied().unwrap_or_else(|| keys.key(&mut random));
                let balance = U256::from(random.random::<u64>());
                let code_hash = [KECCAK_EMPTY, B256::repeat_byte(0xc0)][random.random_range(0..2)];
                let account = TrieAccount::new(random.random(), balance, EMPTY_ROOT_HASH, code_hash);
                changes.insert(key, random.random_bool(0.55).then_some(account));
            }
            older.push((trie.clone(), model.clone()));
            trie = trie.with(&changes);
            for (key, account) in changes {
                match account {
                    Some(account) => model.insert(key, account),
                    None => model.remove(&key),
                };
                assert_proves(&trie, &model, key);
            }
            assert_same(&trie, &model);
            assert_proves(&trie, &model, keys.key(&mut random));
            assert_proves(&trie, &model, B256::repeat_byte(0xff));
        }
        for (trie, model) in &older {
            assert_same(trie, model);
        }
    }
}

/// The shapes that are easy to get wrong, one by one.
#[test]
fn leaves_branches_and_extensions_stand_where_keys_part() {
    let key = |first: [u8; 3], last| {
        let mut key = B256::with_last_byte(last);
        key[..3].copy_from_slice(&first);
        key
    };
    let shapes: [&[B256]; 7] = [
        &[],
        &[key([0x12, 0x34, 0], 1)],
        // One branch alone: the root is an extension.
        &[key([0x12, 0x34, 0], 1), key([0x12, 0x35, 0], 1)],
        // The branch stands far below it.
        &[key([0x12, 0x34, 0], 1), key([0x12, 0x34, 0], 2)],
        // Below one branch a leaf and an extension.
        &[key([0x12, 0x34, 0], 1), key([0x12, 0x44, 0], 1), key([0x12, 0x44, 0], 2)],
        // A branch below an extension below the root's branch.
        &[key([0x12, 0x34, 0], 1), key([0x12, 0x35, 0], 1), key([0x52, 0x34, 0], 1)],
        // The first and the last key.
        &[B256::ZERO, key([0, 0, 1], 0), B256::repeat_byte(0xff), key([0xff, 0xff, 0], 0xff)],
    ];
    for shape in shapes {
        let account = |key: &B256| TrieAccount { nonce: u64::from(key[31]), ..TrieAccount::default() };
        let model: BTreeMap<_, _> = shape.iter().map(|key| (*key, account(key))).collect();
        let changes = model.iter().map(|(key, account)| (*key, Some(*account))).collect();
        let trie = AccountTrie::default().with(&changes);
        assert_same(&trie, &model);
        assert_same(&AccountTrie::of(model.iter().rev().map(|(key, it)| (*key, *it))), &model);
        let absent =
            [key([0x12, 0x34, 0], 3), key([0x12, 0x3f, 0], 1), key([0x12, 0xf4, 0], 1), key([0xf0; 3], 1)];
        for key in shape.iter().chain(&absent) {
            assert_proves(&trie, &model, *key);
        }
        let removed = model.keys().map(|key| (*key, None)).collect();
        assert_eq!(trie.with(&removed).root(), EMPTY_ROOT_HASH);
    }
}

/// Run it alone: `cargo test --release -p quorate-storage -- --ignored --nocapture the_cost`.
#[test]
#[ignore = "a measurement"]
fn the_cost_of_a_root_and_of_a_proof() {
    for count in [100_000, 1_000_000] {
        let mut random = StdRng::seed_from_u64(1);
        let account = TrieAccount { nonce: 1, ..TrieAccount::default() };
        let all: Vec<B256> = (0..count).map(|_| B256::from(random.random::<[u8; 32]>())).collect();
        let timed = |what: &str, run: &mut dyn FnMut()| {
            let began = std::time::Instant::now();
            (0..10).for_each(|_| run());
            println!("{count} accounts, {what}: {} us", began.elapsed().as_micros() / 10);
        };
        let model: BTreeMap<_, _> = all.iter().map(|key| (*key, account)).collect();
        timed("all by alloy's builder", &mut || {
            root::state_root(model.iter().map(|(key, account)| (*key, *account)));
        });
        let changes: TrieChanges = model.iter().map(|(key, account)| (*key, Some(*account))).collect();
        let trie = AccountTrie::default().with(&changes);
        timed("all at once", &mut || drop(AccountTrie::default().with(&changes)));
        for touched in [1, 10, 100, 1_000, 10_000] {
            let changes = all.iter().take(touched).map(|key| (*key, Some(TrieAccount::default()))).collect();
            timed(&format!("{touched} changed"), &mut || drop(trie.with(&changes)));
        }
        timed("proof", &mut || drop(trie.prove(&all[7])));
    }
}
