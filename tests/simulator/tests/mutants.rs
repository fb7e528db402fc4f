//! Mutants that no story of one replica shows: they lie in the driver, or take a cluster. Each must be noticed within so
//! many seeds of a scenario. (The others are noticed by `consensus/tests/stories/mutants.rs`; the engine's list
//! of mutants says which is whose.)

use quorate_simulator::{Mutant, Scenario, Setup, run};

/// Enough for each: the rarest is noticed within some two hundred. Seeds are replayable, so this is no chance.
const SEEDS: u64 = 400;

#[test]
fn every_mutant_of_the_driver_is_noticed() {
    let mut survivors = Vec::new();
    let listed = Mutant::all().filter_map(|mutant| Some((mutant, mutant.scenario()?)));
    for (mutant, scenario) in listed {
        let scenario: Scenario = scenario.parse().expect("the name of a scenario");
        let setup = Setup { nodes: 4, byzantine: None, scenario, keys: None, trace: false };
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
