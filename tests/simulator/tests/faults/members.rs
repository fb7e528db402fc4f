//! Who votes changes.

use std::time::Duration;

use quorate_simulator::{BASE_TIMEOUT, Cluster, ClusterConfig, Death, Fault, Habit, NotVoting};
use quorate_types::Height;

use crate::support::{SECOND, heads_reach, next_block};

/// Gives a node a weight, and waits until all know.
fn reweight(cluster: &mut Cluster, member: usize, weight: u64, client: usize) {
    cluster.suffer(Fault::SetWeight { member, weight, client });
    let there = cluster.run_until(BASE_TIMEOUT * 20, |it| it.weight(member) == weight);
    assert!(there, "no weight {weight} for n{member}: {:?}", cluster.violation());
    let height = cluster.highest();
    assert!(heads_reach(cluster, height.0, BASE_TIMEOUT * 20), "{:?}", cluster.violation());
}

/// Edge #811: the validator set changes while nodes restart.
#[test]
fn set_change_restart_the_chain_goes_on() {
    let changes = [(4, 1), (0, 0), (1, 3), (0, 2), (4, 5), (2, 0), (4, 1), (2, 1)];
    for seed in 0..10 {
        let mut cluster = Cluster::new(ClusterConfig { observers: 1, ..ClusterConfig::fair(seed, 4) });
        cluster.start_all();
        assert!(heads_reach(&mut cluster, 1, SECOND));
        for (round, (member, weight)) in changes.into_iter().enumerate() {
            let restarted = (round + 3) % 5;
            let after = u32::try_from(round).expect("few") * 5;
            cluster.suffer(Fault::Crash { node: restarted, death: Death::TornPowerCut, after });
            cluster.schedule(vec![(Duration::from_millis(300), Fault::Start(restarted))]);
            reweight(&mut cluster, member, weight, (restarted + 1) % 5);
        }
        // Nothing waits for an operator.
        cluster.heal();
        next_block(&mut cluster, 0, BASE_TIMEOUT * 16);
        assert_eq!(cluster.validators().len(), 5);
    }
}

#[test]
fn who_joins_votes_and_who_leaves_follows() {
    let mut cluster = Cluster::new(ClusterConfig { observers: 1, ..ClusterConfig::fair(1, 4) });
    cluster.start_all();
    next_block(&mut cluster, 4, SECOND * 2);
    assert_eq!(
        cluster.head(4),
        cluster.highest(),
        "an observer follows, and its transaction gets into a block"
    );
    reweight(&mut cluster, 4, 1, 0);
    reweight(&mut cluster, 0, 0, 1);
    cluster.bury(1);
    for client in [0, 2, 4] {
        // Three of four are a quorum with the one that joined, and would be none without it.
        next_block(&mut cluster, client, BASE_TIMEOUT * 8);
    }
    assert_eq!((cluster.weight(0), cluster.weight(4)), (0, 1));
    assert_eq!(cluster.head(0), cluster.highest(), "who left follows");
    assert!(cluster.snapshot(0).and_then(|it| it.abstaining) == Some(NotVoting::Observer));
}

/// With weights 5, 1, 1 and 1 nothing is decided without the first, and a liar may have weight 1.
#[test]
fn a_quorum_is_one_of_weight() {
    let liars = vec![(3, vec![Habit::Equivocates, Habit::ForgesCertificates])];
    let weights = vec![5, 1, 1, 1];
    let mut cluster = Cluster::new(ClusterConfig { weights, liars, ..ClusterConfig::fair(2, 4) });
    cluster.start_all();
    next_block(&mut cluster, 1, BASE_TIMEOUT * 8);
    cluster.crash(0, Death::Killed);
    let before = cluster.highest();
    cluster.inject(1);
    cluster.run_for(SECOND * 20);
    assert_eq!(cluster.highest(), before, "three of eight are no quorum");
    cluster.start(0);
    assert!(heads_reach(&mut cluster, before.0 + 1, BASE_TIMEOUT * 8), "{:?}", cluster.violation());
}

/// One key in two processes: they find out, sign no more, and the chain does not need them.
#[test]
fn twins_stop_at_the_sight_of_each_other() {
    for seed in 0..10 {
        let mut cluster = Cluster::new(ClusterConfig { twins: vec![1], ..ClusterConfig::fair(seed, 4) });
        cluster.start_all();
        for client in 0..8 {
            next_block(&mut cluster, client % 5, BASE_TIMEOUT * 16);
        }
        let stopped = |node| cluster.snapshot(node).and_then(|it| it.abstaining) == Some(NotVoting::Stopped);
        assert!(stopped(1) || stopped(4), "seed {seed}");
        assert!(cluster.highest() >= Height(8));
    }
}
