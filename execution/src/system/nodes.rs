//! The known nodes and the four ways to change them, without any EVM.

use quorate_types::{Address, MAX_TOTAL_WEIGHT, MAX_VALIDATORS, NodeId, U256, Validator};

use super::refusal::Refusal;

/// As much of a wrong node id as a reason repeats: a caller may send ten times as much.
const SHOWN_ID_CHARS: usize = 80;

/// What happened to one node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Change {
    SealerAdded { id: NodeId, weight: u64 },
    ObserverAdded { id: NodeId },
    Removed { id: NodeId },
    WeightSet { id: NodeId, before: u64, weight: u64 },
}

/// The records of the contract, validators and observers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Nodes(pub(super) Vec<Validator>);

impl Nodes {
    pub(super) fn add_sealer(
        &mut self,
        id: &str,
        weight: U256,
        fee_recipient: Address,
    ) -> Result<Change, Refusal> {
        let id = read_id(id)?;
        let known = self.find(&id);
        if let Some(Validator { weight, .. }) = known.map(|at| self.0[at]).filter(|it| it.weight > 0) {
            return Err(Refusal::AlreadyValidator { id, weight });
        }
        let weight = self.check_weight(weight, 0)?;
        match known {
            Some(at) => self.0[at].weight = weight,
            None => self.push(Validator { key: id, weight, fee_recipient })?,
        }
        Ok(Change::SealerAdded { id, weight })
    }

    pub(super) fn add_observer(&mut self, id: &str, fee_recipient: Address) -> Result<Change, Refusal> {
        let id = read_id(id)?;
        match self.find(&id) {
            Some(at) if self.0[at].weight == 0 => return Err(Refusal::AlreadyObserver(id)),
            Some(at) => {
                self.check_not_last(at)?;
                self.0[at].weight = 0;
            }
            None => self.push(Validator { key: id, weight: 0, fee_recipient })?,
        }
        Ok(Change::ObserverAdded { id })
    }

    pub(super) fn remove(&mut self, id: &str) -> Result<Change, Refusal> {
        let id = read_id(id)?;
        let at = self.find(&id).ok_or(Refusal::Unknown(id))?;
        self.check_not_last(at)?;
        // The last one takes its place: fewest slots change.
        self.0.swap_remove(at);
        Ok(Change::Removed { id })
    }

    pub(super) fn set_weight(&mut self, id: &str, weight: U256) -> Result<Change, Refusal> {
        let id = read_id(id)?;
        let at = self.find(&id).ok_or(Refusal::Unknown(id))?;
        let before = self.0[at].weight;
        if before == 0 {
            return Err(Refusal::NoValidator(id));
        }
        let weight = self.check_weight(weight, before)?;
        self.0[at].weight = weight;
        Ok(Change::WeightSet { id, before, weight })
    }

    fn find(&self, id: &NodeId) -> Option<usize> {
        self.0.iter().position(|it| it.key == *id)
    }

    fn push(&mut self, node: Validator) -> Result<(), Refusal> {
        if self.0.len() >= MAX_VALIDATORS {
            return Err(Refusal::Full);
        }
        // Only here: what is in the list was checked when it came.
        if !node.key.is_sound() {
            return Err(Refusal::UnsoundKey(node.key));
        }
        self.0.push(node);
        Ok(())
    }

    /// A weight in the place of `before` must be a vote, and leave the sum within its bound.
    fn check_weight(&self, weight: U256, before: u64) -> Result<u64, Refusal> {
        if weight.is_zero() {
            return Err(Refusal::NoWeight);
        }
        let others = self.0.iter().map(|it| it.weight).sum::<u64>() - before;
        let fits = u64::try_from(weight).ok().filter(|it| *it <= MAX_TOTAL_WEIGHT.saturating_sub(others));
        fits.ok_or(Refusal::TooHeavy { weight })
    }

    fn check_not_last(&self, at: usize) -> Result<(), Refusal> {
        let others = self.0.iter().enumerate().any(|(other, it)| other != at && it.weight > 0);
        if self.0[at].weight > 0 && !others { Err(Refusal::LastValidator(self.0[at].key)) } else { Ok(()) }
    }
}

fn read_id(text: &str) -> Result<NodeId, Refusal> {
    text.parse().map_err(|_| Refusal::Id(text.chars().take(SHOWN_ID_CHARS).collect()))
}

#[cfg(test)]
mod tests {
    use quorate_types::NodeKey;

    use super::*;

    const FEES: Address = Address::repeat_byte(0xfe);

    fn id(seed: u8) -> NodeId {
        NodeKey::from_seed([seed; 32]).id()
    }

    fn text(seed: u8) -> String {
        id(seed).to_string()
    }

    /// Nodes 1 and up with these weights.
    fn nodes(weights: &[u64]) -> Nodes {
        let node =
            |(weight, seed): (&u64, u8)| Validator { key: id(seed), weight: *weight, fee_recipient: FEES };
        Nodes(weights.iter().zip(1..).map(node).collect())
    }

    #[test]
    fn a_node_goes_through_all_roles_and_keeps_who_earns_its_fees() {
        let mut it = nodes(&[1, 0]);
        let other = Address::repeat_byte(1);
        assert_eq!(
            it.add_sealer(&text(2), U256::from(7), other),
            Ok(Change::SealerAdded { id: id(2), weight: 7 })
        );
        assert_eq!(it.0[1].fee_recipient, FEES);
        let set = it.set_weight(&format!("0x{}", text(2).to_uppercase()), U256::from(3));
        assert_eq!(set, Ok(Change::WeightSet { id: id(2), before: 7, weight: 3 }));
        assert_eq!(it.add_observer(&text(2), other), Ok(Change::ObserverAdded { id: id(2) }));
        assert_eq!(it, nodes(&[1, 0]));
        assert_eq!(it.remove(&text(2)), Ok(Change::Removed { id: id(2) }));
        assert_eq!(
            it.add_sealer(&text(2), U256::from(2), other),
            Ok(Change::SealerAdded { id: id(2), weight: 2 })
        );
        assert_eq!(it.0[1].fee_recipient, other, "a new one's");
    }

    #[test]
    fn what_makes_no_set_is_refused_with_what_to_do() {
        let mut it = nodes(&[5, 1, 0]);
        let one = U256::from(1);
        let said = |result: Result<Change, Refusal>| result.expect_err("refused").to_string();
        assert!(said(it.add_sealer("0xabc", one, FEES)).contains("64 hex digits"));
        assert!(said(it.add_sealer(&"z".repeat(1 << 20), one, FEES)).len() < 200, "a reason has a length");
        assert!(
            said(it.add_sealer(&"00".repeat(32), one, FEES)).contains("canonical ed25519 key of full order")
        );
        assert!(said(it.add_observer(&format!("01{}", "00".repeat(31)), FEES)).contains("full order"));
        assert!(said(it.add_sealer(&text(1), one, FEES)).contains("weight 5 already: use setWeight"));
        assert!(said(it.add_observer(&text(3), FEES)).contains("observer already"));
        assert!(said(it.add_sealer(&text(9), U256::ZERO, FEES)).contains("weight 0 is no vote"));
        assert!(said(it.set_weight(&text(1), U256::ZERO)).contains("weight 0 is no vote"));
        assert!(said(it.set_weight(&text(3), one)).contains("is an observer and has no weight"));
        assert!(said(it.set_weight(&text(9), one)).contains("is not known"));
        assert!(said(it.remove(&text(9))).contains("is not known"));
        assert_eq!(it, nodes(&[5, 1, 0]), "nothing changed");
    }

    #[test]
    fn the_weights_end_at_the_bound_and_not_one_above() {
        let mut it = nodes(&[5, 1]);
        let most = U256::from(MAX_TOTAL_WEIGHT - 5);
        assert!(matches!(it.set_weight(&text(2), most + U256::from(1)), Err(Refusal::TooHeavy { .. })));
        assert!(matches!(it.add_sealer(&text(3), U256::MAX, FEES), Err(Refusal::TooHeavy { .. })));
        assert!(it.set_weight(&text(2), most).is_ok());
        assert!(matches!(it.add_sealer(&text(3), U256::from(1), FEES), Err(Refusal::TooHeavy { .. })));
    }

    #[test]
    fn the_last_validator_stays() {
        let mut it = nodes(&[0, 4]);
        assert_eq!(it.remove(&text(2)), Err(Refusal::LastValidator(id(2))));
        assert_eq!(it.add_observer(&text(2), FEES), Err(Refusal::LastValidator(id(2))));
        assert!(it.remove(&text(1)).is_ok(), "an observer may go");
    }

    #[test]
    fn observers_count_towards_the_most() {
        let mut it = nodes(&[1]);
        let mut rest = (2..=255).filter(|seed| it.add_observer(&text(*seed), FEES).is_ok());
        assert_eq!(rest.by_ref().count(), 254);
        assert!(it.add_observer(&text(0), FEES).is_ok(), "the 256th");
        let one_more = NodeKey::from_seed([7; 32].map(|it: u8| it ^ 0x80)).id().to_string();
        let mut last = [0x11; 32];
        last[0] = 9;
        let last = NodeKey::from_seed(last).id().to_string();
        assert!(it.add_sealer(&one_more, U256::from(1), FEES).is_ok(), "an observer may become a validator");
        assert_eq!(it.add_observer(&last, FEES), Err(Refusal::Full));
    }
}
