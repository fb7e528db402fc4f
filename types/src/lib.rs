//! # quorate-types: the words that every crate shares
//!
//! Heights and views that cannot be mixed up, validator sets with their quorum arithmetic, node
//! keys, the signed statements of the protocol and the certificates that they add up to, blocks
//! with standard Ethereum headers, recovered transactions, the outcome of executing a block, and
//! the genesis file.
//!
//! What it never knows: sockets, clocks, disks, threads, the EVM. Everything here is a value.
//!
//! ## From a vote to a certificate
//! ```text
//! Statement --sign--> Signed<S> --verify--> counted once per signer --Q of them--> QuorumCertificate
//!    Vote{Prevote}                                                        PrepareCertificate (a lock)
//!    Vote{Commit}                                                         CommitCertificate  (final)
//! ```
//! Every signature covers a domain (chain id and genesis hash), the statement's kind and all its
//! fields, so that no statement can pass for another, on this chain or on any other.
//!
//! ## From bytes to a block
//! ```text
//! Bytes --Transaction::decode--> checked form --recover--> Transaction (hash, sender, raw bytes)
//! Block { header, raw transactions } --execution--> ExecutedBlock { receipts, changes, next set }
//! ```
//!
//! ```
//! use quorate_types::{Height, NodeKey, Validator, ValidatorSet, View};
//! let members = (1u8..=4).map(|seed| Validator::new(NodeKey::from_seed([seed; 32]).id(), 1));
//! let set = ValidatorSet::new(members)?;
//! assert_eq!((set.max_faulty(), set.quorum(), set.honest()), (1, 3, 2));
//! assert_eq!(set.leader(Height(5), View(2)).key, set.members()[3].key);
//! # Ok::<(), quorate_types::ValidatorSetError>(())
//! ```

mod block;
mod certificate;
mod digest;
mod executed;
mod genesis;
mod keys;
mod message;
mod number;
mod state;
mod statement;
mod system;
mod transaction;
mod validators;

pub use alloy_consensus::{Header, ReceiptEnvelope};
pub use alloy_primitives::{
    Address, B256, Bloom, Bytes, Log, TxKind, U64, U256, address, b256, hex, keccak256,
};
pub use block::{Block, EMPTY_REQUESTS_HASH, EMPTY_ROOT, mix_hash};
pub use certificate::{
    CertificateError, CommitCertificate, PrepareCertificate, QuorumCertificate, VoteTally,
};
pub use executed::ExecutedBlock;
pub use genesis::{BaseFee, ChainConfig, Fork, Genesis, GenesisError, GenesisValidator, MAX_CHAIN_ID};
pub use keys::{Ed25519, NodeId, NodeKey, NodeKeyError, Signature, Signer, SignerError, Verifier};
pub use message::{
    Decided, Justification, Message, Proposal, SignedViewChange, Verified, VerifyContext, VerifyError,
};
pub use number::{Height, View};
pub use state::{AccountChange, AccountState, SlotChange, StateChanges};
pub use statement::{
    Domain, Phase, Prepared, Propose, Reject, RejectReason, Roots, Signable, Signed, Statement, Status,
    ViewChange, Vote,
};
pub use system::{
    ADMINISTRATOR_SLOT, HISTORY_STORAGE_ADDRESS, VALIDATORS_ADDRESS, read_record_count, read_records,
    read_validators, validator_slots,
};
pub use transaction::{Envelope, Transaction, TransactionError, UnrecoveredTransaction};
pub use validators::{MAX_TOTAL_WEIGHT, MAX_VALIDATORS, Validator, ValidatorSet, ValidatorSetError};
