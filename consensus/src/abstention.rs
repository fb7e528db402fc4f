//! A node that cannot know all that its key signed does not vote until it cannot contradict itself.
//!
//! Its key may have signed at any height whose predecessor a quorum decided. A quorum of others, heard after the
//! start, shares an honest member with that quorum; so nothing was signed at M + 3 or above, where M is the highest
//! proved head among them (R21; `quorate-model` shows what each part of it is for).
//!
//! When validators change, that quorum is one of the set that voted on the height before: whoever left the set may know
//! nothing of what it decided since.

use std::collections::BTreeMap;

use quorate_types::{Height, NodeId};

use crate::{Replica, mutant::Mutant, replica::Signing};

/// How far above the highest head of the others the key cannot have signed.
const MARGIN: u64 = 3;

/// What such a node has heard since its start.
#[derive(Clone, Debug, Default)]
pub struct Abstention {
    heads: BTreeMap<NodeId, Height>,
    /// The first height at which it votes again, as far as it looks now.
    expected: Option<Height>,
    /// The same, for certain.
    resume_at: Option<Height>,
}

impl Abstention {
    /// The first head that `validator` claimed since the start, over its own connection: what others pass on
    /// may have been said before. Later claims only make the wait longer.
    pub(crate) fn heard(&mut self, validator: NodeId, head: Height) {
        self.heads.entry(validator).or_insert(head);
    }

    pub(crate) fn is_over(&self, height: Height) -> bool {
        self.resume_at.is_some_and(|resume_at| height >= resume_at)
    }

    /// The first height at which it votes again, once a quorum was heard. A change of the validators may defer it.
    #[must_use]
    pub fn resume_at(&self) -> Option<Height> {
        self.resume_at.or(self.expected)
    }

    /// Who was heard, and which head each claimed.
    #[must_use]
    pub const fn heads(&self) -> &BTreeMap<NodeId, Height> {
        &self.heads
    }
}

impl Replica {
    /// The height that a power cut cannot take this node below. What it signs first after abstaining makes its log one to
    /// trust, so it must not come back at a height of which the log lacks what it signed (R21). Nor is it ever above the height
    /// in flight, though a block that sync fetched may be on disk before this node has gone on from it.
    pub(crate) fn firm_height(&self) -> Height {
        if self.config.breaks(Mutant::ResumesUnsynced) {
            self.now.height
        } else {
            self.durable.next().min(self.now.height)
        }
    }

    /// Abstaining ends (R21) three heights above the highest head among others of a quorum's weight, and one above the
    /// height whose validators they are. A claim counts once this node holds the certificate itself, so that a liar's
    /// boast delays nobody. That nobody has a block yet is no exception: this node may have signed for the first one
    /// (docs/adr/001).
    pub(crate) fn try_leave_abstention(&mut self) {
        let Signing::Abstaining(abstention) = &self.signing else { return };
        if abstention.resume_at.is_some() {
            return;
        }
        let (set, me) = (&self.now.validators, &self.config.me);
        let proved = || abstention.heads.iter().filter(|(id, head)| **head <= self.head_height && *id != me);
        let Some(highest) = proved().map(|(_, head)| *head).max() else { return };
        let margin = if self.config.breaks(Mutant::ResumesEarly) { 1 } else { MARGIN };
        let next = self.now.height.next();
        let known = set.weight_of_all(proved().map(|(id, _)| id)) >= set.quorum();
        let expected = known.then(|| next.max(Height(highest.0.saturating_add(margin))));
        let resume_at = expected.filter(|it| *it == next);
        if let Signing::Abstaining(abstention) = &mut self.signing {
            abstention.expected = expected;
            abstention.resume_at = resume_at;
        }
    }
}
