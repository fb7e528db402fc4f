//! Calls that change nothing: what they return, what they would cost, and what they touch.

use alloy_eips::{BlockId, eip2930::AccessList};
use alloy_rpc_types_eth::{BlockOverrides, TransactionRequest, state::StateOverride};
use jsonrpsee::{
    core::{RpcResult, async_trait},
    proc_macros::rpc,
};
use quorate_execution::{CallFee, CallRequest, CallStatus};
use quorate_types::{Bytes, TxKind, U64};
use serde::Serialize;

use super::{Eth, overrides};
use crate::error::RpcError;

#[rpc(server, namespace = "eth")]
pub(crate) trait CallApi {
    #[method(name = "call")]
    async fn call(
        &self,
        request: TransactionRequest,
        block: Option<BlockId>,
        state_overrides: Option<StateOverride>,
        block_overrides: Option<BlockOverrides>,
    ) -> RpcResult<Bytes>;
    #[method(name = "estimateGas")]
    async fn estimate_gas(
        &self,
        request: TransactionRequest,
        block: Option<BlockId>,
        state_overrides: Option<StateOverride>,
        block_overrides: Option<BlockOverrides>,
    ) -> RpcResult<U64>;
    #[method(name = "createAccessList")]
    async fn create_access_list(
        &self,
        request: TransactionRequest,
        block: Option<BlockId>,
        state_overrides: Option<StateOverride>,
    ) -> RpcResult<AccessListView>;
}

/// What a call touches, and what it would cost with the list of it.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct AccessListView {
    access_list: AccessList,
    gas_used: U64,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

#[async_trait]
impl CallApiServer for Eth {
    async fn call(
        &self,
        request: TransactionRequest,
        block: Option<BlockId>,
        state_overrides: Option<StateOverride>,
        block_overrides: Option<BlockOverrides>,
    ) -> RpcResult<Bytes> {
        let overrides = overrides(state_overrides, block_overrides)?;
        let request = self.call_request(request)?;
        self.heavy(move |eth| {
            let (state, header) = eth.backend.state_and_header(block)?;
            let outcome = eth.backend.executor.call(&header, state, &request, &overrides)?;
            match outcome.status {
                CallStatus::Success => Ok(outcome.output),
                CallStatus::Reverted => {
                    let message = quorate_execution::revert_message(&outcome.output);
                    Err(RpcError::Reverted { message, data: outcome.output })
                }
                CallStatus::Halted(reason) => Err(RpcError::Refused(reason)),
            }
        })
        .await
    }

    async fn estimate_gas(
        &self,
        request: TransactionRequest,
        block: Option<BlockId>,
        state_overrides: Option<StateOverride>,
        block_overrides: Option<BlockOverrides>,
    ) -> RpcResult<U64> {
        let overrides = overrides(state_overrides, block_overrides)?;
        let request = self.call_request(request)?;
        self.heavy(move |eth| {
            let (state, header) = eth.backend.state_and_header(block)?;
            Ok(U64::from(eth.backend.executor.estimate(&header, state, &request, &overrides)?))
        })
        .await
    }

    async fn create_access_list(
        &self,
        request: TransactionRequest,
        block: Option<BlockId>,
        state_overrides: Option<StateOverride>,
    ) -> RpcResult<AccessListView> {
        let overrides = overrides(state_overrides, None)?;
        let request = self.call_request(request)?;
        self.heavy(move |eth| {
            let (state, header) = eth.backend.state_and_header(block)?;
            let outcome = eth.backend.executor.access_list(&header, state, &request, &overrides)?;
            let gas_used = U64::from(outcome.gas_used);
            Ok(AccessListView { access_list: outcome.access_list, gas_used, error: outcome.error })
        })
        .await
    }
}

impl Eth {
    /// A client's request as the executor takes it.
    ///
    /// # Errors
    /// When it is for another chain, of a kind that is not here, or contradicts itself; in geth's words.
    pub(crate) fn call_request(&self, request: TransactionRequest) -> Result<CallRequest, RpcError> {
        let ours = self.backend.chain.chain_id;
        if let Some(chain_id) = request.chain_id.filter(|id| *id != ours) {
            let what = format!("chainId does not match node's (have={chain_id}, want={ours})");
            return Err(RpcError::Refused(what));
        }
        // A price for blobs alone, which some clients always send, asks for none.
        if request.blob_versioned_hashes.is_some()
            || request.sidecar.is_some()
            || request.transaction_type == Some(BLOB_TYPE)
        {
            return Err(RpcError::Refused(
                "transaction type not supported: there are no blobs here".to_owned(),
            ));
        }
        call_request(request)
    }
}

/// EIP-4844's type of transactions.
const BLOB_TYPE: u8 = 3;

fn call_request(request: TransactionRequest) -> Result<CallRequest, RpcError> {
    let fee = match (request.gas_price, request.max_fee_per_gas, request.max_priority_fee_per_gas) {
        (Some(_), Some(_), _) | (Some(_), _, Some(_)) => {
            let what = "both gasPrice and (maxFeePerGas or maxPriorityFeePerGas) specified";
            return Err(RpcError::InvalidParams(what.to_owned()));
        }
        (Some(price), None, None) => CallFee::Price(price),
        (None, None, None) => CallFee::Free,
        (None, max_fee, tip) => {
            CallFee::Dynamic { max_fee: max_fee.or(tip).unwrap_or(0), max_priority_fee: tip.unwrap_or(0) }
        }
    };
    let data =
        request.input.try_into_unique_input().map_err(|error| RpcError::InvalidParams(error.to_string()))?;
    Ok(CallRequest {
        from: request.from.unwrap_or_default(),
        to: request.to.and_then(|to| match to {
            TxKind::Call(address) => Some(address),
            TxKind::Create => None,
        }),
        gas: request.gas,
        fee,
        value: request.value.unwrap_or_default(),
        data: data.unwrap_or_default(),
        access_list: request.access_list.unwrap_or_default(),
        authorization_list: request.authorization_list.unwrap_or_default(),
    })
}
