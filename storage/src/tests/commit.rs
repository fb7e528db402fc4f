//! What may be committed, and what opening a folder refuses.

use std::{sync::Arc, thread};

use quorate_types::{Address, B256, Bytes, Height, StateChanges, keccak256};

use super::{Chain, candidate, genesis_of, model::set_balance, open, raw_transaction};
use crate::{
    SCHEMA_VERSION, StorageError, Store, StoreOptions,
    columns::{Column, Durability},
};

const ALICE: Address = Address::repeat_byte(0xa1);

#[test]
fn a_new_folder_starts_with_block_0() {
    let chain = Chain::new();
    let genesis = genesis_of(7);
    let (head, block) = (chain.store.head(), genesis.block().expect("sound"));
    assert_eq!((head.height, head.hash), (Height::ZERO, block.hash()));
    assert_eq!(*head.next_validators, genesis.validator_set().expect("sound"));
    assert_eq!(chain.store.validators().expect("reads"), *head.next_validators);
    assert_eq!(chain.store.header(Height::ZERO).expect("reads").as_ref(), Some(block.header()));
    assert_eq!(chain.store.height_of(block.hash()).expect("reads"), Some(Height::ZERO));
    assert_eq!(chain.store.certificate(Height::ZERO).expect("reads"), None);
    assert_eq!(chain.reopen().store.head(), head);
}

#[test]
fn a_committed_block_is_read_back_by_every_path_before_and_after_a_restart() {
    let mut chain = Chain::new();
    let candidate = chain.candidate_with(set_balance(ALICE, None, 5).1, &[vec![], vec![]]);
    candidate.commit(&chain.store).expect("commits");
    for _ in 0..2 {
        let store = &chain.store;
        let stored = store.block(Height(1)).expect("reads").expect("there");
        assert_eq!((&stored.block, stored.hash), (&candidate.block.block, candidate.block.hash()));
        assert_eq!(stored.senders, candidate.block.senders);
        assert_eq!(stored.receipts, candidate.block.receipts);
        assert_eq!(stored.clock_ms, candidate.block.clock_ms);
        assert_eq!(store.head().header, *candidate.block.block.header());
        assert_eq!(store.hash_of(Height(1)).expect("reads"), Some(candidate.block.hash()));
        assert_eq!(store.height_of(candidate.block.hash()).expect("reads"), Some(Height(1)));
        assert_eq!(store.certificate(Height(1)).expect("reads"), Some(candidate.certificate.clone()));
        assert_eq!(store.block_changes(Height(1)).expect("reads"), Some(candidate.block.changes.clone()));
        let second = keccak256(raw_transaction(1, 1));
        assert_eq!(store.transaction(second).expect("reads"), Some((Height(1), 1)));
        assert_eq!(store.account(ALICE).expect("reads").expect("exists").nonce, 1);
        assert!(store.free_bytes().expect("measures") > 0);
        chain = chain.reopen();
    }
}

#[test]
fn nothing_stands_above_the_head() {
    let chain = Chain::new();
    let above = Height(1);
    assert_eq!(chain.store.header(above).expect("reads"), None);
    assert_eq!(chain.store.block(above).expect("reads"), None);
    assert_eq!(chain.store.block_changes(above).expect("reads"), None);
    assert_eq!(chain.store.certificate(above).expect("reads"), None);
    assert_eq!(chain.store.height_of(B256::ZERO).expect("reads"), None);
    assert_eq!(chain.store.transaction(B256::ZERO).expect("reads"), None);
    assert!(matches!(chain.store.view_at(above), Err(StorageError::UnknownHeight { .. })));
}

/// faults.md, two-importers: consensus and sync write the same block (Besu #6053).
#[test]
fn two_importers_commit_a_block_once() {
    let chain = Chain::new();
    for height in 1..=20 {
        let before = chain.store.account(ALICE).expect("reads");
        let candidate = chain.candidate(set_balance(ALICE, before, height).1);
        thread::scope(|scope| {
            let importers = [0, 1].map(|_| scope.spawn(|| candidate.commit(&chain.store)));
            importers.map(|importer| importer.join().expect("no panic").expect("the same block is fine"));
        });
        assert_eq!(chain.store.head().hash, candidate.block.hash());
    }
    let chain = chain.reopen();
    assert_eq!(chain.store.head().height, Height(20));
}

#[test]
fn another_block_at_a_committed_height_is_refused_with_both_hashes() {
    let chain = Chain::new();
    let (first, second) =
        (chain.candidate(set_balance(ALICE, None, 1).1), chain.candidate(set_balance(ALICE, None, 2).1));
    first.commit(&chain.store).expect("commits");
    let error = second.commit(&chain.store).expect_err("the height is taken");
    assert!(!error.is_fatal());
    let text = error.to_string();
    assert!(text.contains(&first.block.hash().to_string()), "{text}");
    assert!(text.contains(&second.block.hash().to_string()), "{text}");
    assert_eq!(chain.store.head().hash, first.block.hash());
}

#[test]
fn blocks_that_cannot_follow_the_head_are_refused() {
    let chain = Chain::new();
    let sibling = chain.candidate(set_balance(ALICE, None, 1).1);
    let first = chain.extend(set_balance(ALICE, None, 2).1);
    let head = chain.store.head();
    let updated = chain.store.root_after(None, &StateChanges::default()).expect("fits");
    let empty = |parent, hash| candidate(parent, hash, updated.clone(), StateChanges::default(), &[]);

    let orphan = empty(sibling.block.block.header(), sibling.block.hash());
    assert!(matches!(orphan.commit(&chain.store), Err(StorageError::WrongParent { .. })));
    let next = empty(&head.header, head.hash);
    let far = empty(next.block.block.header(), next.block.hash());
    assert!(matches!(far.commit(&chain.store), Err(StorageError::NotNext { .. })));

    let mut mismatched = [next.clone(), next.clone(), next.clone(), next.clone()];
    mismatched[0].certificate = first.certificate.clone();
    mismatched[1].update = sibling.update.clone();
    mismatched[2].block.next_validators = {
        let fewer = genesis_of(7).validator_set().expect("sound").members()[1..].to_vec();
        Arc::new(quorate_types::ValidatorSet::new(fewer).expect("sound"))
    };
    mismatched[3].block.senders.push(ALICE);
    for block in mismatched {
        assert!(matches!(block.commit(&chain.store), Err(StorageError::Mismatch { .. })));
    }
    assert_eq!(chain.store.head(), head, "nothing was written");
    next.commit(&chain.store).expect("the right one goes in");
}

#[test]
fn the_folder_of_another_chain_is_refused_in_words() {
    let chain = Chain::new();
    let Chain { folder, store } = chain;
    let found = store.head().hash;
    drop(store);
    let other = genesis_of(8);
    let expected = other.block().expect("sound").hash();
    let error = Store::open(folder.path(), &other, StoreOptions::default()).expect_err("another chain");
    let text = error.to_string();
    for word in [folder.path().display().to_string(), expected.to_string(), found.to_string()] {
        assert!(text.contains(&word), "{text}");
    }
    assert_eq!(open(folder.path()).expect("untouched").head().hash, found);
}

#[test]
fn a_newer_folder_is_refused_in_words() {
    let Chain { folder, store } = Chain::new();
    let mut batch = store.ledger.database.batch();
    batch.put(Column::Meta, "schema", (SCHEMA_VERSION + 1).to_be_bytes());
    batch.write("pretending to be newer", Durability::Synced).expect("writes");
    drop(store);
    let mut newer = rocksdb::DB::open_cf(
        &rocksdb::Options::default(),
        folder.path(),
        rocksdb::DB::list_cf(&rocksdb::Options::default(), folder.path()).expect("lists"),
    )
    .expect("opens");
    newer.create_cf("a-column-of-the-future", &rocksdb::Options::default()).expect("creates");
    drop(newer);
    let text = open(folder.path()).expect_err("newer").to_string();
    let versions = format!("schema version {}, this node reads version {SCHEMA_VERSION}", SCHEMA_VERSION + 1);
    assert!(text.contains(&versions) && text.contains(&folder.path().display().to_string()), "{text}");
}

#[test]
fn one_process_at_a_time_has_the_folder_open() {
    let chain = Chain::new();
    let error = open(chain.folder.path()).expect_err("in use");
    assert!(error.to_string().contains("another process may have it open"), "{error}");
}

/// The rows must add up to the root in the header: a flipped balance is found when opening.
#[test]
fn damaged_state_is_found_when_opening() {
    let chain = Chain::new();
    chain.extend(set_balance(ALICE, None, 5).1);
    let Chain { folder, store } = chain;
    let mut batch = store.ledger.database.batch();
    batch.delete(Column::Accounts, ALICE);
    batch.write("damaging the state", Durability::Synced).expect("writes");
    let head = store.head();
    drop(store);
    let error = open(folder.path()).expect_err("damaged");
    assert!(error.is_fatal());
    let text = error.to_string();
    assert!(text.contains("at height 1") && text.contains(&head.header.state_root.to_string()), "{text}");
}

#[test]
fn a_write_that_failed_is_final() {
    let chain = Chain::new();
    chain.store.ledger.database.pretend_that_a_write_failed();
    let candidate = chain.candidate(set_balance(ALICE, None, 5).1);
    let error = candidate.commit(&chain.store).expect_err("halted");
    assert!(error.is_fatal() && matches!(error, StorageError::Halted { .. }));
    assert_eq!(chain.store.head().height, Height::ZERO, "a block that is not on disk is shown to nobody");
    assert_eq!(chain.reopen().store.head().height, Height::ZERO);
}

/// faults.md, observer-leak: what the store keeps for undecided and decided blocks goes away again.
#[test]
fn observer_leak_no_block_stays_pending_and_no_layer_piles_up() {
    let chain = Chain::new();
    let mut base = None;
    let (mut before, mut parent) = (None, chain.store.head().header.clone());
    for height in 1..=50 {
        let (after, changes) = set_balance(ALICE, before, height);
        let update = chain.store.root_after(base.as_ref(), &changes).expect("fits");
        let next = candidate(&parent, parent.hash_slow(), update, changes, &[]);
        assert!(next.update.depth() <= 2, "layers below the head are let go");
        if let Some(hash) = parent.number.checked_sub(1) {
            assert_eq!(chain.store.head().height, Height(hash + 1));
        }
        next.commit(&chain.store).expect("commits");
        assert!(chain.store.ledger.published().pending.is_empty());
        (before, parent, base) = (Some(after), next.block.block.header().clone(), Some(next.update));
    }
    assert_eq!(
        chain.store.block(Height(50)).expect("reads").expect("there").block.transactions(),
        [] as [Bytes; 0]
    );
}
