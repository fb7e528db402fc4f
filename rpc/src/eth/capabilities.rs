//! What can be asked of this node: how far back it knows, and by which rules the chain runs.

use std::collections::BTreeMap;

use alloy_eips::{
    eip2124::ForkHash,
    eip7840::BlobParams,
    eip7910::{EthConfig, EthForkConfig, SystemContract},
};
use jsonrpsee::{core::RpcResult, proc_macros::rpc};
use quorate_storage::PROOF_WINDOW;
use quorate_types::{B256, HISTORY_STORAGE_ADDRESS, Height, U64};
use serde::Serialize;

use super::Eth;
use crate::error::RpcError;

#[rpc(server, namespace = "eth")]
pub(crate) trait CapabilitiesApi {
    #[method(name = "capabilities")]
    fn capabilities(&self) -> RpcResult<Capabilities>;
    #[method(name = "config")]
    fn config(&self) -> RpcResult<EthConfig>;
}

/// How far back each kind of question reaches: a router of requests chooses nodes by it.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Capabilities {
    head: HeadView,
    state: Reach,
    tx: Reach,
    logs: Reach,
    receipts: Reach,
    blocks: Reach,
    #[serde(rename = "stateproofs")]
    state_proofs: Reach,
}

#[derive(Clone, Debug, Serialize)]
struct HeadView {
    number: U64,
    hash: B256,
}

#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Reach {
    disabled: bool,
    oldest_block: U64,
    #[serde(skip_serializing_if = "Option::is_none")]
    delete_strategy: Option<DeleteStrategy>,
}

/// What is kept: this many of the latest blocks.
#[derive(Clone, Debug, Serialize)]
#[serde(tag = "type", rename = "window", rename_all = "camelCase")]
struct DeleteStrategy {
    retention_blocks: U64,
}

impl Reach {
    /// Back to block 0.
    const WHOLE: Self = Self { disabled: false, oldest_block: U64::ZERO, delete_strategy: None };

    fn window(head: Height, blocks: u64) -> Self {
        Self {
            disabled: false,
            oldest_block: U64::from((head.0 + 1).saturating_sub(blocks)),
            delete_strategy: Some(DeleteStrategy { retention_blocks: U64::from(blocks) }),
        }
    }
}

impl CapabilitiesApiServer for Eth {
    /// Nothing is ever deleted but what only proofs need.
    fn capabilities(&self) -> RpcResult<Capabilities> {
        let head = self.backend.store.head();
        Ok(Capabilities {
            head: HeadView { number: U64::from(head.height.0), hash: head.hash },
            state: Reach::WHOLE,
            tx: Reach::WHOLE,
            logs: Reach::WHOLE,
            receipts: Reach::WHOLE,
            blocks: Reach::WHOLE,
            // The head itself, and those below it.
            state_proofs: Reach::window(head.height, PROOF_WINDOW + 1),
        })
    }

    /// EIP-7910. Forks begin at heights here, and nobody knows when one to come is reached: `next` and `last` are for times that
    /// are known.
    fn config(&self) -> RpcResult<EthConfig> {
        Ok(EthConfig { current: self.rules()?, next: None, last: None })
    }
}

impl Eth {
    /// The rules that hold at the head.
    fn rules(&self) -> Result<EthForkConfig, RpcError> {
        let (chain, store) = (&self.backend.chain, &self.backend.store);
        let head = store.head().height;
        let mut fork_hash = ForkHash::from(store.hash_of(Height::ZERO)?.ok_or(RpcError::UnknownBlock)?);
        let mut activation_time = 0;
        for begin in chain.forks.values().filter(|begin| (1..=head.0).contains(*begin)) {
            activation_time = store.header(Height(*begin))?.ok_or(RpcError::UnknownBlock)?.timestamp;
            fork_hash += activation_time;
        }
        let history = (SystemContract::HistoryStorage, HISTORY_STORAGE_ADDRESS);
        Ok(EthForkConfig {
            activation_time,
            blob_schedule: no_blobs(),
            chain_id: chain.chain_id,
            fork_id: fork_hash.0.into(),
            precompiles: self.backend.executor.precompiles(head),
            system_contracts: BTreeMap::from([history]),
        })
    }
}

/// No block has any; the fraction has no effect then.
const fn no_blobs() -> BlobParams {
    BlobParams { target_blob_count: 0, max_blob_count: 0, ..BlobParams::prague() }
}
