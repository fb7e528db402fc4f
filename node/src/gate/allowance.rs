//! How much of what a validator signs is checked.

use std::num::NonZeroU32;

use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};
use quorate_types::{Message, NodeId};

/// Votes and proposals of one signer that one neighbour brings each second: those of some 250 heights.
const VOTES_PER_SECOND: NonZeroU32 = NonZeroU32::new(512).expect("not zero");
/// The same of wishes for views and of refusals, of which an honest validator signs a few in a base timeout.
pub(super) const WISHES_PER_SECOND: NonZeroU32 = NonZeroU32::new(32).expect("not zero");

/// What is left to each signer on each link: a signature may be sound and of no use all the same, as that of a wish for
/// ever higher views. It is counted for each link, since before the check anyone may have written it.
pub(super) struct Allowance {
    votes: DefaultKeyedRateLimiter<(NodeId, NodeId)>,
    wishes: DefaultKeyedRateLimiter<(NodeId, NodeId)>,
}

impl Default for Allowance {
    fn default() -> Self {
        // The burst is one second's worth.
        let of = |rate| RateLimiter::keyed(Quota::per_second(rate));
        Self { votes: of(VOTES_PER_SECOND), wishes: of(WISHES_PER_SECOND) }
    }
}

impl Allowance {
    pub(super) fn takes(&self, from: NodeId, signer: NodeId, message: &Message) -> bool {
        match message {
            Message::Vote(_) | Message::Proposal(_) => self.votes.check_key(&(from, signer)).is_ok(),
            Message::ViewChange(_) | Message::Reject(_) => self.wishes.check_key(&(from, signer)).is_ok(),
            // These have bounds of their own.
            Message::Status(_) | Message::Decided(_) => true,
        }
    }

    /// Drops what is full again: so there are never more than links and validators.
    pub(super) fn forget(&self) {
        self.votes.retain_recent();
        self.wishes.retain_recent();
    }
}
