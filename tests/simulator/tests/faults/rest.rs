//! A chain on which nobody has work (R14).

use std::time::Duration;

use quorate_simulator::{BASE_TIMEOUT, Cluster, ClusterConfig};
use quorate_types::Height;

use crate::support::{SECOND, heads_reach, next_block, next_leader};

/// GoQuorum #1630, Besu #10917: idle for a minute, then one transaction.
#[test]
fn empty_interval_a_rested_chain_wakes_at_once() {
    let mut cluster = Cluster::running(14, 4);
    assert!(heads_reach(&mut cluster, 1, SECOND));
    cluster.run_for(Duration::from_secs(60));
    assert_eq!(cluster.highest(), Height(1), "nothing to do, nothing done");
    assert!(next_block(&mut cluster, 0, SECOND) < Duration::from_millis(200));
    let leader = next_leader(&cluster);
    cluster.bury(leader);
    cluster.run_for(Duration::from_secs(60));
    let client = (leader + 1) % 4;
    assert!(next_block(&mut cluster, client, BASE_TIMEOUT * 2) < Duration::from_millis(300));
}

/// GoQuorum #1630, Besu #10917: given empty blocks that are due after three seconds, when nobody has work for a minute, then they
/// come at that pace, also without one of the leaders; and no transaction waits for the next of them.
#[test]
fn empty_interval_is_the_pace_of_a_rested_chain_alone() {
    let empty_block_interval = Some(SECOND * 3);
    let mut cluster = Cluster::new(ClusterConfig { empty_block_interval, ..ClusterConfig::fair(33, 4) });
    cluster.start_all();
    assert!(heads_reach(&mut cluster, 1, SECOND));
    let rests_for_a_minute = |cluster: &mut Cluster| {
        let before = cluster.highest().0;
        cluster.run_for(SECOND * 60);
        let came = cluster.highest().0 - before;
        assert!((18..=20).contains(&came), "{came} empty blocks: {:?}", cluster.violation());
    };
    rests_for_a_minute(&mut cluster);
    assert!(next_block(&mut cluster, 0, SECOND) < SECOND / 5);
    let dead = next_leader(&cluster);
    cluster.bury(dead);
    rests_for_a_minute(&mut cluster);
    while next_leader(&cluster) != dead {
        let next = cluster.highest().next().0;
        assert!(heads_reach(&mut cluster, next, SECOND * 4), "{:?}", cluster.violation());
    }
    let client = (dead + 1) % 4;
    assert!(next_block(&mut cluster, client, BASE_TIMEOUT) < SECOND * 2 / 5);
}
