//! The mutants as the simulator sees them, and those whose breaking takes more than leaving something out.

use std::{cell::Cell, collections::BTreeMap, sync::Arc};

use quorate_types::{Block, Header, Proposal, Propose, QuorumCertificate, Signed, ValidatorSet, View, Vote};

use NoticedBy::{Simulator, Stories};

use crate::{Effect, Mutant, Replica, ReplicaConfig, Unsigned, UnsignedProposal, VoteBatch, votes::Votes};

thread_local! {
    static ACTIVE: Cell<Option<Mutant>> = const { Cell::new(None) };
}

/// What must notice a mutant.
#[derive(Clone, Copy, Debug)]
enum NoticedBy {
    /// A story of one replica.
    Stories,
    /// The simulator with this scenario: it lies in the driver, or takes a cluster.
    Simulator(&'static str),
}

/// Each with its name on the command line, the rules of `PROTOCOL.md` that it breaks, and what must notice it.
const ALL: &[(Mutant, &str, &str, NoticedBy)] = &[
    (Mutant::IgnoresInterval, "ignores-interval", "R1", Stories),
    (Mutant::WaitsAtFirstHeight, "waits-at-first-height", "R1", Stories),
    (Mutant::ProposesAgain, "proposes-again", "R2", Simulator("restart-all")),
    (Mutant::SignsAhead, "signs-ahead", "R2", Simulator("calm")),
    (Mutant::IgnoresLock, "ignores-lock", "R3", Stories),
    (Mutant::PrevotesAgain, "prevotes-again", "R4", Stories),
    (Mutant::PrevotesUnexecuted, "prevotes-unexecuted", "R5", Stories),
    (Mutant::MeasuresReproposals, "measures-reproposals", "R5", Stories),
    (Mutant::WaitsThoughLocked, "waits-though-locked", "R5", Stories),
    (Mutant::NeverWaitsForTime, "never-waits-for-time", "R5", Simulator("clock-skew")),
    (Mutant::StrictTimestamps, "strict-timestamps", "R5", Simulator("calm")),
    (Mutant::RefusesAgain, "refuses-again", "R5", Stories),
    (Mutant::KeepsMismatched, "keeps-mismatched", "R5", Stories),
    (Mutant::TakesSpoilt, "takes-spoilt", "R5", Simulator("liar")),
    (Mutant::LowersLock, "lowers-lock", "R6", Stories),
    (Mutant::LocksWithoutBlock, "locks-without-block", "R6", Stories),
    (Mutant::QuorumMinusOne, "quorum-minus-one", "R6, R10", Stories),
    (Mutant::CountsDuplicates, "counts-duplicates", "R6, R10, R13", Stories),
    (Mutant::StaysBelowLock, "stays-below-lock", "R6", Stories),
    (Mutant::NeverFetches, "never-fetches", "R7", Stories),
    (Mutant::GivesUpExecuting, "gives-up-executing", "R7", Stories),
    (Mutant::ForgetsBlocks, "forgets-blocks", "R7", Simulator("calm")),
    (Mutant::LeavesLockOut, "leaves-lock-out", "R8", Stories),
    (Mutant::SkipsSync, "skips-sync", "R8", Simulator("calm")),
    (Mutant::CommitsOnUnsyncedParent, "commits-on-unsynced-parent", "R9", Stories),
    (Mutant::MixesViews, "mixes-views", "R10", Simulator("harsh")),
    (Mutant::WishesWithoutLock, "wishes-without-lock", "R11", Stories),
    (Mutant::VotesBelowWish, "votes-below-wish", "R12", Stories),
    (Mutant::JumpsToHighest, "jumps-to-highest", "R13", Stories),
    (Mutant::KeepsFirstWish, "keeps-first-wish", "R13", Stories),
    (Mutant::DropsAttachment, "drops-attachment", "R13", Stories),
    (Mutant::ForgetsWishes, "forgets-wishes", "R13, R14", Stories),
    (Mutant::OwnWorkOnly, "own-work-only", "R14", Stories),
    (Mutant::SharesNothing, "shares-nothing", "R14", Stories),
    (Mutant::RestsForEver, "rests-for-ever", "R14", Stories),
    (Mutant::ViewsRunAway, "views-run-away", "R15", Stories),
    (Mutant::SmallCap, "small-cap", "R15", Stories),
    (Mutant::NeverHoldsBack, "never-holds-back", "R16", Stories),
    (Mutant::HoldsBackForEver, "holds-back-for-ever", "R16", Stories),
    (Mutant::FullBlocks, "full-blocks", "R17", Stories),
    (Mutant::WaitsForSilent, "waits-for-silent", "R18", Stories),
    (Mutant::WaitsForFailing, "waits-for-failing", "R18", Stories),
    (Mutant::ForgivesAll, "forgives-all", "R18", Stories),
    (Mutant::BlamesAtOnce, "blames-at-once", "R18", Stories),
    (Mutant::NeverTriesAgain, "never-tries-again", "R18", Stories),
    (Mutant::PassesOverAll, "passes-over-all", "R18", Stories),
    (Mutant::SaysOnce, "says-once", "R19", Stories),
    (Mutant::PassesNothingOn, "passes-nothing-on", "R19", Stories),
    (Mutant::PassesAllOn, "passes-all-on", "R19", Stories),
    (Mutant::HelpsNobody, "helps-nobody", "R19", Stories),
    (Mutant::ForgetsLock, "forgets-lock", "R20", Stories),
    (Mutant::RunsAheadOfDisk, "runs-ahead-of-disk", "R20", Stories),
    (Mutant::SignsOnFullDisk, "signs-on-full-disk", "R20", Stories),
    (Mutant::RecyclesEarly, "recycles-early", "R20", Simulator("harsh")),
    (Mutant::TrustsOlderStore, "trusts-older-store", "R20", Simulator("torn-log")),
    (Mutant::TrustsLostLog, "trusts-lost-log", "R21", Stories),
    (Mutant::ResumesEarly, "resumes-early", "R21", Stories),
    (Mutant::ResumesUnsynced, "resumes-unsynced", "R21", Stories),
    (Mutant::BelievesRelayedHeads, "believes-relayed-heads", "R21", Stories),
    (Mutant::HidesDivergence, "hides-divergence", "R22", Stories),
    (Mutant::HidesDispute, "hides-dispute", "R22", Stories),
    (Mutant::IgnoresTwin, "ignores-twin", "R23", Stories),
    (Mutant::KeepsEvidence, "keeps-evidence", "R24", Stories),
    (Mutant::UnjustifiedProposals, "unjustified-proposals", "Messages", Simulator("liar")),
    (Mutant::ForgedCertificates, "forged-certificates", "Messages", Simulator("liar")),
    (Mutant::OldSet, "old-set", "R25", Simulator("set-change")),
    (Mutant::VotesOutside, "votes-outside", "R25", Stories),
];

impl Mutant {
    /// All of them.
    pub fn all() -> impl Iterator<Item = Self> {
        ALL.iter().map(|(mutant, ..)| *mutant)
    }

    /// The one with that name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        ALL.iter().find(|(_, it, ..)| *it == name).map(|(mutant, ..)| *mutant)
    }

    /// Its name on the command line.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.entry().1
    }

    /// The rules that it breaks.
    #[must_use]
    pub fn rules(self) -> &'static str {
        self.entry().2
    }

    /// The scenario in which the simulator must notice it; `None`: stories do.
    #[must_use]
    pub fn scenario(self) -> Option<&'static str> {
        match self.entry().3 {
            Stories => None,
            Simulator(scenario) => Some(scenario),
        }
    }

    fn entry(self) -> &'static (Self, &'static str, &'static str, NoticedBy) {
        ALL.iter().find(|(mutant, ..)| *mutant == self).expect("the table has every mutant")
    }

    /// Has every replica that `story` makes break the rule; the story need not know.
    pub fn infect<T>(self, story: impl FnOnce() -> T) -> T {
        /// Also when the story panics, as it should.
        struct Cured;
        impl Drop for Cured {
            fn drop(&mut self) {
                ACTIVE.set(None);
            }
        }
        let _cured = Cured;
        ACTIVE.set(Some(self));
        story()
    }

    /// What replicas made by this thread break.
    #[must_use]
    pub fn active() -> Option<Self> {
        ACTIVE.get()
    }
}

/// Certificates that prove nothing: of a quorum that is one less, or of votes that are counted for each view or signature.
pub(crate) fn miscount(
    config: &ReplicaConfig,
    votes: &Votes,
    vote: Vote,
    set: &ValidatorSet,
) -> Option<QuorumCertificate> {
    let (needed, any_view) = match config.mutant? {
        Mutant::QuorumMinusOne => (set.quorum() - 1, false),
        Mutant::CountsDuplicates => (set.quorum().div_ceil(2), false),
        Mutant::MixesViews => (set.quorum(), true),
        _ => return None,
    };
    let same = |it: &&Signed<Vote>| {
        let it = it.statement;
        it == vote || (any_view && Vote { view: vote.view, ..it } == vote)
    };
    let cast = votes.all().filter(same).map(|it| (set.index_of(&it.signer), it.signature));
    let cast: BTreeMap<_, _> = cast.filter_map(|(index, signature)| Some((index?, signature))).collect();
    let weight: u64 = cast.keys().map(|index| set.members()[*index].weight).sum();
    let mut signers = vec![0_u8; cast.last_key_value()?.0 / 8 + 1];
    cast.keys().for_each(|index| signers[index / 8] |= 1 << (index % 8));
    let signatures = cast.into_values().collect();
    (weight >= needed).then_some(QuorumCertificate { vote, signers, signatures })
}

/// What stands for a block that is not there.
pub(crate) fn no_block() -> Arc<Block> {
    Arc::new(Block::new(Header::default(), Vec::new()))
}

/// The next leader offers a block on one that is locked and may never be decided.
pub(crate) fn sign_ahead(replica: &mut Replica) {
    /// Where it notes that it did.
    const DONE: View = View(u64::MAX);
    let Some((_, locked)) = &replica.now.prepared else { return };
    let height = replica.now.height.next();
    let leads = replica.now.validators.leader(height, View::ZERO).key == replica.config.me;
    let done = replica.now.own.proposed.contains_key(&DONE);
    if !replica.config.breaks(Mutant::SignsAhead) || !leads || done || !replica.may_sign() {
        return;
    }
    let header = Header { number: height.0, parent_hash: locked.hash(), ..locked.header().clone() };
    let block = Block::new(header.clone(), Vec::new());
    let body_hash = Proposal::body_hash(&[]);
    let propose = Propose { height, view: View::ZERO, block_hash: block.hash(), body_hash };
    let proposal = UnsignedProposal {
        propose,
        header,
        transaction_hashes: Vec::new(),
        prefilled: Vec::new(),
        justification: None,
    };
    replica.now.own.proposed.insert(DONE, propose.block_hash);
    let statements = vec![Unsigned::Proposal(Box::new(proposal))];
    replica.emit(Effect::Vote(VoteBatch { height, statements, prepared: None }));
}
