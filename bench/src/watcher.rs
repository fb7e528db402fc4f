//! Follows the blocks of one node, from the last one on, as its clients do.

use std::{sync::Arc, time::Instant};

use jsonrpsee::{
    core::client::{ClientT as _, Subscription, SubscriptionClientT as _},
    rpc_params,
    ws_client::WsClient,
};
use parking_lot::Mutex;
use quorate_types::{B256, U64};
use serde::Deserialize;
use tokio_util::task::AbortOnDropHandle;

use crate::{BenchError, connection::websocket, ledger::Ledger};

/// What is read of a block.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct SeenBlock {
    pub(crate) hash: B256,
    pub(crate) number: U64,
    #[serde(default)]
    pub(crate) transactions: Vec<B256>,
}

pub(crate) struct Watcher {
    blocks: Arc<Mutex<Vec<SeenBlock>>>,
    _following: AbortOnDropHandle<()>,
}

impl Watcher {
    /// The blocks that it saw, oldest first.
    pub(crate) fn stop(self) -> Vec<SeenBlock> {
        std::mem::take(&mut self.blocks.lock())
    }
}

/// A block counts as visible from when its header was told: whoever asks then finds it.
pub(crate) async fn start(url: &str, ledger: Arc<Ledger>) -> Result<Watcher, BenchError> {
    let client = websocket(url).await?;
    let heads = client.subscribe("eth_subscribe", rpc_params!["newHeads"], "eth_unsubscribe").await;
    let heads = heads.map_err(|error| BenchError::node(url, error))?;
    let blocks = Arc::new(Mutex::new(Vec::new()));
    let following = tokio::spawn(follow(client, heads, ledger, Arc::clone(&blocks)));
    Ok(Watcher { blocks, _following: AbortOnDropHandle::new(following) })
}

/// Ends with the connection: what is committed later is then never seen, and the report says so.
async fn follow(
    client: WsClient,
    mut heads: Subscription<SeenBlock>,
    ledger: Arc<Ledger>,
    blocks: Arc<Mutex<Vec<SeenBlock>>>,
) {
    while let Some(Ok(head)) = heads.next().await {
        let at = Instant::now();
        let params = rpc_params![head.hash, false];
        let Ok(block) = client.request::<SeenBlock, _>("eth_getBlockByHash", params).await else { return };
        ledger.is_included(&block.transactions, at);
        blocks.lock().push(block);
    }
}
