//! Watching nodes: each block that one shows goes into the record.

use std::{sync::Arc, time::Duration};

use jsonrpsee::{
    core::{ClientError, client::ClientT},
    http_client::{HttpClient, HttpClientBuilder},
    rpc_params,
};
use quorate_types::B256;
use serde::Deserialize;
use tokio::{
    sync::watch,
    time::{Instant, sleep},
};

use super::{Block, LOOK, Record};
use crate::cluster::Cluster;

/// A node that is stopped or gone is not waited for any longer.
pub(super) const PATIENCE: Duration = Duration::from_secs(2);
/// How long a node that does not answer is left alone.
const REST: Duration = Duration::from_millis(100);

/// The record, and whoever waits for something to be in it.
pub(super) type Book = Arc<watch::Sender<Record>>;

/// A client that gives up soon: its node may have been stopped.
pub(super) fn client(cluster: &Cluster, node: usize) -> HttpClient {
    let builder = HttpClientBuilder::default().request_timeout(PATIENCE);
    builder.build(cluster.url(node)).expect("a loopback address")
}

/// What is read of `eth_getBlockByNumber`.
#[derive(Deserialize)]
struct Shown {
    hash: B256,
    transactions: Vec<B256>,
}

/// The block at a height, if the node has one.
pub(super) async fn block_at(client: &HttpClient, height: u64) -> Result<Option<Block>, ClientError> {
    let shown: Option<Shown> =
        client.request("eth_getBlockByNumber", rpc_params![format!("{height:#x}"), false]).await?;
    Ok(shown.map(|Shown { hash, transactions }| Block { height, hash, transactions }))
}

/// Writes down every block of one node, as soon as it shows it, for ever.
pub(super) async fn watch(client: HttpClient, name: String, book: Book, began: Instant) {
    let mut next = 0;
    loop {
        match block_at(&client, next).await {
            Ok(Some(block)) => {
                book.send_modify(|record| record.observe(&name, block, began.elapsed()));
                next += 1;
            }
            Ok(None) => sleep(LOOK).await,
            Err(_) => sleep(REST).await,
        }
    }
}
