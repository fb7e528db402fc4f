//! The server's limits. Each answers with a clear error when it is reached.

use std::time::Duration;

use quorate_storage::LogBounds;

/// The most memory that the logs of one answer take; their JSON is about twice that, and fits the largest answer.
const MAX_LOG_BYTES: usize = 16 << 20;

/// What one node's server allows.
#[derive(Clone, Copy, Debug)]
pub struct RpcLimits {
    /// Connections at a time.
    pub max_connections: u32,
    /// Bytes of one request.
    pub max_body_bytes: u32,
    /// Calls in one batch.
    pub max_batch: u32,
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
        let results = usize::try_from(self.max_log_results).unwrap_or(usize::MAX);
        LogBounds { results, bytes: MAX_LOG_BYTES, time: self.call_timeout }
    }
}
