//! Blocks, headers, and what is counted in them.

use std::sync::Arc;

use alloy_eips::{BlockId, BlockNumberOrTag};
use alloy_rpc_types_eth::{Header, TransactionReceipt};
use jsonrpsee::{core::RpcResult, proc_macros::rpc};
use quorate_storage::StoredBlock;
use quorate_types::{B256, U64};
use serde_json::Value;

use super::Eth;
use crate::{
    convert::{self, BlockView},
    error::RpcError,
};

#[rpc(server, namespace = "eth")]
pub(crate) trait BlocksApi {
    #[method(name = "getBlockByNumber", blocking)]
    fn block_by_number(&self, number: BlockNumberOrTag, full: Option<bool>) -> RpcResult<Option<BlockView>>;
    #[method(name = "getBlockByHash", blocking)]
    fn block_by_hash(&self, hash: B256, full: Option<bool>) -> RpcResult<Option<BlockView>>;
    #[method(name = "getHeaderByNumber")]
    fn header_by_number(&self, number: BlockNumberOrTag) -> RpcResult<Option<Header>>;
    #[method(name = "getHeaderByHash")]
    fn header_by_hash(&self, hash: B256) -> RpcResult<Option<Header>>;
    #[method(name = "getBlockReceipts", blocking)]
    fn block_receipts(&self, block: BlockId) -> RpcResult<Option<Vec<TransactionReceipt>>>;
    #[method(name = "getBlockTransactionCountByNumber", blocking)]
    fn transactions_in_number(&self, number: BlockNumberOrTag) -> RpcResult<Option<U64>>;
    #[method(name = "getBlockTransactionCountByHash", blocking)]
    fn transactions_in_hash(&self, hash: B256) -> RpcResult<Option<U64>>;
    #[method(name = "getUncleCountByBlockNumber", blocking)]
    fn uncles_in_number(&self, number: BlockNumberOrTag) -> RpcResult<Option<U64>>;
    #[method(name = "getUncleCountByBlockHash", blocking)]
    fn uncles_in_hash(&self, hash: B256) -> RpcResult<Option<U64>>;
    #[method(name = "getUncleByBlockNumberAndIndex")]
    fn uncle_by_number(&self, number: BlockNumberOrTag, index: U64) -> RpcResult<Option<Value>>;
    #[method(name = "getUncleByBlockHashAndIndex")]
    fn uncle_by_hash(&self, hash: B256, index: U64) -> RpcResult<Option<Value>>;
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

    fn view(&self, block: &StoredBlock, full: Option<bool>) -> RpcResult<BlockView> {
        Ok(convert::block(block, full.unwrap_or(false), self.backend.chain.chain_id)?)
    }

    fn count_in(&self, block: BlockId, count: impl Fn(&StoredBlock) -> usize) -> RpcResult<Option<U64>> {
        if block.is_pending() {
            return Ok(Some(U64::ZERO));
        }
        let found = self.find_block(block)?;
        Ok(found.map(|block| U64::from(count(&block))))
    }
}

impl BlocksApiServer for Eth {
    fn block_by_number(&self, number: BlockNumberOrTag, full: Option<bool>) -> RpcResult<Option<BlockView>> {
        if number.is_pending() {
            return Ok(Some(convert::pending_block(&self.backend.pending_header())?));
        }
        self.find_block(number.into())?.map(|block| self.view(&block, full)).transpose()
    }

    fn block_by_hash(&self, hash: B256, full: Option<bool>) -> RpcResult<Option<BlockView>> {
        self.find_block(hash.into())?.map(|block| self.view(&block, full)).transpose()
    }

    fn header_by_number(&self, number: BlockNumberOrTag) -> RpcResult<Option<Header>> {
        let height = self.backend.height_of(number);
        let header = self.backend.store.header(height).map_err(RpcError::from)?;
        let hash = self.backend.store.hash_of(height).map_err(RpcError::from)?;
        Ok(header.zip(hash).map(|(header, hash)| convert::header(&header, hash)))
    }

    fn header_by_hash(&self, hash: B256) -> RpcResult<Option<Header>> {
        let Some(height) = self.backend.store.height_of(hash).map_err(RpcError::from)? else {
            return Ok(None);
        };
        self.header_by_number(BlockNumberOrTag::Number(height.0))
    }

    fn block_receipts(&self, block: BlockId) -> RpcResult<Option<Vec<TransactionReceipt>>> {
        let Some(block) = self.find_block(block)? else { return Ok(None) };
        Ok(Some(convert::receipts(&block, self.backend.chain.chain_id)?))
    }

    fn transactions_in_number(&self, number: BlockNumberOrTag) -> RpcResult<Option<U64>> {
        self.count_in(number.into(), |block| block.block.transactions().len())
    }

    fn transactions_in_hash(&self, hash: B256) -> RpcResult<Option<U64>> {
        self.count_in(hash.into(), |block| block.block.transactions().len())
    }

    /// Nothing is mined twice here, so there are none.
    fn uncles_in_number(&self, number: BlockNumberOrTag) -> RpcResult<Option<U64>> {
        self.count_in(number.into(), |_| 0)
    }

    fn uncles_in_hash(&self, hash: B256) -> RpcResult<Option<U64>> {
        self.count_in(hash.into(), |_| 0)
    }

    fn uncle_by_number(&self, _: BlockNumberOrTag, _: U64) -> RpcResult<Option<Value>> {
        Ok(None)
    }

    fn uncle_by_hash(&self, _: B256, _: U64) -> RpcResult<Option<Value>> {
        Ok(None)
    }
}
