//! The methods' names and parameters, and those that are one read.

use std::sync::Arc;

use alloy_eips::{BlockId, BlockNumberOrTag};
use alloy_rpc_types_eth::{
    FeeHistory, Filter, Log, SyncInfo, SyncStatus, TransactionReceipt, TransactionRequest,
};
use jsonrpsee::{core::RpcResult, proc_macros::rpc};
use quorate_types::{Address, B256, Bytes, U64, U256};
use serde_json::Value;
use tokio::sync::{Semaphore, oneshot};

use crate::{
    Backend, RpcLimits, Submission,
    convert::{self, BlockView, TransactionView},
    error::RpcError,
};

/// The methods, named as the execution API names them.
#[rpc(server, namespace = "eth")]
pub(crate) trait EthApi {
    #[method(name = "chainId")]
    fn chain_id(&self) -> RpcResult<U64>;
    #[method(name = "blockNumber")]
    fn block_number(&self) -> RpcResult<U64>;
    #[method(name = "syncing")]
    fn syncing(&self) -> RpcResult<SyncStatus>;
    #[method(name = "accounts")]
    fn accounts(&self) -> RpcResult<Vec<Address>>;
    #[method(name = "getBalance")]
    fn balance(&self, address: Address, block: Option<BlockId>) -> RpcResult<U256>;
    #[method(name = "getTransactionCount")]
    fn transaction_count(&self, address: Address, block: Option<BlockId>) -> RpcResult<U64>;
    #[method(name = "getCode")]
    fn code(&self, address: Address, block: Option<BlockId>) -> RpcResult<Bytes>;
    #[method(name = "getStorageAt")]
    fn storage_at(&self, address: Address, slot: U256, block: Option<BlockId>) -> RpcResult<B256>;
    #[method(name = "call")]
    async fn call(
        &self,
        request: TransactionRequest,
        block: Option<BlockId>,
        state_overrides: Option<Value>,
        block_overrides: Option<Value>,
    ) -> RpcResult<Bytes>;
    #[method(name = "estimateGas")]
    async fn estimate_gas(
        &self,
        request: TransactionRequest,
        block: Option<BlockId>,
        state_overrides: Option<Value>,
    ) -> RpcResult<U64>;
    #[method(name = "gasPrice")]
    fn gas_price(&self) -> RpcResult<U256>;
    #[method(name = "maxPriorityFeePerGas")]
    fn max_priority_fee_per_gas(&self) -> RpcResult<U256>;
    #[method(name = "feeHistory")]
    async fn fee_history(
        &self,
        count: U64,
        newest: BlockNumberOrTag,
        percentiles: Option<Vec<f64>>,
    ) -> RpcResult<FeeHistory>;
    #[method(name = "sendRawTransaction")]
    async fn send_raw_transaction(&self, raw: Bytes) -> RpcResult<B256>;
    #[method(name = "getTransactionByHash", blocking)]
    fn transaction_by_hash(&self, hash: B256) -> RpcResult<Option<TransactionView>>;
    #[method(name = "getTransactionReceipt", blocking)]
    fn transaction_receipt(&self, hash: B256) -> RpcResult<Option<TransactionReceipt>>;
    #[method(name = "getBlockByNumber", blocking)]
    fn block_by_number(&self, number: BlockNumberOrTag, full: Option<bool>) -> RpcResult<Option<BlockView>>;
    #[method(name = "getBlockByHash", blocking)]
    fn block_by_hash(&self, hash: B256, full: Option<bool>) -> RpcResult<Option<BlockView>>;
    #[method(name = "getLogs")]
    async fn logs(&self, filter: Filter) -> RpcResult<Vec<Log>>;
}

/// Calls, estimates and searches under way at a time; further ones wait. More would only share the cores, and take
/// from consensus.
const MAX_HEAVY: usize = 8;

/// The namespace over a backend.
#[derive(Clone)]
pub(crate) struct Eth {
    pub(crate) backend: Backend,
    pub(crate) limits: RpcLimits,
    heavy: Arc<Semaphore>,
}

impl Eth {
    pub(crate) fn new(backend: Backend, limits: RpcLimits) -> Self {
        Self { backend, limits, heavy: Arc::new(Semaphore::new(MAX_HEAVY)) }
    }

    /// Runs what takes long beside the async threads, few at a time. A panic in it is this call's error alone.
    async fn heavy<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Self) -> Result<T, RpcError> + Send + 'static,
    ) -> RpcResult<T> {
        let stopping = |error: &dyn std::fmt::Display| RpcError::Internal(error.to_string());
        let place = self.heavy.clone().acquire_owned().await.map_err(|error| stopping(&error))?;
        let eth = self.clone();
        let done = tokio::task::spawn_blocking(move || {
            let _place = place;
            work(&eth)
        });
        Ok(done.await.map_err(|error| stopping(&error))??)
    }

    fn located(&self, hash: B256) -> Result<Option<(Arc<quorate_storage::StoredBlock>, usize)>, RpcError> {
        let Some((height, index)) = self.backend.store.transaction(hash)? else { return Ok(None) };
        let block = self.backend.store.block(height)?.ok_or(RpcError::UnknownBlock)?;
        Ok(Some((block, usize::try_from(index).unwrap_or(usize::MAX))))
    }

    fn pending(&self, hash: B256) -> Option<TransactionView> {
        let transaction = self.backend.pool.lock().get(hash).cloned()?;
        Some(convert::pending(&transaction, self.next_base_fee()))
    }

    /// The base fee of the block after the head.
    pub(super) fn next_base_fee(&self) -> u64 {
        self.backend.chain.base_fee.next(&self.backend.store.head().header)
    }
}

#[jsonrpsee::core::async_trait]
impl EthApiServer for Eth {
    fn chain_id(&self) -> RpcResult<U64> {
        Ok(U64::from(self.backend.chain.chain_id))
    }

    fn block_number(&self) -> RpcResult<U64> {
        Ok(U64::from(self.backend.store.head().height.0))
    }

    fn syncing(&self) -> RpcResult<SyncStatus> {
        let Some(range) = self.backend.status.borrow().syncing else { return Ok(SyncStatus::None) };
        Ok(SyncStatus::Info(Box::new(SyncInfo {
            starting_block: U256::from(range.starting.0),
            current_block: U256::from(self.backend.store.head().height.0),
            highest_block: U256::from(range.highest.0),
            ..SyncInfo::default()
        })))
    }

    /// The node holds no users' keys.
    fn accounts(&self) -> RpcResult<Vec<Address>> {
        Ok(Vec::new())
    }

    fn balance(&self, address: Address, block: Option<BlockId>) -> RpcResult<U256> {
        let account = self.backend.state(block)?.account(address).map_err(RpcError::from)?;
        Ok(account.unwrap_or_default().balance)
    }

    fn transaction_count(&self, address: Address, block: Option<BlockId>) -> RpcResult<U64> {
        let account = self.backend.state(block)?.account(address).map_err(RpcError::from)?;
        let nonce = account.unwrap_or_default().nonce;
        let pending = matches!(block, Some(BlockId::Number(BlockNumberOrTag::Pending)));
        let nonce = if pending { self.backend.pool.lock().pending_nonce(address, nonce) } else { nonce };
        Ok(U64::from(nonce))
    }

    fn code(&self, address: Address, block: Option<BlockId>) -> RpcResult<Bytes> {
        let state = self.backend.state(block)?;
        let account = state.account(address).map_err(RpcError::from)?.unwrap_or_default();
        Ok(state.code(account.code_hash).map_err(RpcError::from)?)
    }

    fn storage_at(&self, address: Address, slot: U256, block: Option<BlockId>) -> RpcResult<B256> {
        let value = self.backend.state(block)?.slot(address, slot).map_err(RpcError::from)?;
        Ok(value.into())
    }

    async fn call(
        &self,
        request: TransactionRequest,
        block: Option<BlockId>,
        state_overrides: Option<Value>,
        block_overrides: Option<Value>,
    ) -> RpcResult<Bytes> {
        refuse_overrides([state_overrides, block_overrides])?;
        self.heavy(move |eth| eth.run_call(request, block)).await
    }

    async fn estimate_gas(
        &self,
        request: TransactionRequest,
        block: Option<BlockId>,
        state_overrides: Option<Value>,
    ) -> RpcResult<U64> {
        refuse_overrides([state_overrides])?;
        self.heavy(move |eth| eth.run_estimate(request, block).map(U64::from)).await
    }

    fn gas_price(&self) -> RpcResult<U256> {
        Ok(U256::from(self.next_base_fee()) + U256::from(self.backend.chain.suggested_tip_wei))
    }

    fn max_priority_fee_per_gas(&self) -> RpcResult<U256> {
        Ok(U256::from(self.backend.chain.suggested_tip_wei))
    }

    async fn fee_history(
        &self,
        count: U64,
        newest: BlockNumberOrTag,
        percentiles: Option<Vec<f64>>,
    ) -> RpcResult<FeeHistory> {
        self.heavy(move |eth| eth.read_fee_history(count.saturating_to(), newest, percentiles.as_deref()))
            .await
    }

    /// Answers on admission to the pool, not on inclusion.
    async fn send_raw_transaction(&self, raw: Bytes) -> RpcResult<B256> {
        let (reply, answer) = oneshot::channel();
        let busy =
            || RpcError::Limit("the node is busy: too many transactions are waiting; try again".to_owned());
        self.backend.submissions.try_send(Submission { raw, reply }).map_err(|_| busy())?;
        let admitted = answer.await.map_err(|_| RpcError::Internal("the node is stopping".to_owned()))?;
        Ok(admitted.map_err(RpcError::Refused)?)
    }

    fn transaction_by_hash(&self, hash: B256) -> RpcResult<Option<TransactionView>> {
        match self.located(hash)? {
            Some((block, index)) => {
                Ok(Some(convert::transaction(&block, index, self.backend.chain.chain_id)?))
            }
            None => Ok(self.pending(hash)),
        }
    }

    fn transaction_receipt(&self, hash: B256) -> RpcResult<Option<TransactionReceipt>> {
        let Some((block, index)) = self.located(hash)? else { return Ok(None) };
        Ok(Some(convert::receipt(&block, index, self.backend.chain.chain_id)?))
    }

    fn block_by_number(&self, number: BlockNumberOrTag, full: Option<bool>) -> RpcResult<Option<BlockView>> {
        let Some(block) = self.backend.block(number)? else { return Ok(None) };
        Ok(Some(convert::block(&block, full.unwrap_or(false), self.backend.chain.chain_id)?))
    }

    fn block_by_hash(&self, hash: B256, full: Option<bool>) -> RpcResult<Option<BlockView>> {
        match self.backend.store.height_of(hash).map_err(RpcError::from)? {
            Some(height) => self.block_by_number(BlockNumberOrTag::Number(height.0), full),
            None => Ok(None),
        }
    }

    async fn logs(&self, filter: Filter) -> RpcResult<Vec<Log>> {
        self.heavy(move |eth| eth.find_logs(&filter)).await
    }
}

/// What would be ignored silently must be refused: the answer would look right and be wrong.
fn refuse_overrides<const N: usize>(overrides: [Option<Value>; N]) -> Result<(), RpcError> {
    let given = |value: &Value| !value.is_null() && value.as_object().is_none_or(|it| !it.is_empty());
    if overrides.iter().flatten().any(given) {
        return Err(RpcError::InvalidParams(
            "state and block overrides are not supported by this version".to_owned(),
        ));
    }
    Ok(())
}
