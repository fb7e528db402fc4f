//! Which peers are labels of metrics: a bounded number, for as long as the process lives, as a time series once made stays.

use std::{collections::HashSet, sync::Arc};

use parking_lot::Mutex;
use quorate_p2p::MAX_PEERS;
use quorate_types::NodeId;

/// All that are connected at a time, and as many that were.
const MAX_LABELS: usize = 2 * MAX_PEERS;
/// The label of all further ones.
const OTHERS: &str = "others";

/// Who has a label of its own. Cheap to clone.
#[derive(Clone, Default)]
pub(crate) struct Labels(Arc<Mutex<HashSet<NodeId>>>);

impl Labels {
    /// How metrics call a peer from now on.
    pub(crate) fn of(&self, peer: &NodeId) -> String {
        let mut labelled = self.0.lock();
        let own = labelled.contains(peer) || (labelled.len() < MAX_LABELS && labelled.insert(*peer));
        if own { peer.to_string() } else { OTHERS.to_owned() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flood_of_names_makes_a_bounded_number_of_labels() {
        let labels = Labels::default();
        let ids = (0..4 * MAX_LABELS).map(|number| {
            let mut bytes = [0; 32];
            bytes[..8].copy_from_slice(&number.to_be_bytes());
            NodeId(bytes)
        });
        let ids: Vec<_> = ids.collect();
        let made: HashSet<_> = ids.iter().map(|id| labels.of(id)).collect();
        assert_eq!(made.len(), MAX_LABELS + 1);
        assert_eq!(labels.of(&ids[0]), ids[0].to_string(), "who has one keeps it");
        assert_eq!(labels.of(&ids[MAX_LABELS]), OTHERS);
    }
}
