//! What the server is given: handles to read the chain with, a way to hand in transactions, and what the rest of
//! the node says about itself. The server never sees the network or the replica.

use std::sync::Arc;

use parking_lot::Mutex;
use quorate_execution::Executor;
use quorate_storage::Store;
use quorate_txpool::Pool;
use quorate_types::{B256, Bytes, ChainConfig, ExecutedBlock, Height, NodeId, View};
use serde::Serialize;
use tokio::sync::{broadcast, mpsc, oneshot, watch};

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
    /// Decided blocks, once they are readable here.
    pub committed: broadcast::Sender<Arc<ExecutedBlock>>,
    /// The node's state.
    pub status: watch::Receiver<NodeStatus>,
    /// The replica's state.
    pub consensus: watch::Receiver<ConsensusState>,
    /// The chain's agreed settings.
    pub chain: Arc<ChainConfig>,
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
    /// Whether this node and its connected validators weigh a quorum.
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

/// The replica as `quorate_consensusState` and `node consensus status` show it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ConsensusState {
    /// The height being decided.
    pub height: Height,
    /// The view it is in.
    pub view: View,
    /// Who leads the view.
    pub leader: Option<NodeId>,
    /// `idle`, `propose`, `prevote`, `commit` or `viewChange`.
    pub phase: &'static str,
    /// What is left of the view's timer, milliseconds; `null` when it does not run.
    pub timer_ms: Option<u64>,
    /// The proposed block, if one is known.
    pub proposed: Option<B256>,
    /// Why this node does not vote; `null` when it does.
    pub abstaining: Option<String>,
    /// Everyone in the set.
    pub validators: Vec<ValidatorState>,
}

/// What is known of one validator.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ValidatorState {
    /// Its node key.
    pub id: NodeId,
    /// Its weight.
    pub weight: u64,
    /// The height in its last status.
    pub height: Option<Height>,
    /// The view in its last status.
    pub view: Option<View>,
    /// How long nothing signed by it has arrived, milliseconds, to half a second.
    pub last_seen_ms: u64,
    /// What it prevoted for in the current view.
    pub prevoted: Option<B256>,
    /// What it committed to in the current view.
    pub committed: Option<B256>,
    /// The view it wishes for.
    pub view_change: Option<View>,
}
