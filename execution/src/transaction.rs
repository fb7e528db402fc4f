//! From a recovered transaction to what revm runs.

use alloy_consensus::{Transaction as _, crypto::secp256k1::recover_signer};
use alloy_eips::eip7702::{RecoveredAuthority, RecoveredAuthorization, SignedAuthorization};
use quorate_types::Transaction;
use rayon::prelude::*;
use revm::{context::TxEnv, context_interface::either::Either};

/// The EIP-2718 type of blob transactions, which this chain refuses.
pub(crate) const BLOB_TYPE: u8 = 3;

/// Recovers who signed each authorization (EIP-7702), on rayon's pool: some 40 µs each, and a block
/// has room for thousands. revm left alone would use k256, 4.7 times slower.
pub(crate) fn recover_authorities(list: &[SignedAuthorization]) -> Vec<RecoveredAuthorization> {
    list.par_iter()
        .map(|signed| RecoveredAuthorization::new_unchecked(signed.inner().clone(), authority(signed)))
        .collect()
}

/// An authorization with an unsound signature is skipped by the EVM; it spoils no transaction.
fn authority(signed: &SignedAuthorization) -> RecoveredAuthority {
    let recover = || {
        let signature = signed.signature().ok()?;
        recover_signer(&signature, signed.signature_hash()).ok()
    };
    recover().map_or(RecoveredAuthority::Invalid, RecoveredAuthority::Valid)
}

/// The authorities of a transaction; none, and no allocation, for all types but 4.
pub(crate) fn authorities_of(transaction: &Transaction) -> Vec<RecoveredAuthorization> {
    transaction.envelope().authorization_list().map(recover_authorities).unwrap_or_default()
}

/// The transaction as revm takes it.
pub(crate) fn tx_env(transaction: &Transaction, authorities: Vec<RecoveredAuthorization>) -> TxEnv {
    let envelope = transaction.envelope();
    TxEnv {
        tx_type: transaction.tx_type(),
        caller: transaction.sender(),
        gas_limit: envelope.gas_limit(),
        gas_price: envelope.max_fee_per_gas(),
        kind: envelope.kind(),
        value: envelope.value(),
        data: envelope.input().clone(),
        nonce: envelope.nonce(),
        chain_id: envelope.chain_id(),
        access_list: envelope.access_list().cloned().unwrap_or_default(),
        gas_priority_fee: envelope.max_priority_fee_per_gas(),
        blob_hashes: Vec::new(),
        max_fee_per_blob_gas: 0,
        authorization_list: authorities.into_iter().map(Either::Right).collect(),
    }
}
