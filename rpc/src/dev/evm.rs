//! `evm_*`: time, blocks, and snapshots of the whole chain, for tests of contracts (ganache's methods).

use jsonrpsee::{
    core::{RpcResult, async_trait},
    proc_macros::rpc,
};
use quorate_types::U64;
use serde::Deserialize;
use tokio::sync::{mpsc, oneshot};

use super::Control;
use crate::{error::RpcError, eth::Eth};

/// The most blocks of one call; each takes a millisecond or two.
const MAX_MINED: u64 = 10_000;

#[rpc(server, namespace = "evm")]
pub(crate) trait EvmApi {
    #[method(name = "mine")]
    async fn mine(&self, wish: Option<Mined>) -> RpcResult<U64>;
    #[method(name = "increaseTime")]
    async fn increase_time(&self, seconds: U64) -> RpcResult<i64>;
    #[method(name = "snapshot")]
    async fn snapshot(&self) -> RpcResult<U64>;
    #[method(name = "revert")]
    async fn revert(&self, id: U64) -> RpcResult<bool>;
}

/// Which blocks to make; without one, a single block now. Times are in seconds since the Unix epoch.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(untagged)]
pub(crate) enum Mined {
    At(U64),
    Some { timestamp: Option<U64>, blocks: Option<U64> },
}

pub(super) struct Evm {
    pub(super) eth: Eth,
    pub(super) controls: mpsc::Sender<Control>,
}

impl Evm {
    async fn ask<T>(&self, control: impl FnOnce(oneshot::Sender<T>) -> Control) -> Result<T, RpcError> {
        let (reply, answer) = oneshot::channel();
        self.controls.send(control(reply)).await.map_err(|_| RpcError::Stopping)?;
        answer.await.map_err(|_| RpcError::Stopping)
    }
}

#[async_trait]
impl EvmApiServer for Evm {
    async fn mine(&self, wish: Option<Mined>) -> RpcResult<U64> {
        let (timestamp, blocks) = match wish {
            None => (None, None),
            Some(Mined::At(timestamp)) => (Some(timestamp), None),
            Some(Mined::Some { timestamp, blocks }) => (timestamp, blocks),
        };
        let (timestamp, blocks) = (timestamp.map(|it| it.to()), blocks.map_or(1, |it| it.to()));
        if blocks > MAX_MINED {
            return Err(RpcError::InvalidParams(format!("at most {MAX_MINED} blocks at a time")).into());
        }
        let mined = self.ask(|reply| Control::Mine { timestamp, blocks, reply }).await?;
        mined.map_err(RpcError::Refused)?;
        Ok(U64::ZERO)
    }

    /// By how much the clock is ahead of the wall's then, seconds.
    async fn increase_time(&self, seconds: U64) -> RpcResult<i64> {
        Ok(self.ask(|reply| Control::IncreaseTime { seconds: seconds.to(), reply }).await?)
    }

    async fn snapshot(&self) -> RpcResult<U64> {
        Ok(U64::from(self.ask(|reply| Control::Snapshot { reply }).await?))
    }

    async fn revert(&self, id: U64) -> RpcResult<bool> {
        let reverted = self.ask(|reply| Control::Revert { id: id.to(), reply }).await?;
        let reverted = reverted.map_err(RpcError::Refused)?;
        if reverted {
            self.eth.rewind_filters();
        }
        Ok(reverted)
    }
}
