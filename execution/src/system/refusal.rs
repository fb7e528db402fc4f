//! Why the contract refuses: each becomes the reason of a revert, and says what to do instead.

use quorate_types::{Address, MAX_TOTAL_WEIGHT, MAX_VALIDATORS, NodeId, U256, ValidatorSetError};

/// Why a call of the contract changed nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Refusal {
    #[error("no method of the consensus contract has the selector {0}: check the ABI")]
    Method(String),
    #[error("the arguments cannot be decoded: {0}")]
    Arguments(String),
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
    #[error("the nodes in the state are no sound list: {0}")]
    State(#[from] ValidatorSetError),
}
