//! Accounts, code and storage at a block.

use std::collections::BTreeMap;

use alloy_eips::BlockId;
use jsonrpsee::{
    core::{RpcResult, async_trait},
    proc_macros::rpc,
};
use quorate_types::{Address, B256, Bytes, U64, U256};

use super::{Eth, Prefixed, params::StorageKey};
use crate::error::RpcError;

/// geth's bound on the slots of one question.
const MAX_SLOTS: usize = 1024;

#[rpc(server, namespace = "eth")]
pub(crate) trait StateApi {
    #[method(name = "getBalance")]
    fn balance(&self, address: Prefixed<Address>, block: Option<BlockId>) -> RpcResult<U256>;
    #[method(name = "getTransactionCount")]
    fn transaction_count(&self, address: Prefixed<Address>, block: Option<BlockId>) -> RpcResult<U64>;
    #[method(name = "getCode")]
    fn code(&self, address: Prefixed<Address>, block: Option<BlockId>) -> RpcResult<Bytes>;
    #[method(name = "getStorageAt")]
    fn storage_at(
        &self,
        address: Prefixed<Address>,
        slot: StorageKey,
        block: Option<BlockId>,
    ) -> RpcResult<B256>;
    #[method(name = "getStorageValues")]
    async fn storage_values(
        &self,
        slots: BTreeMap<Prefixed<Address>, Vec<StorageKey>>,
        block: Option<BlockId>,
    ) -> RpcResult<BTreeMap<Address, Vec<B256>>>;
}

#[async_trait]
impl StateApiServer for Eth {
    fn balance(&self, Prefixed(address): Prefixed<Address>, block: Option<BlockId>) -> RpcResult<U256> {
        let account = self.backend.state(block)?.account(address).map_err(RpcError::from)?;
        Ok(account.unwrap_or_default().balance)
    }

    fn transaction_count(
        &self,
        Prefixed(address): Prefixed<Address>,
        block: Option<BlockId>,
    ) -> RpcResult<U64> {
        if block.is_some_and(|block| block.is_pending()) {
            return Ok(U64::from(self.pending_nonce(address)?));
        }
        let account = self.backend.state(block)?.account(address).map_err(RpcError::from)?;
        Ok(U64::from(account.unwrap_or_default().nonce))
    }

    fn code(&self, Prefixed(address): Prefixed<Address>, block: Option<BlockId>) -> RpcResult<Bytes> {
        let state = self.backend.state(block)?;
        let account = state.account(address).map_err(RpcError::from)?.unwrap_or_default();
        Ok(state.code(account.code_hash).map_err(RpcError::from)?)
    }

    fn storage_at(
        &self,
        Prefixed(address): Prefixed<Address>,
        slot: StorageKey,
        block: Option<BlockId>,
    ) -> RpcResult<B256> {
        let value = self.backend.state(block)?.slot(address, slot.slot).map_err(RpcError::from)?;
        Ok(value.into())
    }

    async fn storage_values(
        &self,
        slots: BTreeMap<Prefixed<Address>, Vec<StorageKey>>,
        block: Option<BlockId>,
    ) -> RpcResult<BTreeMap<Address, Vec<B256>>> {
        let count: usize = slots.values().map(Vec::len).sum();
        if count == 0 {
            return Err(RpcError::InvalidParams("empty request".to_owned()).into());
        }
        if count > MAX_SLOTS {
            return Err(RpcError::TooMuch(format!("too many slots (max {MAX_SLOTS})")).into());
        }
        self.read(move |eth| {
            let state = eth.backend.state(block)?;
            let values = |(Prefixed(address), slots): (Prefixed<Address>, Vec<StorageKey>)| {
                let values = slots.iter().map(|slot| state.slot(address, slot.slot).map(B256::from));
                Ok((address, values.collect::<Result<_, _>>()?))
            };
            slots.into_iter().map(values).collect()
        })
        .await
    }
}

impl Eth {
    /// The nonce that an account should use next, behind what waits in the pool.
    pub(crate) fn pending_nonce(&self, address: Address) -> Result<u64, RpcError> {
        // The pool first: what a block takes from it meanwhile is in the state then.
        let waiting = self.backend.pool.lock().pending_nonce(address, 0);
        let account = self.backend.state(None)?.account(address)?;
        Ok(account.unwrap_or_default().nonce.max(waiting))
    }
}
