//! Proofs of accounts and slots against the state roots of headers, at the head and below it.

use std::{
    collections::BTreeMap,
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::Duration,
};

use alloy_trie::{EMPTY_ROOT_HASH, Nibbles, TrieAccount, proof::verify_proof};
use proptest::prelude::*;
use quorate_types::{
    AccountChange, AccountState, Address, B256, Height, SlotChange, StateChanges, U256, keccak256,
};
use rand::{Rng, SeedableRng, rngs::StdRng};

use super::{Chain, model::Model, model::set_balance};
use crate::{
    AccountProof, PROOF_WINDOW, StorageError, Store,
    columns::{Column, Durability, height_key},
    slots::Deadline,
};

const ALICE: Address = Address::repeat_byte(0xa1);
const LONG: Duration = Duration::from_secs(60);

/// What a client does that has nothing but the header.
fn verify(state_root: B256, proof: &AccountProof) {
    let account = proof.account.map(|AccountState { nonce, balance, code_hash }| {
        alloy_rlp::encode(TrieAccount { nonce, balance, storage_root: proof.storage_root, code_hash })
    });
    let key = Nibbles::unpack(keccak256(proof.address));
    verify_proof(state_root, key, account, &proof.proof)
        .unwrap_or_else(|error| panic!("{} at {}: {error}", proof.address, proof.height));
    for slot in &proof.slots {
        let key = Nibbles::unpack(keccak256(B256::from(slot.slot)));
        let value = (!slot.value.is_zero()).then(|| alloy_rlp::encode(slot.value));
        verify_proof(proof.storage_root, key, value, &slot.proof)
            .unwrap_or_else(|error| panic!("slot {} at {}: {error}", slot.slot, proof.height));
    }
}

fn proven(store: &Store, height: Height, address: Address, slots: &[U256]) -> AccountProof {
    let proof = store.prove(height, address, slots, LONG).expect("within the window");
    let header = store.header(height).expect("reads").expect("at or below the head");
    verify(header.state_root, &proof);
    proof
}

/// Proofs of accounts and slots, of those that are there and of those that are not.
fn assert_proves(store: &Store, model: &Model, height: Height) {
    let slots: Vec<_> = (0..9).flat_map(|slot| [U256::from(slot), U256::from(slot) << 200]).collect();
    for byte in 0..21 {
        let address = Address::with_last_byte(byte);
        let proof = proven(store, height, address, &slots);
        let (account, storage) = model.accounts.get(&address).cloned().unzip();
        assert_eq!(proof.account, account, "{address} at {height}");
        for (slot, proof) in slots.iter().zip(&proof.slots) {
            let value = storage.as_ref().and_then(|slots| slots.get(slot)).copied().unwrap_or_default();
            assert_eq!((proof.slot, proof.value), (*slot, value), "{address} at {height}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(8))]

    /// Every height is proven as it was, whether or not its rows are written, also when a stop left them
    /// out and the next start wrote them.
    #[test]
    fn every_height_within_the_window_is_proven(seed: u64) {
        let mut random = StdRng::seed_from_u64(seed);
        let mut chain = Chain::new();
        let mut models = vec![Model::genesis()];
        for _ in 0..20 {
            let mut model = models.last().expect("one at least").clone();
            let changes = model.random_changes(&mut random);
            model.apply(&changes);
            models.push(model);
            let next = chain.candidate(changes);
            if random.random_bool(0.4) {
                next.commit(&chain.store).expect("commits");
            } else {
                next.decide(&chain.store);
            }
            if random.random_bool(0.1) {
                chain = chain.reopen();
            }
            let old = random.random_range(0..models.len());
            assert_proves(&chain.store, &models[old], Height(old as u64));
        }
        for chain in [chain.reopen()] {
            for (height, model) in (0..).map(Height).zip(&models) {
                assert_proves(&chain.store, model, height);
            }
        }
    }
}

/// faults.md, call-changes-execution: a proof is of one height, whatever is committed meanwhile.
#[test]
fn proofs_hold_while_blocks_are_committed() {
    let chain = Chain::new();
    let slots: Vec<_> = (0..4).map(U256::from).collect();
    let block = |height: u64| {
        let state = |nonce| AccountState { nonce, ..AccountState::default() };
        let slot = U256::from(height % 3);
        let before = U256::from(height.saturating_sub(3));
        let change = AccountChange {
            before: (height > 1).then(|| state(height - 1)),
            after: Some(state(height)),
            storage: BTreeMap::from([(slot, SlotChange { before, after: U256::from(height) })]),
        };
        StateChanges { accounts: BTreeMap::from([(ALICE, change)]), codes: BTreeMap::new() }
    };
    let done = AtomicBool::new(false);
    let prove = |part: u64| {
        let mut proofs = 0_u64;
        while !done.load(Ordering::Relaxed) {
            let head = chain.store.head().height;
            let height = Height(head.0 - head.0 * part / 4);
            let proof = proven(&chain.store, height, ALICE, &slots);
            assert_eq!(proof.account.map_or(0, |account| account.nonce), height.0);
            assert_eq!(proof.slots.iter().map(|it| it.value).max(), Some(U256::from(height.0)));
            proofs += 1;
        }
        proofs
    };
    thread::scope(|scope| {
        let provers = [0, 1, 4].map(|part| scope.spawn(move || prove(part)));
        for height in 1..=150 {
            chain.extend(block(height));
        }
        done.store(true, Ordering::Relaxed);
        assert!(provers.into_iter().all(|prover| prover.join().expect("no proof was a mixture") > 0));
    });
}

/// Given an account with more slots than may be read, then none is proven: all would be in memory at once.
#[test]
fn an_account_of_too_many_slots_is_refused() {
    let chain = Chain::new();
    let (state, one) = (AccountState { nonce: 1, ..AccountState::default() }, U256::from(1));
    let slot = |number: u64| (U256::from(number), SlotChange { before: U256::ZERO, after: one });
    let change = AccountChange { before: None, after: Some(state), storage: (0..4).map(slot).collect() };
    chain.extend(StateChanges { accounts: BTreeMap::from([(ALICE, change)]), codes: BTreeMap::new() });
    let published = chain.store.ledger.published();
    let slots = |height, most| {
        let at = chain.store.ledger.slots_at(&published, Height(height));
        at.of(ALICE, most, Deadline::NONE).map(|slots| slots.len())
    };
    assert_eq!(slots(1, 4).expect("just as many"), 4);
    assert!(matches!(slots(1, 3), Err(StorageError::TooManySlots { most: 3, .. })));
    assert!(matches!(slots(0, 3), Err(StorageError::TooManySlots { most: 3, .. })), "those since count");
}

/// Nodes of fewer than 32 bytes stand in their parent, and must not come again on their own. These two
/// slots' hashes share eight nibbles: the shortest way to leaves so small.
#[test]
fn leaves_that_their_parent_holds_are_not_listed() {
    let chain = Chain::new();
    let (state, one) = (AccountState { nonce: 1, ..AccountState::default() }, U256::from(1));
    let twins = [U256::from(125_299), U256::from(50_541)];
    let storage = twins.map(|slot| (slot, SlotChange { before: U256::ZERO, after: one })).into();
    let change = AccountChange { before: None, after: Some(state), storage };
    chain.extend(StateChanges { accounts: BTreeMap::from([(ALICE, change)]), codes: BTreeMap::new() });
    let proof = proven(&chain.store, Height(1), ALICE, &[twins[0], twins[1], U256::from(7)]);
    assert!(proof.slots[0].proof.iter().chain(&proof.slots[1].proof).all(|node| node.len() >= 32));
    assert_eq!(proof.slots.iter().map(|slot| slot.value).collect::<Vec<_>>(), [one, one, U256::ZERO]);
    assert_eq!(proof.slots.iter().map(|slot| slot.proof.len()).collect::<Vec<_>>(), [2, 2, 1]);
}

#[test]
fn an_absent_account_and_an_empty_storage_are_proven_by_what_is_not_there() {
    let chain = Chain::new();
    chain.extend(set_balance(ALICE, None, 5).1);
    let empty = proven(&chain.store, Height(1), ALICE, &[U256::ZERO]);
    assert_eq!((empty.storage_root, empty.slots[0].proof.len()), (EMPTY_ROOT_HASH, 0));
    let absent = proven(&chain.store, Height::ZERO, ALICE, &[U256::ZERO]);
    assert_eq!((absent.account, absent.storage_root), (None, EMPTY_ROOT_HASH));
    assert!(!absent.proof.is_empty(), "the way that does not lead to it");
}

#[test]
fn heights_outside_the_window_are_refused_by_name_and_their_rows_dropped() {
    let chain = Chain::new();
    let mut before = None;
    let last = PROOF_WINDOW + 2;
    for height in 1..=last {
        let (after, changes) = set_balance(ALICE, before, height);
        before = Some(after);
        chain.extend(changes);
    }
    let nonce_at = |height| proven(&chain.store, Height(height), ALICE, &[]).account.expect("there").balance;
    assert_eq!([nonce_at(2), nonce_at(last)], [U256::from(2), U256::from(last)]);
    let error = chain.store.prove(Height(1), ALICE, &[], LONG).expect_err("too old");
    let text = error.to_string();
    assert!(text.contains("1024") && text.contains("1026") && !error.is_fatal(), "{text}");
    let rows = chain.store.ledger.database.all(Column::TrieUndo).count();
    assert_eq!(u64::try_from(rows), Ok(PROOF_WINDOW));
    let error = chain.store.prove(Height(last + 1), ALICE, &[], LONG).expect_err("above the head");
    assert!(matches!(error, StorageError::UnknownHeight { .. }));
}

/// An older version of the node wrote no such rows: what is above them is proven all the same.
#[test]
fn heights_below_a_missing_row_are_refused_like_those_outside_the_window() {
    let chain = Chain::new();
    for (height, byte) in (1..=5).zip(0xb0..) {
        chain.extend(set_balance(Address::repeat_byte(byte), None, height).1);
    }
    let mut batch = chain.store.ledger.database.batch();
    batch.delete(Column::TrieUndo, height_key(Height(3)));
    batch.write("pretending to be older", Durability::Synced).expect("writes");
    for height in 3..=5 {
        proven(&chain.store, Height(height), ALICE, &[]);
    }
    let error = chain.store.prove(Height(2), ALICE, &[], LONG).expect_err("block 3 cannot be undone");
    assert!(matches!(error, StorageError::OutsideProofWindow { .. }), "{error}");
    assert!(!error.is_fatal());
}

#[test]
fn a_proof_that_takes_too_long_is_given_up() {
    let chain = Chain::new();
    chain.extend(set_balance(ALICE, None, 5).1);
    let error = chain.store.prove(Height::ZERO, ALICE, &[], Duration::ZERO).expect_err("no time at all");
    assert!(matches!(error, StorageError::TimeLimit { .. }) && !error.is_fatal(), "{error}");
}
