//! Prevotes, the lock, commits.

use std::sync::Arc;

use quorate_types::{
    B256, CommitCertificate, NodeId, Phase, PrepareCertificate, Proposal, QuorumCertificate, RejectReason,
    Signed, SignedViewChange, View, Vote,
};

use crate::{
    BlockSource, Effect, Evidence, Fact, Replica, Unsigned, ViewChangeReason, VoteBatch, mutant::Mutant,
    undecided::BlockState, votes::Counted,
};

impl Replica {
    /// A leader's offer, already checked against its signature, bindings and justification. Above the own
    /// view it is this protocol's NEW-VIEW and takes this node along.
    pub(crate) fn on_proposal(&mut self, proposal: Arc<Proposal>) -> bool {
        let propose = proposal.propose.statement;
        if let Some(first) = self.now.first_offer(propose.view).filter(|it| it.statement != propose) {
            self.report(Evidence::Proposals(first, proposal.propose));
            if self.config.breaks(Mutant::PrevotesAgain) {
                self.now.keep_proposal(proposal.clone());
                self.check_proposal(proposal);
            }
            return false;
        }
        let refused =
            self.now.refused.contains_key(&propose.view) && !self.config.breaks(Mutant::RefusesAgain);
        if self.now.proposals.contains_key(&propose.view) || refused {
            return false;
        }
        if propose.view < self.now.view {
            return false;
        }
        if proposal.header.parent_hash != self.now.parent_hash {
            self.refuse(proposal.propose, RejectReason::Header);
            return false;
        }
        if let Some(candidate) = self.now.valid(&propose.block_hash)
            && candidate.block.body_hash() != propose.body_hash
        {
            self.refuse(proposal.propose, RejectReason::Transaction);
            return false;
        }
        if propose.view > self.now.view {
            self.enter_view(propose.view, ViewChangeReason::Proposal);
        }
        self.note(Fact::Proposed { leader: proposal.propose.signer, block_hash: propose.block_hash });
        self.now.keep_proposal(proposal.clone());
        // Before the lock is looked at: the leader and the pool are nearer than those who voted for it.
        self.check_proposal(proposal.clone());
        self.learn_lock(lock_behind(&proposal).cloned());
        self.arm_view_timer();
        true
    }

    /// Has the block of a proposal checked. One that was prepared before is proposed again however old it is
    /// (faults.md, reproposal-too-old).
    pub(crate) fn check_proposal(&mut self, proposal: Arc<Proposal>) {
        let fresh = lock_behind(&proposal).is_none() || self.config.breaks(Mutant::MeasuresReproposals);
        let block_hash = proposal.propose.statement.block_hash;
        self.check_block(block_hash, BlockSource::Proposal(proposal), fresh);
    }

    /// Has the driver get and execute a block, unless that is under way or done.
    pub(crate) fn check_block(&mut self, block_hash: B256, source: BlockSource, fresh: bool) {
        let wanted = match self.now.blocks.get(&block_hash) {
            None => true,
            // Before it is executed, a whole block is worth a second look, as parts of it may still be asked for; and so is a
            // lock behind it, as it may wait for the clock.
            Some(&BlockState::Checking { executing: false, fresh: waits }) => {
                let bound = waits && !fresh && !self.config.breaks(Mutant::WaitsThoughLocked);
                matches!(source, BlockSource::Block(_)) || bound
            }
            Some(_) => false,
        };
        if wanted && self.now.note_block(block_hash, BlockState::Checking { executing: false, fresh }) {
            self.emit(Effect::Check { block_hash, source, fresh });
        }
    }

    /// Prevote (R5): once for a view, for the proposal of its leader, executed to the same roots.
    pub(crate) fn try_prevote(&mut self) {
        let view = self.now.view;
        let Some(proposal) = self.now.proposals.get(&view) else { return };
        let block_hash = proposal.propose.statement.block_hash;
        let due = self.may_sign()
            && self.now.decided.is_none()
            && !self.has_prevoted(view, block_hash)
            && (self.now.valid(&block_hash).is_some() || self.config.breaks(Mutant::PrevotesUnexecuted));
        if due {
            self.now.own.prevoted.insert(view, block_hash);
            let vote = self.now.vote(Phase::Prevote, view, block_hash);
            self.sign_vote(vote);
        }
    }

    fn has_prevoted(&self, view: View, block_hash: B256) -> bool {
        let said = self.now.own.prevoted.get(&view);
        if self.config.breaks(Mutant::PrevotesAgain) { said == Some(&block_hash) } else { said.is_some() }
    }

    fn sign_vote(&mut self, vote: Vote) {
        let mut prepared = self.now.unlogged_lock();
        if self.config.breaks(Mutant::LeavesLockOut) {
            prepared = None;
        }
        let statements = vec![Unsigned::Vote(vote)];
        self.emit(Effect::Vote(VoteBatch { height: vote.height, statements, prepared }));
    }

    pub(crate) fn on_vote(&mut self, vote: Signed<Vote>) -> bool {
        match self.now.votes.insert(vote) {
            Counted::New => {
                self.note_decision(vote.statement);
                if self.now.view > View::ZERO && !self.now.timer.armed {
                    self.arm_view_timer();
                }
                true
            }
            Counted::Known => false,
            Counted::Conflict(evidence) => {
                self.report(*evidence);
                false
            }
        }
    }

    /// A quorum of commits decides, in whatever view they were cast (R10).
    fn note_decision(&mut self, vote: Vote) {
        if vote.phase == Phase::Commit && self.now.decided.is_none() {
            let quorum = self.quorum_for(vote);
            self.now.decided = quorum.and_then(|it| CommitCertificate::new(it).ok());
        }
    }

    /// The lock (R6): a quorum of prevotes in this or a later view, with the body at hand and executed.
    pub(crate) fn try_prepare(&mut self) {
        // Locks that came before their block did are taken once it is there.
        let wished = self.now.view_changes.values().filter_map(|it| it.certificate.as_ref());
        let offered = self.now.proposals.values().filter_map(|it| lock_behind(it));
        let ripe = wished.chain(offered).filter(|it| self.now.valid(&it.block_hash()).is_some());
        let highest = ripe.max_by_key(|it| it.view()).cloned();
        self.learn_lock(highest);
        for certificate in self.prevoted_from(self.now.view) {
            self.learn_lock(Some(certificate));
        }
    }

    /// The quorums of prevotes in `view` and in views that others reached without this node.
    fn prevoted_from(&self, view: View) -> Vec<PrepareCertificate> {
        let mut votes: Vec<Vote> = self.now.votes.prevotes.cast_from(view).collect();
        votes.sort_unstable_by_key(|vote| (vote.view, vote.block_hash));
        votes.dedup();
        votes
            .into_iter()
            .filter_map(|vote| self.quorum_for(vote))
            .filter_map(|it| PrepareCertificate::new(it).ok())
            .collect()
    }

    /// The certificate for `vote`, once its signers weigh a quorum.
    fn quorum_for(&self, vote: Vote) -> Option<QuorumCertificate> {
        let votes = match vote.phase {
            Phase::Prevote => &self.now.votes.prevotes,
            Phase::Commit => &self.now.votes.commits,
        };
        #[cfg(feature = "mutants")]
        if let Some(broken) = crate::mutations::miscount(&self.config, votes, vote, &self.now.validators) {
            return Some(broken);
        }
        votes.certificate(vote, &self.now.validators)
    }

    /// Goes where a quorum has prevoted: a wish names no lock of its own view or a higher one. Takes the prepare certificate
    /// as own lock when it is higher and its block is at hand; otherwise fetches the block at once from
    /// those who voted for it (R7).
    pub(crate) fn learn_lock(&mut self, certificate: Option<PrepareCertificate>) {
        let Some(certificate) = certificate else { return };
        if certificate.view() > self.now.view && !self.config.breaks(Mutant::StaysBelowLock) {
            self.enter_view(certificate.view(), ViewChangeReason::Prevotes);
        }
        let kept = |own: &PrepareCertificate| {
            own.view() >= certificate.view()
                && !(self.config.breaks(Mutant::LowersLock) && own.view() > certificate.view())
        };
        if self.now.prepared.as_ref().is_some_and(|(own, _)| kept(own)) {
            return;
        }
        match self.now.valid(&certificate.block_hash()) {
            Some(candidate) => {
                let block_hash = certificate.block_hash();
                let fact = Fact::Locked { view: certificate.view(), block_hash };
                self.now.prepared = Some((certificate, candidate.block.clone()));
                self.now.prepared_logged = false;
                self.note(fact);
            }
            #[cfg(feature = "mutants")]
            None if self.config.breaks(Mutant::LocksWithoutBlock) => {
                self.now.prepared = Some((certificate, crate::mutations::no_block()));
                self.now.prepared_logged = false;
            }
            None => self.fetch_from_signers(&certificate),
        }
    }

    /// Commit (R8, R9): on the lock of the current view, once, when the parent is durable. Certificate, body
    /// and commit are one frame on disk before the commit is sent.
    pub(crate) fn try_commit(&mut self) {
        let Some((certificate, _)) = &self.now.prepared else { return };
        let (view, block_hash) = (certificate.view(), certificate.block_hash());
        let due = self.may_sign()
            && (view == self.now.view || self.config.breaks(Mutant::VotesBelowWish))
            && self.now.decided.is_none()
            && !self.now.own.committed.contains_key(&view)
            && self.now.valid(&block_hash).is_some()
            && (self.durable >= self.head_height || self.config.breaks(Mutant::CommitsOnUnsyncedParent));
        if due {
            self.now.own.committed.insert(view, block_hash);
            let vote = self.now.vote(Phase::Commit, view, block_hash);
            self.sign_vote(vote);
        }
    }

    /// Fetches the block of a certificate: from its signers, who had it when they signed, and from those who are
    /// locked on it, who have it on disk. A prevote alone does not outlive a restart together with its block.
    pub(crate) fn fetch_from_signers(&mut self, certificate: &QuorumCertificate) {
        if self.config.breaks(Mutant::NeverFetches) {
            return;
        }
        let block_hash = certificate.vote.block_hash;
        if self.now.prepared.as_ref().is_some_and(|(lock, _)| lock.block_hash() == block_hash) {
            // It is here, and perhaps nowhere else, but could not be executed: that is tried again with the next resend.
            return;
        }
        let locked = |change: &&SignedViewChange| {
            change.signed.statement.prepared.is_some_and(|lock| lock.block_hash == block_hash)
        };
        let holders = self.now.view_changes.values().filter(locked).map(|change| change.signed.signer);
        let mut sources: Vec<NodeId> = holders.collect();
        let signers = certificate.signer_ids(&self.now.validators).unwrap_or_default();
        let others = signers.into_iter().filter(|id| !sources.contains(id)).copied().collect::<Vec<_>>();
        sources.extend(others);
        sources.retain(|id| *id != self.config.me);
        self.check_block(block_hash, BlockSource::Peers(sources), false);
    }
}

/// The lock that binds a proposal to its block.
fn lock_behind(proposal: &Proposal) -> Option<&PrepareCertificate> {
    proposal.justification.as_ref()?.certificate.as_ref()
}
