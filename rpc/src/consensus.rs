//! The replica for people and programs: where it stands, what it came through, who lied.

use std::{collections::VecDeque, sync::Arc};

use parking_lot::Mutex;
use quorate_types::{B256, Bytes, Height, NodeId, View};
use serde::{Deserialize, Serialize};

/// Events kept: some fifty undisturbed heights, or an hour of a cluster that changes views in vain.
pub const MAX_EVENTS: usize = 256;
/// Proofs of equivocation kept. One is enough to remove a validator; so many are for all that ever will lie here.
pub const MAX_EVIDENCE: usize = 256;
/// Proofs kept of one validator: the others must find room.
pub const MAX_EVIDENCE_PER_VALIDATOR: usize = 16;

/// The replica as `quorate_consensusState` and `node consensus status` show it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ConsensusState {
    /// The height being decided.
    pub height: Height,
    /// The view it is in.
    pub view: View,
    /// Who leads the view.
    pub leader: Option<NodeId>,
    /// `idle`, `propose`, `prevote`, `commit` or `viewChange`.
    pub phase: &'static str,
    /// What the chain waits for, in words.
    pub waiting_for: String,
    /// For how long this height has had something to decide, milliseconds; `null` when it has nothing.
    pub waiting_ms: Option<u64>,
    /// What is left of the view's timer, milliseconds; `null` when it does not run.
    pub timer_ms: Option<u64>,
    /// How the timer stands, in words.
    pub timer: String,
    /// The proposed block, if one is known.
    pub proposed: Option<B256>,
    /// The block that is decided, while this node cannot go on from it.
    pub decided: Option<B256>,
    /// The view of the lock; `null` without one.
    pub locked_view: Option<View>,
    /// Why this node does not vote; `null` when it does.
    pub abstaining: Option<String>,
    /// What an operator must look at, in words.
    pub alarms: Vec<String>,
    /// The weight that decides.
    pub quorum_weight: u64,
    /// The weight of all validators.
    pub total_weight: u64,
    /// The prevotes of the view, for its proposed block.
    pub prevotes: Tally,
    /// The commits of the view, for its proposed block.
    pub commits: Tally,
    /// The wishes for this view or a higher one.
    pub view_changes: Tally,
    /// Validators of whom nothing was heard for two seconds or more.
    pub missing: Vec<NodeId>,
    /// Everyone in the set.
    pub validators: Vec<ValidatorState>,
}

/// Who said something, and how much that weighs.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Tally {
    /// The weight of those who did.
    pub weight: u64,
    /// Who did.
    pub by: Vec<NodeId>,
}

/// What is known of one validator.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ValidatorState {
    /// Its node key.
    pub id: NodeId,
    /// The name in its certificate, once it was connected to this node.
    pub name: Option<String>,
    /// Its weight.
    pub weight: u64,
    /// The height in its last status.
    pub height: Option<Height>,
    /// The view in its last status.
    pub view: Option<View>,
    /// The last message that was heard of it, over any path; `null` before that, and for this node itself.
    pub last_message: Option<LastMessage>,
    /// How long nothing signed by it has arrived, milliseconds, to half a second.
    pub last_seen_ms: u64,
    /// Whether that counts as silent.
    pub silent: bool,
    /// What it prevoted for in the current view.
    pub prevoted: Option<B256>,
    /// What it committed to in the current view.
    pub committed: Option<B256>,
    /// The view it wishes for.
    pub view_change: Option<View>,
    /// Why it refused a block of this height.
    pub rejected: Option<&'static str>,
}

/// A message by its kind and place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct LastMessage {
    /// `proposal`, `prevote`, `commit`, `viewChange`, `reject`, `status` or `decided`.
    pub kind: &'static str,
    /// The height it was about.
    pub height: Height,
    /// The view it was about.
    pub view: View,
}

/// A turning point of consensus on this node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ConsensusEvent {
    /// Counted from the start of the node.
    pub number: u64,
    /// When, milliseconds since the Unix epoch by this node's clock.
    pub time_ms: u64,
    /// The height in flight.
    pub height: Height,
    /// The view in flight.
    pub view: View,
    /// What happened, in one word: `entered`, `proposed`, `locked`, `decided`, `committed`, `viewChanged` and so on.
    pub kind: &'static str,
    /// What else there is to say.
    pub detail: String,
    /// The block it is about, if any.
    pub block_hash: Option<B256>,
    /// The validator it is about, if any.
    pub validator: Option<NodeId>,
}

/// Two statements of one key that exclude each other, with both signatures: anyone can check them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct EvidenceRecord {
    /// When it was seen, milliseconds since the Unix epoch by this node's clock.
    pub time_ms: u64,
    /// `proposals`, `prevotes`, `commits` or `viewChanges`.
    pub kind: String,
    /// Who signed both.
    pub validator: NodeId,
    /// The height of both.
    pub height: Height,
    /// The view of both.
    pub view: View,
    /// What came first, and stays.
    pub first: SignedBytes,
    /// What came second.
    pub second: SignedBytes,
}

/// A statement as it is signed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignedBytes {
    /// The signed bytes: tag, chain id, genesis hash, kind, height, view, and the kind's own fields.
    pub bytes: Bytes,
    /// The ed25519 signature of the validator's key over them.
    pub signature: Bytes,
}

impl EvidenceRecord {
    /// What must differ between two records worth keeping.
    fn is_about(&self, other: &Self) -> bool {
        (&self.kind, self.validator, self.height, self.view)
            == (&other.kind, other.validator, other.height, other.view)
    }
}

/// What consensus came through on this node: the last events, and the evidence. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct ConsensusRecord {
    events: Arc<Mutex<VecDeque<ConsensusEvent>>>,
    evidence: Arc<Mutex<Vec<EvidenceRecord>>>,
}

impl ConsensusRecord {
    /// Adds an event; the oldest makes room.
    pub fn push(&self, event: ConsensusEvent) {
        let mut events = self.events.lock();
        if events.len() == MAX_EVENTS {
            events.pop_front();
        }
        events.push_back(event);
    }

    /// The last `count` events, the oldest first.
    #[must_use]
    pub fn events(&self, count: usize) -> Vec<ConsensusEvent> {
        let events = self.events.lock();
        events.iter().skip(events.len().saturating_sub(count)).cloned().collect()
    }

    /// Adds a proof. False when it is known already, or there is no room: the first ones stay.
    #[must_use]
    pub fn keep(&self, record: EvidenceRecord) -> bool {
        let mut evidence = self.evidence.lock();
        let of_same = evidence.iter().filter(|it| it.validator == record.validator).count();
        let news = !evidence.iter().any(|it| it.is_about(&record))
            && of_same < MAX_EVIDENCE_PER_VALIDATOR
            && evidence.len() < MAX_EVIDENCE;
        if news {
            evidence.push(record);
        }
        news
    }

    /// All proofs, in the order in which they came.
    #[must_use]
    pub fn evidence(&self) -> Vec<EvidenceRecord> {
        self.evidence.lock().clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(number: u64) -> ConsensusEvent {
        ConsensusEvent {
            number,
            time_ms: 0,
            height: Height(1),
            view: View::ZERO,
            kind: "entered",
            detail: String::new(),
            block_hash: None,
            validator: None,
        }
    }

    fn proof(validator: u8, height: u64) -> EvidenceRecord {
        let signed = SignedBytes { bytes: Bytes::new(), signature: Bytes::new() };
        EvidenceRecord {
            time_ms: 0,
            kind: "prevotes".to_owned(),
            validator: NodeId([validator; 32]),
            height: Height(height),
            view: View::ZERO,
            first: signed.clone(),
            second: signed,
        }
    }

    #[test]
    fn the_ring_keeps_the_last_events_in_order() {
        let record = ConsensusRecord::default();
        (0..300).for_each(|number| record.push(event(number)));
        let numbers = |count| record.events(count).iter().map(|it| it.number).collect::<Vec<_>>();
        assert_eq!(numbers(2), [298, 299]);
        assert_eq!(numbers(usize::MAX), (44..300).collect::<Vec<_>>());
    }

    #[test]
    fn one_liar_does_not_fill_the_evidence() {
        let record = ConsensusRecord::default();
        assert!(record.keep(proof(1, 7)) && !record.keep(proof(1, 7)), "the same lie is kept once");
        let kept = (0..1_000).filter(|height| record.keep(proof(2, *height))).count();
        assert_eq!(kept, MAX_EVIDENCE_PER_VALIDATOR);
        assert!(record.keep(proof(3, 7)));
    }
}
