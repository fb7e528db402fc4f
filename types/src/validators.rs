//! Who may vote, with which weight, and how much weight makes a quorum.

use alloy_primitives::{Address, B256, keccak256};

use crate::{Height, NodeId, View};

/// The most members that a set may have: what fits a certificate's bitmap of 32 bytes.
pub const MAX_VALIDATORS: usize = 256;
/// The most weight that a set may have in total, so that quorum arithmetic never overflows.
pub const MAX_TOTAL_WEIGHT: u64 = 1 << 32;
/// The version byte that starts the canonical encoding of a set.
const ENCODING_VERSION: u8 = 1;

/// One voting member.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Validator {
    /// Its node key.
    pub key: NodeId,
    /// Its share of the vote, at least 1.
    pub weight: u64,
    /// Who earns the fees of the blocks it proposes.
    pub fee_recipient: Address,
}

impl Validator {
    /// A member without a fee recipient.
    #[must_use]
    pub const fn new(key: NodeId, weight: u64) -> Self {
        Self { key, weight, fee_recipient: Address::ZERO }
    }
}

/// The validators of one height, sorted by key, never empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ValidatorSet {
    members: Vec<Validator>,
    total: u64,
}

impl ValidatorSet {
    /// Sorts the members by key and checks every bound.
    ///
    /// # Errors
    /// For an empty set, too many members, a doubled or unsound key, weight 0, or too much weight.
    pub fn new(members: impl IntoIterator<Item = Validator>) -> Result<Self, ValidatorSetError> {
        let mut members: Vec<_> = members.into_iter().collect();
        members.sort_by_key(|member| member.key);
        if members.is_empty() {
            return Err(ValidatorSetError::Empty);
        }
        if members.len() > MAX_VALIDATORS {
            return Err(ValidatorSetError::TooMany(members.len()));
        }
        if let Some(pair) = members.windows(2).find(|pair| pair[0].key == pair[1].key) {
            return Err(ValidatorSetError::Duplicate(pair[0].key));
        }
        let mut total = 0_u64;
        for member in &members {
            if member.weight == 0 {
                return Err(ValidatorSetError::NoWeight(member.key));
            }
            if !member.key.is_sound() {
                return Err(ValidatorSetError::UnsoundKey(member.key));
            }
            total = total
                .checked_add(member.weight)
                .filter(|total| *total <= MAX_TOTAL_WEIGHT)
                .ok_or(ValidatorSetError::TooHeavy)?;
        }
        Ok(Self { members, total })
    }

    /// The members, sorted by key.
    #[must_use]
    pub fn members(&self) -> &[Validator] {
        &self.members
    }

    /// How many members there are.
    #[must_use]
    #[expect(clippy::len_without_is_empty, reason = "a set is never empty")]
    pub fn len(&self) -> usize {
        self.members.len()
    }

    /// W: the weight of all members.
    #[must_use]
    pub const fn total(&self) -> u64 {
        self.total
    }

    /// F = floor((W - 1) / 3): the weight that may lie without harm.
    #[must_use]
    pub const fn max_faulty(&self) -> u64 {
        (self.total - 1) / 3
    }

    /// Q = floor((W + F) / 2) + 1: any two sets of this weight share an honest member.
    #[must_use]
    pub const fn quorum(&self) -> u64 {
        (self.total + self.max_faulty()) / 2 + 1
    }

    /// F + 1: a set of this weight has an honest member.
    #[must_use]
    pub const fn honest(&self) -> u64 {
        self.max_faulty() + 1
    }

    /// Who proposes in a view: `members[(h + v) mod n]`.
    #[must_use]
    pub fn leader(&self, height: Height, view: View) -> &Validator {
        let n = self.members.len() as u64;
        let index = (height.0 % n + view.0 % n) % n;
        &self.members[usize::try_from(index).expect("an index below 256 fits")]
    }

    /// The place of `key` among the members.
    #[must_use]
    pub fn index_of(&self, key: &NodeId) -> Option<usize> {
        self.members.binary_search_by_key(key, |member| member.key).ok()
    }

    /// Whether `key` may vote.
    #[must_use]
    pub fn contains(&self, key: &NodeId) -> bool {
        self.index_of(key).is_some()
    }

    /// The weight of `key`; 0 when it is no member.
    #[must_use]
    pub fn weight_of(&self, key: &NodeId) -> u64 {
        self.index_of(key).map_or(0, |index| self.members[index].weight)
    }

    /// The weight of distinct `keys`, each counted once however often it stands there.
    #[must_use]
    pub fn weight_of_all<'a>(&self, keys: impl IntoIterator<Item = &'a NodeId>) -> u64 {
        let mut seen = [false; MAX_VALIDATORS];
        let mut weight = 0;
        for index in keys.into_iter().filter_map(|key| self.index_of(key)) {
            if !std::mem::replace(&mut seen[index], true) {
                weight += self.members[index].weight;
            }
        }
        weight
    }

    /// The canonical encoding that block headers bind: a version byte, then each member's key and
    /// its weight as eight big-endian bytes, sorted by key.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(1 + self.members.len() * 40);
        bytes.push(ENCODING_VERSION);
        for member in &self.members {
            bytes.extend_from_slice(&member.key.0);
            bytes.extend_from_slice(&member.weight.to_be_bytes());
        }
        bytes
    }

    /// keccak256 of [`ValidatorSet::encode`]: the `extraData` of the block before the set votes.
    #[must_use]
    pub fn hash(&self) -> B256 {
        keccak256(self.encode())
    }

    /// What the set tolerates, for an operator to read; `None` when it tolerates a liar and no
    /// single member can block it alone.
    #[must_use]
    pub fn weakness(&self) -> Option<String> {
        let faulty = self.max_faulty();
        if faulty == 0 {
            let crash = self.total - self.quorum();
            return Some(format!(
                "{} validators with total weight {}: no lying validator is tolerated, and members of weight {crash} may be down",
                self.len(),
                self.total
            ));
        }
        let heavy = self.members.iter().find(|member| member.weight > faulty)?;
        Some(format!(
            "validator {} has weight {} of {}: more than the {faulty} that may fail, so it alone can stop the chain",
            heavy.key, heavy.weight, self.total
        ))
    }
}

/// Why some validators are no set.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ValidatorSetError {
    /// Nobody could decide anything.
    #[error("a validator set needs at least one member")]
    Empty,
    /// More than [`MAX_VALIDATORS`].
    #[error("{0} validators are more than {MAX_VALIDATORS}")]
    TooMany(usize),
    /// One key twice.
    #[error("validator {0} is listed twice")]
    Duplicate(NodeId),
    /// Weight 0.
    #[error("validator {0} has weight 0; leave it out, or make it an observer")]
    NoWeight(NodeId),
    /// A key that strict verification would refuse.
    #[error("validator {0} is not a canonical ed25519 key of full order")]
    UnsoundKey(NodeId),
    /// More than [`MAX_TOTAL_WEIGHT`].
    #[error("the weights add up to more than {MAX_TOTAL_WEIGHT}")]
    TooHeavy,
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::NodeKey;

    fn set_of(weights: &[u64]) -> ValidatorSet {
        let members = weights
            .iter()
            .zip(1_u8..)
            .map(|(weight, seed)| Validator::new(NodeKey::from_seed([seed; 32]).id(), *weight));
        ValidatorSet::new(members).expect("sound members")
    }

    #[test]
    fn quorums_are_those_of_the_protocol_page() {
        let quorums = [1, 2, 3, 4, 5, 6, 7, 10].map(|n| set_of(&vec![1; n]).quorum());
        assert_eq!(quorums, [1, 2, 2, 3, 4, 4, 5, 7]);
    }

    #[test]
    fn sets_that_tolerate_no_liar_say_so() {
        assert!(set_of(&[1, 1]).weakness().expect("two are weak").contains("weight 0 may be down"));
        assert!(set_of(&[5, 1, 1, 1]).weakness().expect("one is heavy").contains("alone can stop"));
        assert_eq!(set_of(&[1; 4]).weakness(), None);
    }

    #[test]
    fn unsound_sets_are_refused() {
        let member = Validator::new(NodeKey::from_seed([1; 32]).id(), 1);
        let heavy = Validator { weight: MAX_TOTAL_WEIGHT + 1, ..member };
        let weak = Validator::new(NodeId([0; 32]), 1);
        assert_eq!(ValidatorSet::new([]), Err(ValidatorSetError::Empty));
        assert_eq!(ValidatorSet::new([member, member]), Err(ValidatorSetError::Duplicate(member.key)));
        assert_eq!(ValidatorSet::new([heavy]), Err(ValidatorSetError::TooHeavy));
        assert_eq!(ValidatorSet::new([weak]), Err(ValidatorSetError::UnsoundKey(weak.key)));
        assert_eq!(
            ValidatorSet::new([Validator { weight: 0, ..member }]),
            Err(ValidatorSetError::NoWeight(member.key))
        );
    }

    #[test]
    fn a_doubled_signer_weighs_once() {
        let set = set_of(&[2, 3]);
        let key = set.members()[0].key;
        assert_eq!(set.weight_of_all([&key, &key]), set.weight_of(&key));
    }

    proptest! {
        #[test]
        fn two_quorums_share_an_honest_member(weights in prop::collection::vec(1_u64..1000, 1..12)) {
            let set = set_of(&weights);
            // Overlap of two quorums: at least 2Q - W, which must exceed F; and the honest alone suffice.
            prop_assert!(2 * set.quorum() - set.total() > set.max_faulty());
            prop_assert!(set.total() - set.max_faulty() >= set.quorum());
        }
    }
}
