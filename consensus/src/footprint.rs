//! How much a replica holds, so that whoever runs one can show that it is bounded.

use quorate_types::View;

use crate::Replica;

/// The entries of a replica's collections. Each has a bound that depends on the validators alone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Footprint {
    /// Proposals of the last views.
    pub proposals: usize,
    /// Refused offers of the last views.
    pub refused: usize,
    /// Blocks of the height in flight, checked or being checked.
    pub blocks: usize,
    /// Votes of both phases.
    pub votes: usize,
    /// Wishes for another view.
    pub view_changes: usize,
    /// Refusals.
    pub rejects: usize,
    /// Own statements of the height in flight.
    pub own: usize,
    /// Heights that the vote log still holds something for.
    pub recovered: usize,
    /// Last signs of life.
    pub statuses: usize,
    /// Members whose silence is counted, and last messages, one of each member.
    pub heard: usize,
    /// Leaders with a penalty.
    pub penalized: usize,
    /// Neighbours that were helped since the last tick.
    pub helped: usize,
    /// What was passed on since the last resend.
    pub relayed: usize,
}

impl Replica {
    /// The sizes of all collections.
    #[must_use]
    pub fn footprint(&self) -> Footprint {
        let (now, own) = (&self.now, &self.now.own);
        Footprint {
            proposals: now.proposals.len(),
            refused: now.refused.len(),
            blocks: now.blocks.len(),
            votes: now.votes.len(),
            view_changes: now.view_changes.len(),
            rejects: now.rejects.len(),
            own: own.proposed.len()
                + own.prevoted.len()
                + own.committed.len()
                + own.changed.len()
                + own.latest.len(),
            recovered: self.recovered.len(),
            statuses: self.liveness.statuses.len(),
            heard: self.liveness.heard_of(),
            penalized: self.liveness.penalized(),
            helped: self.liveness.helped(),
            relayed: self.liveness.relayed.len(),
        }
    }

    /// The view that the height in flight is in.
    #[must_use]
    pub const fn view(&self) -> View {
        self.now.view
    }
}
