//! Rules left out on purpose, so that the checker is seen to fail.

use std::fmt;

use clap::ValueEnum;
use serde::Serialize;

/// A rule of the protocol that is left out, or an assumption of the model. What the engine knows as a mutant too has
/// the same name there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Mutant {
    /// R3: the wishes of a quorum justify any block, whatever locks they carry.
    IgnoresLock,
    /// A quorum is one validator less.
    QuorumMinusOne,
    /// R12: votes in views below the own wish.
    VotesBelowWish,
    /// R20: a restart loses the lock.
    ForgetsLock,
    /// R5: a proposal above view 0 needs no justification.
    UnjustifiedProposals,
    /// R4: nothing stops a second vote in the same view.
    VotesAgain,
    /// R9: the commit does not wait for the record of the block before.
    CommitsOnUnsyncedParent,
    /// R20: the log lets go of a height that is decided before its record is on disk.
    RecyclesEarly,
    /// R21: who lost its log signs again from M + 2.
    ResumesEarly,
    /// R21: who lost its log signs again at a height whose predecessor is not on its disk.
    ResumesUnsynced,
    /// R21: who lost its log signs at once.
    TrustsLostLog,
    /// R21: who lost its log takes a chain for new, and signs at once, when a quorum has no block yet.
    AbstainsNotAtBirth,
    /// Of R21 as it stands: a second log is lost before the loser of the first has signed again.
    LosesTwoLogs,
}

impl Mutant {
    /// Whether it breaks what holds between heights, and not what holds within one.
    #[must_use]
    pub const fn is_about_heights(self) -> bool {
        matches!(
            self,
            Self::CommitsOnUnsyncedParent
                | Self::RecyclesEarly
                | Self::ResumesEarly
                | Self::ResumesUnsynced
                | Self::TrustsLostLog
                | Self::AbstainsNotAtBirth
                | Self::LosesTwoLogs
        )
    }
}

impl fmt::Display for Mutant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let value = self.to_possible_value().expect("no mutant is hidden");
        f.write_str(value.get_name())
    }
}
