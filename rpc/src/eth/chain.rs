//! The chain as a whole: its id, its head, and whether this node is at it.

use alloy_rpc_types_eth::SyncStatus;
use alloy_signer::Signer;
use jsonrpsee::{core::RpcResult, proc_macros::rpc};
use quorate_types::{Address, U64};

use super::Eth;

#[rpc(server, namespace = "eth")]
pub(crate) trait ChainApi {
    #[method(name = "chainId")]
    fn chain_id(&self) -> RpcResult<U64>;
    #[method(name = "blockNumber")]
    fn block_number(&self) -> RpcResult<U64>;
    #[method(name = "syncing")]
    fn syncing(&self) -> RpcResult<SyncStatus>;
    #[method(name = "accounts")]
    fn accounts(&self) -> RpcResult<Vec<Address>>;
}

impl ChainApiServer for Eth {
    fn chain_id(&self) -> RpcResult<U64> {
        Ok(U64::from(self.backend.chain.chain_id))
    }

    fn block_number(&self) -> RpcResult<U64> {
        Ok(U64::from(self.backend.store.head().height.0))
    }

    fn syncing(&self) -> RpcResult<SyncStatus> {
        let Some(range) = self.backend.status.borrow().syncing else { return Ok(SyncStatus::None) };
        Ok(SyncStatus::Info(Box::new(self.backend.sync_info(range))))
    }

    /// A node holds no users' keys; a development chain does.
    fn accounts(&self) -> RpcResult<Vec<Address>> {
        let accounts = self.backend.development.iter().flat_map(|it| &it.accounts);
        Ok(accounts.map(Signer::address).collect())
    }
}
