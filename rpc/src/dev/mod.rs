//! What a development chain offers beside a node's methods: accounts that it signs for, and the control of time and blocks.
//! No other server has any of it.

mod accounts;
mod evm;
mod hardhat;

use alloy_signer_local::PrivateKeySigner;
use jsonrpsee::{RpcModule, core::RegisterMethodError};
use tokio::sync::{mpsc, oneshot};

use crate::eth::Eth;

/// What a development chain gives its server.
#[derive(Clone, Debug)]
pub struct Development {
    /// The unlocked accounts: `eth_sendTransaction` signs for them.
    pub accounts: Vec<PrivateKeySigner>,
    /// The way to whoever makes the blocks.
    pub controls: mpsc::Sender<Control>,
}

/// What a client asks of the chain itself. Times are in seconds; a refusal is in words.
#[derive(Debug)]
pub enum Control {
    /// Make blocks now, whether there are transactions or not.
    Mine {
        /// The time of the first; the clock goes on from there.
        timestamp: Option<u64>,
        /// How many.
        blocks: u64,
        /// Told when they are the chain.
        reply: oneshot::Sender<Result<(), String>>,
    },
    /// Set the clock forward.
    IncreaseTime {
        /// By so much.
        seconds: u64,
        /// Told by how much it is ahead of the wall's then.
        reply: oneshot::Sender<i64>,
    },
    /// Remember the chain as it is.
    Snapshot {
        /// Told under which number.
        reply: oneshot::Sender<u64>,
    },
    /// Make the chain what it was; this snapshot and all after it are used up.
    Revert {
        /// The snapshot's number.
        id: u64,
        /// Told whether there was such a one.
        reply: oneshot::Sender<Result<bool, String>>,
    },
}

/// The methods.
pub(crate) fn module(eth: &Eth, development: &Development) -> Result<RpcModule<()>, RegisterMethodError> {
    let mut module = RpcModule::new(());
    let accounts = accounts::Accounts::new(eth.clone(), &development.accounts);
    module.merge(accounts::AccountsApiServer::into_rpc(accounts.clone()))?;
    module.merge(accounts::PersonalApiServer::into_rpc(accounts))?;
    module.merge(hardhat::HardhatApiServer::into_rpc(hardhat::Hardhat(eth.clone())))?;
    let evm = evm::Evm { eth: eth.clone(), controls: development.controls.clone() };
    module.merge(evm::EvmApiServer::into_rpc(evm))?;
    Ok(module)
}
