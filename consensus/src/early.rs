//! Messages for the next height, which others may have reached first. They cannot be checked before its validators
//! are known, so they wait here, few for each neighbour.

use std::collections::BTreeMap;

use quorate_types::{Height, Message, NodeId};

/// What one neighbour may leave here: a proposal and the votes of a large set, delivered on others' behalf.
const MAX_PER_NEIGHBOUR: usize = 600;
/// Neighbours with something here: a full validator set and its observers.
const MAX_NEIGHBOURS: usize = 512;

/// The waiting messages, all for one height.
#[derive(Debug, Default)]
pub struct Early {
    height: Height,
    waiting: BTreeMap<NodeId, Vec<Message>>,
}

impl Early {
    /// Keeps a message for `height`, the one after the height in flight; `false` when there is no place.
    pub fn hold(&mut self, height: Height, from: NodeId, message: Message) -> bool {
        if height != self.height {
            self.height = height;
            self.waiting.clear();
        }
        if self.waiting.len() >= MAX_NEIGHBOURS && !self.waiting.contains_key(&from) {
            return false;
        }
        let slot = self.waiting.entry(from).or_default();
        let room = slot.len() < MAX_PER_NEIGHBOUR && !slot.contains(&message);
        if room {
            slot.push(message);
        }
        room
    }

    /// Gives back what waited for `height`, now that it began.
    pub fn take(&mut self, height: Height) -> Vec<(NodeId, Message)> {
        if height < self.height {
            return Vec::new();
        }
        let waiting = std::mem::take(&mut self.waiting);
        if height > self.height {
            return Vec::new();
        }
        waiting
            .into_iter()
            .flat_map(|(from, messages)| messages.into_iter().map(move |it| (from, it)))
            .collect()
    }
}
