//! The house rules that a machine can check, from `ARCHITECTURE.md`. Each checker is shown to fail on
//! a small bad sample beside it.

mod edges;
mod graph;
mod licences;
mod source;

use std::{fs, path::Path};

use graph::Graph;

fn assert_none(found: Vec<String>) {
    assert!(found.is_empty(), "\n{}\n", found.join("\n"));
}

#[test]
fn crates_know_only_whom_they_may_know() {
    assert_none(edges::check(&Graph::read()));
}

#[test]
fn mutants_are_for_the_simulator_alone_and_signatures_for_libsecp256k1() {
    let graph = Graph::read();
    assert_none(edges::check_mutants(&graph));
    assert_none(edges::check_recovery(&graph));
}

#[test]
fn every_dependency_has_a_licence_that_is_allowed() {
    let policy = fs::read_to_string(graph::root().join("deny.toml")).expect("deny.toml is there");
    let policy = licences::Policy::parse(&policy).expect("deny.toml lists licences");
    assert_none(licences::check(&Graph::read(), &policy));
}

#[test]
fn files_and_functions_are_short_safe_and_do_not_unwrap() {
    let mut reports = source::Report::default();
    for (file, in_test) in source::files(&Graph::read()) {
        let text = fs::read_to_string(&file).expect("a source file");
        let name = file.strip_prefix(graph::root()).unwrap_or(Path::new(&file)).display().to_string();
        reports.extend(source::check(&name, &text, in_test));
    }
    // What grows is shown before it fails.
    for note in &reports.notes {
        println!("{note}");
    }
    assert_none(reports.errors);
}
