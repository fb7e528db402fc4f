//! What was checked and found sound a moment ago, so that copies of it cost little.

use std::time::{Duration, Instant};

use quick_cache::sync::Cache;
use quorate_types::{B256, Domain, Message, NodeId, Signed, keccak256};

/// Frames and signed statements remembered: those of a few heights of a large validator set.
const CAPACITY: usize = 32_768;
/// For how long it counts as seen. Relayed copies come within milliseconds; what is sent again on
/// purpose comes later and must pass, since the first copy may have come too early.
const SEEN_FOR: Duration = Duration::from_millis(200);

/// Nothing gets in unchecked: what one link brings and may not bring, or spoils, takes nothing from the others.
pub(super) struct Recent {
    domain: Domain,
    seen: Cache<B256, Instant>,
}

impl Recent {
    pub(super) fn new(domain: Domain) -> Self {
        Self { domain, seen: Cache::new(CAPACITY) }
    }

    pub(super) fn has(&self, id: &B256) -> bool {
        self.seen.get(id).is_some_and(|seen| seen.elapsed() < SEEN_FOR)
    }

    pub(super) fn remember(&self, id: B256) {
        self.seen.insert(id, Instant::now());
    }

    /// Whether the same statement came a moment ago, with its sound signature. Beside it stands what is not signed, so whoever
    /// passes it on can make any number of variants, and the replica takes one.
    ///
    /// A status counts again when its signer brings it: who lost its vote log believes heads that it is told in person alone
    /// (R21), and a way round may be faster.
    pub(super) fn is_variant(&self, from: NodeId, message: &Message) -> bool {
        !is_told_in_person(from, message) && self.signed_id(message).is_some_and(|id| self.has(&id))
    }

    pub(super) fn remember_signed(&self, message: &Message) {
        self.signed_id(message).into_iter().for_each(|id| self.remember(id));
    }

    /// A decision has no signer of its own.
    fn signed_id(&self, message: &Message) -> Option<B256> {
        let Signed { statement, signer, signature } = message.signed()?;
        let bytes = self.domain.signed_bytes(&statement);
        Some(keccak256([bytes.as_slice(), &signer.0, &signature.0].concat()))
    }
}

pub(super) fn is_told_in_person(from: NodeId, message: &Message) -> bool {
    matches!(message, Message::Status(status) if status.signer == from)
}
