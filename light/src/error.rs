//! Why an answer is not to be believed.

use quorate_types::{Address, B256, CertificateError, GenesisError, Height, U256, ValidatorSetError};

/// Why an answer is not to be believed.
#[derive(Debug, thiserror::Error)]
pub enum LightError {
    /// The genesis file makes no block 0.
    #[error(transparent)]
    Genesis(#[from] GenesisError),
    /// The nodes do not lead from the state root to what was claimed of the account.
    #[error("the proof of account {address} does not fit state root {state_root}: {why}")]
    Account {
        /// Whose account.
        address: Address,
        /// The root in the header.
        state_root: B256,
        /// What the trie's verifier found.
        why: String,
    },
    /// The nodes do not lead from the storage root to the slot's value.
    #[error("the proof of slot {slot} does not fit storage root {storage_root}: {why}")]
    Slot {
        /// Which slot.
        slot: U256,
        /// The root in the account.
        storage_root: B256,
        /// What the trie's verifier found.
        why: String,
    },
    /// The answer is about another account.
    #[error("the answer is about account {found}, not {expected}")]
    OtherAccount {
        /// Which one was needed.
        expected: Address,
        /// Which one it is about.
        found: Address,
    },
    /// A slot that is needed was not asked for.
    #[error("the answer proves nothing of slot {0}")]
    NotProven(U256),
    /// The validators make no set.
    #[error(transparent)]
    Validators(#[from] ValidatorSetError),
    /// The header is at or below the last one that was followed.
    #[error("the header of height {found} leads nowhere: height {followed} was followed already")]
    NotAbove {
        /// The header's height.
        found: Height,
        /// The height of the last header.
        followed: Height,
    },
    /// The header of the next height names another parent.
    #[error("the header of height {height} names parent {found}, not {expected}")]
    WrongParent {
        /// The header's height.
        height: Height,
        /// The hash of the last header.
        expected: B256,
        /// What it names.
        found: B256,
    },
    /// The certificate is of another block.
    #[error("the certificate is of block {certified}, the header of block {found}")]
    OtherBlock {
        /// What was certified.
        certified: B256,
        /// The header's hash.
        found: B256,
    },
    /// Too few, or wrong signatures.
    #[error("the certificate of height {height}: {source}")]
    Certificate {
        /// The header's height.
        height: Height,
        /// What is wrong with it.
        source: CertificateError,
    },
    /// The header binds another set than the one that came with it.
    #[error("the header of height {height} binds another validator set: ask for the one after it")]
    OtherSet {
        /// The header's height.
        height: Height,
    },
}
