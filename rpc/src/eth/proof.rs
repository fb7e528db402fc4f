//! `eth_getProof` (EIP-1186): an account and slots of it, with what proves them against the header's state root.

use alloy_consensus::EMPTY_ROOT_HASH;
use alloy_eips::BlockId;
use alloy_rpc_types_eth::{EIP1186AccountProofResponse, EIP1186StorageProof};
use jsonrpsee::{
    core::{RpcResult, async_trait},
    proc_macros::rpc,
};
use quorate_storage::AccountProof;
use quorate_types::{Address, B256, U256};

use super::{Eth, Prefixed, params::StorageKey};
use crate::{error::RpcError, turns::Weight};

/// geth's bound on the slots of one question.
const MAX_KEYS: usize = 1024;

#[rpc(server, namespace = "eth")]
pub(crate) trait ProofApi {
    #[method(name = "getProof")]
    async fn proof(
        &self,
        address: Prefixed<Address>,
        keys: Vec<StorageKey>,
        block: Option<BlockId>,
    ) -> RpcResult<EIP1186AccountProofResponse>;
}

#[async_trait]
impl ProofApiServer for Eth {
    async fn proof(
        &self,
        Prefixed(address): Prefixed<Address>,
        keys: Vec<StorageKey>,
        block: Option<BlockId>,
    ) -> RpcResult<EIP1186AccountProofResponse> {
        if keys.len() > MAX_KEYS {
            let what = format!("too many keys requested (max {MAX_KEYS}, got {})", keys.len());
            return Err(RpcError::InvalidParams(what).into());
        }
        // Of an account alone it takes little; for its slots, all that it has are read.
        let weight = if keys.is_empty() { Weight::Call } else { Weight::Large };
        self.run(weight, move |eth| {
            let height = eth.backend.resolve(block)?;
            let slots: Vec<U256> = keys.iter().map(|key| key.slot).collect();
            let proof = eth.backend.store.prove(height, address, &slots, eth.limits.call_timeout)?;
            Ok(view(proof, &keys))
        })
        .await
    }
}

/// An account that is not there has the fields of an empty one, as EIP-1186 has it.
fn view(proof: AccountProof, keys: &[StorageKey]) -> EIP1186AccountProofResponse {
    let account = proof.account.unwrap_or_default();
    let slots = proof.slots.into_iter().zip(keys).map(|(slot, key)| EIP1186StorageProof {
        key: if key.is_whole { B256::from(key.slot).into() } else { key.slot.into() },
        value: slot.value,
        proof: slot.proof,
    });
    EIP1186AccountProofResponse {
        address: proof.address,
        balance: account.balance,
        code_hash: account.code_hash,
        nonce: account.nonce,
        storage_hash: if proof.account.is_some() { proof.storage_root } else { EMPTY_ROOT_HASH },
        account_proof: proof.proof,
        storage_proof: slots.collect(),
    }
}
