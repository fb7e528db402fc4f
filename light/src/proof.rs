//! Answers of `eth_getProof` (EIP-1186) against a state root.

use std::collections::BTreeMap;

use alloy_trie::{
    EMPTY_ROOT_HASH, KECCAK_EMPTY, Nibbles, TrieAccount,
    proof::{ProofVerificationError, verify_proof},
};
use quorate_types::{
    AccountState, Address, B256, Bytes, U256, VALIDATORS_ADDRESS, ValidatorSet, keccak256, read_validators,
};

use crate::LightError;

/// What `eth_getProof` answers, with its fields.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccountAnswer {
    /// `address`.
    pub address: Address,
    /// `nonce`.
    pub nonce: u64,
    /// `balance`, in wei.
    pub balance: U256,
    /// `codeHash`; of an absent account zero, or that of no code.
    pub code_hash: B256,
    /// `storageHash`; of an absent account zero, or that of an empty trie.
    pub storage_root: B256,
    /// `accountProof`: nodes from the state root on.
    pub proof: Vec<Bytes>,
    /// `storageProof`.
    pub slots: Vec<SlotAnswer>,
}

/// One entry of `storageProof`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SlotAnswer {
    /// `key`.
    pub slot: U256,
    /// `value`.
    pub value: U256,
    /// `proof`: nodes from the storage root on.
    pub proof: Vec<Bytes>,
}

impl AccountAnswer {
    /// Checks the account and every slot against the state root of a header that is trusted. `None`
    /// means that it is proven that there is no such account.
    ///
    /// # Errors
    /// [`LightError::Account`] or [`LightError::Slot`]: the first claim that is not proven.
    pub fn verify(&self, state_root: B256) -> Result<Option<AccountState>, LightError> {
        let Self { address, nonce, balance, code_hash, storage_root, .. } = *self;
        let is_nothing = (nonce, balance) == (0, U256::ZERO)
            && [B256::ZERO, KECCAK_EMPTY].contains(&code_hash)
            && [B256::ZERO, EMPTY_ROOT_HASH].contains(&storage_root);
        // A genesis file may make an account with nothing in it: then the trie has it all the same.
        if is_nothing && verify(state_root, address, None, &self.proof).is_ok() {
            self.verify_slots(EMPTY_ROOT_HASH)?;
            return Ok(None);
        }
        let account = TrieAccount::new(nonce, balance, storage_root, code_hash);
        verify(state_root, address, Some(alloy_rlp::encode(account)), &self.proof)
            .map_err(|why| LightError::Account { address, state_root, why: why.to_string() })?;
        self.verify_slots(storage_root)?;
        Ok(Some(AccountState { nonce, balance, code_hash }))
    }

    fn verify_slots(&self, storage_root: B256) -> Result<(), LightError> {
        for SlotAnswer { slot, value, proof } in &self.slots {
            let leaf = (!value.is_zero()).then(|| alloy_rlp::encode(value));
            verify(storage_root, slot.to_be_bytes::<32>(), leaf, proof).map_err(|why| LightError::Slot {
                slot: *slot,
                storage_root,
                why: why.to_string(),
            })?;
        }
        Ok(())
    }
}

/// Both tries are keyed by hashes (Yellow Paper, section 4.1).
fn verify(
    root: B256,
    key: impl AsRef<[u8]>,
    value: Option<Vec<u8>>,
    proof: &[Bytes],
) -> Result<(), ProofVerificationError> {
    verify_proof(root, Nibbles::unpack(keccak256(key)), value, proof)
}

/// The set that votes on height h + 1, from the storage of the contract at `0x1003` in the state after
/// block h. The answer has to hold every slot of its records.
///
/// # Errors
/// When the answer is about another account, proves nothing of a slot that is needed, does not fit the
/// state root, or when the records make no set.
pub fn proven_validators(state_root: B256, answer: &AccountAnswer) -> Result<ValidatorSet, LightError> {
    if answer.address != VALIDATORS_ADDRESS {
        return Err(LightError::OtherAccount { expected: VALIDATORS_ADDRESS, found: answer.address });
    }
    answer.verify(state_root)?;
    let slots: BTreeMap<_, _> = answer.slots.iter().map(|it| (it.slot, it.value)).collect();
    read_validators(|slot| slots.get(&slot).copied().ok_or(LightError::NotProven(slot)))
}
