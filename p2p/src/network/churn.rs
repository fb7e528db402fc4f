//! Who keeps connecting. A handshake costs this node a millisecond, and leaves no trace of who made it but this.

use std::collections::HashMap;

use quorate_types::NodeId;
use tokio::time::Instant;

use crate::limits::{CHURN_CONNECTIONS, CHURN_WINDOW, MAX_CHURNING};

/// The connections that certified nodes made to this one of late.
#[derive(Default)]
pub(super) struct Churn(HashMap<NodeId, Window>);

struct Window {
    began: Instant,
    connections: u32,
}

impl Churn {
    /// Counts a connection that `node` made. True when it is one too many: once for a window.
    pub(super) fn count(&mut self, node: NodeId, now: Instant) -> bool {
        if self.0.len() >= MAX_CHURNING && !self.0.contains_key(&node) {
            return false;
        }
        let window = self.0.entry(node).or_insert(Window { began: now, connections: 0 });
        if now.duration_since(window.began) >= CHURN_WINDOW {
            *window = Window { began: now, connections: 0 };
        }
        window.connections += 1;
        window.connections == CHURN_CONNECTIONS
    }

    /// Forgets who was quiet.
    pub(super) fn forget(&mut self, now: Instant) {
        self.0.retain(|_, window| now.duration_since(window.began) < CHURN_WINDOW);
    }
}

#[cfg(test)]
mod tests {
    use quorate_types::NodeKey;

    use super::*;

    fn told(churn: &mut Churn, node: NodeId, connections: u32, now: Instant) -> usize {
        (0..connections).filter(|_| churn.count(node, now)).count()
    }

    /// faults.md, flood: handshake churn (Besu #10897). Who makes it is told, once for a window.
    #[test]
    fn flood_of_connections_is_told_once_for_a_window() {
        let (mut churn, node, now) = (Churn::default(), NodeKey::from_seed([1; 32]).id(), Instant::now());
        assert_eq!(told(&mut churn, node, CHURN_CONNECTIONS - 1, now), 0, "an unsteady link");
        assert_eq!(told(&mut churn, node, 100 * CHURN_CONNECTIONS, now), 1);
        assert_eq!(told(&mut churn, node, CHURN_CONNECTIONS, now + CHURN_WINDOW), 1, "and again in the next");
        churn.forget(now + CHURN_WINDOW * 2);
        assert!(churn.0.is_empty());
    }

    #[test]
    fn restarts_of_many_days_do_not_add_up() {
        let (mut churn, node, now) = (Churn::default(), NodeKey::from_seed([1; 32]).id(), Instant::now());
        for day in 1..=10 {
            assert_eq!(told(&mut churn, node, CHURN_CONNECTIONS - 1, now + CHURN_WINDOW * day), 0);
        }
    }
}
