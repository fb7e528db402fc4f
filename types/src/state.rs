//! What a block changes: old and new values, sorted, so that it can be undone, proved and encoded.

use std::collections::BTreeMap;

use alloy_primitives::{Address, B256, Bytes, U256, b256};

/// keccak256 of no code.
pub(crate) const NO_CODE: B256 = b256!("c5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470");

/// An account without its storage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AccountState {
    /// Transactions sent, or contracts created.
    pub nonce: u64,
    /// In wei.
    pub balance: U256,
    /// keccak256 of its code.
    pub code_hash: B256,
}

impl Default for AccountState {
    fn default() -> Self {
        Self { nonce: 0, balance: U256::ZERO, code_hash: NO_CODE }
    }
}

impl AccountState {
    /// Whether EIP-161 counts it as empty, so that it may not stand in the state.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Whether there is code behind the hash.
    #[must_use]
    pub fn has_code(&self) -> bool {
        self.code_hash != NO_CODE
    }
}

/// One storage slot before and after.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SlotChange {
    /// Zero when it was not set.
    pub before: U256,
    /// Zero when it is cleared.
    pub after: U256,
}

/// One account before and after; an account that did not exist, or no longer does, is `None`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AccountChange {
    /// Before the block.
    pub before: Option<AccountState>,
    /// After the block.
    pub after: Option<AccountState>,
    /// The slots that differ.
    pub storage: BTreeMap<U256, SlotChange>,
}

/// All that a block changes in the state.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StateChanges {
    /// The accounts that differ, or whose storage does.
    pub accounts: BTreeMap<Address, AccountChange>,
    /// Code that was deployed, by its hash.
    pub codes: BTreeMap<B256, Bytes>,
}
