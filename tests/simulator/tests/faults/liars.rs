//! Liars among the validators, as many as the set tolerates.

use std::time::Duration;

use quorate_simulator::{BASE_TIMEOUT, Cluster, ClusterConfig, Habit};

use crate::support::{SECOND, heads_reach, next_block, next_leader};

/// FISCO audit: what liars of every kind say, alone and together, forks nothing and stops nobody.
#[test]
fn every_habit_of_a_liar_is_harmless() {
    for (seed, habit) in (0..).zip(Habit::ALL) {
        for liar in 0..4 {
            let habits = if seed % 2 == 0 { vec![habit] } else { vec![habit, Habit::Equivocates] };
            let liars = vec![(liar, habits)];
            let mut cluster = Cluster::new(ClusterConfig { liars, ..ClusterConfig::fair(seed, 4) });
            cluster.start_all();
            for client in 0..8 {
                next_block(&mut cluster, client % 4, BASE_TIMEOUT * 16);
            }
        }
    }
}

/// Far heights, far views, old messages: FISCO audit, Besu #10897. The bounds are those of the oracle.
#[test]
fn flood_and_liar_high_view_move_nobody() {
    let liars = vec![(2, vec![Habit::HighViews, Habit::Replays, Habit::Spams])];
    let mut cluster = Cluster::new(ClusterConfig { liars, ..ClusterConfig::fair(20, 4) });
    cluster.start_all();
    cluster.run_for(Duration::from_secs(120));
    for _ in 0..8 {
        next_block(&mut cluster, 0, BASE_TIMEOUT * 6);
    }
    assert!(cluster.honest().all(|node| cluster.snapshot(node).is_some_and(|it| it.view.0 < 4)));
}

/// R18: given a liar that votes and wishes but never proposes, when nothing else goes wrong, then each turn of an honest leader
/// ends in a block at once, and the liar's cost a base timeout less and less often: silence is not what gives it away.
#[test]
fn dead_leader_tax_is_small_for_a_liar_that_never_proposes() {
    let (liar, at_once) = (3, SECOND / 5);
    let liars = vec![(liar, vec![Habit::NeverProposes])];
    let mut cluster = Cluster::new(ClusterConfig { liars, ..ClusterConfig::fair(32, 4) });
    cluster.start_all();
    assert!(heads_reach(&mut cluster, 1, SECOND));
    let mut waited_in = Vec::new();
    while cluster.highest().0 < 50 * 4 {
        let (leader, turn) = (next_leader(&cluster), cluster.highest().next().0 / 4);
        let time = next_block(&mut cluster, 0, BASE_TIMEOUT + at_once);
        if time > at_once {
            assert_eq!(leader, liar, "turn {turn} of an honest leader took {time:?}");
            waited_in.push(turn);
        }
    }
    assert_eq!(waited_in, [0, 4, 16, 32, 48]);
    assert!(cluster.tally().get("offers kept back") > 0);
}
