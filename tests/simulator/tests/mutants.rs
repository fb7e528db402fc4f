//! Mutants that no story of one replica shows: they lie in the driver, or take a cluster. Each must be noticed within so
//! many seeds of a scenario. (Those of the engine are in `consensus/tests/stories/mutants.rs`.)

use quorate_simulator::{Mutant, Scenario, Setup, run};

/// Enough for each: the rarest is noticed within some two hundred. Seeds are replayable, so this is no chance.
const SEEDS: u64 = 400;

const MUTANTS: &[(Mutant, Scenario)] = &[
    (Mutant::ProposesAgain, Scenario::RestartAll),
    (Mutant::SignsAhead, Scenario::Calm),
    (Mutant::NeverWaitsForTime, Scenario::ClockSkew),
    (Mutant::StrictTimestamps, Scenario::Calm),
    (Mutant::ForgetsBlocks, Scenario::Harsh),
    (Mutant::SkipsSync, Scenario::Calm),
    (Mutant::MixesViews, Scenario::Harsh),
    (Mutant::VotesBelowWish, Scenario::Harsh),
    (Mutant::RecyclesEarly, Scenario::TornLog),
    (Mutant::UnjustifiedProposals, Scenario::Liar),
    (Mutant::ForgedCertificates, Scenario::Liar),
    (Mutant::OldSet, Scenario::SetChange),
];

#[test]
fn every_mutant_of_the_driver_is_noticed() {
    let mut survivors = Vec::new();
    for (mutant, scenario) in MUTANTS {
        let setup = Setup { nodes: 4, byzantine: None, scenario: *scenario, keys: None, trace: false };
        let caught = (0..SEEDS).find_map(|seed| Some((seed, mutant.infect(|| run(seed, &setup)).violation?)));
        match caught {
            Some((seed, violation)) => {
                println!("{:24} {scenario}: seed {seed}: {violation}", mutant.name());
            }
            None => survivors.push(mutant.name()),
        }
    }
    assert!(survivors.is_empty(), "nobody noticed in {SEEDS} seeds: {survivors:?}");
}
