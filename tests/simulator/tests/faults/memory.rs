//! Vote logs that are torn, damaged, deleted, or newer than the blocks beside them.

use std::time::Duration;

use quorate_simulator::{BASE_TIMEOUT, Cluster, ClusterConfig, Death, Fault, Keys, NotVoting, Pace};
use quorate_types::Height;

use crate::support::{SECOND, heads_reach, next_block};

fn abstains(cluster: &Cluster, node: usize) -> bool {
    cluster
        .snapshot(node)
        .expect("it runs")
        .abstaining
        .is_some_and(|why| matches!(why, NotVoting::LogIncomplete { .. }))
}

/// The last frame was never acted upon: that a power cut tore it is nothing to abstain for.
#[test]
fn a_torn_last_frame_is_normal() {
    for keys in [Keys::Hashed, Keys::Real] {
        let mut torn = 0;
        for seed in 0..20 {
            let pace = Pace { log: (Duration::from_millis(20), Duration::from_millis(30)), ..Pace::FAIR };
            let mut cluster = Cluster::new(ClusterConfig { pace, keys, ..ClusterConfig::fair(seed, 4) });
            cluster.start_all();
            assert!(heads_reach(&mut cluster, 1, SECOND * 2));
            cluster.inject(0);
            cluster.run_for(Duration::from_millis(60 + 5 * seed));
            (0..4).for_each(|node| cluster.crash(node, Death::TornPowerCut));
            cluster.start_all();
            assert!((0..4).all(|node| !abstains(&cluster, node)), "seed {seed}");
            next_block(&mut cluster, 1, BASE_TIMEOUT * 16);
            torn += cluster.tally().get("frames torn");
        }
        assert!(torn > 5, "{torn} frames were torn");
    }
}

/// Each way to lose what was signed: the node says so, signs nothing, and votes again three heights later.
#[test]
fn a_lost_memory_is_noticed_and_lived_with() {
    let losses = [
        Fault::Wipe(2),
        Fault::LoseLog(2),
        Fault::DamageLog { node: 2, chance: 0 },
        Fault::RestoreCopy { node: 2, back: 5 },
    ];
    for (seed, keys) in [(3, Keys::Hashed), (4, Keys::Real)] {
        for loss in losses.clone() {
            let mut cluster = Cluster::new(ClusterConfig { keys, ..ClusterConfig::fair(seed, 4) });
            cluster.start_all();
            for client in 0..8 {
                next_block(&mut cluster, client % 4, BASE_TIMEOUT * 4);
            }
            cluster.run_for(SECOND);
            cluster.crash(2, Death::TornPowerCut);
            cluster.suffer(loss.clone());
            next_block(&mut cluster, 0, BASE_TIMEOUT * 8);
            cluster.start(2);
            assert!(abstains(&cluster, 2), "{loss:?}");
            for client in 0..5 {
                next_block(&mut cluster, client % 4, BASE_TIMEOUT * 8);
            }
            assert!(!abstains(&cluster, 2), "{loss:?}");
            // Without one of the others its vote is needed.
            cluster.bury(3);
            next_block(&mut cluster, 0, BASE_TIMEOUT * 8);
        }
    }
}

/// A node wiped while ahead of its peers signs again (own study): the power fails everywhere when it alone has decided.
#[test]
fn wiped_ahead_signs_nothing_twice() {
    let mut ahead = 0;
    for seed in 0..40 {
        let pace = Pace { blocks: (SECOND / 5, SECOND / 3), ..Pace::FAIR };
        let mut cluster = Cluster::new(ClusterConfig { pace, ..ClusterConfig::fair(seed, 4) });
        cluster.start_all();
        assert!(heads_reach(&mut cluster, 2, SECOND * 5) || cluster.violation().is_none());
        next_block(&mut cluster, 0, BASE_TIMEOUT * 8);
        cluster.run_for(SECOND);
        let before = cluster.highest();
        cluster.inject(0);
        cluster.inject(3);
        cluster.run_until(SECOND * 2, |it| it.head(3) > before);
        ahead += usize::from((0..3).all(|node| cluster.head(node) == before));
        (0..4).for_each(|node| cluster.crash(node, Death::PowerCut));
        cluster.suffer(Fault::Wipe(3));
        cluster.start_all();
        for client in 0..6 {
            next_block(&mut cluster, client % 3, BASE_TIMEOUT * 16);
        }
        assert!(cluster.head(3) > Height(before.0 + 3) && !abstains(&cluster, 3));
    }
    assert!(ahead > 0, "it was alone ahead in some seed");
}
