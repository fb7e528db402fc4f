//! Accounts whose keys the server holds: it fills in what a client leaves out, signs, and sends.

use std::sync::Arc;

use alloy_consensus::{SignableTransaction, TxEnvelope, TypedTransaction};
use alloy_dyn_abi::TypedData;
use alloy_eips::Encodable2718;
use alloy_rpc_types_eth::TransactionRequest;
use alloy_signer::SignerSync;
use alloy_signer_local::PrivateKeySigner;
use jsonrpsee::{
    core::{RpcResult, async_trait},
    proc_macros::rpc,
};
use quorate_types::{Address, B256, Bytes, TxKind};
use tokio::sync::Mutex;

use crate::{error::RpcError, eth::Eth};

#[rpc(server, namespace = "eth")]
pub(crate) trait AccountsApi {
    #[method(name = "sendTransaction")]
    async fn send_transaction(&self, request: TransactionRequest) -> RpcResult<B256>;
    #[method(name = "sign")]
    fn sign(&self, address: Address, message: Bytes) -> RpcResult<Bytes>;
    #[method(name = "signTypedData_v4")]
    fn sign_typed_data(&self, address: Address, data: TypedData) -> RpcResult<Bytes>;
}

/// What wallets call `eth_sign` by, with its parameters the other way round.
#[rpc(server, namespace = "personal")]
pub(crate) trait PersonalApi {
    #[method(name = "sign")]
    fn sign(&self, message: Bytes, address: Address) -> RpcResult<Bytes>;
}

#[derive(Clone)]
pub(super) struct Accounts {
    eth: Eth,
    signers: Arc<[PrivateKeySigner]>,
    /// Held from the choice of a nonce until the pool has it: the next one must see it.
    sending: Arc<Mutex<()>>,
}

impl Accounts {
    pub(super) fn new(eth: Eth, signers: &[PrivateKeySigner]) -> Self {
        Self { eth, signers: signers.into(), sending: Arc::default() }
    }

    fn signer(&self, address: Address) -> Result<&PrivateKeySigner, RpcError> {
        let known = self.signers.iter().find(|signer| signer.address() == address);
        known.ok_or(RpcError::NotFound("unknown account"))
    }
}

#[async_trait]
impl AccountsApiServer for Accounts {
    async fn send_transaction(&self, request: TransactionRequest) -> RpcResult<B256> {
        let signer = self.signer(request.from.unwrap_or_default())?.clone();
        let _turn = self.sending.lock().await;
        let raw = self.eth.heavy(move |eth| signed(&signer, eth.filled(request)?)).await?;
        Ok(self.eth.backend.submit(raw).await?)
    }

    fn sign(&self, address: Address, message: Bytes) -> RpcResult<Bytes> {
        let signature = self.signer(address)?.sign_message_sync(&message).map_err(refused)?;
        Ok(signature.as_bytes().into())
    }

    fn sign_typed_data(&self, address: Address, data: TypedData) -> RpcResult<Bytes> {
        let signer = self.signer(address)?;
        let invalid = |error: alloy_dyn_abi::Error| RpcError::InvalidParams(error.to_string());
        let hash = data.eip712_signing_hash().map_err(invalid)?;
        Ok(signer.sign_hash_sync(&hash).map_err(refused)?.as_bytes().into())
    }
}

impl PersonalApiServer for Accounts {
    fn sign(&self, message: Bytes, address: Address) -> RpcResult<Bytes> {
        AccountsApiServer::sign(self, address, message)
    }
}

impl Eth {
    /// A request with what it leaves out, as geth fills it: the next nonce, the gas that it needs, and fees that the next
    /// blocks accept. A call that reverts is refused here, with its reason.
    fn filled(&self, mut request: TransactionRequest) -> Result<TypedTransaction, RpcError> {
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

fn signed(signer: &PrivateKeySigner, transaction: TypedTransaction) -> Result<Bytes, RpcError> {
    let signature = signer.sign_hash_sync(&transaction.signature_hash()).map_err(refused)?;
    Ok(TxEnvelope::from(transaction.into_signed(signature)).encoded_2718().into())
}

fn refused(error: alloy_signer::Error) -> RpcError {
    RpcError::Refused(error.to_string())
}
