//! The server's limits. Each answers with a clear error when it is reached.

use std::time::Duration;

use quorate_storage::LogBounds;

/// The JSON of logs is about twice as large as they are in memory; with this there is room for what else an answer holds.
const ANSWER_OF_LOGS: u32 = 4;

/// What one node's server allows.
#[derive(Clone, Copy, Debug)]
pub struct RpcLimits {
    /// Connections at a time.
    pub max_connections: u32,
    /// Bytes of one request.
    pub max_body_bytes: u32,
    /// Calls in one batch.
    pub max_batch: u32,
    /// After so long the rest of a batch is refused, as geth does (its write timeout): one client's calls one after the
    /// other must not keep others from theirs without end.
    pub batch_timeout: Duration,
    /// Bytes of one answer. The default has room for a block of transactions with all their fields.
    pub max_response_bytes: u32,
    /// Subscriptions on one connection.
    pub max_subscriptions: u32,
    /// Logs that one query returns.
    pub max_log_results: u32,
    /// Blocks that one query for logs spans.
    pub max_log_blocks: u64,
    /// How long a proof, a search for logs and a history of fees may take, and how long anything waits for its turn.
    /// Calls and traces are bounded by the executor.
    pub call_timeout: Duration,
}

impl Default for RpcLimits {
    fn default() -> Self {
        Self {
            max_connections: 4096,
            max_body_bytes: 5 << 20,
            max_batch: 1000,
            batch_timeout: Duration::from_secs(30),
            max_response_bytes: 64 << 20,
            max_subscriptions: 1024,
            max_log_results: 10_000,
            max_log_blocks: 10_000,
            call_timeout: Duration::from_secs(5),
        }
    }
}

impl RpcLimits {
    /// What one search for logs may cost.
    pub(crate) fn log_bounds(&self) -> LogBounds {
        let count = |limit| usize::try_from(limit).unwrap_or(usize::MAX);
        LogBounds {
            results: count(self.max_log_results),
            bytes: count(self.max_response_bytes / ANSWER_OF_LOGS),
            time: self.call_timeout,
        }
    }
}
