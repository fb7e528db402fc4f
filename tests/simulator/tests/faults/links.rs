//! Links that carry one direction only, between sets of nodes.

use quorate_simulator::{BASE_TIMEOUT, Cluster, Fault};

use crate::support::{SECOND, heads_reach, next_block};

/// One that the others hear and that hears nobody asks for view after view, alone; one that hears all and is heard by nobody
/// follows. A leader that is deaf costs its timer, since it is heard; one without a voice is passed over like a dead one.
#[test]
fn one_way_partitions_of_one_stop_nobody() {
    for (is_deaf, limit) in [(true, BASE_TIMEOUT * 2), (false, SECOND * 2 / 5)] {
        let mut cluster = Cluster::running(1, 4);
        assert!(heads_reach(&mut cluster, 1, SECOND));
        cluster.suffer(Fault::Deafen((0..4).map(|node| (node == 3) == is_deaf).collect()));
        cluster.run_for(SECOND * 3);
        for client in 0..6 {
            let target = cluster.highest().next();
            cluster.inject(client % 3);
            let there = cluster.run_until(limit, |it| (0..3).all(|node| it.head(node) >= target));
            assert!(there, "{target}: {:?}", cluster.violation());
        }
        if !is_deaf {
            assert_eq!(cluster.head(3), cluster.highest(), "it follows without a voice");
        }
        cluster.suffer(Fault::Mend);
        let highest = cluster.highest().0;
        assert!(heads_reach(&mut cluster, highest, BASE_TIMEOUT * 2), "{:?}", cluster.violation());
        next_block(&mut cluster, 3, BASE_TIMEOUT * 2);
    }
}

/// Two of four hear all, and two hear each other alone. To the former a quorum seems to be there, and it is none: they must not
/// run away through the views, and all meet again once the links work.
#[test]
fn one_way_halves_meet_again_at_once() {
    for seed in 0..20 {
        let mut cluster = Cluster::running(seed, 4);
        assert!(heads_reach(&mut cluster, 1, SECOND));
        let deaf = (0..4).map(|node| node >= 2).collect();
        cluster.suffer(Fault::Deafen(deaf));
        (0..4).for_each(|client| cluster.inject(client));
        cluster.run_for(SECOND * 300);
        assert!((0..4).all(|node| cluster.snapshot(node).is_some_and(|it| it.view.0 < 4)), "seed {seed}");
        cluster.suffer(Fault::Mend);
        let highest = cluster.highest().0.max(2);
        assert!(
            heads_reach(&mut cluster, highest, BASE_TIMEOUT * 8),
            "seed {seed}: {:?}",
            cluster.violation()
        );
        next_block(&mut cluster, 0, BASE_TIMEOUT * 8);
    }
}
