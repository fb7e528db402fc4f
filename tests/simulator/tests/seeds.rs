//! Many seeds of every scenario. A failure prints the command that shows it step by step.

use quorate_simulator::{Keys, Scenario, Setup, run};

fn setup(scenario: Scenario, nodes: usize) -> Setup {
    Setup { nodes, byzantine: None, scenario, keys: None, trace: false }
}

fn all_pass(seeds: std::ops::Range<u64>, setup: Setup) {
    for seed in seeds {
        let outcome = run(seed, &setup);
        if let Some(violation) = outcome.violation {
            panic!(
                "{violation}\nreplay: simulate --seeds {seed}..{} --nodes {} --scenario {} --trace",
                seed + 1,
                setup.nodes,
                setup.scenario
            );
        }
    }
}

#[test]
fn four_validators_survive_everything_at_once() {
    all_pass(0..200, setup(Scenario::Harsh, 4));
}

#[test]
fn four_validators_survive_each_scenario() {
    Scenario::ALL.into_iter().for_each(|scenario| all_pass(0..50, setup(scenario, 4)));
}

#[test]
fn sets_of_other_sizes_survive_each_scenario() {
    for scenario in Scenario::ALL {
        for nodes in [1, 2, 3, 5] {
            all_pass(0..10, setup(scenario, nodes));
        }
        all_pass(0..5, setup(scenario, 7));
    }
}

#[test]
fn real_signatures_make_no_difference() {
    for seed in 0..2 {
        let [hashed, real] = [Keys::Hashed, Keys::Real]
            .map(|keys| run(seed, &Setup { keys: Some(keys), ..setup(Scenario::Harsh, 4) }));
        assert!(real.violation.is_none(), "{:?}", real.violation);
        assert_eq!((hashed.blocks, hashed.steps), (real.blocks, real.steps));
    }
}

#[test]
fn a_seed_is_always_the_same_run() {
    let setup = Setup { trace: true, ..setup(Scenario::Harsh, 4) };
    assert_eq!(run(5, &setup).trace, run(5, &setup).trace);
}

/// What the set does not tolerate must be seen: the eye that watches every step is not blind.
#[test]
fn two_liars_of_four_fork_the_chain() {
    let setup = Setup { byzantine: Some(2), ..setup(Scenario::Calm, 4) };
    let violations = (0..300).filter_map(|seed| run(seed, &setup).violation);
    let forks = violations.filter(|violation| violation.what.contains("FORK")).count();
    assert!(forks > 0, "two liars that agree on their story get two blocks decided");
}
