//! From what is stored to what gRPC clients read. Receipts and logs are told as JSON-RPC tells them, in other words.

use alloy_consensus::{Transaction as _, Typed2718 as _};
use alloy_rlp::Encodable as _;
use alloy_rpc_types_eth as view;
use bytes::Bytes;
use quorate_storage::{AccountProof, StoredBlock};
use quorate_types::{
    Address, B256, CommitCertificate, Envelope, Header, NodeId, Transaction, U256, ValidatorSet,
};

use super::v1;
use crate::{convert, error::RpcError};

/// Bytes of their own.
pub(super) fn octets(bytes: impl AsRef<[u8]>) -> Bytes {
    Bytes::copy_from_slice(bytes.as_ref())
}

/// A number in 32 bytes.
pub(super) fn word(number: U256) -> Bytes {
    octets(number.to_be_bytes::<32>())
}

fn wei(amount: u128) -> Bytes {
    word(U256::from(amount))
}

/// The bytes of a key.
pub(super) fn key(id: &NodeId) -> Bytes {
    octets(id.0)
}

pub(super) fn header(header: &Header, hash: B256) -> v1::Header {
    let mut rlp = Vec::with_capacity(header.length());
    header.encode(&mut rlp);
    v1::Header {
        hash: octets(hash),
        height: header.number,
        parent_hash: octets(header.parent_hash),
        timestamp: header.timestamp,
        fee_recipient: octets(header.beneficiary),
        state_root: octets(header.state_root),
        transactions_root: octets(header.transactions_root),
        receipts_root: octets(header.receipts_root),
        gas_limit: header.gas_limit,
        gas_used: header.gas_used,
        base_fee_per_gas: header.base_fee_per_gas.unwrap_or_default(),
        validators_hash: octets(&header.extra_data),
        logs_bloom: octets(header.logs_bloom),
        rlp: rlp.into(),
    }
}

/// A block with the hashes of its transactions, or with all of them.
pub(super) fn block(block: &StoredBlock, full: bool, chain_id: u64) -> Result<v1::Block, RpcError> {
    let count = if full { block.block.transactions().len() } else { 0 };
    Ok(v1::Block {
        header: Some(header(block.block.header(), block.hash)),
        transaction_hashes: block.block.transaction_hashes().iter().map(octets).collect(),
        transactions: (0..count)
            .map(|index| transaction(block, index, chain_id))
            .collect::<Result<_, _>>()?,
    })
}

/// The transaction at `index` of a decided block.
pub(super) fn transaction(
    block: &StoredBlock,
    index: usize,
    chain_id: u64,
) -> Result<v1::Transaction, RpcError> {
    let envelope = convert::envelope(block, index, chain_id)?;
    let raw = block.block.transactions()[index].0.clone();
    let place = place(block.block.header().number, block.hash, index as u64);
    Ok(signed(&envelope, block.senders[index], raw, Some(place)))
}

/// A transaction that waits in the pool.
pub(super) fn pending(transaction: &Transaction) -> v1::Transaction {
    signed(transaction.envelope(), transaction.sender(), transaction.raw().0.clone(), None)
}

fn signed(envelope: &Envelope, from: Address, raw: Bytes, place: Option<v1::Place>) -> v1::Transaction {
    // Before EIP-1559 a transaction has one price, which is the most for both.
    let tip = envelope.max_priority_fee_per_gas().unwrap_or_else(|| envelope.max_fee_per_gas());
    v1::Transaction {
        hash: octets(envelope.tx_hash()),
        from: octets(from),
        to: envelope.to().map(octets),
        nonce: envelope.nonce(),
        value: word(envelope.value()),
        input: envelope.input().0.clone(),
        gas_limit: envelope.gas_limit(),
        max_fee_per_gas: wei(envelope.max_fee_per_gas()),
        max_priority_fee_per_gas: wei(tip),
        r#type: envelope.ty().into(),
        place,
        raw,
    }
}

fn place(height: u64, block_hash: B256, index: u64) -> v1::Place {
    v1::Place { height, block_hash: octets(block_hash), index: u32::try_from(index).unwrap_or(u32::MAX) }
}

pub(super) fn receipt(receipt: view::TransactionReceipt) -> v1::Receipt {
    let place = place(
        receipt.block_number.unwrap_or_default(),
        receipt.block_hash.unwrap_or_default(),
        receipt.transaction_index.unwrap_or_default(),
    );
    v1::Receipt {
        transaction_hash: octets(receipt.transaction_hash),
        place: Some(place),
        from: octets(receipt.from),
        to: receipt.to.map(octets),
        contract_address: receipt.contract_address.map(octets),
        success: receipt.inner.status(),
        gas_used: receipt.gas_used,
        cumulative_gas_used: receipt.inner.cumulative_gas_used(),
        effective_gas_price: wei(receipt.effective_gas_price),
        r#type: u8::from(receipt.inner.tx_type()).into(),
        logs: receipt.inner.logs().iter().cloned().map(log).collect(),
    }
}

pub(super) fn log(log: view::Log) -> v1::Log {
    v1::Log {
        address: octets(log.address()),
        topics: log.topics().iter().map(octets).collect(),
        place: Some(place(
            log.block_number.unwrap_or_default(),
            log.block_hash.unwrap_or_default(),
            log.transaction_index.unwrap_or_default(),
        )),
        transaction_hash: octets(log.transaction_hash.unwrap_or_default()),
        log_index: log.log_index.and_then(|it| u32::try_from(it).ok()).unwrap_or_default(),
        timestamp: log.block_timestamp.unwrap_or_default(),
        data: log.inner.data.data.0,
    }
}

/// A certificate, with the names of those who signed it.
pub(super) fn certificate(
    certificate: &CommitCertificate,
    set: &ValidatorSet,
) -> Result<v1::Certificate, RpcError> {
    let signers = certificate.signer_ids(set).map_err(|error| RpcError::Internal(error.to_string()))?;
    Ok(v1::Certificate {
        height: certificate.height().0,
        view: certificate.view().0,
        block_hash: octets(certificate.block_hash()),
        signers: signers.into_iter().map(key).collect(),
        signatures: certificate.signatures.iter().map(|it| octets(it.0)).collect(),
        encoded: quorate_proto::encode_certificate(certificate),
    })
}

/// Who votes on `height`.
pub(super) fn validators(set: &ValidatorSet, height: u64) -> v1::ValidatorSet {
    let members = set.members().iter();
    let validator = |it: &quorate_types::Validator| v1::Validator {
        id: key(&it.key),
        weight: it.weight,
        fee_recipient: octets(it.fee_recipient),
    };
    v1::ValidatorSet {
        height,
        total_weight: set.total(),
        quorum_weight: set.quorum(),
        hash: octets(set.hash()),
        validators: members.map(validator).collect(),
    }
}

/// An account that is not there has the fields of an empty one, as EIP-1186 has it.
pub(super) fn proof(proof: AccountProof) -> v1::Proof {
    let account = proof.account.unwrap_or_default();
    let slot = |it: quorate_storage::SlotProof| v1::SlotProof {
        slot: word(it.slot),
        value: word(it.value),
        proof: it.proof.into_iter().map(|node| node.0).collect(),
    };
    v1::Proof {
        height: proof.height.0,
        address: octets(proof.address),
        balance: word(account.balance),
        nonce: account.nonce,
        code_hash: octets(account.code_hash),
        storage_root: octets(proof.storage_root),
        account_proof: proof.proof.into_iter().map(|node| node.0).collect(),
        slots: proof.slots.into_iter().map(slot).collect(),
    }
}
