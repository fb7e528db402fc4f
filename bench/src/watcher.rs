//! Follows the blocks of one node, from the last one on, as its clients do.

use std::{convert::Infallible, sync::Arc, time::Instant};

use jsonrpsee::{
    core::client::{ClientT as _, Subscription, SubscriptionClientT as _},
    rpc_params,
    ws_client::WsClient,
};
use parking_lot::Mutex;
use quorate_types::{B256, U64};
use serde::Deserialize;
use tokio::task::JoinHandle;

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
    following: JoinHandle<BenchError>,
}

impl Watcher {
    /// The blocks that it saw, oldest first; why it saw no more, if something came in its way.
    pub(crate) async fn stop(self) -> Result<Vec<SeenBlock>, BenchError> {
        if self.following.is_finished() {
            return Err(self
                .following
                .await
                .unwrap_or_else(|error| BenchError::Preparing(error.to_string())));
        }
        self.following.abort();
        Ok(std::mem::take(&mut self.blocks.lock()))
    }
}

/// A block counts as visible from when its header was told: whoever asks then finds it.
pub(crate) async fn start(url: &str, ledger: Arc<Ledger>) -> Result<Watcher, BenchError> {
    let client = websocket(url).await?;
    let heads = client.subscribe("eth_subscribe", rpc_params!["newHeads"], "eth_unsubscribe").await;
    let heads = heads.map_err(|error| BenchError::node(url, error))?;
    let blocks = Arc::new(Mutex::new(Vec::new()));
    let (watched, seen) = (url.to_owned(), Arc::clone(&blocks));
    let following = tokio::spawn(async move {
        let Err(what) = follow(&client, heads, &ledger, &seen).await;
        BenchError::node(&watched, format!("its blocks cannot be followed: {what}"))
    });
    Ok(Watcher { blocks, following })
}

async fn follow(
    client: &WsClient,
    mut heads: Subscription<SeenBlock>,
    ledger: &Ledger,
    blocks: &Mutex<Vec<SeenBlock>>,
) -> Result<Infallible, String> {
    loop {
        let head = heads.next().await.ok_or("the subscription ended")?.map_err(|error| error.to_string())?;
        let at = Instant::now();
        let params = rpc_params![head.hash, false];
        let block = client.request::<SeenBlock, _>("eth_getBlockByHash", params).await;
        let block = block.map_err(|error| format!("block {}: {error}", head.hash))?;
        let included = block.transactions.clone();
        blocks.lock().push(block);
        ledger.is_included(&included, at);
    }
}
