//! Blocks, headers, and what is counted in them.

use std::sync::Arc;

use alloy_eips::{BlockId, BlockNumberOrTag};
use alloy_rpc_types_eth::TransactionReceipt;
use jsonrpsee::{
    core::{RpcResult, async_trait},
    proc_macros::rpc,
};
use quorate_storage::StoredBlock;
use quorate_types::{B256, U64};
use serde_json::Value;

use super::{Eth, Prefixed};
use crate::{
    convert::{self, BlockView, HeaderView, View},
    error::RpcError,
};

#[rpc(server, namespace = "eth")]
pub(crate) trait BlocksApi {
    #[method(name = "getBlockByNumber")]
    async fn block_by_number(
        &self,
        number: BlockNumberOrTag,
        full: Option<bool>,
    ) -> RpcResult<Option<BlockView>>;
    #[method(name = "getBlockByHash")]
    async fn block_by_hash(&self, hash: Prefixed<B256>, full: Option<bool>) -> RpcResult<Option<BlockView>>;
    #[method(name = "getHeaderByNumber")]
    fn header_by_number(&self, number: BlockNumberOrTag) -> RpcResult<Option<HeaderView>>;
    #[method(name = "getHeaderByHash")]
    fn header_by_hash(&self, hash: Prefixed<B256>) -> RpcResult<Option<HeaderView>>;
    #[method(name = "getBlockReceipts")]
    async fn block_receipts(&self, block: BlockId) -> RpcResult<Option<Vec<TransactionReceipt>>>;
    #[method(name = "getBlockTransactionCountByNumber")]
    async fn transactions_in_number(&self, number: BlockNumberOrTag) -> RpcResult<Option<U64>>;
    #[method(name = "getBlockTransactionCountByHash")]
    async fn transactions_in_hash(&self, hash: Prefixed<B256>) -> RpcResult<Option<U64>>;
    #[method(name = "getUncleCountByBlockNumber")]
    async fn uncles_in_number(&self, number: BlockNumberOrTag) -> RpcResult<Option<U64>>;
    #[method(name = "getUncleCountByBlockHash")]
    async fn uncles_in_hash(&self, hash: Prefixed<B256>) -> RpcResult<Option<U64>>;
    #[method(name = "getUncleByBlockNumberAndIndex")]
    fn uncle_by_number(&self, number: BlockNumberOrTag, index: U64) -> RpcResult<Option<Value>>;
    #[method(name = "getUncleByBlockHashAndIndex")]
    fn uncle_by_hash(&self, hash: Prefixed<B256>, index: U64) -> RpcResult<Option<Value>>;
}

impl Eth {
    /// The block that a parameter names; `None` for one that does not exist, as clients expect, and for the pending one, which
    /// holds nothing yet.
    pub(crate) fn find_block(&self, block: BlockId) -> Result<Option<Arc<StoredBlock>>, RpcError> {
        match block {
            BlockId::Number(tag) => self.backend.block(tag),
            BlockId::Hash(hash) => match self.backend.store.height_of(hash.block_hash)? {
                Some(height) => Ok(self.backend.store.block(height)?),
                None => Ok(None),
            },
        }
    }

    async fn view(&self, block: BlockId, full: Option<bool>) -> RpcResult<Option<BlockView>> {
        self.read(move |eth| {
            let Some(block) = eth.find_block(block)? else { return Ok(None) };
            convert::block(&block, full.unwrap_or(false), eth.backend.chain.chain_id).map(Some)
        })
        .await
    }

    async fn count_in(
        &self,
        block: BlockId,
        count: impl Fn(&StoredBlock) -> usize + Send + 'static,
    ) -> RpcResult<Option<U64>> {
        if block.is_pending() {
            return Ok(Some(U64::ZERO));
        }
        self.read(move |eth| Ok(eth.find_block(block)?.map(|block| U64::from(count(&block))))).await
    }
}

#[async_trait]
impl BlocksApiServer for Eth {
    async fn block_by_number(
        &self,
        number: BlockNumberOrTag,
        full: Option<bool>,
    ) -> RpcResult<Option<BlockView>> {
        if number.is_pending() {
            return Ok(Some(convert::pending_block(&self.backend.pending_header())?));
        }
        self.view(number.into(), full).await
    }

    async fn block_by_hash(
        &self,
        Prefixed(hash): Prefixed<B256>,
        full: Option<bool>,
    ) -> RpcResult<Option<BlockView>> {
        self.view(hash.into(), full).await
    }

    fn header_by_number(&self, number: BlockNumberOrTag) -> RpcResult<Option<HeaderView>> {
        if number.is_pending() {
            return Ok(Some(convert::pending_header(&self.backend.pending_header())?));
        }
        let height = self.backend.height_of(number);
        let header = self.backend.store.header(height).map_err(RpcError::from)?;
        let hash = self.backend.store.hash_of(height).map_err(RpcError::from)?;
        let view = |(header, hash)| View::Decided(Box::new(convert::header(&header, hash)));
        Ok(header.zip(hash).map(view))
    }

    fn header_by_hash(&self, Prefixed(hash): Prefixed<B256>) -> RpcResult<Option<HeaderView>> {
        let Some(height) = self.backend.store.height_of(hash).map_err(RpcError::from)? else {
            return Ok(None);
        };
        self.header_by_number(BlockNumberOrTag::Number(height.0))
    }

    async fn block_receipts(&self, block: BlockId) -> RpcResult<Option<Vec<TransactionReceipt>>> {
        self.read(move |eth| {
            let Some(block) = eth.find_block(block)? else { return Ok(None) };
            convert::receipts(&block, eth.backend.chain.chain_id).map(Some)
        })
        .await
    }

    async fn transactions_in_number(&self, number: BlockNumberOrTag) -> RpcResult<Option<U64>> {
        self.count_in(number.into(), |block| block.block.transactions().len()).await
    }

    async fn transactions_in_hash(&self, Prefixed(hash): Prefixed<B256>) -> RpcResult<Option<U64>> {
        self.count_in(hash.into(), |block| block.block.transactions().len()).await
    }

    /// Nothing is mined twice here, so there are none.
    async fn uncles_in_number(&self, number: BlockNumberOrTag) -> RpcResult<Option<U64>> {
        self.count_in(number.into(), |_| 0).await
    }

    async fn uncles_in_hash(&self, Prefixed(hash): Prefixed<B256>) -> RpcResult<Option<U64>> {
        self.count_in(hash.into(), |_| 0).await
    }

    fn uncle_by_number(&self, _: BlockNumberOrTag, _: U64) -> RpcResult<Option<Value>> {
        Ok(None)
    }

    fn uncle_by_hash(&self, _: Prefixed<B256>, _: U64) -> RpcResult<Option<Value>> {
        Ok(None)
    }
}
