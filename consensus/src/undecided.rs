//! The one height in flight: everything that is forgotten once it is decided.

use std::{collections::BTreeMap, sync::Arc};

use quorate_types::{
    B256, Block, CommitCertificate, Height, Message, NodeId, Phase, PrepareCertificate, Prepared, Proposal,
    Propose, Reject, RejectReason, Roots, Signed, SignedViewChange, ValidatorSet, View, Vote,
};

use crate::{BuildPlan, Candidate, MessageKind, votes::VoteBook};

/// Blocks that may be known for one height. Honest leaders of successive views offer few different
/// ones; a lying leader one for each view.
const MAX_CANDIDATES: usize = 16;
/// Proposals kept, and refused offers remembered: those of the last views.
const MAX_PROPOSALS: usize = 4;

/// What is known about a block of this height.
#[derive(Clone, Debug)]
pub(crate) enum BlockState {
    /// The driver is fetching it, or executing it already.
    Checking {
        executing: bool,
        /// Whether it waits for the clock, should its time be far ahead.
        fresh: bool,
    },
    /// It was executed here.
    Valid(Candidate),
    /// It can never be decided by this node.
    Invalid {
        /// Why.
        reason: RejectReason,
        /// What this node computed instead.
        roots: Option<Roots>,
    },
}

/// What this node signed at this height. Nothing in it is ever signed again (R4).
#[derive(Debug, Default)]
pub(crate) struct Own {
    pub(crate) proposed: BTreeMap<View, B256>,
    pub(crate) prevoted: BTreeMap<View, B256>,
    pub(crate) committed: BTreeMap<View, B256>,
    pub(crate) changed: BTreeMap<View, Option<Prepared>>,
    /// The last message of each kind, to be sent again: proposal, prevote, commit, view change.
    pub(crate) latest: BTreeMap<MessageKind, Message>,
}

/// How the timer of the current view stands.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct ViewTimer {
    pub(crate) armed: bool,
    /// Whether half of it is over, in view 0.
    pub(crate) half_over: bool,
    /// How often it was held back for a block under execution.
    pub(crate) held_back: u32,
}

/// The state of one height.
#[derive(Debug)]
pub(crate) struct Undecided {
    pub(crate) height: Height,
    pub(crate) validators: Arc<ValidatorSet>,
    pub(crate) parent_hash: B256,
    /// It never goes down, so there is no vote below an own wish (R12).
    pub(crate) view: View,
    pub(crate) timer: ViewTimer,
    pub(crate) interval_passed: bool,
    pub(crate) empty_block_due: bool,
    /// The plan that the driver works on, or could not carry out: once for a view is enough.
    pub(crate) building: Option<BuildPlan>,
    pub(crate) proposals: BTreeMap<View, Arc<Proposal>>,
    /// The first offers of their views, refused for good: what is known is not looked at again.
    pub(crate) refused: BTreeMap<View, Signed<Propose>>,
    pub(crate) blocks: BTreeMap<B256, BlockState>,
    pub(crate) votes: VoteBook,
    pub(crate) view_changes: BTreeMap<NodeId, SignedViewChange>,
    pub(crate) rejects: BTreeMap<NodeId, Signed<Reject>>,
    /// The lock: the highest quorum of prevotes whose block is at hand.
    pub(crate) prepared: Option<(PrepareCertificate, Arc<Block>)>,
    /// Whether the lock is on disk.
    pub(crate) prepared_logged: bool,
    /// The height is decided, but the block is not at hand yet.
    pub(crate) decided: Option<CommitCertificate>,
    /// Whether it was said that this node refuses what is decided.
    pub(crate) diverged: bool,
    pub(crate) own: Own,
}

impl Undecided {
    pub(crate) fn new(height: Height, validators: Arc<ValidatorSet>, parent_hash: B256) -> Self {
        Self {
            height,
            validators,
            parent_hash,
            view: View::ZERO,
            timer: ViewTimer::default(),
            interval_passed: false,
            empty_block_due: false,
            building: None,
            proposals: BTreeMap::new(),
            refused: BTreeMap::new(),
            blocks: BTreeMap::new(),
            votes: VoteBook::default(),
            view_changes: BTreeMap::new(),
            rejects: BTreeMap::new(),
            prepared: None,
            prepared_logged: true,
            decided: None,
            diverged: false,
            own: Own::default(),
        }
    }

    pub(crate) fn leader(&self, view: View) -> NodeId {
        self.validators.leader(self.height, view).key
    }

    /// A vote of this height.
    pub(crate) const fn vote(&self, phase: Phase, view: View, block_hash: B256) -> Vote {
        Vote { phase, height: self.height, view, block_hash }
    }

    /// The block, if this node executed it.
    pub(crate) fn valid(&self, block_hash: &B256) -> Option<&Candidate> {
        match self.blocks.get(block_hash)? {
            BlockState::Valid(candidate) => Some(candidate),
            BlockState::Checking { .. } | BlockState::Invalid { .. } => None,
        }
    }

    /// Notes what is known about a block; `false` when there is no place for another one.
    pub(crate) fn note_block(&mut self, block_hash: B256, state: BlockState) -> bool {
        if self.blocks.len() >= MAX_CANDIDATES && !self.blocks.contains_key(&block_hash) {
            let needed = self.needed_blocks();
            let Some(victim) = self.blocks.keys().find(|hash| !needed.contains(hash)).copied() else {
                return false;
            };
            self.blocks.remove(&victim);
        }
        self.blocks.insert(block_hash, state);
        true
    }

    fn needed_blocks(&self) -> Vec<B256> {
        let locked = self.prepared.iter().map(|(certificate, _)| certificate.block_hash());
        let decided = self.decided.iter().map(CommitCertificate::block_hash);
        let proposed = self.proposals.values().map(|it| it.propose.statement.block_hash);
        locked.chain(decided).chain(proposed).collect()
    }

    pub(crate) fn keep_proposal(&mut self, proposal: Arc<Proposal>) {
        self.proposals.insert(proposal.propose.statement.view, proposal);
        while self.proposals.len() > MAX_PROPOSALS {
            self.proposals.pop_first();
        }
    }

    /// Remembers an offer that was refused, so that it costs nothing when it is made again.
    pub(crate) fn note_refused(&mut self, propose: Signed<Propose>) {
        self.refused.insert(propose.statement.view, propose);
        while self.refused.len() > MAX_PROPOSALS {
            self.refused.pop_first();
        }
    }

    /// The first that the leader of `view` signed (R24).
    pub(crate) fn first_offer(&self, view: View) -> Option<Signed<Propose>> {
        let kept = self.proposals.get(&view).map(|it| it.propose);
        kept.or_else(|| self.refused.get(&view).copied())
    }

    /// The weight of the validators whose latest wish is for `view` or higher.
    pub(crate) fn weight_changing_to(&self, view: View) -> u64 {
        let wishing = self.view_changes.values().filter(|change| change.signed.statement.view >= view);
        self.validators.weight_of_all(wishing.map(|change| &change.signed.signer))
    }

    /// The weight of the validators that are in `view` or beyond, as far as they said so: by a wish, or by a vote.
    pub(crate) fn weight_reaching(&self, view: View) -> u64 {
        let wishing = self.view_changes.iter().filter(|(_, change)| change.signed.statement.view >= view);
        self.validators.weight_of_all(wishing.map(|(signer, _)| signer).chain(self.votes.voters_from(view)))
    }

    /// The lock as a view change names it.
    pub(crate) fn lock(&self) -> Option<Prepared> {
        let (certificate, _) = self.prepared.as_ref()?;
        Some(Prepared { view: certificate.view(), block_hash: certificate.block_hash() })
    }

    /// The lock, when it is not on disk yet.
    pub(crate) fn unlogged_lock(&mut self) -> Option<(PrepareCertificate, Arc<Block>)> {
        if std::mem::replace(&mut self.prepared_logged, true) { None } else { self.prepared.clone() }
    }
}
