//! A node that cannot know all that its key signed does not vote until it cannot contradict itself.
//!
//! Its key may have signed at any height whose predecessor a quorum decided. A quorum of others, heard after the
//! start, shares an honest member with that quorum; so nothing was signed at M + 3 or above, where M is the highest
//! proved head among them (protocol.md; "until one height is decided" double-signed in 86 of 4,984 seeds).

use std::collections::BTreeMap;

use quorate_types::{Height, NodeId};

use crate::{Replica, mutant::Mutant, replica::Signing};

/// How far above the highest head of the others the key cannot have signed.
const MARGIN: u64 = 3;
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
    /// once this node holds the certificate itself, so that a liar's boast delays nobody. That nobody has a block yet is
    /// no exception: this node may have signed for the first one (docs/adr/001).
    pub(crate) fn try_leave_abstention(&mut self) {
        let Signing::Abstaining(abstention) = &self.signing else { return };
        if abstention.resume_at.is_some() {
            return;
        }
        let (set, me) = (&self.now.validators, &self.config.me);
        let proved = || abstention.heads.iter().filter(|(id, head)| **head <= self.head_height && *id != me);
        let Some(highest) = proved().map(|(_, head)| *head).max() else { return };
        if set.weight_of_all(proved().map(|(id, _)| id)) < set.quorum() {
            return;
        }
        let margin = if self.config.breaks(Mutant::ResumesEarly) { 1 } else { MARGIN };
        if let Signing::Abstaining(abstention) = &mut self.signing {
            abstention.resume_at = Some(Height(highest.0.saturating_add(margin)));
        }
        self.arm_view_timer();
    }
}
