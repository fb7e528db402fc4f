//! Messages for the next height, which others may have reached first. They cannot be checked before its validators
//! are known, so they wait here, few for each neighbour.

use std::collections::BTreeMap;

use quorate_types::{Height, Message, NodeId};

/// What one neighbour may leave here: a proposal and the votes of a large set, delivered on others' behalf.
const MAX_PER_NEIGHBOUR: usize = 600;
/// The bytes, roughly, that one neighbour may leave here: a full proposal and the votes.
const MAX_BYTES_PER_NEIGHBOUR: usize = 6 << 20;
/// The bytes, roughly, that all may leave here together.
const MAX_BYTES: usize = 64 << 20;
/// Neighbours with something here: a full validator set and its observers.
const MAX_NEIGHBOURS: usize = 512;

/// The waiting messages, all for one height.
#[derive(Debug, Default)]
pub struct Early {
    height: Height,
    waiting: BTreeMap<NodeId, Vec<Message>>,
    bytes: BTreeMap<NodeId, usize>,
}

impl Early {
    /// Keeps a message for `height`, the one after the height in flight; `false` when there is no place.
    pub fn hold(&mut self, height: Height, from: NodeId, message: Message) -> bool {
        if height != self.height {
            self.height = height;
            self.waiting.clear();
            self.bytes.clear();
        }
        let Some(size) = size_of(&message) else { return false };
        let (own, all) = (self.bytes.get(&from).copied().unwrap_or(0), self.bytes.values().sum::<usize>());
        if own + size > MAX_BYTES_PER_NEIGHBOUR || all + size > MAX_BYTES {
            return false;
        }
        if self.waiting.len() >= MAX_NEIGHBOURS && !self.waiting.contains_key(&from) {
            return false;
        }
        let slot = self.waiting.entry(from).or_default();
        let room = slot.len() < MAX_PER_NEIGHBOUR && !slot.contains(&message);
        if room {
            slot.push(message);
            *self.bytes.entry(from).or_default() += size;
        }
        room
    }

    /// How many messages wait, and roughly how many bytes they take.
    #[must_use]
    pub fn size(&self) -> (usize, usize) {
        (self.waiting.values().map(Vec::len).sum(), self.bytes.values().sum())
    }

    /// Gives back what waited for `height`, now that it began.
    pub fn take(&mut self, height: Height) -> Vec<(NodeId, Message)> {
        if height < self.height {
            return Vec::new();
        }
        let waiting = std::mem::take(&mut self.waiting);
        self.bytes.clear();
        if height > self.height {
            return Vec::new();
        }
        waiting
            .into_iter()
            .flat_map(|(from, messages)| messages.into_iter().map(move |it| (from, it)))
            .collect()
    }
}

/// What a message takes, roughly; `None` for a decision, which sync brings as well.
fn size_of(message: &Message) -> Option<usize> {
    /// Any of the small ones, with a certificate or a justification of a large set.
    const SMALL: usize = 64 << 10;
    match message {
        Message::Proposal(it) => {
            let prefilled: usize = it.prefilled.iter().map(|(_, raw)| raw.len()).sum();
            Some(SMALL + it.transaction_hashes.len() * 32 + prefilled)
        }
        Message::ViewChange(_) => Some(SMALL),
        Message::Vote(_) | Message::Reject(_) | Message::Status(_) => Some(std::mem::size_of::<Message>()),
        Message::Decided(_) => None,
    }
}
