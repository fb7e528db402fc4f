//! The leader's part: when to build, what to offer, and by which right above view 0.

use std::collections::BTreeMap;

use quorate_types::{
    B256, Block, Bytes, Justification, NodeId, Phase, PrepareCertificate, Propose, SignedViewChange, View,
};

use crate::{BuildPlan, Candidate, Effect, Replica, Unsigned, UnsignedProposal, VoteBatch, mutant::Mutant};

/// Raw transactions that travel with a proposal. Enough for a lone transaction to need no second
/// round trip; small enough that a proposal stays a few packets.
const MAX_PREFILLED_BYTES: usize = 32 * 1024;
/// The view from which fresh blocks get smaller (R17).
const FIRST_SMALLER_VIEW: u64 = 2;
/// The most halvings of the gas limit: beyond it a block holds the one transaction it always may.
const MAX_GAS_SHIFT: u64 = 40;

/// By which right, and with which block, the leader of a view above 0 may propose.
pub(crate) struct Mandate {
    justification: Justification,
    /// The block that a quorum prepared before, by hash.
    bound_to: Option<B256>,
}

impl Replica {
    /// Propose (R1, R2): in view 0 when there is work and the interval is over; above it at once, with
    /// the wishes of a quorum. Own proposals are signed once for a view, also across a restart.
    pub(crate) fn try_propose(&mut self) {
        let view = self.now.view;
        let due = self.is_leader(view)
            && self.may_sign()
            && self.now.decided.is_none()
            && !self.now.own.proposed.contains_key(&view)
            && self.now.building.is_none_or(|plan| plan.view != view);
        if !due {
            return;
        }
        if view == View::ZERO {
            if self.is_block_due() && self.may_follow_parent() {
                self.build(view);
            }
            return;
        }
        let Some(mandate) = self.mandate(view) else { return };
        match mandate.bound_to {
            None => self.build(view),
            Some(block_hash) => {
                if let Some(candidate) = self.now.valid(&block_hash).cloned() {
                    self.propose(&candidate, Some(mandate.justification));
                }
            }
        }
    }

    /// Height 1 proves that the quorum works, so it comes at once, empty if need be.
    pub(crate) fn is_first_height(&self) -> bool {
        self.now.height.0 == 1 && !self.config.breaks(Mutant::WaitsAtFirstHeight)
    }

    /// Whether the least interval since the last block is over (R1). Before that no leader can be late.
    pub(crate) fn may_follow_parent(&self) -> bool {
        self.now.interval_passed || self.is_first_height() || self.config.breaks(Mutant::IgnoresInterval)
    }

    /// Whether the chain should move: work as R14 defines it, as far as it is known before any message.
    pub(crate) fn is_block_due(&self) -> bool {
        let empty_due = self.now.empty_block_due && !self.config.breaks(Mutant::RestsForEver);
        self.work || empty_due || self.is_first_height()
    }

    fn build(&mut self, view: View) {
        let most = if self.config.breaks(Mutant::FullBlocks) { 0 } else { MAX_GAS_SHIFT };
        let halvings = (view.0 + 1).saturating_sub(FIRST_SMALLER_VIEW).min(most);
        let plan = BuildPlan {
            height: self.now.height,
            view,
            parent_hash: self.now.parent_hash,
            gas_shift: u32::try_from(halvings).unwrap_or(u32::MAX),
            may_be_empty: view > View::ZERO || self.now.empty_block_due || self.is_first_height(),
        };
        self.now.building = Some(plan);
        self.emit(Effect::Build(plan));
    }

    pub(crate) fn on_built(&mut self, plan: BuildPlan, candidate: Option<Candidate>) {
        if self.now.building != Some(plan) {
            return;
        }
        let Some(candidate) = candidate else {
            // The work went away between the plan and the build; the pool says when there is more. A plan that
            // needs no work failed for a reason that a second try would meet again: the timer goes on from here.
            if !plan.may_be_empty {
                self.now.building = None;
                self.work = false;
                self.arm_view_timer();
            }
            return;
        };
        self.now.building = None;
        let still_mine = plan.view == self.now.view
            && plan.parent_hash == self.now.parent_hash
            && self.may_sign()
            && self.now.decided.is_none();
        if !still_mine {
            return;
        }
        if plan.view == View::ZERO {
            self.propose(&candidate, None);
        } else if let Some(mandate) = self.mandate(plan.view) {
            // While the block was built, a lock may have come in: then that block, in the next step.
            if mandate.bound_to.is_none() {
                self.propose(&candidate, Some(mandate.justification));
            }
        }
    }

    fn propose(&mut self, candidate: &Candidate, justification: Option<Justification>) {
        let view = self.now.view;
        let block = &candidate.block;
        let block_hash = block.hash();
        self.now.note_block(block_hash, crate::undecided::BlockState::Valid(candidate.clone()));
        let transaction_hashes = block.transaction_hashes();
        let propose = Propose {
            height: self.now.height,
            view,
            block_hash,
            body_hash: quorate_types::Proposal::body_hash(&transaction_hashes),
        };
        self.now.own.proposed.insert(view, block_hash);
        self.now.own.prevoted.insert(view, block_hash);
        let proposal = UnsignedProposal {
            propose,
            header: block.header().clone(),
            transaction_hashes,
            prefilled: prefill(block),
            justification,
        };
        let prevote = self.now.vote(Phase::Prevote, view, block_hash);
        let prepared = self.now.unlogged_lock();
        self.emit(Effect::Vote(VoteBatch {
            height: self.now.height,
            statements: vec![Unsigned::Proposal(Box::new(proposal)), Unsigned::Vote(prevote)],
            prepared,
        }));
    }

    /// The right to propose in `view` (R3): the wishes of a quorum for exactly this view. When the block of
    /// the highest lock among them is not at hand, another quorum that does not carry it will do.
    pub(crate) fn mandate(&mut self, view: View) -> Option<Mandate> {
        let mut wishes: BTreeMap<NodeId, SignedViewChange> = self
            .now
            .view_changes
            .iter()
            .filter(|(_, change)| change.signed.statement.view == view)
            .map(|(signer, change)| (*signer, change.clone()))
            .collect();
        let mut missing: Option<PrepareCertificate> = None;
        loop {
            if self.now.validators.weight_of_all(wishes.keys()) < self.now.validators.quorum() {
                if let Some(certificate) = missing {
                    self.fetch_from_signers(&certificate);
                }
                return None;
            }
            let highest = highest_lock(wishes.values());
            match &highest {
                Some(certificate) if self.now.valid(&certificate.block_hash()).is_none() => {
                    let unusable = certificate.block_hash();
                    wishes
                        .retain(|_, it| it.certificate.as_ref().is_none_or(|it| it.block_hash() != unusable));
                    missing.get_or_insert_with(|| certificate.clone());
                }
                _ => {
                    let highest = highest.filter(|_| !self.config.breaks(Mutant::IgnoresLock));
                    let bound_to = highest.as_ref().map(|certificate| certificate.block_hash());
                    let view_changes = wishes.into_values().map(|it| it.signed).collect();
                    return Some(Mandate {
                        justification: Justification { view_changes, certificate: highest },
                        bound_to,
                    });
                }
            }
        }
    }
}

fn highest_lock<'a>(wishes: impl Iterator<Item = &'a SignedViewChange>) -> Option<PrepareCertificate> {
    wishes.filter_map(|it| it.certificate.as_ref()).max_by_key(|it| it.view()).cloned()
}

/// The first transactions of the block, raw, as far as [`MAX_PREFILLED_BYTES`] goes.
fn prefill(block: &Block) -> Vec<(u32, Bytes)> {
    let mut left = MAX_PREFILLED_BYTES;
    let fits = |(_, raw): &(u32, &Bytes)| {
        left = match left.checked_sub(raw.len()) {
            Some(rest) => rest,
            None => return false,
        };
        true
    };
    (0..).zip(block.transactions()).take_while(fits).map(|(index, raw)| (index, raw.clone())).collect()
}
