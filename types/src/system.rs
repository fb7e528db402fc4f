//! The system contract at `0x1003`: where the validator set lives in the state.
//!
//! Its storage follows Solidity's layout of a dynamic array, so that `eth_getProof` shows it to
//! anyone who trusts no node:
//!
//! ```text
//! slot 0                      number of records
//! slot 1                      address administrator, who alone may change them; 0: nobody
//! keccak256(slot 0) + 2i      node key of record i (bytes32)
//! keccak256(slot 0) + 2i + 1  uint64 weight in the low 8 bytes, address feeRecipient in the 20 above
//! ```
//! A record of weight 0 is a known node without a vote: an observer. There are 256 records at most, in no order.

use alloy_primitives::{Address, B256, U256, address, b256};

use crate::{MAX_VALIDATORS, NodeId, Validator, ValidatorSet, ValidatorSetError};

/// Where the validator set is kept (FISCO BCOS's consensus precompile has the same address).
pub const VALIDATORS_ADDRESS: Address = address!("0000000000000000000000000000000000001003");
/// EIP-2935's contract, which serves the hashes of the last 8,191 blocks.
pub const HISTORY_STORAGE_ADDRESS: Address = address!("0000F90827F1C53a10cb7A02335B175320002935");

/// Where the administrator's address stands in the contract's storage.
pub const ADMINISTRATOR_SLOT: U256 = U256::from_limbs([1, 0, 0, 0]);

const LENGTH_SLOT: U256 = U256::ZERO;
/// keccak256 of slot 0: where Solidity puts the elements of an array in that slot.
const FIRST_RECORD: B256 = b256!("290decd9548b62a8d60345a988386fc84ba6bc95484008f6362f93160ef3e563");

fn record_slot(index: usize) -> U256 {
    U256::from_be_bytes(FIRST_RECORD.0).wrapping_add(U256::from(2 * index))
}

fn pack(weight: u64, fee_recipient: Address) -> U256 {
    (U256::from_be_slice(fee_recipient.as_slice()) << 64) | U256::from(weight)
}

fn unpack(word: U256) -> (u64, Address) {
    let bytes = word.to_be_bytes::<32>();
    let weight = u64::from_be_bytes(bytes[24..].try_into().expect("eight bytes"));
    (weight, Address::from_slice(&bytes[4..24]))
}

/// The storage of the contract for `members`, as (slot, value).
#[must_use]
pub fn validator_slots(members: &[Validator]) -> Vec<(U256, U256)> {
    let mut slots = vec![(LENGTH_SLOT, U256::from(members.len()))];
    for (index, member) in members.iter().enumerate() {
        let slot = record_slot(index);
        slots.push((slot, U256::from_be_bytes(member.key.0)));
        slots.push((slot + U256::from(1), pack(member.weight, member.fee_recipient)));
    }
    slots
}

/// Reads how many records there are; more than a set may hold is no state of this chain.
///
/// # Errors
/// Those of `slot`, and too many.
pub fn read_record_count<E: From<ValidatorSetError>>(
    mut slot: impl FnMut(U256) -> Result<U256, E>,
) -> Result<usize, E> {
    let records = slot(LENGTH_SLOT)?.saturating_to::<usize>();
    if records > MAX_VALIDATORS { Err(ValidatorSetError::TooMany(records).into()) } else { Ok(records) }
}

/// Reads every record from the contract's storage through `slot`: validators, and observers with weight 0.
///
/// # Errors
/// Those of [`read_record_count`].
pub fn read_records<E: From<ValidatorSetError>>(
    mut slot: impl FnMut(U256) -> Result<U256, E>,
) -> Result<Vec<Validator>, E> {
    let count = read_record_count(&mut slot)?;
    let record = |index| {
        let at = record_slot(index);
        let key = NodeId(slot(at)?.to_be_bytes());
        let (weight, fee_recipient) = unpack(slot(at + U256::from(1))?);
        Ok(Validator { key, weight, fee_recipient })
    };
    (0..count).map(record).collect()
}

/// Reads the set from the contract's storage through `slot`, skipping observers.
///
/// # Errors
/// Those of `slot`, and a set that breaks a bound: the contract refuses to store one, so it means
/// that the state is not this chain's.
pub fn read_validators<E: From<ValidatorSetError>>(
    slot: impl FnMut(U256) -> Result<U256, E>,
) -> Result<ValidatorSet, E> {
    let records = read_records(slot)?;
    Ok(ValidatorSet::new(records.into_iter().filter(|record| record.weight > 0))?)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use alloy_primitives::keccak256;

    use super::*;
    use crate::NodeKey;

    #[test]
    fn records_stand_where_solidity_puts_an_array() {
        assert_eq!(FIRST_RECORD, keccak256(LENGTH_SLOT.to_be_bytes::<32>()));
    }

    #[test]
    fn a_set_survives_its_storage_and_observers_stay_outside() {
        let member = |seed: u8, weight| Validator {
            key: NodeKey::from_seed([seed; 32]).id(),
            weight,
            fee_recipient: Address::repeat_byte(seed),
        };
        let members = [member(1, 5), member(2, 0), member(3, 7)];
        let storage: BTreeMap<_, _> = validator_slots(&members).into_iter().collect();
        let read =
            read_validators::<ValidatorSetError>(|slot| Ok(storage.get(&slot).copied().unwrap_or_default()));
        assert_eq!(read, ValidatorSet::new([members[0], members[2]]));
    }
}
