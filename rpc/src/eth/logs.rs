//! Queries for logs.

use alloy_eips::BlockNumberOrTag;
use alloy_rpc_types_eth::{FilterBlockOption, Log};
use jsonrpsee::{
    core::{RpcResult, async_trait},
    proc_macros::rpc,
};
use quorate_types::Height;

use super::{Eth, params::FilterParam};
use crate::{
    convert,
    criteria::{check_size, to_filter},
    error::RpcError,
};

#[rpc(server, namespace = "eth")]
pub(crate) trait LogsApi {
    #[method(name = "getLogs")]
    async fn logs(&self, filter: FilterParam) -> RpcResult<Vec<Log>>;
}

#[async_trait]
impl LogsApiServer for Eth {
    async fn logs(&self, filter: FilterParam) -> RpcResult<Vec<Log>> {
        self.heavy(move |eth| eth.find_logs(&filter)).await
    }
}

impl Eth {
    pub(super) fn find_logs(&self, asked: &FilterParam) -> Result<Vec<Log>, RpcError> {
        check_size(&asked.filter)?;
        let head = self.backend.store.head().height;
        let (from, to) = match asked.filter.block_option {
            FilterBlockOption::AtBlockHash(hash) => {
                let height = self
                    .backend
                    .store
                    .height_of(hash)?
                    .ok_or_else(|| RpcError::Refused("unknown block".to_owned()))?;
                (height, height)
            }
            FilterBlockOption::Range { from_block, to_block } => self.range(from_block, to_block)?,
        };
        // A poller that asks from the block after the head has nothing to get yet.
        if from > head || to < from {
            return Ok(Vec::new());
        }
        let span = to.min(head).0 - from.0 + 1;
        if span > self.limits.max_log_blocks {
            return Err(RpcError::Limit(format!(
                "query spans {span} blocks, {} are allowed; ask for less at a time",
                self.limits.max_log_blocks
            )));
        }
        let found = self.backend.store.logs(&to_filter(asked, from, to), self.limits.log_bounds())?;
        Ok(found.into_iter().map(convert::found_log).collect())
    }

    /// The heights that a client's range names. Only numbers that can never make sense are refused: a poller that asks from the
    /// block after the head to the latest just has nothing to get yet.
    fn range(
        &self,
        from: Option<BlockNumberOrTag>,
        to: Option<BlockNumberOrTag>,
    ) -> Result<(Height, Height), RpcError> {
        let refused = |what: &str| Err(RpcError::InvalidParams(what.to_owned()));
        if [from, to].contains(&Some(BlockNumberOrTag::Pending)) {
            return refused("pending logs are not supported");
        }
        if let (Some(BlockNumberOrTag::Number(from)), Some(BlockNumberOrTag::Number(to))) = (from, to)
            && from > to
        {
            return refused("invalid block range params");
        }
        let (from, to_height) = (from.unwrap_or_default(), self.backend.height_of(to.unwrap_or_default()));
        if to_height > self.backend.store.head().height {
            return refused("block range extends beyond current head block");
        }
        Ok((self.backend.height_of(from), to_height))
    }
}
