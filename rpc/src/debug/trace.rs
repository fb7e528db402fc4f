//! `debug_trace*`: what ran, step by step or call by call.

use std::sync::Arc;

use alloy_eips::{BlockId, BlockNumberOrTag};
use alloy_rpc_types_eth::TransactionRequest;
use alloy_rpc_types_trace::geth::{
    GethDebugTracingCallOptions, GethDebugTracingOptions, GethTrace, TraceResult,
};
use jsonrpsee::{
    core::{RpcResult, async_trait},
    proc_macros::rpc,
};
use quorate_execution::{RecordedBlock, TraceError};
use quorate_storage::{StateView, StoredBlock};
use quorate_types::{B256, Transaction, UnrecoveredTransaction};

use crate::{
    error::RpcError,
    eth::{Eth, Prefixed, overrides},
};

#[rpc(server, namespace = "debug")]
pub(crate) trait TraceApi {
    #[method(name = "traceTransaction")]
    async fn trace_transaction(
        &self,
        hash: Prefixed<B256>,
        options: Option<GethDebugTracingOptions>,
    ) -> RpcResult<GethTrace>;
    #[method(name = "traceBlockByNumber")]
    async fn trace_number(
        &self,
        number: BlockNumberOrTag,
        options: Option<GethDebugTracingOptions>,
    ) -> RpcResult<Vec<TraceResult>>;
    #[method(name = "traceBlockByHash")]
    async fn trace_hash(
        &self,
        hash: Prefixed<B256>,
        options: Option<GethDebugTracingOptions>,
    ) -> RpcResult<Vec<TraceResult>>;
    #[method(name = "traceCall")]
    async fn trace_call(
        &self,
        request: TransactionRequest,
        block: Option<BlockId>,
        options: Option<GethDebugTracingCallOptions>,
    ) -> RpcResult<GethTrace>;
}

/// A block with what running it again takes.
struct Recorded {
    block: Arc<StoredBlock>,
    transactions: Vec<Transaction>,
    /// The state before it.
    state: StateView,
}

impl Recorded {
    fn parts(&self) -> RecordedBlock<'_> {
        RecordedBlock { header: self.block.block.header(), transactions: &self.transactions }
    }
}

impl Eth {
    fn recorded(&self, block: Arc<StoredBlock>) -> Result<Recorded, RpcError> {
        let parent = block.block.height().previous().ok_or(TraceError::Genesis)?;
        let state = self.backend.store.view_at(parent)?;
        let raw = block.block.transactions().iter().cloned();
        let transaction = |(raw, sender)| {
            let decoded = UnrecoveredTransaction::decode(raw, self.backend.chain.chain_id);
            decoded.map(|it| it.with_sender(sender))
        };
        let transactions: Result<_, _> = raw.zip(block.senders.iter().copied()).map(transaction).collect();
        let transactions = transactions.map_err(|error| RpcError::Internal(error.to_string()))?;
        Ok(Recorded { block, transactions, state })
    }

    async fn trace_block(
        &self,
        block: BlockId,
        options: Option<GethDebugTracingOptions>,
    ) -> RpcResult<Vec<TraceResult>> {
        self.large(move |eth| {
            let found = eth.find_block(block)?.ok_or_else(|| missing(block))?;
            let recorded = eth.recorded(found)?;
            let options = options.unwrap_or_default();
            Ok(eth.backend.executor.trace_block(recorded.parts(), &recorded.state, &options)?)
        })
        .await
    }
}

/// That there is no such block, in geth's words.
fn missing(block: BlockId) -> RpcError {
    RpcError::Refused(match block {
        BlockId::Hash(hash) => format!("block {:#x} not found", hash.block_hash),
        BlockId::Number(BlockNumberOrTag::Number(number)) => format!("block #{number} not found"),
        BlockId::Number(_) => "tracing on top of pending is not supported".to_owned(),
    })
}

#[async_trait]
impl TraceApiServer for Eth {
    async fn trace_transaction(
        &self,
        Prefixed(hash): Prefixed<B256>,
        options: Option<GethDebugTracingOptions>,
    ) -> RpcResult<GethTrace> {
        self.large(move |eth| {
            let (block, index) = eth.located(hash)?.ok_or(TraceError::UnknownTransaction)?;
            let recorded = eth.recorded(block)?;
            let (executor, options) = (&eth.backend.executor, options.unwrap_or_default());
            Ok(executor.trace_transaction(recorded.parts(), index, &recorded.state, &options)?)
        })
        .await
    }

    async fn trace_number(
        &self,
        number: BlockNumberOrTag,
        options: Option<GethDebugTracingOptions>,
    ) -> RpcResult<Vec<TraceResult>> {
        self.trace_block(number.into(), options).await
    }

    async fn trace_hash(
        &self,
        Prefixed(hash): Prefixed<B256>,
        options: Option<GethDebugTracingOptions>,
    ) -> RpcResult<Vec<TraceResult>> {
        self.trace_block(hash.into(), options).await
    }

    async fn trace_call(
        &self,
        request: TransactionRequest,
        block: Option<BlockId>,
        options: Option<GethDebugTracingCallOptions>,
    ) -> RpcResult<GethTrace> {
        if block == Some(BlockNumberOrTag::Pending.into()) {
            return Err(missing(BlockNumberOrTag::Pending.into()).into());
        }
        let options = options.unwrap_or_default();
        if options.tx_index.is_some() {
            let what = "txIndex is not supported: trace the call on a block";
            return Err(RpcError::InvalidParams(what.to_owned()).into());
        }
        let overrides = overrides(options.state_overrides, options.block_overrides)?;
        let request = self.call_request(request)?;
        self.large(move |eth| {
            let (state, header) = eth.backend.state_and_header(block)?;
            let executor = &eth.backend.executor;
            Ok(executor.trace_call(&header, state, &request, &overrides, &options.tracing_options)?)
        })
        .await
    }
}
