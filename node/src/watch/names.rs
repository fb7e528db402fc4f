//! Keys as people know them.

use std::collections::BTreeMap;

use quorate_p2p::NetworkHandle;
use quorate_types::{MAX_VALIDATORS, NodeId};

/// Names remembered: every validator's, and as many of former ones.
const MAX_NAMES: usize = 2 * MAX_VALIDATORS;

/// The names in the certificates of nodes that were connected: read once, since that takes parsing.
pub(crate) struct Names {
    network: NetworkHandle,
    known: BTreeMap<NodeId, String>,
}

impl Names {
    pub(crate) const fn new(network: NetworkHandle) -> Self {
        Self { network, known: BTreeMap::new() }
    }

    /// The name of a node, if it was ever connected.
    pub(crate) fn get(&mut self, id: &NodeId) -> Option<String> {
        if let Some(name) = self.known.get(id) {
            return Some(name.clone());
        }
        let name = self.network.name_of(id)?;
        if self.known.len() < MAX_NAMES {
            self.known.insert(*id, name.clone());
        }
        Some(name)
    }

    /// Its name, or the start of its key.
    pub(crate) fn of(&mut self, id: &NodeId) -> String {
        self.get(id).unwrap_or_else(|| id.short())
    }
}
