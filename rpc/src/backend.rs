//! What the server is given: handles to read the chain with, a way to hand in transactions, and what the rest of
//! the node says about itself. The server never sees the network or the replica.

use std::sync::Arc;

use parking_lot::Mutex;
use quorate_execution::Executor;
use quorate_storage::Store;
use quorate_txpool::Pool;
use quorate_types::{B256, Bytes, ChainConfig, Height, NodeId};
use serde::Serialize;
use tokio::sync::{broadcast, mpsc, oneshot, watch};

use crate::{ConsensusRecord, ConsensusState, Development, RpcError};

/// Everything that the handlers use.
#[derive(Clone)]
pub struct Backend {
    /// Blocks, receipts, state.
    pub store: Arc<Store>,
    /// Calls and estimates.
    pub executor: Arc<Executor>,
    /// Pending transactions.
    pub pool: Arc<Mutex<Pool>>,
    /// The way in for raw transactions; bounded, so that overload is refused at once.
    pub submissions: mpsc::Sender<Submission>,
    /// The head, once it is readable here.
    pub head: watch::Receiver<Height>,
    /// Transactions as they come into the pool, by hash.
    pub admitted: broadcast::Sender<B256>,
    /// The node's state.
    pub status: watch::Receiver<NodeStatus>,
    /// The replica's state.
    pub consensus: watch::Receiver<ConsensusState>,
    /// What the replica came through.
    pub record: ConsensusRecord,
    /// The chain's agreed settings.
    pub chain: Arc<ChainConfig>,
    /// What only a development chain has.
    pub development: Option<Development>,
}

impl Backend {
    /// Hands in a transaction; answers when it is in the pool, not when it is in a block.
    pub(crate) async fn submit(&self, raw: Bytes) -> Result<B256, RpcError> {
        let (reply, answer) = oneshot::channel();
        let busy =
            |_| RpcError::Limit("the node is busy: too many transactions are waiting; try again".to_owned());
        self.submissions.try_send(Submission { raw, reply }).map_err(busy)?;
        answer.await.map_err(|_| RpcError::Stopping)?.map_err(RpcError::Refused)
    }
}

/// A raw transaction on its way into the pool.
#[derive(Debug)]
pub struct Submission {
    /// EIP-2718 bytes.
    pub raw: Bytes,
    /// Where its hash, or the reason of its refusal in geth's words, goes.
    pub reply: oneshot::Sender<Result<B256, String>>,
}

/// The node as `quorate_status`, `/health` and `/readyz` show it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct NodeStatus {
    /// `healthy`, or `unhealthy` with reasons.
    pub status: &'static str,
    /// The node's public key.
    pub node_id: Option<NodeId>,
    /// The last durable block.
    pub height: Height,
    /// Blocks that others have and this node lacks.
    pub lag: u64,
    /// Connected nodes.
    pub peers: usize,
    /// Their keys, as `quorate_peers` lists them.
    #[serde(skip)]
    pub connected: Vec<NodeId>,
    /// Whether this node and the validators that it is connected with, or hears through others, weigh a quorum.
    pub quorum: bool,
    /// Whether it serves and takes part as it should.
    pub ready: bool,
    /// Why not.
    pub reasons: Vec<String>,
    /// Where a sync under way started and where it goes.
    pub syncing: Option<SyncRange>,
}

/// A sync under way, for `eth_syncing`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SyncRange {
    /// The head when it began.
    pub starting: Height,
    /// The highest height known to be decided.
    pub highest: Height,
}
