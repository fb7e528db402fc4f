//! A node that cannot know all that its key signed does not vote until it cannot contradict itself.
//!
//! Its key may have signed at any height whose predecessor a quorum decided. A quorum of others, heard after the
//! start, shares an honest member with that quorum; so nothing was signed at M + 3 or above, where M is the highest
//! proved head among them (protocol.md; "until one height is decided" double-signed in 86 of 4,984 seeds).

use std::collections::BTreeMap;

use quorate_types::{Height, NodeId, ValidatorSet};

use crate::{Replica, replica::Signing};

/// How far above the highest head of the others the key cannot have signed.
const MARGIN: u64 = 3;
/// How long a claim that the chain has begun is given to be proved: ten seconds, in ticks. A liar delays a new chain's
/// start by no more.
const CLAIM_TICKS: u32 = 20;

/// What such a node has heard since its start.
#[derive(Clone, Debug, Default)]
pub struct Abstention {
    heads: BTreeMap<NodeId, Height>,
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

    /// From `height` on others vote, or heights were passed over whose validators are not known here. Who was heard
    /// proves something about heights of their own set alone: whatever was not reached by that is asked anew.
    pub(crate) fn on_new_set(&mut self, height: Height, set: &ValidatorSet) {
        self.heads.retain(|id, _| set.contains(id));
        self.resume_at = self.resume_at.filter(|resume_at| *resume_at <= height);
    }

    /// The first height at which it votes again, once that is known.
    #[must_use]
    pub const fn resume_at(&self) -> Option<Height> {
        self.resume_at
    }

    /// Who was heard, and which head each claimed.
    #[must_use]
    pub const fn heads(&self) -> &BTreeMap<NodeId, Height> {
        &self.heads
    }
}

impl Replica {
    /// Abstaining ends (R21) three heights above the highest head among others of a quorum's weight. A claim counts
    /// once this node holds the certificate itself, so that a liar's boast delays nobody. When a quorum, this node
    /// included, has no block yet, the chain is new, and there is nothing to contradict.
    pub(crate) fn try_leave_abstention(&mut self) {
        let Signing::Abstaining(abstention) = &self.signing else { return };
        if abstention.resume_at.is_some() {
            return;
        }
        let (set, me) = (&self.now.validators, &self.config.me);
        let own = set.weight_of(me);
        let proved: Vec<_> =
            abstention.heads.iter().filter(|(id, head)| **head <= self.head_height && *id != me).collect();
        let heard = set.weight_of_all(proved.iter().map(|(id, _)| *id));
        let highest = proved.iter().map(|(_, head)| **head).max().unwrap_or(self.head_height);
        let in_time = self.liveness.ticks() < CLAIM_TICKS;
        let begun = self.head_height > Height::ZERO || (in_time && proved.len() < abstention.heads.len());
        let resume_at = if !begun && heard + own >= set.quorum() {
            Height::ZERO
        } else if self.head_height > Height::ZERO && (heard >= set.quorum() || own == set.total()) {
            // Who decided the own head may be another set than this one, which proves nothing before the next height.
            Height(highest.0.saturating_add(MARGIN)).max(self.now.height.next())
        } else {
            return;
        };
        if let Signing::Abstaining(abstention) = &mut self.signing {
            abstention.resume_at = Some(resume_at);
        }
        self.arm_view_timer();
    }
}
