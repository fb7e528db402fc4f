//! Many seeds of every scenario. A failure prints the command that shows it step by step.

use quorate_simulator::{
    BASE_TIMEOUT, Cluster, ClusterConfig, Fault, Habit, Keys, Scenario, Setup, Tally, run,
};

fn setup(scenario: Scenario, nodes: usize) -> Setup {
    Setup { nodes, byzantine: None, scenario, keys: None, trace: false }
}

/// Runs seeds, and says what happened in them.
fn all_pass(seeds: std::ops::Range<u64>, setup: Setup) -> Tally {
    let mut counts = Tally::default();
    for seed in seeds {
        let outcome = run(seed, &setup);
        if let Some(violation) = outcome.violation {
            let byzantine = setup.byzantine.map_or_else(String::new, |count| format!(" --byzantine {count}"));
            panic!(
                "{violation}\nreplay: simulate --seeds {seed}..{} --nodes {} --scenario {}{byzantine} --trace",
                seed + 1,
                setup.nodes,
                setup.scenario
            );
        }
        counts.merge(&outcome.tally);
    }
    counts
}

/// What must have happened in two hundred seeds: a check of what never happens proves nothing.
const HAPPENS: &[&str] = &[
    "blocks from the future",
    "certificates forged",
    "crashes between two effects",
    "data folders deleted",
    "databases that went back",
    "decisions above view 0",
    "disks that filled up",
    "disks with room again",
    "empty blocks",
    "executions that failed",
    "frames torn",
    "justifications forged",
    "lies proved",
    "lists that contradict their header",
    "malformed frames refused",
    "messages refused",
    "old messages sent again",
    "offers kept back",
    "one-way partitions",
    "packets doubled",
    "packets late",
    "packets lost",
    "packets stopped by cuts",
    "packets that overtook others",
    "power cuts",
    "power cuts with torn writes",
    "processes killed",
    "runs with a key that runs twice",
    "runs with an interval above the timer",
    "runs with empty blocks",
    "runs with liars beside a lost log",
    "runs with observers",
    "runs with one gone at the end",
    "runs with real keys and bytes",
    "runs with slow execution",
    "runs with two lost logs",
    "runs with unequal weights",
    "starts without a log to trust",
    "synced blocks refused",
    "transactions spoilt on the way",
    "twins stopped",
    "validator sets that followed another",
    "view changes",
    "vote logs damaged",
    "vote logs deleted",
    "votes again after its log was lost",
    "votes cast twice",
];

/// Two hundred seeds over four, six and seven validators; in half of them as many lie as may.
#[test]
fn clusters_survive_everything_at_once() {
    let mut counts = Tally::default();
    for (nodes, liars, seeds) in
        [(4, 1, 0..50), (4, 1, 50..100), (6, 1, 0..25), (6, 1, 25..50), (7, 2, 0..25), (7, 2, 25..50)]
    {
        let byzantine = (seeds.start > 0).then_some(liars);
        counts.merge(&all_pass(seeds, Setup { byzantine, ..setup(Scenario::Harsh, nodes) }));
    }
    let never: Vec<_> = HAPPENS.iter().filter(|what| counts.get(what) == 0).collect();
    assert!(never.is_empty(), "never happened: {never:?}");
}

#[test]
fn four_validators_survive_each_scenario() {
    for scenario in Scenario::ALL {
        all_pass(0..15, setup(scenario, 4));
    }
}

/// Given the scenario of a chain that rests, then every seed of it wants empty blocks, and most of its blocks are.
#[test]
fn empty_blocks_come_where_a_scenario_wants_them() {
    let counts = all_pass(100..120, setup(Scenario::EmptyBlocks, 4));
    assert_eq!(counts.get("runs with empty blocks"), 20);
    assert!(counts.get("empty blocks") > 200, "{}", counts.get("empty blocks"));
}

#[test]
fn sets_of_other_sizes_survive_each_scenario() {
    for scenario in Scenario::ALL {
        for nodes in [1, 2, 3, 5, 7] {
            all_pass(0..2, setup(scenario, nodes));
        }
    }
}

/// The modelled vote log does what the real bytes do, torn, damaged and deleted, and so do keys and links.
#[test]
fn real_keys_and_bytes_make_no_difference() {
    for (seed, scenario) in
        [(0, Scenario::Harsh), (1, Scenario::Harsh), (2, Scenario::TornLog), (3, Scenario::TornLog)]
    {
        let [hashed, real] = [Keys::Hashed, Keys::Real]
            .map(|keys| run(seed, &Setup { keys: Some(keys), ..setup(scenario, 4) }));
        assert!(real.violation.is_none(), "{:?}", real.violation);
        assert_eq!((hashed.blocks, hashed.steps), (real.blocks, real.steps));
    }
}

#[test]
fn a_seed_is_always_the_same_run() {
    let setup = Setup { trace: true, ..setup(Scenario::Harsh, 4) };
    assert_eq!(run(5, &setup).trace, run(5, &setup).trace);
}

/// What the set does not tolerate must be seen: the eye that watches every step is not blind. Two honest nodes that hear the
/// liars alone are told different stories.
#[test]
fn two_liars_of_four_fork_the_chain() {
    let forks = |seed: &u64| {
        let liars = [0, 1].map(|liar| (liar, vec![Habit::Equivocates])).to_vec();
        let mut cluster = Cluster::new(ClusterConfig { liars, ..ClusterConfig::fair(*seed, 4) });
        [(2, 3), (3, 2)].into_iter().for_each(|(from, to)| cluster.suffer(Fault::Cut { from, to }));
        cluster.start_all();
        for client in 0..8 {
            cluster.inject(client % 4);
            cluster.run_for(BASE_TIMEOUT);
        }
        cluster.violation().is_some_and(|violation| violation.what.contains("FORK"))
    };
    let forked = (0..100).filter(forks).count();
    assert!(
        forked > 3,
        "two liars that agree on their story get two blocks decided: in {forked} of 100 runs"
    );
}
