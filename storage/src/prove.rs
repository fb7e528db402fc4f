//! Merkle proofs of accounts and slots, as `eth_getProof` gives them (EIP-1186).

use std::time::Duration;

use alloy_trie::EMPTY_ROOT_HASH;
use quorate_types::{AccountState, Address, B256, Bytes, Height, U256, keccak256};

use crate::{
    PROOF_WINDOW, StorageError, Store,
    columns::{Column, damaged},
    ledger::Published,
    slots::{Deadline, SlotsAt},
    trie::{AccountTrie, StorageTrie, TrieChanges, account_state, trie_of},
    undo::undo_of,
};

/// The most slots of an account of which one can be proven: all are in memory then, about 100 bytes each.
pub const MAX_PROVEN_SLOTS: usize = 1_000_000;

/// An account at one height, or that there is none, with what proves it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccountProof {
    /// The height.
    pub height: Height,
    /// Whose account it is.
    pub address: Address,
    /// The account; `None` when there is none, which `proof` shows then.
    pub account: Option<AccountState>,
    /// The root of its storage; that of the empty trie when there is no account.
    pub storage_root: B256,
    /// The nodes from the state root of the height's header towards `keccak256(address)`, the root first.
    pub proof: Vec<Bytes>,
    /// The slots that were asked for, in that order.
    pub slots: Vec<SlotProof>,
}

/// A slot with what proves its value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SlotProof {
    /// The slot.
    pub slot: U256,
    /// Its value; zero when it is not in the trie, which `proof` shows then.
    pub value: U256,
    /// The nodes from the storage root towards `keccak256(slot)`, the root first. Empty when the storage
    /// is, as its root says that by itself.
    pub proof: Vec<Bytes>,
}

impl Store {
    /// Proves an account and some of its slots against the state root of the header at `height`.
    ///
    /// It holds up no commit, and none shows in it. It takes some ten microseconds, and more with the
    /// accounts that were changed since `height`. When slots are asked for of a storage that has changed since, or that blocks
    /// seldom change, all slots that the account has or ever had are read into memory, at most [`MAX_PROVEN_SLOTS`]. The caller
    /// bounds the time by `limit`, and the number of `slots` itself.
    ///
    /// # Errors
    /// [`StorageError::UnknownHeight`] above the head, [`StorageError::OutsideProofWindow`] too far below
    /// it, [`StorageError::TimeLimit`] when it took longer than `limit`, [`StorageError::TooManySlots`]; or
    /// when the database fails or is damaged.
    pub fn prove(
        &self,
        height: Height,
        address: Address,
        slots: &[U256],
        limit: Duration,
    ) -> Result<AccountProof, StorageError> {
        let deadline = Deadline::after(limit);
        let published = self.ledger.published();
        let state = self.ledger.slots_at(&published, height);
        let trie = self.trie_at(&published, &state, deadline)?;
        let key = keccak256(address);
        let account = trie.get(&key);
        let storage_root = account.map_or(EMPTY_ROOT_HASH, |account| account.storage_root);
        Ok(AccountProof {
            height,
            address,
            account: account.map(account_state),
            storage_root,
            proof: trie.prove(&key),
            slots: self.slot_proofs(&state, address, storage_root, slots, deadline)?,
        })
    }

    /// The trie at the height of `state`: that of the head, with the accounts as they were before the
    /// blocks since.
    fn trie_at(
        &self,
        published: &Published,
        state: &SlotsAt<'_>,
        deadline: Deadline,
    ) -> Result<AccountTrie, StorageError> {
        let (height, head) = (state.height, published.head.height);
        if height > head {
            return Err(StorageError::UnknownHeight { height, head });
        }
        let outside = || StorageError::OutsideProofWindow { height, head };
        if head.0 - height.0 > PROOF_WINDOW {
            return Err(outside());
        }
        let mut accounts = TrieChanges::new();
        // From the newest on: what an account was before the oldest block is what remains.
        for block in (height.0 + 1..=head.0).rev().map(Height) {
            deadline.check()?;
            match published.pending.iter().find(|pending| pending.height == block) {
                Some(pending) => accounts.extend(pending.undo.iter()),
                None => accounts.extend(undo_of(&state.rows, block)?.ok_or_else(outside)?),
            }
        }
        let trie = published.trie.with(&accounts);
        let expected = self.ledger.header(height)?.header.state_root;
        if trie.root() != expected {
            return Err(StorageError::StateDamaged { height, expected, found: trie.root() });
        }
        Ok(trie)
    }

    fn slot_proofs(
        &self,
        state: &SlotsAt<'_>,
        address: Address,
        storage_root: B256,
        wanted: &[U256],
        deadline: Deadline,
    ) -> Result<Vec<SlotProof>, StorageError> {
        if wanted.is_empty() || storage_root == EMPTY_ROOT_HASH {
            let absent = |slot: &U256| SlotProof { slot: *slot, value: U256::ZERO, proof: Vec::new() };
            return Ok(wanted.iter().map(absent).collect());
        }
        let trie = match self.ledger.storages.get(address, storage_root) {
            Some(trie) => trie,
            None => storage_from_rows(state, address, storage_root, MAX_PROVEN_SLOTS, deadline)?,
        };
        let proven = |slot: &U256| {
            let key = keccak256(slot.to_be_bytes::<32>());
            SlotProof {
                slot: *slot,
                value: trie.get(&key).copied().unwrap_or_default(),
                proof: trie.prove(&key),
            }
        };
        Ok(wanted.iter().map(proven).collect())
    }
}

/// The storage with this root, from the rows of the height at which it has it.
pub(crate) fn storage_from_rows(
    state: &SlotsAt<'_>,
    address: Address,
    root: B256,
    most: usize,
    deadline: Deadline,
) -> Result<StorageTrie, StorageError> {
    let trie = trie_of(state.of(address, most, deadline)?, deadline)?;
    if trie.root() != root {
        return Err(damaged(Column::Slots, address.as_slice(), "they do not add up to the storage root"));
    }
    Ok(trie)
}
