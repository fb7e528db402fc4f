//! faults.md, kill-at-every-step: killed between any two writes, the world state is missing for ever
//! (Besu #9040, GoQuorum #1718). Here a stop at any instant leaves a folder that opens.

use std::{fs, path::Path};

use rand::{Rng, SeedableRng, rngs::StdRng};

use super::{Candidate, Chain, model::Model, open};
use crate::{Store, columns::Column};
use quorate_types::{Height, keccak256};

/// A chain of `blocks` random blocks, and the state after each height.
fn random_chain(blocks: u64, random: &mut StdRng) -> (Chain, Vec<Model>, Vec<Candidate>) {
    let chain = Chain::new();
    let mut models = vec![Model::genesis()];
    let mut committed = Vec::new();
    for _ in 0..blocks {
        let mut model = models.last().expect("one at least").clone();
        let changes = model.random_changes(random);
        model.apply(&changes);
        let candidate = chain.candidate_with(changes, &[vec![]]);
        candidate.commit(&chain.store).expect("commits");
        committed.push(candidate);
        models.push(model);
    }
    (chain, models, committed)
}

fn extend_at_random(store: &Store, model: &Model, random: &mut StdRng) -> Model {
    let changes = model.random_changes(random);
    let head = store.head();
    let update = store.root_after(None, &changes).expect("fits");
    let mut model = model.clone();
    model.apply(&changes);
    let next = super::candidate(&head.header, head.hash, update, changes, &[]);
    next.commit(store).expect("the chain goes on");
    model
}

#[test]
fn kill_at_every_step_between_record_and_rows_loses_nothing() {
    let mut random = StdRng::seed_from_u64(1);
    let (mut chain, mut models, _) = random_chain(3, &mut random);
    for rounds in 1..=3 {
        // Several records may be ahead of their rows.
        for _ in 0..rounds {
            let mut model = models.last().expect("one at least").clone();
            let changes = model.random_changes(&mut random);
            model.apply(&changes);
            let candidate = chain.candidate_with(changes, &[vec![]]);
            candidate.decide(&chain.store);
            let hash = candidate.block.hash();
            assert_eq!(chain.store.height_of(hash).expect("reads"), Some(candidate.height()));
            assert!(chain.store.ledger.database.get(Column::Heights, hash).expect("reads").is_none());
            model.assert_is_head(&chain.store);
            models.push(model);
        }
        let head = chain.store.head();
        chain = chain.reopen();
        assert_eq!(chain.store.head(), head);
        models.last().expect("one at least").assert_is_head(&chain.store);
        let last = keccak256(super::raw_transaction(head.height.0, 0));
        assert_eq!(chain.store.transaction(last).expect("reads"), Some((head.height, 0)));
    }
    for (height, model) in (0..).map(Height).zip(&models) {
        model.assert_same(&chain.store.view_at(height).expect("kept"));
    }
}

#[test]
fn kill_at_every_step_rows_written_twice_change_nothing() {
    let mut random = StdRng::seed_from_u64(2);
    let (chain, models, _) = random_chain(6, &mut random);
    let mut batch = chain.store.ledger.database.batch();
    batch.put(Column::Meta, crate::apply::APPLIED, 2_u64.to_be_bytes());
    batch.write("forgetting the rows", crate::columns::Durability::Synced).expect("writes");
    let chain = chain.reopen();
    for (height, model) in (0..).map(Height).zip(&models) {
        model.assert_same(&chain.store.view_at(height).expect("kept"));
    }
}

/// A copy of the folder is what a kill leaves; one whose log ends early is what a power cut leaves.
#[test]
fn kill_at_every_step_a_log_cut_anywhere_opens_at_some_height() {
    let mut random = StdRng::seed_from_u64(3);
    let (chain, models, committed) = random_chain(8, &mut random);
    let wal = fs::read_dir(chain.folder.path())
        .expect("lists")
        .map(|entry| entry.expect("an entry").path())
        .find(|path| path.extension().is_some_and(|it| it == "log"))
        .expect("RocksDB's write-ahead log");
    let length = fs::metadata(&wal).expect("a file").len();
    let mut cuts: Vec<_> = (0..40).map(|_| random.random_range(0..=length)).chain([0, length]).collect();
    cuts.sort_unstable();
    let mut lowest = Height::ZERO;
    for cut in cuts {
        let copy = tempfile::tempdir().expect("a temporary folder");
        copy_folder(chain.folder.path(), copy.path());
        let log = copy.path().join(wal.file_name().expect("a name"));
        fs::OpenOptions::new().write(true).open(log).expect("opens").set_len(cut).expect("cuts");

        let store = open(copy.path()).unwrap_or_else(|error| panic!("cut at {cut} of {length}: {error}"));
        let head = store.head();
        assert!(head.height >= lowest, "a longer log knows as much");
        lowest = head.height;
        let known = usize::try_from(head.height.0).expect("small");
        models[known].assert_is_head(&store);
        // What was lost comes again from the peers.
        match committed.get(known) {
            Some(next) => next.commit(&store).expect("the next block goes in"),
            None => drop(extend_at_random(&store, &models[known], &mut random)),
        }
    }
    assert_eq!(lowest, Height(8), "the whole log has all blocks");
}

fn copy_folder(from: &Path, to: &Path) {
    for entry in fs::read_dir(from).expect("lists") {
        let path = entry.expect("an entry").path();
        fs::copy(&path, to.join(path.file_name().expect("a name"))).expect("copies");
    }
}
