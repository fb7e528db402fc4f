//! The mutants: one rule broken in all replicas of a run.

use std::cell::Cell;

use quorate_consensus::Mutant;

use crate::Scenario;

/// A mutant as the command line and the tests know it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Specimen {
    /// What is broken.
    pub mutant: Mutant,
    /// Its name on the command line.
    pub name: &'static str,
    /// The rule that it breaks, as `PROTOCOL.md` numbers them.
    pub rule: &'static str,
    /// Where to look for it.
    pub scenario: Scenario,
}

const fn specimen(mutant: Mutant, name: &'static str, rule: &'static str, scenario: Scenario) -> Specimen {
    Specimen { mutant, name, rule, scenario }
}

thread_local! {
    static ACTIVE: Cell<Option<Mutant>> = const { Cell::new(None) };
}

/// The rule that clusters made by this thread break.
pub(crate) fn active() -> Option<Mutant> {
    ACTIVE.get()
}

impl Specimen {
    /// Has every cluster that `story` makes break the rule. Stories need not know.
    pub fn infect<T>(self, story: impl FnOnce() -> T) -> T {
        /// Also when the story panics, as it should.
        struct Cured;
        impl Drop for Cured {
            fn drop(&mut self) {
                ACTIVE.set(None);
            }
        }
        let _cured = Cured;
        ACTIVE.set(Some(self.mutant));
        story()
    }

    /// All of them.
    pub const ALL: &[Self] = &[
        specimen(Mutant::IgnoresInterval, "ignores-interval", "R1", Scenario::Calm),
        specimen(Mutant::WaitsAtFirstHeight, "waits-at-first-height", "R1", Scenario::Calm),
        specimen(Mutant::ProposesAgain, "proposes-again", "R2", Scenario::RestartAll),
        specimen(Mutant::SignsAhead, "signs-ahead", "R2", Scenario::Calm),
        specimen(Mutant::IgnoresLock, "ignores-lock", "R3", Scenario::Harsh),
        specimen(Mutant::PrevotesAgain, "prevotes-again", "R4", Scenario::Harsh),
        specimen(Mutant::PrevotesUnexecuted, "prevotes-unexecuted", "R5", Scenario::Harsh),
        specimen(Mutant::MeasuresReproposals, "measures-reproposals", "R5", Scenario::Harsh),
        specimen(Mutant::NeverWaitsForTime, "never-waits-for-time", "R5", Scenario::Harsh),
        specimen(Mutant::StrictTimestamps, "strict-timestamps", "R5", Scenario::Calm),
        specimen(Mutant::LowersLock, "lowers-lock", "R6", Scenario::Harsh),
        specimen(Mutant::LocksWithoutBlock, "locks-without-block", "R6", Scenario::Harsh),
        specimen(Mutant::QuorumMinusOne, "quorum-minus-one", "R6", Scenario::Calm),
        specimen(Mutant::CountsDuplicates, "counts-duplicates", "R6", Scenario::Calm),
        specimen(Mutant::NeverFetches, "never-fetches", "R7", Scenario::Harsh),
        specimen(Mutant::ForgetsBlocks, "forgets-blocks", "R7", Scenario::Harsh),
        specimen(Mutant::LeavesLockOut, "leaves-lock-out", "R8", Scenario::RestartAll),
        specimen(Mutant::SkipsSync, "skips-sync", "R8", Scenario::Calm),
        specimen(Mutant::CommitsOnUnsyncedParent, "commits-on-unsynced-parent", "R9", Scenario::Harsh),
        specimen(Mutant::MixesViews, "mixes-views", "R10", Scenario::Harsh),
        specimen(Mutant::WishesWithoutLock, "wishes-without-lock", "R11", Scenario::Harsh),
        specimen(Mutant::VotesBelowWish, "votes-below-wish", "R12", Scenario::Harsh),
        specimen(Mutant::JumpsToHighest, "jumps-to-highest", "R13", Scenario::Liar),
        specimen(Mutant::KeepsFirstWish, "keeps-first-wish", "R13", Scenario::Harsh),
        specimen(Mutant::DropsAttachment, "drops-attachment", "R13", Scenario::Harsh),
        specimen(Mutant::OwnWorkOnly, "own-work-only", "R14", Scenario::Harsh),
        specimen(Mutant::SharesNothing, "shares-nothing", "R14", Scenario::Harsh),
        specimen(Mutant::ViewsRunAway, "views-run-away", "R15", Scenario::Harsh),
        specimen(Mutant::SmallCap, "small-cap", "R16, R17", Scenario::Harsh),
        specimen(Mutant::WaitsForSilent, "waits-for-silent", "R18", Scenario::Harsh),
        specimen(Mutant::SaysOnce, "says-once", "R19", Scenario::Harsh),
        specimen(Mutant::PassesNothingOn, "passes-nothing-on", "R19", Scenario::Harsh),
        specimen(Mutant::ForgetsLock, "forgets-lock", "R20", Scenario::RestartAll),
        specimen(Mutant::RunsAheadOfDisk, "runs-ahead-of-disk", "R20", Scenario::Harsh),
        specimen(Mutant::RecyclesEarly, "recycles-early", "R20", Scenario::Harsh),
        specimen(Mutant::TrustsLostLog, "trusts-lost-log", "R21", Scenario::Wiped),
        specimen(Mutant::ResumesEarly, "resumes-early", "R21", Scenario::Wiped),
        specimen(Mutant::BelievesRelayedHeads, "believes-relayed-heads", "R21", Scenario::Wiped),
        specimen(Mutant::HidesDivergence, "hides-divergence", "R22", Scenario::Harsh),
        specimen(Mutant::IgnoresTwin, "ignores-twin", "R23", Scenario::Harsh),
        specimen(Mutant::KeepsEvidence, "keeps-evidence", "R24", Scenario::Liar),
        specimen(Mutant::UnjustifiedProposals, "unjustified-proposals", "messages", Scenario::Liar),
        specimen(Mutant::ForgedCertificates, "forged-certificates", "messages", Scenario::Liar),
        specimen(Mutant::OldSet, "old-set", "R25", Scenario::Harsh),
    ];

    /// The one with that name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.iter().find(|it| it.name == name).copied()
    }
}
