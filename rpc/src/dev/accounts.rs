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
use quorate_types::{Address, B256, Bytes};
use tokio::sync::Mutex;

use crate::{
    error::RpcError,
    eth::{Eth, Prefixed},
};

#[rpc(server, namespace = "eth")]
pub(crate) trait AccountsApi {
    #[method(name = "sendTransaction")]
    async fn send_transaction(&self, request: TransactionRequest) -> RpcResult<B256>;
    #[method(name = "sign")]
    fn sign(&self, address: Prefixed<Address>, message: Prefixed<Bytes>) -> RpcResult<Bytes>;
    #[method(name = "signTypedData_v4")]
    fn sign_typed_data(&self, address: Prefixed<Address>, data: TypedData) -> RpcResult<Bytes>;
}

/// What wallets call `eth_sign` by, with its parameters the other way round.
#[rpc(server, namespace = "personal")]
pub(crate) trait PersonalApi {
    #[method(name = "sign")]
    fn sign(&self, message: Prefixed<Bytes>, address: Prefixed<Address>) -> RpcResult<Bytes>;
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

    fn sign(
        &self,
        Prefixed(address): Prefixed<Address>,
        Prefixed(message): Prefixed<Bytes>,
    ) -> RpcResult<Bytes> {
        let signature = self.signer(address)?.sign_message_sync(&message).map_err(refused)?;
        Ok(signature.as_bytes().into())
    }

    fn sign_typed_data(&self, Prefixed(address): Prefixed<Address>, data: TypedData) -> RpcResult<Bytes> {
        let signer = self.signer(address)?;
        let invalid = |error: alloy_dyn_abi::Error| RpcError::InvalidParams(error.to_string());
        let hash = data.eip712_signing_hash().map_err(invalid)?;
        Ok(signer.sign_hash_sync(&hash).map_err(refused)?.as_bytes().into())
    }
}

impl PersonalApiServer for Accounts {
    fn sign(
        &self,
        Prefixed(message): Prefixed<Bytes>,
        Prefixed(address): Prefixed<Address>,
    ) -> RpcResult<Bytes> {
        AccountsApiServer::sign(self, Prefixed(address), Prefixed(message))
    }
}

fn signed(signer: &PrivateKeySigner, transaction: TypedTransaction) -> Result<Bytes, RpcError> {
    let signature = signer.sign_hash_sync(&transaction.signature_hash()).map_err(refused)?;
    Ok(TxEnvelope::from(transaction.into_signed(signature)).encoded_2718().into())
}

fn refused(error: alloy_signer::Error) -> RpcError {
    RpcError::Refused(error.to_string())
}
