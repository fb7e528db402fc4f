//! What was checked and found sound a moment ago, so that copies of it cost little.

use std::time::{Duration, Instant};

use quick_cache::sync::Cache;
use quorate_proto::frame_id;
use quorate_types::{B256, Message, NodeId};

/// Frames and signatures remembered: those of a few heights of a large validator set.
const CAPACITY: usize = 32_768;
/// For how long it counts as seen. Relayed copies come within milliseconds; what is sent again on
/// purpose comes later and must pass, since the first copy may have come too early.
const SEEN_FOR: Duration = Duration::from_millis(200);

/// Nothing gets in unchecked: what one link brings and may not bring, or spoils, takes nothing from the others.
pub(super) struct Recent(Cache<B256, Instant>);

impl Default for Recent {
    fn default() -> Self {
        Self(Cache::new(CAPACITY))
    }
}

impl Recent {
    pub(super) fn has(&self, id: &B256) -> bool {
        self.0.get(id).is_some_and(|seen| seen.elapsed() < SEEN_FOR)
    }

    pub(super) fn remember(&self, id: B256) {
        self.0.insert(id, Instant::now());
    }

    /// Whether a sound message with this signature came a moment ago. Beside a signature stands what is not signed, so whoever
    /// passes it on can make any number of variants, and the replica takes one.
    ///
    /// A status counts again when its signer brings it: who lost its vote log believes heads that it is told in person alone
    /// (R21), and a way round may be faster.
    pub(super) fn is_variant(&self, from: NodeId, message: &Message) -> bool {
        !is_told_in_person(from, message) && signature_id(message).is_some_and(|id| self.has(&id))
    }

    pub(super) fn remember_signature(&self, message: &Message) {
        signature_id(message).into_iter().for_each(|id| self.remember(id));
    }
}

pub(super) fn is_told_in_person(from: NodeId, message: &Message) -> bool {
    matches!(message, Message::Status(status) if status.signer == from)
}

/// A decision has none of its own.
fn signature_id(message: &Message) -> Option<B256> {
    message.signature().map(|it| frame_id(&it.0))
}
