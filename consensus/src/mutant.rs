//! Named ways to break a rule, so that the suite can show that it would notice.
//!
//! In everything that is shipped [`ReplicaConfig::breaks`](crate::ReplicaConfig::breaks) is `false` and the compiler removes what
//! depends on it. The package `quorate-consensus-mutants` builds these sources with the feature `mutants`, for the simulator
//! alone (docs/adr/004). What catches which, and how soon, is in `TESTING.md`.

/// One broken rule. Those of the driver's duties are broken in the simulator's driver.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[cfg_attr(not(feature = "mutants"), expect(dead_code, reason = "nothing makes one without the feature"))]
pub enum Mutant {
    /// Ignores the interval between blocks (R1).
    IgnoresInterval,
    /// Height 1 waits for work (R1).
    WaitsAtFirstHeight,
    /// Offers a new block after a restart (R2).
    ProposesAgain,
    /// Signs a proposal for a height whose parent is locked, not decided (R2).
    SignsAhead,
    /// A leader above view 0 does not offer the locked block (R3).
    IgnoresLock,
    /// Prevotes again when another block of the view comes (R4).
    PrevotesAgain,
    /// Prevotes for what it did not execute (R5).
    PrevotesUnexecuted,
    /// Measures the time of a block that is proposed again (R5).
    MeasuresReproposals,
    /// A block waits for its time though a lock is behind it now (R5).
    WaitsThoughLocked,
    /// Does not wait for a block's time (R5).
    NeverWaitsForTime,
    /// Wants later timestamps than the parent's (R5).
    StrictTimestamps,
    /// Refuses an offer each time that it comes (R5).
    RefusesAgain,
    /// Keeps an offer whose list contradicts its header (R5).
    KeepsMismatched,
    /// Takes a raw transaction that travels with an offer for the one that is listed (R5).
    TakesSpoilt,
    /// Takes a lower lock for a higher one (R6).
    LowersLock,
    /// Takes a lock whose block it does not have (R6).
    LocksWithoutBlock,
    /// A quorum is one less (R6, R10).
    QuorumMinusOne,
    /// A signer that says something twice counts twice (R6, R10, R13).
    CountsDuplicates,
    /// Stays in its view when it learns that a quorum prevoted in a higher one (R6).
    StaysBelowLock,
    /// Fetches no blocks (R7).
    NeverFetches,
    /// Does not try again to execute the locked block that it holds (R7).
    GivesUpExecuting,
    /// Forgets the blocks it voted for when it is restarted (R7).
    ForgetsBlocks,
    /// Signs a commit without the lock in its frame (R8).
    LeavesLockOut,
    /// Sends what is not synced (R8).
    SkipsSync,
    /// Commits before the parent's record is synced (R9).
    CommitsOnUnsyncedParent,
    /// Counts commits of several views together (R10).
    MixesViews,
    /// Its wish names no lock (R11).
    WishesWithoutLock,
    /// Votes in a view below its wish (R12).
    VotesBelowWish,
    /// Goes to the highest view that anyone wishes for (R13).
    JumpsToHighest,
    /// Keeps the first wish of each validator (R13).
    KeepsFirstWish,
    /// Keeps a wish without the certificate of its lock (R13).
    DropsAttachment,
    /// Follows no wish that came while it could not sign (R13, R14).
    ForgetsWishes,
    /// The timer runs for its own work only (R14).
    OwnWorkOnly,
    /// Does not share what waits (R14).
    SharesNothing,
    /// An empty block is never due (R14).
    RestsForEver,
    /// The timer of a view above 0 runs at once (R15).
    ViewsRunAway,
    /// The timer doubles once and no more (R15).
    SmallCap,
    /// The timer is not held back for a block under execution (R16).
    NeverHoldsBack,
    /// The timer is held back however long the execution takes (R16).
    HoldsBackForEver,
    /// Blocks do not get smaller in later views (R17).
    FullBlocks,
    /// Waits the whole timer for a silent leader (R18).
    WaitsForSilent,
    /// Gives each leader the whole timer, however often it failed (R18).
    WaitsForFailing,
    /// One turn that succeeds makes up for all that failed (R18).
    ForgivesAll,
    /// Holds a turn against its leader that had hardly begun (R18).
    BlamesAtOnce,
    /// A leader whose turn failed gets no other (R18).
    NeverTriesAgain,
    /// Passes over any number of leaders at a height (R18).
    PassesOverAll,
    /// Says everything once (R19).
    SaysOnce,
    /// Passes nothing on (R19).
    PassesNothingOn,
    /// Passes on whatever is new, however much (R19).
    PassesAllOn,
    /// Tells nobody that is behind what was decided (R19).
    HelpsNobody,
    /// Does not take its lock back at a restart (R20).
    ForgetsLock,
    /// Signs with two decided blocks not synced (R20).
    RunsAheadOfDisk,
    /// Signs though there is no room for its log (R20).
    SignsOnFullDisk,
    /// Frames are overwritten when their height is decided, not when it is durable (R20).
    RecyclesEarly,
    /// Trusts a log whose database went back (R20).
    TrustsOlderStore,
    /// Trusts a log that is lost (R21).
    TrustsLostLog,
    /// Signs one height above the others' head after its log was lost (R21).
    ResumesEarly,
    /// Signs again at a height that a power cut may take it below (R21).
    ResumesUnsynced,
    /// Believes heads that others pass on (R21).
    BelievesRelayedHeads,
    /// Says nothing when a quorum decides what it refused (R22).
    HidesDivergence,
    /// Raises no alarm over others' refusals (R22).
    HidesDispute,
    /// Goes on when its key runs twice (R23).
    IgnoresTwin,
    /// Does not report who said two things (R24).
    KeepsEvidence,
    /// Accepts the signatures in a justification unseen (Messages).
    UnjustifiedProposals,
    /// Accepts the signatures in a certificate unseen (Messages).
    ForgedCertificates,
    /// Verifies certificates with the set of the height before (R25).
    OldSet,
    /// Votes though it is not in the set (R25).
    VotesOutside,
}
