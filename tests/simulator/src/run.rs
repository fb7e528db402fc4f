//! One seed, from the first fault to the last block.

use std::time::Duration;

use quorate_consensus::NotVoting;
use quorate_types::Height;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::{
    Cluster, ClusterConfig, Death, Keys, Scenario, Tally, Violation, cluster::BASE_TIMEOUT, fault::Fault,
    network::between, scenario::Plan,
};

/// How many blocks must come once everything is well again.
const BLOCKS_AFTER: u64 = 3;
/// How many more may come until every honest node may vote again: three above the highest head that it was told (R21), which
/// are the blocks after the faults, unless it was told late. One more was never needed; the rest is room.
const BLOCKS_TO_VOTE: u64 = 4;
/// How many empty blocks must come then, where they are wanted.
const EMPTY_BLOCKS_AFTER: u64 = 2;
/// In how many base timeouts they must come: the timers of the views that the faults led to must run out first.
const PATIENCE_TIMEOUTS: u32 = 150;
/// How many transactions' execution time comes on top of that.
const PATIENCE_TRANSACTIONS: u32 = 300;
/// One seed in so many runs with real keys, and with them real bytes on links and disks.
const REAL_EVERY: u64 = 100;
/// Between two transactions after the faults, beside twice what one takes to execute.
const CLIENT_PAUSE: (Duration, Duration) = (Duration::from_millis(100), Duration::from_millis(400));

/// What to run.
#[derive(Clone, Copy, Debug)]
pub struct Setup {
    /// Validators.
    pub nodes: usize,
    /// Liars; `None`: as the scenario likes, never more than the set tolerates.
    pub byzantine: Option<usize>,
    /// The mixture of faults.
    pub scenario: Scenario,
    /// The kind of signatures and bytes; `None`: one seed in a hundred is [`Keys::Real`].
    pub keys: Option<Keys>,
    /// Whether to write down what happens.
    pub trace: bool,
}

/// What came of one seed.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// The seed.
    pub seed: u64,
    /// What was wrong, if anything.
    pub violation: Option<Violation>,
    /// The last decided height.
    pub blocks: Height,
    /// Steps of all replicas.
    pub steps: u64,
    /// Virtual time in all.
    pub time: Duration,
    /// Virtual time from the end of the faults to the third block after it, at the last node.
    pub recovery: Duration,
    /// What happened how often.
    pub tally: Tally,
    /// What was written down.
    pub trace: Vec<String>,
}

/// Runs one seed.
#[must_use]
pub fn run(seed: u64, setup: &Setup) -> Outcome {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let plan = setup.scenario.plan(&mut rng, setup.nodes, setup.byzantine);
    let sampled = if seed % REAL_EVERY == REAL_EVERY - 1 { Keys::Real } else { Keys::Hashed };
    let keys = setup.keys.unwrap_or(sampled);
    let mut cluster = Cluster::new(ClusterConfig {
        seed: rng.random(),
        nodes: setup.nodes,
        weights: plan.weights.clone(),
        observers: plan.observers,
        twins: plan.twins.clone(),
        keys,
        weather: plan.weather,
        pace: plan.pace,
        liars: plan.liars.clone(),
        unreliable: plan.unreliable.clone(),
        clocks_off_s: plan.clocks_off_s.clone(),
        min_block_interval: plan.min_block_interval,
        empty_block_interval: plan.empty_block_interval,
        publishes: plan.publishes,
        transaction_bytes: plan.transaction_bytes,
        trace: setup.trace,
    });
    cluster.schedule(plan.script.clone());
    cluster.run_for(plan.length);
    let healed = cluster.now();
    recover(&mut cluster, &plan);
    if setup.scenario == Scenario::Calm && plan.liars.is_empty() && cluster.tally().get("view changes") > 0 {
        cluster.accuse("a view was left, and nothing had gone wrong".to_owned());
    }
    let mut tally = cluster.tally();
    count_cast(&plan, keys, &mut tally);
    Outcome {
        seed,
        violation: cluster.violation().cloned(),
        blocks: cluster.highest(),
        steps: cluster.effort().0,
        time: cluster.now(),
        recovery: cluster.now().saturating_sub(healed),
        tally,
        trace: cluster.trace().to_vec(),
    }
}

/// Who was in the run.
fn count_cast(plan: &Plan, keys: Keys, tally: &mut Tally) {
    for habit in plan.liars.iter().flat_map(|(_, habits)| habits) {
        tally.count(habit.name());
    }
    let runs = [
        ("runs with real keys and bytes", keys == Keys::Real),
        ("runs with liars", !plan.liars.is_empty()),
        ("runs with liars beside a lost log", plan.losers > 0 && !plan.liars.is_empty()),
        ("runs with two lost logs", plan.losers > 1),
        ("runs with an interval above the timer", plan.min_block_interval > BASE_TIMEOUT),
        ("runs with empty blocks", plan.empty_block_interval.is_some()),
        ("runs with a key that runs twice", !plan.twins.is_empty()),
        ("runs with unequal weights", !plan.weights.is_empty()),
        ("runs with observers", plan.observers > 0),
        ("runs with slow execution", plan.pace.transaction >= BASE_TIMEOUT / 4),
        ("runs with a blackout at the end", plan.ending.blackout),
        ("runs with one gone at the end", plan.ending.gone.is_some()),
    ];
    runs.into_iter().filter(|(_, happened)| *happened).for_each(|(what, _)| tally.count(what));
}

/// After the faults: every honest node must get on and vote again, every transaction that waits at one must be decided, and
/// where empty blocks are wanted they must come.
fn recover(cluster: &mut Cluster, plan: &Plan) {
    let (ending, transaction) = (plan.ending, plan.pace.transaction);
    if ending.blackout {
        (0..cluster.len()).for_each(|node| cluster.crash(node, Death::PowerCut));
    }
    if let Some(node) = ending.gone {
        cluster.bury(node);
    }
    cluster.heal();
    let client = ending.lone_client.filter(|client| cluster.honest().any(|node| node == *client));
    let patience = BASE_TIMEOUT * PATIENCE_TIMEOUTS + transaction * PATIENCE_TRANSACTIONS;
    let deadline = cluster.now() + patience;
    let target = Height(cluster.highest().0 + BLOCKS_AFTER);
    let reached = |cluster: &Cluster| {
        cluster.honest().all(|node| cluster.head(node) >= target)
            && cluster.honest().all(|node| may_vote(cluster, node))
    };
    let votes_by = Height(target.0 + BLOCKS_TO_VOTE);
    let waits = |cluster: &Cluster| !reached(cluster) && cluster.highest() < votes_by;
    while waits(cluster) && cluster.now() < deadline && cluster.violation().is_none() {
        let nodes = cluster.len();
        let node = client.unwrap_or_else(|| cluster.rng().random_range(0..nodes));
        cluster.suffer(Fault::Inject(node));
        let pause = between(cluster.rng(), CLIENT_PAUSE.0, CLIENT_PAUSE.1) + transaction * 2;
        cluster.run_until(pause, reached);
    }
    let drained = |cluster: &Cluster| {
        let highest = cluster.highest();
        cluster.honest().all(|node| cluster.waiting(node) == 0 && cluster.head(node) == highest)
    };
    let left = deadline.saturating_sub(cluster.now());
    if !cluster.run_until(left, |cluster| reached(cluster) && drained(cluster)) {
        let report = stall_report(cluster, target);
        cluster.accuse(report);
    } else if plan.empty_block_interval.is_some() {
        rest(cluster, patience);
    }
}

/// Whether nothing keeps a node from voting but that it is not in the set, or that its disk is slow. Who lost its log may vote
/// again after a few blocks (R21), and disks have room again.
fn may_vote(cluster: &Cluster, node: usize) -> bool {
    let keeps =
        |why| matches!(why, NotVoting::LogIncomplete { .. } | NotVoting::Stopped | NotVoting::DiskFull);
    cluster.snapshot(node).is_some_and(|it| !it.abstaining.is_some_and(keeps))
}

/// Nobody has work, and the chain goes on all the same (R14).
fn rest(cluster: &mut Cluster, patience: Duration) {
    let target = Height(cluster.highest().0 + EMPTY_BLOCKS_AFTER);
    let there = |cluster: &Cluster| cluster.honest().all(|node| cluster.head(node) >= target);
    if !cluster.run_until(patience, there) {
        let report = format!("no empty block came: {}", stall_report(cluster, target));
        cluster.accuse(report);
    }
}

fn stall_report(cluster: &Cluster, target: Height) -> String {
    let nodes = cluster.honest().map(|node| {
        let state = cluster.snapshot(node).map(|it| {
            let keeps = it.abstaining.map_or(String::new(), |why| format!(" {why:?}"));
            format!("v{} {:?}{keeps}", it.view, it.phase)
        });
        format!(
            "n{node} h{} {} with {} waiting",
            cluster.head(node),
            state.unwrap_or_else(|| "down".to_owned()),
            cluster.waiting(node)
        )
    });
    let nodes: Vec<String> = nodes.collect();
    format!("STALLED: height {target} was to be reached: {}", nodes.join("; "))
}
