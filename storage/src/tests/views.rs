//! The state at the head, at old heights, and under undecided candidates.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
};

use proptest::prelude::*;
use quorate_types::{
    AccountChange, AccountState, Address, B256, Bytes, Height, SlotChange, StateChanges, U256, keccak256,
};
use rand::{SeedableRng, rngs::StdRng};
use revm::database_interface::DatabaseRef;

use super::{Chain, candidate, model::Model, model::set_balance};
use crate::StorageError;

const ALICE: Address = Address::repeat_byte(0xa1);

proptest! {
    #![proptest_config(ProptestConfig::with_cases(8))]

    /// Every height reads as it was when it was the head, also through a view taken back then, and
    /// whether or not its rows are written.
    #[test]
    fn old_heights_read_as_they_were(seed: u64) {
        let mut random = StdRng::seed_from_u64(seed);
        let chain = Chain::new();
        let mut model = Model::genesis();
        let mut then = vec![(model.clone(), chain.store.view(&[]))];
        for block in 0..24 {
            let changes = model.random_changes(&mut random);
            model.apply(&changes);
            let next = chain.candidate(changes);
            // Three blocks of four wait for their rows until the fourth brings them all.
            if block % 4 == 3 {
                next.commit(&chain.store).expect("commits");
            } else {
                next.decide(&chain.store);
            }
            then.push((model.clone(), chain.store.view(&[])));
            let newest = then.last().expect("just pushed");
            newest.0.assert_same(&newest.1);
            let old = &then[usize::try_from(seed).unwrap_or(0) % then.len()];
            old.0.assert_same(&chain.store.view_at(old.1.height()).expect("kept"));
        }
        for (model, view) in &then {
            model.assert_same(view);
            model.assert_same(&chain.store.view_at(view.height()).expect("kept"));
        }
    }
}

/// One account whose nonce and slot are always the height.
fn counting_block(height: u64) -> StateChanges {
    let state = |nonce| AccountState { nonce, ..AccountState::default() };
    let change = AccountChange {
        before: (height > 1).then(|| state(height - 1)),
        after: Some(state(height)),
        storage: BTreeMap::from([(
            U256::from(1),
            SlotChange { before: U256::from(height - 1), after: U256::from(height) },
        )]),
    };
    StateChanges { accounts: BTreeMap::from([(ALICE, change)]), codes: BTreeMap::new() }
}

/// faults.md, call-changes-execution: a reader sees one height, whatever is committed meanwhile.
#[test]
fn views_hold_still_while_blocks_are_committed() {
    let chain = Chain::new();
    let done = AtomicBool::new(false);
    let read = |seed: u64| {
        let mut reads = 0_u64;
        while !done.load(Ordering::Relaxed) {
            let newest = chain.store.view(&[]);
            let older = Height(newest.height().0 * (seed + 1) / 3);
            for view in [newest, chain.store.view_at(older).expect("kept")] {
                for _ in 0..20 {
                    let nonce = view.account(ALICE).expect("reads").map_or(0, |account| account.nonce);
                    assert_eq!(nonce, view.height().0);
                    let slot = view.slot(ALICE, U256::from(1)).expect("reads");
                    assert_eq!(slot, U256::from(view.height().0));
                    reads += 1;
                }
            }
        }
        reads
    };
    thread::scope(|scope| {
        let readers = [0, 1, 2].map(|seed| scope.spawn(move || read(seed)));
        for height in 1..=300 {
            chain.extend(counting_block(height));
        }
        done.store(true, Ordering::Relaxed);
        assert!(readers.into_iter().all(|reader| reader.join().expect("no reader saw a mixture") > 0));
    });
}

#[test]
fn siblings_and_their_children_do_not_disturb_each_other() {
    let chain = Chain::new();
    let mut random = StdRng::seed_from_u64(4);
    let genesis = Model::genesis();
    let head = chain.store.head();
    // Two candidates for height 1, in two views, and one for height 2 on each.
    let branches = [0, 1].map(|_| {
        let (first, mut after_first) = (genesis.random_changes(&mut random), genesis.clone());
        after_first.apply(&first);
        let parent = chain.store.root_after(None, &first).expect("fits");
        let (second, mut after_second) = (after_first.random_changes(&mut random), after_first.clone());
        after_second.apply(&second);
        let child = chain.store.root_after(Some(&parent.1), &second).expect("fits");
        assert_eq!((parent.0, child.0), (after_first.root(), after_second.root()));

        let view = chain.store.view(&[Arc::new(first.clone())]);
        after_first.assert_same(&view);
        after_second.assert_same(&view.with_candidate(None, Arc::new(second.clone())));
        let parent = candidate(&head.header, head.hash, parent, first, &[]);
        let child = candidate(parent.block.block.header(), parent.block.hash(), child, second, &[]);
        (parent, child, after_second)
    });
    genesis.assert_is_head(&chain.store);
    assert_ne!(branches[0].0.block.hash(), branches[1].0.block.hash());

    let [(loser, losers_child, _), (winner, child, model)] = branches;
    winner.commit(&chain.store).expect("decided");
    let stale = chain.store.root_after(Some(&loser.update), &StateChanges::default());
    assert!(matches!(stale, Err(StorageError::StaleUpdate { .. })));
    assert!(matches!(losers_child.commit(&chain.store), Err(StorageError::WrongParent { .. })));
    child.commit(&chain.store).expect("what was built ahead is right");
    model.assert_is_head(&chain.store);
    model.assert_is_head(&chain.reopen().store);
}

/// The EVM must be told to ask for code: `AccountInfo`'s default carries empty code, and calls to it
/// silently do nothing.
#[test]
fn the_evm_sees_accounts_with_a_code_hash_and_no_code() {
    let chain = Chain::new();
    let code = Bytes::from_static(&[0x60, 0x01, 0x50]);
    let state = AccountState { nonce: 1, code_hash: keccak256(&code), ..AccountState::default() };
    let change = AccountChange { after: Some(state), ..AccountChange::default() };
    let changes = StateChanges {
        accounts: BTreeMap::from([(ALICE, change)]),
        codes: BTreeMap::from([(state.code_hash, code.clone())]),
    };
    let undecided = chain.store.view(&[Arc::new(changes.clone())]);
    chain.extend(changes);
    for view in [undecided, chain.store.view(&[])] {
        let info = view.basic_ref(ALICE).expect("reads").expect("exists");
        assert_eq!((info.code, info.code_hash, info.nonce), (None, state.code_hash, 1));
        let loaded = view.code_by_hash_ref(state.code_hash).expect("deployed");
        assert_eq!(loaded.original_bytes(), code);
    }
    let view = chain.store.view_at(Height::ZERO).expect("kept");
    assert_eq!(view.basic_ref(ALICE).expect("reads"), None);
    assert!(view.code_by_hash_ref(AccountState::default().code_hash).expect("no code").is_empty());
    assert!(matches!(view.code_by_hash_ref(B256::repeat_byte(9)), Err(StorageError::UnknownCode(_))));
}

#[test]
fn block_hashes_are_known_up_to_the_view_and_its_candidates() {
    let chain = Chain::new();
    let first = chain.extend(set_balance(ALICE, None, 1).1);
    let empty = || Arc::new(StateChanges::default());
    let (second, third) = (B256::repeat_byte(2), B256::repeat_byte(3));
    let view =
        chain.store.view(&[]).with_candidate(Some(second), empty()).with_candidate(Some(third), empty());
    assert_eq!(view.block_hash_ref(1).expect("committed"), first.block.hash());
    assert_eq!(view.block_hash_ref(2).expect("a candidate"), second);
    assert_eq!(view.block_hash_ref(3).expect("a candidate"), third);
    assert!(matches!(view.block_hash_ref(4), Err(StorageError::UnknownHeight { .. })));
    let nameless = chain.store.view(&[empty()]);
    assert!(matches!(nameless.block_hash_ref(2), Err(StorageError::UnknownHeight { .. })));
}
