//! Why the contract refuses: each becomes the reason of a revert, and says what to do instead.
//!
//! The words are consensus: a contract that calls this one can store them, and then the state root depends on each
//! letter. So they change only with a fork, no other crate's error is part of them, and a test below holds all of them.

use alloy_sol_types::{Revert, SolError as _};
use quorate_types::{Address, Bytes, MAX_TOTAL_WEIGHT, MAX_VALIDATORS, NodeId, U256};

use super::MAX_INPUT_BYTES;

/// Why a call of the contract changed nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Refusal {
    #[error("no method of the consensus contract has the selector {0}: check the ABI")]
    Method(String),
    #[error(
        "the input is longer than {MAX_INPUT_BYTES} bytes, which no call of the consensus contract is: check the ABI"
    )]
    TooLong,
    #[error("the arguments cannot be decoded: check the ABI")]
    Arguments,
    #[error("the consensus contract acts at its own address alone: use call, not delegatecall or callcode")]
    Misuse,
    #[error("the consensus contract takes no ether: send the call without value")]
    Value,
    #[error("genesis names no administrator for this chain: its nodes cannot be changed")]
    NoAdministrator,
    #[error(
        "only the administrator {administrator} may change the nodes, not {caller}: send it from that account"
    )]
    NotAdministrator { administrator: Address, caller: Address },
    #[error("`{0}` is no node id: give the node's public key as 64 hex digits, with or without 0x")]
    Id(String),
    #[error("node {0} is not a canonical ed25519 key of full order: take the id that the node itself shows")]
    UnsoundKey(NodeId),
    #[error("node {id} is a validator of weight {weight} already: use setWeight for another weight")]
    AlreadyValidator { id: NodeId, weight: u64 },
    #[error("node {0} is an observer already: use addSealer to give it a vote")]
    AlreadyObserver(NodeId),
    #[error("node {0} is not known: use addSealer or addObserver for a new one")]
    Unknown(NodeId),
    #[error("node {0} is an observer and has no weight: use addSealer to give it a vote")]
    NoValidator(NodeId),
    #[error("weight 0 is no vote: use addObserver for a node that shall not vote")]
    NoWeight,
    #[error("weight {weight} would make more than {MAX_TOTAL_WEIGHT} in all: choose smaller weights")]
    TooHeavy { weight: U256 },
    #[error("node {0} is the last validator, and nobody could decide anything without it: add another first")]
    LastValidator(NodeId),
    #[error("{MAX_VALIDATORS} nodes are known, which is the most: remove one first")]
    Full,
    #[error("the nodes in the state are no sound list: it is not a state of this chain")]
    State,
}

impl Refusal {
    /// What the revert returns: Solidity's `Error(string)`.
    pub(super) fn output(&self) -> Bytes {
        Revert::from(self.to_string()).abi_encode().into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every refusal, and its words to the letter.
    fn golden() -> Vec<(Refusal, &'static str)> {
        let id = NodeId([0xab; 32]);
        let (administrator, caller) = (Address::repeat_byte(0xaa), Address::repeat_byte(0xcc));
        vec![
            (
                Refusal::Method("0xdeadbeef".to_owned()),
                "no method of the consensus contract has the selector 0xdeadbeef: check the ABI",
            ),
            (
                Refusal::TooLong,
                "the input is longer than 1024 bytes, which no call of the consensus contract is: check the ABI",
            ),
            (Refusal::Arguments, "the arguments cannot be decoded: check the ABI"),
            (
                Refusal::Misuse,
                "the consensus contract acts at its own address alone: use call, not delegatecall or callcode",
            ),
            (Refusal::Value, "the consensus contract takes no ether: send the call without value"),
            (
                Refusal::NoAdministrator,
                "genesis names no administrator for this chain: its nodes cannot be changed",
            ),
            (
                Refusal::NotAdministrator { administrator, caller },
                "only the administrator 0xaAaAaAaaAaAaAaaAaAAAAAAAAaaaAaAaAaaAaaAa may change the nodes, not \
                 0xCcCCccccCCCCcCCCCCCcCcCccCcCCCcCcccccccC: send it from that account",
            ),
            (
                Refusal::Id("0xabc".to_owned()),
                "`0xabc` is no node id: give the node's public key as 64 hex digits, with or without 0x",
            ),
            (
                Refusal::UnsoundKey(id),
                "node abababababababababababababababababababababababababababababababab is not a canonical ed25519 \
                 key of full order: take the id that the node itself shows",
            ),
            (
                Refusal::AlreadyValidator { id, weight: 5 },
                "node abababababababababababababababababababababababababababababababab is a validator of weight 5 \
                 already: use setWeight for another weight",
            ),
            (
                Refusal::AlreadyObserver(id),
                "node abababababababababababababababababababababababababababababababab is an observer already: use \
                 addSealer to give it a vote",
            ),
            (
                Refusal::Unknown(id),
                "node abababababababababababababababababababababababababababababababab is not known: use addSealer \
                 or addObserver for a new one",
            ),
            (
                Refusal::NoValidator(id),
                "node abababababababababababababababababababababababababababababababab is an observer and has no \
                 weight: use addSealer to give it a vote",
            ),
            (Refusal::NoWeight, "weight 0 is no vote: use addObserver for a node that shall not vote"),
            (
                Refusal::TooHeavy { weight: U256::from(1_u64 << 33) },
                "weight 8589934592 would make more than 4294967296 in all: choose smaller weights",
            ),
            (
                Refusal::LastValidator(id),
                "node abababababababababababababababababababababababababababababababab is the last validator, and \
                 nobody could decide anything without it: add another first",
            ),
            (Refusal::Full, "256 nodes are known, which is the most: remove one first"),
            (Refusal::State, "the nodes in the state are no sound list: it is not a state of this chain"),
        ]
    }

    /// A new refusal does not compile here before it has a place, and its words belong into the list above.
    const fn place(refusal: &Refusal) -> usize {
        match refusal {
            Refusal::Method(_) => 0,
            Refusal::TooLong => 1,
            Refusal::Arguments => 2,
            Refusal::Misuse => 3,
            Refusal::Value => 4,
            Refusal::NoAdministrator => 5,
            Refusal::NotAdministrator { .. } => 6,
            Refusal::Id(_) => 7,
            Refusal::UnsoundKey(_) => 8,
            Refusal::AlreadyValidator { .. } => 9,
            Refusal::AlreadyObserver(_) => 10,
            Refusal::Unknown(_) => 11,
            Refusal::NoValidator(_) => 12,
            Refusal::NoWeight => 13,
            Refusal::TooHeavy { .. } => 14,
            Refusal::LastValidator(_) => 15,
            Refusal::Full => 16,
            Refusal::State => 17,
        }
    }

    /// `Error(string)` of the Solidity ABI, byte by byte and by nobody's library.
    fn error_of(words: &str) -> Vec<u8> {
        let word = |number: usize| U256::from(number).to_be_bytes::<32>();
        let mut bytes =
            [&[0x08, 0xc3, 0x79, 0xa0][..], &word(32), &word(words.len()), words.as_bytes()].concat();
        bytes.resize(4 + 64 + words.len().next_multiple_of(32), 0);
        bytes
    }

    #[test]
    fn every_refusal_reverts_with_the_same_bytes_for_ever() {
        for (at, (refusal, words)) in golden().iter().enumerate() {
            assert_eq!(place(refusal), at, "{refusal:?}");
            assert_eq!(refusal.to_string(), *words);
            assert_eq!(refusal.output()[..], error_of(words)[..], "{refusal:?}");
        }
    }
}
