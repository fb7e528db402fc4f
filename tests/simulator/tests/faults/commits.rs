//! What happens between a lock and a durable block.

use std::time::Duration;

use quorate_simulator::{BASE_TIMEOUT, Cluster, ClusterConfig, Death, Fault, Pace, Weather};
use quorate_types::Height;

use crate::support::{SECOND, heads_reach, next_block, next_leader};

/// How many nodes have prevoted for the proposal of their view.
fn prevoted(cluster: &Cluster) -> usize {
    let votes = |node: &usize| {
        let state = cluster.snapshot(*node).expect("it runs");
        state.validators.iter().any(|it| it.id == cluster.id(*node) && it.prevote.is_some())
    };
    (0..cluster.len()).filter(votes).count()
}

/// Besu #3785, #6613: prepared in one view, the commits lost, the next view fails, the one after must commit that block.
#[test]
fn prepared_then_lost_is_decided_all_the_same() {
    let log = (Duration::from_millis(40), Duration::from_millis(50));
    for seed in 0..20 {
        let pace = Pace { log, ..Pace::FAIR };
        let mut cluster = Cluster::new(ClusterConfig { pace, ..ClusterConfig::fair(seed, 4) });
        cluster.start_all();
        assert!(heads_reach(&mut cluster, 1, SECOND * 2));
        cluster.run_for(SECOND);
        let leader = next_leader(&cluster);
        cluster.inject(leader);
        // The prevotes of a quorum are out; a commit takes a sync of 40 ms before it is.
        assert!(cluster.run_until(SECOND, |it| prevoted(it) >= 3), "seed {seed}");
        let prepared = cluster.snapshot(leader).and_then(|it| it.proposed).expect("a proposal");
        cluster.run_for(Duration::from_millis(20));
        cluster.suffer(Fault::Weather(Weather { loss: 1.0, ..Weather::FAIR }));
        cluster.run_for(SECOND);
        cluster.bury((leader + 1) % 4);
        cluster.run_for(SECOND * 2);
        assert_eq!(cluster.highest(), Height(1), "seed {seed}: no commit got through");
        cluster.suffer(Fault::Weather(Weather::FAIR));
        assert!(heads_reach(&mut cluster, 2, BASE_TIMEOUT * 16), "{:?}", cluster.violation());
        let alive = cluster.honest().next().expect("three are");
        assert_eq!(cluster.decided(alive, Height(2)), Some(prepared), "seed {seed}");
    }
}

/// Besu #1734: the timer fires between the quorum of commits and the slow write; two blocks at one height.
#[test]
fn timeout_during_commit_makes_no_second_block() {
    let pace = Pace { blocks: (SECOND * 2, SECOND * 4), ..Pace::FAIR };
    let mut cluster = Cluster::new(ClusterConfig { pace, ..ClusterConfig::fair(23, 4) });
    cluster.start_all();
    for client in 0..6 {
        next_block(&mut cluster, client % 4, BASE_TIMEOUT * 20);
    }
    assert!(cluster.honest().all(|node| cluster.snapshot(node).is_some_and(|it| it.view.0 < 4)));
}

/// All peers but two: votes only in memory; a restart in mid-height signs twice. The oracle remembers every life.
#[test]
fn amnesia_signs_nothing_twice_wherever_the_process_ends() {
    for after in 0..60 {
        let mut cluster = Cluster::running(24, 4);
        assert!(heads_reach(&mut cluster, 1, SECOND));
        for node in 0..4 {
            let death = [Death::Killed, Death::PowerCut, Death::TornPowerCut]
                [usize::try_from(after % 3).expect("small")];
            cluster.suffer(Fault::Crash { node, death, after });
        }
        cluster.inject(0);
        cluster.run_for(Duration::from_millis(500));
        cluster.start_all();
        cluster.inject(1);
        assert!(heads_reach(&mut cluster, 2, BASE_TIMEOUT * 16), "after {after}: {:?}", cluster.violation());
    }
}
