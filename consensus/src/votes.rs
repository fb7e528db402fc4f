//! The votes of one height: one slot for each validator, phase and view, few views each.

use std::collections::BTreeMap;

use quorate_types::{B256, NodeId, Phase, QuorumCertificate, Signed, ValidatorSet, View, Vote, VoteTally};

use crate::Evidence;

/// The views for which one validator's votes are kept. An honest one has votes in few views at a
/// time, and sends its last again; a liar fills only its own slots.
const VIEWS_PER_VALIDATOR: usize = 8;

/// What became of a vote.
pub(crate) enum Counted {
    /// It took its slot.
    New,
    /// It was there, or has no place.
    Known,
    /// Its signer said something else before, which stays (R24).
    Conflict(Box<Evidence>),
}

/// Everyone's votes in one phase.
#[derive(Debug, Default)]
pub(crate) struct Votes(BTreeMap<NodeId, BTreeMap<View, Signed<Vote>>>);

impl Votes {
    /// Counts a checked vote, once for each signer and view (faults.md, duplicate-signers).
    pub(crate) fn insert(&mut self, vote: Signed<Vote>) -> Counted {
        let slots = self.0.entry(vote.signer).or_default();
        if let Some(first) = slots.get(&vote.statement.view) {
            if first.statement == vote.statement {
                return Counted::Known;
            }
            return Counted::Conflict(Box::new(Evidence::Votes(*first, vote)));
        }
        if slots.len() == VIEWS_PER_VALIDATOR {
            // The oldest view is the least likely to still matter.
            match slots.first_key_value() {
                Some((oldest, _)) if *oldest > vote.statement.view => return Counted::Known,
                _ => slots.pop_first(),
            };
        }
        slots.insert(vote.statement.view, vote);
        Counted::New
    }

    /// The certificate for `vote`, once its signers weigh a quorum.
    pub(crate) fn certificate(&self, vote: Vote, set: &ValidatorSet) -> Option<QuorumCertificate> {
        let mut tally = VoteTally::new(vote);
        for signed in self.cast_in(vote.view).filter(|signed| signed.statement == vote) {
            tally.add(set, &signed.signer, signed.signature);
        }
        tally.certificate(set)
    }

    /// Every vote that has a slot.
    #[cfg(feature = "mutants")]
    pub(crate) fn all(&self) -> impl Iterator<Item = &Signed<Vote>> {
        self.0.values().flat_map(BTreeMap::values)
    }

    /// Everyone's vote in `view`.
    pub(crate) fn cast_in(&self, view: View) -> impl Iterator<Item = &Signed<Vote>> {
        self.0.values().filter_map(move |slots| slots.get(&view))
    }

    /// The distinct things voted for in `view` and above.
    pub(crate) fn cast_from(&self, view: View) -> impl Iterator<Item = Vote> {
        self.0.values().flat_map(move |slots| slots.range(view..).map(|(_, signed)| signed.statement))
    }

    /// The vote of one validator in one view.
    pub(crate) fn of(&self, signer: &NodeId, view: View) -> Option<B256> {
        Some(self.0.get(signer)?.get(&view)?.statement.block_hash)
    }
}

/// Both phases.
#[derive(Debug, Default)]
pub(crate) struct VoteBook {
    pub(crate) prevotes: Votes,
    pub(crate) commits: Votes,
}

impl VoteBook {
    pub(crate) fn insert(&mut self, vote: Signed<Vote>) -> Counted {
        match vote.statement.phase {
            Phase::Prevote => self.prevotes.insert(vote),
            Phase::Commit => self.commits.insert(vote),
        }
    }

    /// How many votes are kept.
    pub(crate) fn len(&self) -> usize {
        self.prevotes.0.values().chain(self.commits.0.values()).map(BTreeMap::len).sum()
    }

    /// Who voted in `view` or above, in either phase.
    pub(crate) fn voters_from(&self, view: View) -> impl Iterator<Item = &NodeId> {
        let later = move |(_, slots): &(&NodeId, &BTreeMap<View, Signed<Vote>>)| {
            slots.last_key_value().is_some_and(|(last, _)| *last >= view)
        };
        self.prevotes.0.iter().chain(&self.commits.0).filter(later).map(|(signer, _)| signer)
    }
}
