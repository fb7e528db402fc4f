//! Directed schedules on whole clusters.

use std::time::Duration;

use quorate_simulator::{Alarm, BASE_TIMEOUT, Cluster, ClusterConfig, Death, Fault, NotVoting, Pace};
use quorate_types::Height;

use crate::support::{SECOND, heads_reach, next_block};

/// Besu #7642, Edge #185: two of four down for minutes, timers doubled for ever, hours to recover.
#[test]
fn restart_runaway_timers_next_block_within_two_timers_of_their_return() {
    for seed in 0..20 {
        let mut cluster = Cluster::running(seed, 4);
        assert!(heads_reach(&mut cluster, 1, SECOND));
        cluster.crash(1, Death::PowerCut);
        cluster.crash(2, Death::Killed);
        cluster.inject(0);
        cluster.run_for(Duration::from_secs(600));
        assert_eq!(cluster.highest(), Height(1), "two of four are no quorum");
        let highest_view = [0, 3].map(|node| cluster.snapshot(node).expect("it runs").view.0);
        assert!(highest_view.into_iter().all(|view| view <= 2), "{highest_view:?}");
        cluster.start(1);
        cluster.start(2);
        assert!(heads_reach(&mut cluster, 2, BASE_TIMEOUT * 2), "seed {seed}: {:?}", cluster.violation());
    }
}

/// Besu #6457, #969: started in any order, one at a time, or one alone.
#[test]
fn cold_start_once_a_quorum_is_up() {
    for nodes in [1, 2, 3, 4, 7] {
        let mut cluster = Cluster::new(ClusterConfig::fair(3, nodes));
        let quorum = usize::midpoint(nodes, (nodes - 1) / 3) + 1;
        for node in (0..quorum).rev() {
            assert_eq!(cluster.highest(), Height::ZERO);
            cluster.start(node);
            cluster.run_for(Duration::from_secs(7));
        }
        assert!(cluster.highest() >= Height(1), "{nodes} nodes");
        cluster.start_all();
        assert!(heads_reach(&mut cluster, 1, BASE_TIMEOUT * 3), "{:?}", cluster.violation());
    }
}

/// FISCO #4417: one of four crash-loops, and the whole chain is stuck.
#[test]
fn one_restarting_node_stops_nobody() {
    let mut cluster = Cluster::running(11, 4);
    assert!(heads_reach(&mut cluster, 1, SECOND));
    for round in 0..20 {
        cluster.crash(2, if round % 2 == 0 { Death::Killed } else { Death::PowerCut });
        next_block(&mut cluster, 0, BASE_TIMEOUT * 4);
        cluster.start(2);
        cluster.run_for(Duration::from_millis(200));
    }
    assert!(heads_reach(&mut cluster, 21, SECOND), "{:?}", cluster.violation());
}

/// Besu #8307: validators lose their data folders, one after the other.
#[test]
fn wiped_node_syncs_abstains_and_votes_again() {
    let mut cluster = Cluster::running(12, 4);
    assert!(heads_reach(&mut cluster, 1, SECOND));
    for wiped in 0..4 {
        cluster.crash(wiped, Death::PowerCut);
        cluster.suffer(Fault::Wipe(wiped));
        next_block(&mut cluster, (wiped + 1) % 4, BASE_TIMEOUT * 4);
        cluster.start(wiped);
        for _ in 0..5 {
            next_block(&mut cluster, (wiped + 1) % 4, BASE_TIMEOUT * 4);
        }
        let state = cluster.snapshot(wiped).expect("it runs");
        assert_eq!(state.abstaining, None, "it votes again");
        assert_eq!(cluster.head(wiped), cluster.highest());
    }
}

/// In one node's pool only; that node alone times out for ever (own study).
#[test]
fn lone_transaction_gets_into_a_block_with_four_and_with_three_alive() {
    for client in 0..3 {
        for dead in [None, Some(3)] {
            let mut cluster = Cluster::new(ClusterConfig { publishes: false, ..ClusterConfig::fair(13, 4) });
            cluster.start_all();
            assert!(heads_reach(&mut cluster, 1, SECOND));
            if let Some(dead) = dead {
                cluster.bury(dead);
            }
            next_block(&mut cluster, client, BASE_TIMEOUT * 4);
            assert!(cluster.honest().all(|node| cluster.waiting(node) == 0));
        }
    }
}

/// Besu #6398: one dead validator slows every n-th block by a full timeout.
#[test]
fn dead_leader_tax_is_small() {
    let mut cluster = Cluster::running(15, 4);
    assert!(heads_reach(&mut cluster, 1, SECOND));
    cluster.bury(3);
    cluster.run_for(SECOND * 3);
    let times: Vec<Duration> = (0..40).map(|_| next_block(&mut cluster, 0, BASE_TIMEOUT * 4)).collect();
    let slowest = times.iter().max().expect("forty blocks");
    assert!(*slowest < Duration::from_millis(400), "a dead leader is passed over at once: {slowest:?}");
}

/// Decided, unsynced on three nodes, power cut, the fourth dead: decided twice (own study). What is not synced is really
/// dropped here.
#[test]
fn power_cut_before_write_decides_no_other_block() {
    let slow = (Duration::from_millis(300), Duration::from_millis(400));
    for seed in 0..50 {
        let pace = Pace { blocks: slow, ..Pace::FAIR };
        let mut cluster = Cluster::new(ClusterConfig { pace, ..ClusterConfig::fair(seed, 4) });
        cluster.start_all();
        assert!(heads_reach(&mut cluster, 1, SECOND * 2));
        cluster.run_for(SECOND);
        cluster.inject(0);
        assert!(
            cluster
                .run_until(SECOND * 3, |it| (0..4).filter(|node| it.head(*node) >= Height(2)).count() >= 3)
        );
        let decided = cluster.highest();
        (0..4).for_each(|node| cluster.crash(node, Death::PowerCut));
        let writer = (0..4).find(|node| cluster.head(*node) == decided);
        assert!(writer.is_none(), "seed {seed}: the record was not synced anywhere");
        cluster.bury(usize::try_from(seed % 4).expect("small"));
        cluster.start_all();
        assert!(
            heads_reach(&mut cluster, decided.0, BASE_TIMEOUT * 6),
            "seed {seed}: {:?}",
            cluster.violation()
        );
    }
}

/// Early timeouts on a cut link cost a third of the blocks (own study).
#[test]
fn link_cut_and_one_down_costs_latency_alone() {
    let mut cluster = Cluster::running(17, 4);
    assert!(heads_reach(&mut cluster, 1, SECOND));
    cluster.bury(3);
    cluster.suffer(Fault::Cut { from: 0, to: 1 });
    cluster.suffer(Fault::Cut { from: 1, to: 0 });
    cluster.run_for(SECOND * 3);
    for _ in 0..20 {
        let time = next_block(&mut cluster, 2, BASE_TIMEOUT * 4);
        assert!(time < Duration::from_millis(600), "{time:?}");
    }
}

/// The worst block takes longer than the timer, and so does the next attempt (own study). At nine seconds each, eight
/// transactions take longer than any timer ever is.
#[test]
fn slow_execution_does_not_stop_the_chain() {
    for (each, transactions) in [(Duration::from_millis(700), 16), (SECOND * 9, 10)] {
        let pace = Pace { transaction: each, ..Pace::FAIR };
        let mut cluster = Cluster::new(ClusterConfig { pace, ..ClusterConfig::fair(18, 4) });
        cluster.start_all();
        assert!(heads_reach(&mut cluster, 1, SECOND));
        (0..transactions).for_each(|index| cluster.inject(index % 4));
        let drained = |it: &Cluster| it.honest().all(|node| it.waiting(node) == 0);
        assert!(cluster.run_until(each * 200, drained), "{:?}", cluster.violation());
    }
}

/// One node 30 s ahead, one 30 s behind. The oracle sees that no block is older than its parent.
#[test]
fn clock_skew_stops_nobody() {
    for clocks_off_s in [vec![30, 0, 0, 0], vec![0, 30, 30, 30], vec![0, -30, 0, 0], vec![0, 0, 9, 0]] {
        let mut cluster = Cluster::new(ClusterConfig { clocks_off_s, ..ClusterConfig::fair(19, 4) });
        cluster.start_all();
        for _ in 0..9 {
            next_block(&mut cluster, 1, BASE_TIMEOUT * 6);
        }
    }
}

/// Nodes 1, 2 and 3 wish for view 1; node 0 hears nothing but the proposal of its leader, node 3, and comes along. The
/// power fails, and node 3 is gone: two wishes are no quorum, and only node 0's prevote shows where it is (R15).
#[test]
fn a_view_entered_by_a_proposal_is_left_after_a_blackout() {
    let pace = Pace { execution: (Duration::from_millis(100), Duration::from_millis(100)), ..Pace::FAIR };
    let mut cluster = Cluster::new(ClusterConfig { pace, publishes: false, ..ClusterConfig::fair(21, 4) });
    cluster.start_all();
    assert!(heads_reach(&mut cluster, 1, SECOND));
    cluster.run_for(SECOND);
    let cut = |cluster: &mut Cluster, from: usize, to: &[usize]| {
        to.iter().for_each(|to| cluster.suffer(Fault::Cut { from, to: *to }));
    };
    // Node 2 leads view 0 of height 2, and nobody hears it.
    cut(&mut cluster, 2, &[0, 1, 3]);
    cut(&mut cluster, 1, &[0]);
    cut(&mut cluster, 3, &[0]);
    (1..4).for_each(|node| cluster.inject(node));
    let view = |it: &Cluster, node: usize| it.snapshot(node).expect("it runs").view.0;
    assert!(cluster.run_until(SECOND * 3, |it| view(it, 1) == 1 && view(it, 3) == 1));
    cluster.suffer(Fault::Mend);
    cut(&mut cluster, 2, &[0]);
    cut(&mut cluster, 1, &[0]);
    cut(&mut cluster, 3, &[0]);
    let wishes = |it: &Cluster| {
        let state = it.snapshot(3).expect("it runs");
        state.validators.iter().filter(|it| it.view_change.is_some()).count()
    };
    assert!(cluster.run_until(SECOND, |it| wishes(it) == 3));
    cluster.run_for(Duration::from_millis(50));
    cluster.suffer(Fault::Mend);
    cut(&mut cluster, 2, &[0]);
    cut(&mut cluster, 1, &[0]);
    let prevoted = |it: &Cluster| {
        let state = it.snapshot(0).expect("it runs");
        state.view.0 == 1 && state.validators[0].prevote.is_some()
    };
    assert!(cluster.run_until(SECOND, prevoted), "{:?}", cluster.snapshot(0));
    assert_eq!(cluster.highest(), Height(1));
    (0..4).for_each(|node| cluster.crash(node, Death::PowerCut));
    cluster.bury(3);
    cluster.heal();
    assert!(heads_reach(&mut cluster, 2, BASE_TIMEOUT * 16), "{:?}", cluster.snapshot(0));
}

/// FISCO #1895: a full disk ends in corruption and a resync. Here it ends in silence, until there is room.
#[test]
fn disk_full_pauses_and_resumes() {
    let mut cluster = Cluster::running(22, 4);
    assert!(heads_reach(&mut cluster, 1, SECOND));
    cluster.suffer(Fault::DiskFull { node: 0, full: true });
    next_block(&mut cluster, 1, BASE_TIMEOUT * 4);
    cluster.suffer(Fault::DiskFull { node: 1, full: true });
    let paused = cluster.highest();
    cluster.inject(1);
    cluster.run_for(Duration::from_secs(60));
    assert_eq!(cluster.highest(), paused, "two of four do not sign");
    let says = cluster.snapshot(0).and_then(|it| it.abstaining).expect("it says why");
    assert_eq!(says, NotVoting::DiskFull);
    cluster.suffer(Fault::DiskFull { node: 1, full: false });
    assert!(heads_reach(&mut cluster, paused.0 + 1, BASE_TIMEOUT * 4), "{:?}", cluster.violation());
}

/// FISCO #5528: nodes execute differently, and nothing is ever said. One of four: the others go on, it applies nothing of
/// what it disputes, and says so with both roots.
#[test]
fn silent_divergence_of_one_is_said_and_stops_it_alone() {
    let mut cluster = Cluster::running(30, 4);
    assert!(heads_reach(&mut cluster, 1, SECOND));
    cluster.suffer(Fault::Misexecutes(3));
    for _ in 0..6 {
        let target = cluster.highest().next();
        cluster.inject(0);
        assert!(cluster.run_until(BASE_TIMEOUT * 6, |it| (0..3).all(|node| it.head(node) >= target)));
    }
    assert_eq!(cluster.head(3), Height(1));
    let both = |alarm: &Alarm| matches!(alarm, Alarm::Diverged { roots: Some(_), .. });
    assert!(cluster.alarms(3).iter().any(both), "{:?}", cluster.alarms(3));
    assert_eq!(cluster.snapshot(3).and_then(|it| it.abstaining), Some(NotVoting::Stopped));
}

/// Own study: two of four execute differently. Nobody has a quorum, and all of them say why.
#[test]
fn silent_divergence_of_two_is_said_by_all() {
    let mut cluster = Cluster::running(31, 4);
    assert!(heads_reach(&mut cluster, 1, SECOND));
    (2..4).for_each(|node| cluster.suffer(Fault::Misexecutes(node)));
    cluster.inject(0);
    let says = |it: &Cluster, node: usize| {
        it.alarms(node).iter().any(|alarm| matches!(alarm, Alarm::RootsDisputed { .. }))
    };
    assert!(cluster.run_until(BASE_TIMEOUT * 20, |it| (0..4).all(|node| says(it, node))));
    assert_eq!(cluster.highest(), Height(1));
}
