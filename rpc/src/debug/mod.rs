//! The `debug` namespace: the bytes behind what other methods show, and traces.

pub(crate) mod trace;

use alloy_consensus::{Block, BlockBody};
use alloy_eips::{BlockId, Encodable2718 as _};
use alloy_rlp::Encodable;
use jsonrpsee::{
    core::{RpcResult, async_trait},
    proc_macros::rpc,
};
use quorate_types::{B256, Bytes};
use serde_json::Value;

use crate::{
    convert,
    error::RpcError,
    eth::{Eth, Prefixed},
};

#[rpc(server, namespace = "debug")]
pub(crate) trait DebugApi {
    #[method(name = "getRawHeader")]
    fn raw_header(&self, block: BlockId) -> RpcResult<Bytes>;
    #[method(name = "getRawBlock")]
    async fn raw_block(&self, block: BlockId) -> RpcResult<Bytes>;
    #[method(name = "getRawReceipts")]
    async fn raw_receipts(&self, block: BlockId) -> RpcResult<Vec<Bytes>>;
    #[method(name = "getRawTransaction")]
    async fn raw_transaction(&self, hash: Prefixed<B256>) -> RpcResult<Bytes>;
    #[method(name = "getBadBlocks")]
    fn bad_blocks(&self) -> RpcResult<Vec<Value>>;
}

#[async_trait]
impl DebugApiServer for Eth {
    fn raw_header(&self, block: BlockId) -> RpcResult<Bytes> {
        let height = self.backend.resolve(Some(block))?;
        let header = self.backend.store.header(height).map_err(RpcError::from)?;
        Ok(encoded(&header.ok_or(RpcError::UnknownBlock)?))
    }

    /// The block as Ethereum's wire protocol has it.
    async fn raw_block(&self, block: BlockId) -> RpcResult<Bytes> {
        self.read(move |eth| {
            let block = eth.find_block(block)?.ok_or(RpcError::UnknownBlock)?;
            let transactions = convert::envelopes(&block, eth.backend.chain.chain_id)?;
            let body = BlockBody { transactions, ommers: Vec::new(), withdrawals: Some(Vec::new().into()) };
            Ok(encoded(&Block::new(block.block.header().clone(), body)))
        })
        .await
    }

    async fn raw_receipts(&self, block: BlockId) -> RpcResult<Vec<Bytes>> {
        self.read(move |eth| {
            let block = eth.find_block(block)?.ok_or(RpcError::UnknownBlock)?;
            Ok(block.receipts.iter().map(|receipt| receipt.encoded_2718().into()).collect())
        })
        .await
    }

    async fn raw_transaction(&self, Prefixed(hash): Prefixed<B256>) -> RpcResult<Bytes> {
        self.read(move |eth| Ok(Self::raw_transaction(eth, hash)?.unwrap_or_default())).await
    }

    /// A block that is not valid gets no certificate, so none is ever kept.
    fn bad_blocks(&self) -> RpcResult<Vec<Value>> {
        Ok(Vec::new())
    }
}

fn encoded(value: &impl Encodable) -> Bytes {
    let mut bytes = Vec::with_capacity(value.length());
    value.encode(&mut bytes);
    bytes.into()
}
