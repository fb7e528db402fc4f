//! The `web3` and `net` namespaces.

use jsonrpsee::{core::RpcResult, proc_macros::rpc};
use quorate_types::{B256, Bytes, U64, keccak256};

use crate::{Backend, eth::Prefixed};

/// `web3`.
#[rpc(server, namespace = "web3")]
pub(crate) trait Web3Api {
    #[method(name = "clientVersion")]
    fn client_version(&self) -> RpcResult<String>;
    #[method(name = "sha3")]
    fn sha3(&self, data: Prefixed<Bytes>) -> RpcResult<B256>;
}

/// `net`.
#[rpc(server, namespace = "net")]
pub(crate) trait NetApi {
    #[method(name = "version")]
    fn version(&self) -> RpcResult<String>;
    #[method(name = "listening")]
    fn listening(&self) -> RpcResult<bool>;
    #[method(name = "peerCount")]
    fn peer_count(&self) -> RpcResult<U64>;
}

/// Both namespaces over a backend.
#[derive(Clone)]
pub(crate) struct Web3(pub(crate) Backend);

/// The program in one line, as geth tells it.
pub(crate) fn client_version() -> String {
    let (version, rust) = (env!("CARGO_PKG_VERSION"), env!("CARGO_PKG_RUST_VERSION"));
    let (os, arch) = (std::env::consts::OS, std::env::consts::ARCH);
    format!("Quorate/v{version}/{os}-{arch}/rust{rust}")
}

impl Web3ApiServer for Web3 {
    fn client_version(&self) -> RpcResult<String> {
        Ok(client_version())
    }

    fn sha3(&self, Prefixed(data): Prefixed<Bytes>) -> RpcResult<B256> {
        Ok(keccak256(data))
    }
}

impl NetApiServer for Web3 {
    fn version(&self) -> RpcResult<String> {
        Ok(self.0.chain.chain_id.to_string())
    }

    fn listening(&self) -> RpcResult<bool> {
        Ok(true)
    }

    fn peer_count(&self) -> RpcResult<U64> {
        Ok(U64::from(self.0.status.borrow().peers))
    }
}
