//! Blocks that this node or others will not vote for, and what is said about it (R22).

use quorate_types::{B256, CommitCertificate, Propose, Reject, RejectReason, Roots, Signed, View};

use crate::{Alarm, Effect, Fact, Replica, mutant::Mutant, replica::Signing, undecided::BlockState};

impl Replica {
    pub(crate) fn on_refused(&mut self, block_hash: B256, reason: RejectReason, roots: Option<Roots>) {
        self.now.note_block(block_hash, BlockState::Invalid { reason, roots });
        let mut views =
            self.now.proposals.iter().filter(|(_, it)| it.propose.statement.block_hash == block_hash);
        if let Some((view, _)) = views.next_back() {
            self.reject(*view, block_hash, reason, roots);
        }
    }

    /// Divergence (R22): a quorum decided what this node refused, before or after it did. It votes no more, and says
    /// so once (faults.md, silent-divergence).
    pub(crate) fn diverge(
        &mut self,
        certificate: CommitCertificate,
        reason: RejectReason,
        roots: Option<Roots>,
    ) {
        if !std::mem::replace(&mut self.now.diverged, true) && !self.config.breaks(Mutant::HidesDivergence) {
            self.signing = Signing::Stopped;
            self.emit(Effect::Alarm(Alarm::Diverged { certificate, reason, roots }));
        }
    }

    /// Refuses an offer that can never be voted for, once.
    pub(crate) fn refuse(&mut self, propose: Signed<Propose>, reason: RejectReason) {
        self.now.note_refused(propose);
        self.reject(propose.statement.view, propose.statement.block_hash, reason, None);
    }

    /// The list with `body_hash` is not the header's, as its leader signed both (R5). The block itself may be sound: who offered it
    /// with another list has that one looked at.
    pub(crate) fn on_mismatched(&mut self, block_hash: B256, body_hash: B256) {
        self.now.blocks.remove(&block_hash);
        let offers = self.now.proposals.values().filter(|it| it.propose.statement.block_hash == block_hash);
        for offer in offers.cloned().collect::<Vec<_>>() {
            if offer.propose.statement.body_hash != body_hash {
                self.check_proposal(offer);
            } else if !self.config.breaks(Mutant::KeepsMismatched) {
                self.now.proposals.remove(&offer.propose.statement.view);
                self.refuse(offer.propose, RejectReason::Transaction);
            }
        }
    }

    fn reject(&mut self, view: View, block_hash: B256, reason: RejectReason, roots: Option<Roots>) {
        if self.may_sign() {
            let height = self.now.height;
            self.note(Fact::Rejected { by: self.config.me, block_hash, reason });
            self.emit(Effect::Reject(Reject { height, view, block_hash, reason, roots }));
        }
    }

    /// One refusal is kept for each validator; from those that could hold an honest one about roots comes an alarm (R22).
    pub(crate) fn on_reject(&mut self, reject: Signed<Reject>) -> bool {
        if self
            .now
            .rejects
            .get(&reject.signer)
            .is_some_and(|known| known.statement.view >= reject.statement.view)
        {
            return false;
        }
        self.now.rejects.insert(reject.signer, reject);
        let block_hash = reject.statement.block_hash;
        self.note(Fact::Rejected { by: reject.signer, block_hash, reason: reject.statement.reason });
        let disputes = |it: &&Signed<Reject>| {
            it.statement.reason == RejectReason::Divergence && it.statement.block_hash == block_hash
        };
        let rejects: Vec<_> = self.now.rejects.values().filter(disputes).copied().collect();
        if self.now.validators.weight_of_all(rejects.iter().map(|it| &it.signer))
            >= self.now.validators.honest()
            && !self.config.breaks(Mutant::HidesDispute)
        {
            self.emit(Effect::Alarm(Alarm::RootsDisputed { height: self.now.height, block_hash, rejects }));
        }
        true
    }
}
