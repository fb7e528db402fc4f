//! From what is stored to what clients read.

use alloy_consensus::{ReceiptEnvelope, Transaction as _, transaction::Recovered};
use alloy_rpc_types_eth as view;
use quorate_execution::block_rlp_length;
use quorate_storage::{FoundLog, StoredBlock};
use quorate_types::{Address, B256, Envelope, Header, Log, Transaction, U256, UnrecoveredTransaction};
use serde::Serialize;
use serde_json::Value;

use crate::error::RpcError;

/// A transaction as clients read it.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct TransactionView {
    #[serde(flatten)]
    transaction: view::Transaction<Envelope>,
    /// While it waits: no block gives it a time, and the field is there all the same, as in geth. The library leaves it out.
    #[serde(rename = "blockTimestamp", skip_serializing_if = "Option::is_none")]
    timeless: Option<()>,
}

/// A block, or its header alone, as clients read it.
#[derive(Clone, Debug, Serialize)]
#[serde(untagged)]
pub(crate) enum View<T> {
    /// It is decided.
    Decided(Box<T>),
    /// It is not proposed yet: neither hash nor nonce nor proposer are known.
    Pending(Value),
}

pub(crate) type BlockView = View<view::Block<TransactionView>>;
pub(crate) type HeaderView = View<view::Header>;

/// The transaction at `index` of a decided block, as it was signed.
pub(crate) fn envelope(block: &StoredBlock, index: usize, chain_id: u64) -> Result<Envelope, RpcError> {
    let raw = block.block.transactions()[index].clone();
    UnrecoveredTransaction::decode(raw, chain_id)
        .map(|it| it.envelope().clone())
        .map_err(|error| RpcError::Internal(format!("stored transaction {index} does not decode: {error}")))
}

/// The transaction at `index` of a decided block.
pub(crate) fn transaction(
    block: &StoredBlock,
    index: usize,
    chain_id: u64,
) -> Result<TransactionView, RpcError> {
    let envelope = envelope(block, index, chain_id)?;
    Ok(placed(envelope, block.senders[index], (block.block.header(), block.hash), index))
}

/// The transaction at `index` of the block with this header and its hash.
pub(crate) fn placed(
    envelope: Envelope,
    sender: Address,
    (header, hash): (&Header, B256),
    index: usize,
) -> TransactionView {
    let price = envelope.effective_gas_price(header.base_fee_per_gas);
    let transaction = view::Transaction {
        inner: Recovered::new_unchecked(envelope, sender),
        block_hash: Some(hash),
        block_number: Some(header.number),
        transaction_index: Some(index as u64),
        effective_gas_price: Some(price),
        block_timestamp: Some(header.timestamp),
    };
    TransactionView { transaction, timeless: None }
}

/// A transaction that waits in the pool; its price is the most that it offers, as geth has it.
pub(crate) fn pending(transaction: &Transaction) -> TransactionView {
    let envelope = transaction.envelope().clone();
    let price = envelope.effective_gas_price(None);
    let transaction = view::Transaction {
        inner: Recovered::new_unchecked(envelope, transaction.sender()),
        block_hash: None,
        block_number: None,
        transaction_index: None,
        effective_gas_price: Some(price),
        block_timestamp: None,
    };
    TransactionView { transaction, timeless: Some(()) }
}

/// A header with its hash.
pub(crate) fn header(header: &Header, hash: B256) -> view::Header {
    view::Header { hash, inner: header.clone(), total_difficulty: None, size: None }
}

/// A block with the hashes of its transactions, or with all of them.
pub(crate) fn block(block: &StoredBlock, full: bool, chain_id: u64) -> Result<BlockView, RpcError> {
    let count = block.block.transactions().len();
    let transactions = if full {
        let all = (0..count).map(|index| transaction(block, index, chain_id)).collect::<Result<_, _>>()?;
        view::BlockTransactions::Full(all)
    } else {
        view::BlockTransactions::Hashes(block.block.transaction_hashes())
    };
    let size = block_rlp_length(block.block.header(), block.block.transactions());
    let mut header = header(block.block.header(), block.hash);
    header.size = Some(U256::from(size));
    let block =
        view::Block { header, uncles: Vec::new(), transactions, withdrawals: Some(Vec::new().into()) };
    Ok(View::Decided(Box::new(block)))
}

/// The block after the head, empty: who proposes it chooses what it holds.
pub(crate) fn pending_block(header: &Header) -> Result<BlockView, RpcError> {
    let mut view = self::header(header, B256::ZERO);
    view.size = Some(U256::from(block_rlp_length(header, &[])));
    let block = view::Block::<TransactionView> {
        header: view,
        uncles: Vec::new(),
        transactions: view::BlockTransactions::Full(Vec::new()),
        withdrawals: Some(Vec::new().into()),
    };
    Ok(View::Pending(unproposed(block)?))
}

/// The header of the block after the head.
pub(crate) fn pending_header(header: &Header) -> Result<HeaderView, RpcError> {
    Ok(View::Pending(unproposed(self::header(header, B256::ZERO))?))
}

fn unproposed(view: impl Serialize) -> Result<Value, RpcError> {
    let mut view = serde_json::to_value(view).map_err(|error| RpcError::Internal(error.to_string()))?;
    for unknown in ["hash", "nonce", "miner"] {
        view[unknown] = Value::Null;
    }
    Ok(view)
}

/// All transactions of a block, decoded.
pub(crate) fn envelopes(block: &StoredBlock, chain_id: u64) -> Result<Vec<Envelope>, RpcError> {
    (0..block.block.transactions().len()).map(|index| envelope(block, index, chain_id)).collect()
}

/// All receipts of a block.
pub(crate) fn receipts(
    block: &StoredBlock,
    chain_id: u64,
) -> Result<Vec<view::TransactionReceipt>, RpcError> {
    let mut first_log = 0;
    let located = |(index, own): (usize, &ReceiptEnvelope)| {
        let before = first_log;
        first_log += own.logs().len();
        receipt_at(block, index, before, chain_id)
    };
    block.receipts.iter().enumerate().map(located).collect()
}

/// The receipt of the transaction at `index`.
pub(crate) fn receipt(
    block: &StoredBlock,
    index: usize,
    chain_id: u64,
) -> Result<view::TransactionReceipt, RpcError> {
    let first_log = block.receipts[..index].iter().map(|it| it.logs().len()).sum();
    receipt_at(block, index, first_log, chain_id)
}

/// The receipt of the transaction at `index`, before which the block has `first_log` logs.
fn receipt_at(
    block: &StoredBlock,
    index: usize,
    first_log: usize,
    chain_id: u64,
) -> Result<view::TransactionReceipt, RpcError> {
    let header = block.block.header();
    let envelope = envelope(block, index, chain_id)?;
    let from = block.senders[index];
    let receipts = &block.receipts;
    let gas_before = index.checked_sub(1).map_or(0, |before| receipts[before].cumulative_gas_used());
    let hash = *envelope.tx_hash();
    let place = LogPlace { block, transaction: hash, index: index as u64, first_log: first_log as u64 };
    let to = envelope.to();
    Ok(view::TransactionReceipt {
        inner: place.locate(receipts[index].clone()),
        transaction_hash: hash,
        transaction_index: Some(index as u64),
        block_hash: Some(block.hash),
        block_number: Some(header.number),
        gas_used: receipts[index].cumulative_gas_used() - gas_before,
        effective_gas_price: envelope.effective_gas_price(header.base_fee_per_gas),
        blob_gas_used: None,
        blob_gas_price: None,
        from,
        to,
        contract_address: to.is_none().then(|| Address::create(&from, envelope.nonce())),
    })
}

/// Where the logs of one transaction stand.
struct LogPlace<'a> {
    block: &'a StoredBlock,
    transaction: B256,
    index: u64,
    first_log: u64,
}

impl LogPlace<'_> {
    fn locate(&self, receipt: ReceiptEnvelope) -> ReceiptEnvelope<view::Log> {
        let mut next = self.first_log;
        receipt.map_logs(|log| {
            let log_index = next;
            next += 1;
            self.log(log, log_index)
        })
    }

    fn log(&self, log: Log, log_index: u64) -> view::Log {
        view::Log {
            inner: log,
            block_hash: Some(self.block.hash),
            block_number: Some(self.block.block.header().number),
            block_timestamp: Some(self.block.block.header().timestamp),
            transaction_hash: Some(self.transaction),
            transaction_index: Some(self.index),
            log_index: Some(log_index),
            removed: false,
        }
    }
}

/// A log that a query found.
pub(crate) fn found_log(found: FoundLog) -> view::Log {
    view::Log {
        inner: found.log,
        block_hash: Some(found.block_hash),
        block_number: Some(found.height.0),
        block_timestamp: Some(found.timestamp),
        transaction_hash: Some(found.transaction_hash),
        transaction_index: Some(found.transaction_index.into()),
        log_index: Some(found.log_index.into()),
        removed: false,
    }
}
