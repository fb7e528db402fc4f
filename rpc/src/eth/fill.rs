//! `eth_fillTransaction`: what a request leaves out, as a transaction that only needs a signature.

use alloy_consensus::{SignableTransaction as _, TxEnvelope, TypedTransaction};
use alloy_eips::Encodable2718 as _;
use alloy_primitives::Signature;
use alloy_rpc_types_eth::{FillTransaction, TransactionRequest};
use jsonrpsee::{
    core::{RpcResult, async_trait},
    proc_macros::rpc,
};
use quorate_types::{TxKind, U256};

use super::Eth;
use crate::error::RpcError;

#[rpc(server, namespace = "eth")]
pub(crate) trait FillApi {
    #[method(name = "fillTransaction")]
    async fn fill_transaction(&self, request: TransactionRequest) -> RpcResult<FillTransaction<TxEnvelope>>;
}

#[async_trait]
impl FillApiServer for Eth {
    /// As geth has it, the bytes hold a signature of zeros.
    async fn fill_transaction(&self, request: TransactionRequest) -> RpcResult<FillTransaction<TxEnvelope>> {
        self.heavy(move |eth| {
            let unsigned = Signature::new(U256::ZERO, U256::ZERO, false);
            let tx = TxEnvelope::from(eth.filled(request)?.into_signed(unsigned));
            Ok(FillTransaction { raw: tx.encoded_2718().into(), tx })
        })
        .await
    }
}

impl Eth {
    /// A request with what it leaves out, as geth fills it: the next nonce, the gas that it needs, and fees that the next
    /// blocks accept. A call that reverts is refused here, with its reason.
    pub(crate) fn filled(&self, mut request: TransactionRequest) -> Result<TypedTransaction, RpcError> {
        let call = self.call_request(request.clone())?;
        let sender = request.from.unwrap_or_default();
        request.to.get_or_insert(TxKind::Create);
        request.chain_id = Some(self.backend.chain.chain_id);
        if request.nonce.is_none() {
            request.nonce = Some(self.pending_nonce(sender)?);
        }
        if request.gas.is_none() {
            let (state, header) = self.backend.state_and_header(None)?;
            let overrides = Default::default();
            request.gas = Some(self.backend.executor.estimate(&header, state, &call, &overrides)?);
        }
        if request.gas_price.is_none() {
            let tip = request.max_priority_fee_per_gas.unwrap_or(self.suggested_tip().into());
            let usual = 2 * u128::from(self.backend.next_base_fee()) + tip;
            request.max_priority_fee_per_gas = Some(tip);
            request.max_fee_per_gas.get_or_insert(usual);
        }
        request.build_consensus_tx().map_err(|error| RpcError::InvalidParams(error.error.to_string()))
    }
}
