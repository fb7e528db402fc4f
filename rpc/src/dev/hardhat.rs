//! `hardhat_metadata`: by it Hardhat's Ignition knows whether a chain of this id (31337) is the one that it deployed to before.

use jsonrpsee::{core::RpcResult, proc_macros::rpc};
use quorate_types::{B256, Height};
use serde::Serialize;

use crate::{error::RpcError, eth::Eth, web3::client_version};

#[rpc(server, namespace = "hardhat")]
pub(crate) trait HardhatApi {
    #[method(name = "metadata")]
    fn metadata(&self) -> RpcResult<Metadata>;
}

#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Metadata {
    client_version: String,
    chain_id: u64,
    /// Block 0's hash: each start makes another chain.
    instance_id: B256,
    latest_block_number: u64,
    latest_block_hash: B256,
}

pub(super) struct Hardhat(pub(super) Eth);

impl HardhatApiServer for Hardhat {
    fn metadata(&self) -> RpcResult<Metadata> {
        let backend = &self.0.backend;
        let head = backend.store.head();
        let first = backend.store.hash_of(Height::ZERO).map_err(RpcError::from)?;
        Ok(Metadata {
            client_version: client_version(),
            chain_id: backend.chain.chain_id,
            instance_id: first.ok_or(RpcError::UnknownBlock)?,
            latest_block_number: head.height.0,
            latest_block_hash: head.hash,
        })
    }
}
