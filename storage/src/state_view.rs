//! The state at one height, with undecided candidates on top: what the EVM reads.

use std::sync::Arc;

use quorate_types::{
    AccountChange, AccountState, Address, B256, Bytes, Height, StateChanges, U256, VALIDATORS_ADDRESS,
    ValidatorSet, read_validators,
};
use revm::{
    database_interface::DatabaseRef,
    state::{AccountInfo, Bytecode},
};

use crate::{
    StorageError,
    ledger::{Ledger, Pending, Published},
};

/// The state after one block, for ever: blocks that are committed later do not show in it. Cheap to
/// make and to clone; it holds no snapshot of the database, so it may be kept.
///
/// A value comes from the first of these that has one:
/// ```text
/// candidates, newest first -> decided blocks without rows, newest first -> history, or the flat row
/// ```
/// Blocks that were decided when the view was made and are at or below its height are kept in it; all
/// others are undone through history. [`AccountInfo::code`] is always `None` and the code hash set: the
/// EVM then asks for the code, where an empty one would make every call do nothing.
#[derive(Clone)]
pub struct StateView {
    ledger: Arc<Ledger>,
    height: Height,
    pending: Vec<Arc<Pending>>,
    candidates: Vec<Candidate>,
}

#[derive(Clone)]
struct Candidate {
    hash: Option<B256>,
    changes: Arc<StateChanges>,
}

impl StateView {
    pub(crate) fn new(ledger: Arc<Ledger>, published: &Published, height: Height) -> Self {
        let pending = published.pending.iter().filter(|block| block.height <= height).cloned().collect();
        Self { ledger, height, pending, candidates: Vec::new() }
    }

    /// Puts the changes of an undecided block on top. Its hash serves `BLOCKHASH`; without it, asking
    /// for that block's hash is an error.
    #[must_use]
    pub fn with_candidate(mut self, hash: Option<B256>, changes: Arc<StateChanges>) -> Self {
        self.candidates.push(Candidate { hash, changes });
        self
    }

    /// The height of the committed block below all candidates.
    #[must_use]
    pub const fn height(&self) -> Height {
        self.height
    }

    /// The account without its storage; `None` when it does not exist.
    ///
    /// # Errors
    /// When the database fails or is damaged.
    pub fn account(&self, address: Address) -> Result<Option<AccountState>, StorageError> {
        match self.layers().find_map(|changes| changes.accounts.get(&address)) {
            Some(change) => Ok(change.after),
            None => self.ledger.account_at(address, self.height),
        }
    }

    /// A storage slot; zero when it was never set.
    ///
    /// # Errors
    /// When the database fails or is damaged.
    pub fn slot(&self, address: Address, slot: U256) -> Result<U256, StorageError> {
        let changes = self.layers().filter_map(|changes| changes.accounts.get(&address));
        match changes.filter_map(|change| slot_after(change, slot)).next() {
            Some(value) => Ok(value),
            None => self.ledger.slot_at(address, slot, self.height),
        }
    }

    /// Code by its hash.
    ///
    /// # Errors
    /// [`StorageError::UnknownCode`], or when the database fails.
    pub fn code(&self, hash: B256) -> Result<Bytes, StorageError> {
        if hash == AccountState::default().code_hash {
            return Ok(Bytes::new());
        }
        match self.layers().find_map(|changes| changes.codes.get(&hash)) {
            Some(code) => Ok(code.clone()),
            None => self.ledger.code(hash),
        }
    }

    /// Who votes after the newest block of this view.
    ///
    /// # Errors
    /// When the database fails, or the state holds no sound set.
    pub fn validators(&self) -> Result<ValidatorSet, StorageError> {
        read_validators(|slot| self.slot(VALIDATORS_ADDRESS, slot))
    }

    /// The changes that stand in front of the rows, newest first.
    fn layers(&self) -> impl Iterator<Item = &StateChanges> {
        let candidates = self.candidates.iter().rev().map(|it| &*it.changes);
        candidates.chain(self.pending.iter().rev().map(|it| &*it.changes))
    }
}

/// What a change says about a slot: an account that is gone has no slots left.
fn slot_after(change: &AccountChange, slot: U256) -> Option<U256> {
    let value = change.storage.get(&slot).map(|it| it.after);
    value.or_else(|| change.after.is_none().then_some(U256::ZERO))
}

impl DatabaseRef for StateView {
    type Error = StorageError;

    fn basic_ref(&self, address: Address) -> Result<Option<AccountInfo>, StorageError> {
        let info = |AccountState { nonce, balance, code_hash }| AccountInfo {
            nonce,
            balance,
            code_hash,
            code: None,
            account_id: None,
        };
        Ok(self.account(address)?.map(info))
    }

    fn code_by_hash_ref(&self, hash: B256) -> Result<Bytecode, StorageError> {
        self.ledger.bytecode(hash, || self.code(hash))
    }

    fn storage_ref(&self, address: Address, slot: U256) -> Result<U256, StorageError> {
        self.slot(address, slot)
    }

    fn block_hash_ref(&self, number: u64) -> Result<B256, StorageError> {
        if number <= self.height.0 {
            return self.ledger.hash(Height(number));
        }
        let above = usize::try_from(number - self.height.0 - 1).ok();
        let candidate = above.and_then(|index| self.candidates.get(index)).and_then(|it| it.hash);
        candidate.ok_or(StorageError::UnknownHeight { height: Height(number), head: self.height })
    }
}
