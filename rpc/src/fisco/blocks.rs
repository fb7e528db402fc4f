//! Blocks, transactions, receipts, and how many there are.

use std::time::Instant;

use alloy_consensus::Transaction as _;
use alloy_eips::Encodable2718 as _;
use quorate_storage::{StorageError, StoredBlock};
use quorate_types::{Address, B256, Envelope, Header, Height, Log, TxKind, hex, keccak256};
use serde_json::{Map, Value, json};

use super::{Arguments, Fisco, GROUP};
use crate::{convert, error::RpcError};

/// The status of a transaction that ran to its end.
const SUCCESS: u32 = 0;
/// FISCO's "revert instruction", for every other end: a receipt here does not say more.
const FAILED: u32 = 16;
/// Version 3 has times in milliseconds; blocks here have whole seconds.
const MS_PER_SECOND: u64 = 1000;

/// The transactions of the blocks below `next`.
#[derive(Debug, Default)]
pub(super) struct Counted {
    next: u64,
    total: u64,
    failed: u64,
}

impl Fisco {
    pub(super) fn block_number(&self, _: &Arguments) -> Result<Value, RpcError> {
        Ok(json!(self.backend().store.head().height))
    }

    pub(super) fn block_by_number(&self, arguments: &Arguments) -> Result<Value, RpcError> {
        self.block(arguments.height(0)?, arguments)
    }

    pub(super) fn block_by_hash(&self, arguments: &Arguments) -> Result<Value, RpcError> {
        let hash = arguments.required(0, "block hash")?;
        let height = self.backend().store.height_of(hash)?.ok_or(RpcError::UnknownHash)?;
        self.block(height, arguments)
    }

    pub(super) fn block_hash(&self, arguments: &Arguments) -> Result<Value, RpcError> {
        let hash = self.backend().store.hash_of(arguments.height(0)?)?;
        Ok(json!(hash.ok_or(RpcError::UnknownBlock)?))
    }

    fn block(&self, height: Height, arguments: &Arguments) -> Result<Value, RpcError> {
        let block = self.backend().store.block(height)?.ok_or(RpcError::UnknownBlock)?;
        let (only_header, only_hashes) = if arguments.is_version_2 {
            (false, !arguments.flag(1).unwrap_or(false))
        } else {
            (arguments.flag(1).unwrap_or(true), arguments.flag(2).unwrap_or(true))
        };
        let mut view = self.header(block.block.header(), block.hash)?;
        if !only_header {
            let transactions = if only_hashes {
                json!(block.block.transaction_hashes())
            } else {
                let all = convert::envelopes(&block, self.backend().chain.chain_id)?;
                let all = all.iter().zip(&block.senders);
                Value::Array(all.map(|(one, sender)| self.view_of(one, *sender)).collect())
            };
            view.insert("transactions".to_owned(), transactions);
        }
        Ok(Value::Object(view))
    }

    /// A header with what its certificate says: who led, and who signed.
    fn header(&self, header: &Header, hash: B256) -> Result<Map<String, Value>, RpcError> {
        let (store, height) = (&self.backend().store, Height(header.number));
        // Block 0 has nobody before it: its own set stands in.
        let set = store.view_at(height.previous().unwrap_or(height))?.validators()?;
        let certificate = store.certificate(height)?;
        let (mut sealer, mut signatures) = (0, Vec::new());
        if let Some(certificate) = &certificate {
            let index = |key| set.index_of(key).unwrap_or_default();
            sealer = index(&set.leader(height, certificate.view()).key);
            let signers = certificate.signer_ids(&set).map_err(|it| RpcError::Internal(it.to_string()))?;
            let signed = signers.into_iter().zip(&certificate.signatures);
            signatures = signed
                .map(
                    |(key, it)| json!({ "sealerIndex": index(key), "signature": hex::encode_prefixed(it.0) }),
                )
                .collect();
        }
        let parent =
            height.previous().map(|below| json!({ "blockNumber": below, "blockHash": header.parent_hash }));
        let members = set.members();
        let view = json!({
            "hash": hash,
            "version": 0,
            "number": height,
            "txsRoot": header.transactions_root,
            "receiptsRoot": header.receipts_root,
            "stateRoot": header.state_root,
            "gasUsed": format!("{:x}", header.gas_used),
            "timestamp": header.timestamp * MS_PER_SECOND,
            "sealer": sealer,
            "extraData": header.extra_data,
            "consensusWeights": members.iter().map(|it| it.weight).collect::<Vec<_>>(),
            "sealerList": members.iter().map(|it| it.key).collect::<Vec<_>>(),
            "parentInfo": parent.into_iter().collect::<Vec<_>>(),
            "signatureList": signatures,
        });
        match view {
            Value::Object(view) => Ok(view),
            other => Err(RpcError::Internal(format!("no object: {other}"))),
        }
    }

    pub(super) fn transaction(&self, arguments: &Arguments) -> Result<Value, RpcError> {
        let Some((block, index)) = self.eth.located(arguments.required(0, "transaction hash")?)? else {
            return Ok(Value::Null);
        };
        let envelope = convert::envelope(&block, index, self.backend().chain.chain_id)?;
        Ok(self.view_of(&envelope, block.senders[index]))
    }

    fn view_of(&self, transaction: &Envelope, sender: Address) -> Value {
        let fee = |fee: Option<u128>| fee.unwrap_or_default().to_string();
        json!({
            "version": 0,
            "hash": transaction.tx_hash(),
            "nonce": format!("{:x}", transaction.nonce()),
            "blockLimit": 0,
            "to": recipient(transaction),
            "input": transaction.input(),
            "from": sender,
            "importTime": 0,
            "chainID": self.backend().chain.chain_id.to_string(),
            "groupID": GROUP,
            "abi": "",
            "signature": hex::encode_prefixed(transaction.signature().as_bytes()),
            "extraData": "",
            "value": transaction.value().to_string(),
            "gasLimit": transaction.gas_limit(),
            "gasPrice": fee(transaction.gas_price()),
            "maxFeePerGas": fee(transaction.gas_price().is_none().then(|| transaction.max_fee_per_gas())),
            "maxPriorityFeePerGas": fee(transaction.max_priority_fee_per_gas()),
        })
    }

    pub(super) fn receipt(&self, arguments: &Arguments) -> Result<Value, RpcError> {
        let Some((block, index)) = self.eth.located(arguments.required(0, "transaction hash")?)? else {
            return Ok(Value::Null);
        };
        self.receipt_at(&block, index)
    }

    fn receipt_at(&self, block: &StoredBlock, index: usize) -> Result<Value, RpcError> {
        let chain_id = self.backend().chain.chain_id;
        let envelope = convert::envelope(block, index, chain_id)?;
        let view = convert::receipt(block, index, chain_id)?;
        let stored = &block.receipts[index];
        let contract = |text: fn(Address) -> String| view.contract_address.map(text).unwrap_or_default();
        Ok(json!({
            "version": 0,
            "transactionHash": view.transaction_hash,
            "hash": keccak256(stored.encoded_2718()),
            "blockNumber": block.block.height(),
            "contractAddress": contract(|it| format!("{it:#x}")),
            "checksumContractAddress": contract(|it| it.to_checksum(None)),
            "gasUsed": format!("{:x}", view.gas_used),
            "status": if stored.status() { SUCCESS } else { FAILED },
            "message": "",
            "output": "0x",
            "logEntries": stored.logs().iter().map(log).collect::<Vec<_>>(),
            "effectiveGasPrice": view.effective_gas_price.to_string(),
            "from": view.from,
            "to": recipient(&envelope),
            "input": envelope.input(),
            "extraData": "",
        }))
    }

    /// Counts on from where the last question left it, for as long as a call may take.
    pub(super) fn total_transactions(&self, _: &Arguments) -> Result<Value, RpcError> {
        let Some(mut counted) = self.counted.try_lock() else {
            return Err(RpcError::Limit("they are being counted already: ask again".to_owned()));
        };
        let (store, limit, began) = (&self.backend().store, self.eth.limits.call_timeout, Instant::now());
        let head = store.head().height;
        while counted.next <= head.0 {
            if began.elapsed() > limit {
                // What was counted is kept: the next question goes on from there.
                return Err(StorageError::TimeLimit { limit }.into());
            }
            let outcomes = store.outcomes(Height(counted.next))?.ok_or(RpcError::UnknownBlock)?;
            counted.total += outcomes.transactions;
            counted.failed += outcomes.failed;
            counted.next += 1;
        }
        Ok(json!({
            "blockNumber": head,
            "transactionCount": counted.total,
            "failedTransactionCount": counted.failed,
        }))
    }
}

fn recipient(transaction: &Envelope) -> String {
    match transaction.kind() {
        TxKind::Call(to) => format!("{to:#x}"),
        TxKind::Create => String::new(),
    }
}

/// The address without `0x`, as FISCO has it here.
fn log(log: &Log) -> Value {
    json!({ "address": format!("{:x}", log.address), "topics": log.topics(), "data": log.data.data })
}
