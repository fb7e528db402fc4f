//! Headers: what the rules alone determine, and whether a proposal follows them.

use std::fmt::Debug;

use alloy_consensus::EMPTY_OMMER_ROOT_HASH;
use alloy_rlp::{Encodable, length_of_length};
use quorate_types::{
    Address, B256, Bytes, EMPTY_REQUESTS_HASH, EMPTY_ROOT, Fork, Header, Height, ValidatorSet, mix_hash,
};

use crate::{BlockError, Executor};

/// The longest RLP of a block: EIP-7934's 10 MiB less its margin of 2 MiB. It holds at every fork
/// here, because messages are sized by it.
pub const MAX_BLOCK_RLP_BYTES: usize = (10 << 20) - (2 << 20);
/// The first byte from which on bytes are an RLP list, so that a transaction is a legacy one.
const RLP_LIST: u8 = 0xc0;
/// No ommers and no withdrawals: two empty lists of one byte each.
const EMPTY_LISTS_BYTES: usize = 2;

impl Executor {
    /// The header of the block after `parent` with all that needs no execution: roots, bloom and
    /// gas used are left empty. Good enough for calls on the pending block.
    ///
    /// `timestamp` is in seconds and never lets time run backwards.
    #[must_use]
    pub fn unsealed(&self, parent: &Header, timestamp: u64, fee_recipient: Address) -> Header {
        let height = Height(parent.number).next();
        let parent_hash = parent.hash_slow();
        let prague = self.config.fork_at(height) >= Fork::Prague;
        Header {
            parent_hash,
            ommers_hash: EMPTY_OMMER_ROOT_HASH,
            beneficiary: fee_recipient,
            number: height.0,
            gas_limit: self.config.gas_limit,
            timestamp: timestamp.max(parent.timestamp),
            mix_hash: mix_hash(parent_hash, height),
            base_fee_per_gas: Some(self.config.base_fee.next(parent)),
            withdrawals_root: Some(EMPTY_ROOT),
            blob_gas_used: Some(0),
            excess_blob_gas: Some(0),
            parent_beacon_block_root: Some(B256::ZERO),
            requests_hash: prague.then_some(EMPTY_REQUESTS_HASH),
            ..Header::default()
        }
    }

    /// Every rule of a header that needs no execution.
    pub(crate) fn check_header(
        &self,
        parent: &Header,
        header: &Header,
        validators: &ValidatorSet,
    ) -> Result<(), BlockError> {
        let want = self.unsealed(parent, header.timestamp, header.beneficiary);
        same("number", header.number, want.number)?;
        same("parentHash", header.parent_hash, want.parent_hash)?;
        same("timestamp", header.timestamp, want.timestamp)?;
        same("gasLimit", header.gas_limit, want.gas_limit)?;
        same("extraData length", header.extra_data.len(), B256::len_bytes())?;
        same("mixHash", header.mix_hash, want.mix_hash)?;
        same("baseFeePerGas", header.base_fee_per_gas, want.base_fee_per_gas)?;
        same("sha3Uncles", header.ommers_hash, want.ommers_hash)?;
        same("difficulty", header.difficulty, want.difficulty)?;
        same("nonce", header.nonce, want.nonce)?;
        same("withdrawalsRoot", header.withdrawals_root, want.withdrawals_root)?;
        same("blobGasUsed", header.blob_gas_used, want.blob_gas_used)?;
        same("excessBlobGas", header.excess_blob_gas, want.excess_blob_gas)?;
        same("parentBeaconBlockRoot", header.parent_beacon_block_root, want.parent_beacon_block_root)?;
        same("requestsHash", header.requests_hash, want.requests_hash)?;
        same("blockAccessListHash", header.block_access_list_hash, want.block_access_list_hash)?;
        same("slotNumber", header.slot_number, want.slot_number)?;
        if validators.members().iter().any(|member| member.fee_recipient == header.beneficiary) {
            return Ok(());
        }
        Err(field("miner", &header.beneficiary, &"the fee recipient of a validator"))
    }
}

/// A field must be what the rules make it.
pub(crate) fn same<T: PartialEq + Debug>(name: &'static str, have: T, want: T) -> Result<(), BlockError> {
    if have == want { Ok(()) } else { Err(field(name, &have, &want)) }
}

fn field(field: &'static str, have: &dyn Debug, want: &dyn Debug) -> BlockError {
    BlockError::Header { field, have: format!("{have:?}"), want: format!("{want:?}") }
}

/// The length of a block's RLP: header, transactions, no ommers, no withdrawals.
#[must_use]
pub fn block_rlp_length(header: &Header, transactions: &[Bytes]) -> usize {
    let body = transactions.iter().map(|raw| transaction_rlp_length(raw)).sum();
    rlp_length_of(header.length(), body)
}

/// The same from the lengths of the header and of all transactions.
pub(crate) const fn rlp_length_of(header: usize, body: usize) -> usize {
    let payload = header + list_length(body) + EMPTY_LISTS_BYTES;
    list_length(payload)
}

/// A transaction's length inside a block: typed ones are wrapped in a string.
pub(crate) fn transaction_rlp_length(raw: &[u8]) -> usize {
    if raw.first().is_some_and(|byte| *byte >= RLP_LIST) { raw.len() } else { raw.length() }
}

const fn list_length(payload: usize) -> usize {
    payload + length_of_length(payload)
}
