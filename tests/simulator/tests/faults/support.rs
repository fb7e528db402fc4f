//! What most schedules do.

use std::time::Duration;

use quorate_simulator::Cluster;
use quorate_types::Height;

pub const SECOND: Duration = Duration::from_secs(1);

pub fn heads_reach(cluster: &mut Cluster, height: u64, limit: Duration) -> bool {
    cluster.run_until(limit, |it| it.honest().all(|node| it.head(node) >= Height(height)))
}

/// Decides one block more with a transaction at `client`; how long that took at the slowest node.
pub fn next_block(cluster: &mut Cluster, client: usize, limit: Duration) -> Duration {
    let (before, target) = (cluster.now(), cluster.highest().next());
    cluster.inject(client);
    let there =
        |it: &Cluster| it.honest().filter(|node| it.is_running(*node)).all(|node| it.head(node) >= target);
    let reached = cluster.run_until(limit, there);
    assert!(reached, "no block {target} within {limit:?}: {:?}", cluster.violation());
    cluster.now() - before
}

/// The member that leads view 0 of the next height: they are numbered in the set's order.
pub fn next_leader(cluster: &Cluster) -> usize {
    usize::try_from(cluster.highest().next().0).expect("few blocks") % cluster.len()
}
