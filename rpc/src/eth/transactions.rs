//! Transactions: sent, found by hash or by place, their raw bytes and receipts.

use std::sync::Arc;

use alloy_eips::{BlockId, BlockNumberOrTag};
use alloy_rpc_types_eth::TransactionReceipt;
use jsonrpsee::{
    core::{RpcResult, async_trait},
    proc_macros::rpc,
};
use quorate_storage::StoredBlock;
use quorate_types::{B256, Bytes, U64};

use super::{Eth, Prefixed};
use crate::{
    convert::{self, TransactionView},
    error::RpcError,
};

#[rpc(server, namespace = "eth")]
pub(crate) trait TransactionsApi {
    #[method(name = "sendRawTransaction")]
    async fn send_raw_transaction(&self, raw: Prefixed<Bytes>) -> RpcResult<B256>;
    #[method(name = "getTransactionByHash")]
    async fn transaction_by_hash(&self, hash: Prefixed<B256>) -> RpcResult<Option<TransactionView>>;
    #[method(name = "getTransactionByBlockNumberAndIndex")]
    async fn transaction_in_number(
        &self,
        number: BlockNumberOrTag,
        index: U64,
    ) -> RpcResult<Option<TransactionView>>;
    #[method(name = "getTransactionByBlockHashAndIndex")]
    async fn transaction_in_hash(
        &self,
        hash: Prefixed<B256>,
        index: U64,
    ) -> RpcResult<Option<TransactionView>>;
    #[method(name = "getTransactionReceipt")]
    async fn transaction_receipt(&self, hash: Prefixed<B256>) -> RpcResult<Option<TransactionReceipt>>;
    #[method(name = "getRawTransactionByHash")]
    async fn raw_by_hash(&self, hash: Prefixed<B256>) -> RpcResult<Bytes>;
    #[method(name = "getRawTransactionByBlockNumberAndIndex")]
    async fn raw_in_number(&self, number: BlockNumberOrTag, index: U64) -> RpcResult<Bytes>;
    #[method(name = "getRawTransactionByBlockHashAndIndex")]
    async fn raw_in_hash(&self, hash: Prefixed<B256>, index: U64) -> RpcResult<Bytes>;
    #[method(name = "pendingTransactions")]
    fn pending_transactions(&self) -> RpcResult<Vec<TransactionView>>;
}

/// A block, and which of its transactions.
pub(crate) type Place = (Arc<StoredBlock>, usize);

impl Eth {
    pub(crate) fn located(&self, hash: B256) -> Result<Option<Place>, RpcError> {
        let Some((height, index)) = self.backend.store.transaction(hash)? else { return Ok(None) };
        let block = self.backend.store.block(height)?.ok_or(RpcError::UnknownBlock)?;
        Ok(Some((block, usize::try_from(index).unwrap_or(usize::MAX))))
    }

    fn at(&self, block: BlockId, index: U64) -> Result<Option<Place>, RpcError> {
        let index = usize::try_from(index.to::<u64>()).unwrap_or(usize::MAX);
        let block = self.find_block(block)?.filter(|it| index < it.block.transactions().len());
        Ok(block.map(|block| (block, index)))
    }

    fn seen(&self, place: Option<Place>) -> Result<Option<TransactionView>, RpcError> {
        let Some((block, index)) = place else { return Ok(None) };
        convert::transaction(&block, index, self.backend.chain.chain_id).map(Some)
    }

    async fn seen_at(&self, block: BlockId, index: U64) -> RpcResult<Option<TransactionView>> {
        self.read(move |eth| eth.seen(eth.at(block, index)?)).await
    }

    async fn raw_at(&self, block: BlockId, index: U64) -> RpcResult<Bytes> {
        self.read(move |eth| Ok(eth.at(block, index)?.as_ref().map(raw).unwrap_or_default())).await
    }

    /// The bytes of a transaction in a block or in the pool.
    pub(crate) fn raw_transaction(&self, hash: B256) -> Result<Option<Bytes>, RpcError> {
        match self.located(hash)? {
            Some(place) => Ok(Some(raw(&place))),
            None => Ok(self.backend.pool.lock().get(hash).map(|it| it.raw().clone())),
        }
    }
}

fn raw((block, index): &Place) -> Bytes {
    block.block.transactions()[*index].clone()
}

#[async_trait]
impl TransactionsApiServer for Eth {
    async fn send_raw_transaction(&self, Prefixed(raw): Prefixed<Bytes>) -> RpcResult<B256> {
        Ok(self.backend.submit(raw).await?)
    }

    async fn transaction_by_hash(
        &self,
        Prefixed(hash): Prefixed<B256>,
    ) -> RpcResult<Option<TransactionView>> {
        self.read(move |eth| {
            let found = eth.seen(eth.located(hash)?)?;
            Ok(found.or_else(|| eth.backend.pending_transaction(hash)))
        })
        .await
    }

    async fn transaction_in_number(
        &self,
        number: BlockNumberOrTag,
        index: U64,
    ) -> RpcResult<Option<TransactionView>> {
        self.seen_at(number.into(), index).await
    }

    async fn transaction_in_hash(
        &self,
        Prefixed(hash): Prefixed<B256>,
        index: U64,
    ) -> RpcResult<Option<TransactionView>> {
        self.seen_at(hash.into(), index).await
    }

    async fn transaction_receipt(
        &self,
        Prefixed(hash): Prefixed<B256>,
    ) -> RpcResult<Option<TransactionReceipt>> {
        self.read(move |eth| {
            let Some((block, index)) = eth.located(hash)? else { return Ok(None) };
            convert::receipt(&block, index, eth.backend.chain.chain_id).map(Some)
        })
        .await
    }

    /// What does not exist has no bytes, in geth's answer too.
    async fn raw_by_hash(&self, Prefixed(hash): Prefixed<B256>) -> RpcResult<Bytes> {
        self.read(move |eth| Ok(eth.raw_transaction(hash)?.unwrap_or_default())).await
    }

    async fn raw_in_number(&self, number: BlockNumberOrTag, index: U64) -> RpcResult<Bytes> {
        self.raw_at(number.into(), index).await
    }

    async fn raw_in_hash(&self, Prefixed(hash): Prefixed<B256>, index: U64) -> RpcResult<Bytes> {
        self.raw_at(hash.into(), index).await
    }

    /// Those of the node's own accounts, and it has none; `txpool_content` has all.
    fn pending_transactions(&self) -> RpcResult<Vec<TransactionView>> {
        Ok(Vec::new())
    }
}
