//! Calls and estimates.

use alloy_eips::BlockId;
use alloy_rpc_types_eth::TransactionRequest;
use jsonrpsee::{
    core::{RpcResult, async_trait},
    proc_macros::rpc,
};
use quorate_execution::{CallFee, CallRequest, CallStatus, Overrides};
use quorate_types::{Bytes, TxKind, U64};
use serde_json::Value;

use super::Eth;
use crate::error::RpcError;

#[rpc(server, namespace = "eth")]
pub(crate) trait CallApi {
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
}

#[async_trait]
impl CallApiServer for Eth {
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

impl Eth {
    fn run_call(&self, request: TransactionRequest, block: Option<BlockId>) -> Result<Bytes, RpcError> {
        let (state, header) = self.backend.state_and_header(block)?;
        let request = call_request(request)?;
        let outcome = self.backend.executor.call(&header, state, &request, &Overrides::default())?;
        match outcome.status {
            CallStatus::Success => Ok(outcome.output),
            CallStatus::Reverted => {
                let message = quorate_execution::revert_message(&outcome.output);
                Err(RpcError::Reverted { message, data: outcome.output })
            }
            CallStatus::Halted(reason) => Err(RpcError::Refused(reason)),
        }
    }

    fn run_estimate(&self, request: TransactionRequest, block: Option<BlockId>) -> Result<u64, RpcError> {
        let (state, header) = self.backend.state_and_header(block)?;
        let request = call_request(request)?;
        Ok(self.backend.executor.estimate(&header, state, &request, &Overrides::default())?)
    }
}

/// A client's request as the executor takes it.
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
