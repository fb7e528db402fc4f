//! Blocks taken back: as if they had never been.

use std::path::Path;

use quorate_types::{Address, Bytes, Genesis, Height, Log};
use rand::{SeedableRng, rngs::StdRng};

use super::{Chain, genesis_of, model::Model};
use crate::{StorageError, Store, StoreOptions, columns::Column, snapshot::Row};

/// A chain that one validator decides.
fn alone() -> Chain {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let store = open(folder.path());
    Chain { folder, store }
}

fn genesis() -> Genesis {
    let mut genesis = genesis_of(7);
    genesis.validators.truncate(1);
    genesis
}

fn open(folder: &Path) -> Store {
    Store::open(folder, &genesis(), StoreOptions::default()).expect("opens")
}

fn extend_at_random(chain: &Chain, model: &Model, random: &mut StdRng) -> Model {
    let changes = model.random_changes(random);
    let mut after = model.clone();
    after.apply(&changes);
    let log = Log::new_unchecked(Address::repeat_byte(7), vec![], Bytes::new());
    chain.candidate_with(changes, &[vec![log]]).commit(&chain.store).expect("commits");
    after
}

/// All rows but code, which stays.
fn rows(store: &Store) -> Vec<(Column, Row)> {
    let columns = Column::ALL.into_iter().filter(|column| *column != Column::Codes);
    let rows = |column| store.ledger.database.all(column).map(move |row| (column, row.expect("reads")));
    columns.flat_map(rows).collect()
}

/// Given a chain of random blocks, when it is rewound to any of its heights, then every row is what it was then, and so is
/// what is read; and other blocks follow.
#[test]
fn what_is_taken_back_leaves_no_trace() {
    let mut random = StdRng::seed_from_u64(5);
    let chain = alone();
    let mut then = vec![(Model::of(&genesis()), rows(&chain.store), chain.store.head())];
    for _ in 0..12 {
        let model = extend_at_random(&chain, &then.last().expect("one at least").0, &mut random);
        then.push((model, rows(&chain.store), chain.store.head()));
    }
    while let Some((model, rows_then, head)) = then.pop() {
        chain.store.rewind(head.height).expect("rewinds");
        assert_eq!(chain.store.head(), head);
        assert_eq!(rows(&chain.store), rows_then, "at {}", head.height);
        model.assert_is_head(&chain.store);
        assert!(chain.store.block(head.height.next()).expect("reads").is_none());
        // Two that never come back in the same way, and one is read, so that it is in the cache.
        let other = extend_at_random(&chain, &model, &mut random);
        let other = extend_at_random(&chain, &other, &mut random);
        other.assert_is_head(&chain.store);
        assert!(chain.store.block(head.height.next()).expect("reads").is_some());
    }
}

#[test]
fn rewinding_is_for_a_chain_of_one_only() {
    let chain = Chain::new();
    chain.extend(Default::default());
    let refused = chain.store.rewind(Height::ZERO);
    assert!(matches!(refused, Err(StorageError::Final { head: Height(1), validators: 4 })), "{refused:?}");
    let unknown = alone().store.rewind(Height(1));
    assert!(matches!(unknown, Err(StorageError::UnknownHeight { .. })), "{unknown:?}");
}

/// Given a power cut behind a rewind, then the next start finds the earlier head.
#[test]
fn a_rewound_chain_opens_again() {
    let mut random = StdRng::seed_from_u64(6);
    let chain = alone();
    let model = extend_at_random(&chain, &Model::of(&genesis()), &mut random);
    extend_at_random(&chain, &model, &mut random);
    chain.store.rewind(Height(1)).expect("rewinds");
    let Chain { folder, store } = chain;
    drop(store);
    let store = open(folder.path());
    assert_eq!(store.head().height, Height(1));
    model.assert_is_head(&store);
}
