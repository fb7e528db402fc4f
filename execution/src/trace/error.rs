//! Why there is no trace.

use std::time::Duration;

use crate::{CallError, Fault, OverrideError, Unfit};

/// Why there is no trace. Worded like geth where geth refuses the same; there is never a part of one.
#[derive(Debug, thiserror::Error)]
pub enum TraceError {
    /// No tracer of this name is here; JavaScript is not run.
    #[error("tracer not found")]
    TracerNotFound,
    /// The tracer's own settings, or the time limit, cannot be read.
    #[error("{0}")]
    Config(String),
    /// Genesis has no transactions and no state before it.
    #[error("genesis is not traceable")]
    Genesis,
    /// The block has fewer transactions.
    #[error("transaction not found")]
    UnknownTransaction,
    /// The overrides of a traced call contradict themselves.
    #[error(transparent)]
    Override(#[from] OverrideError),
    /// A traced call cannot start.
    #[error("tracing failed: {0}")]
    Unfit(Unfit),
    /// It took longer than the request or [`super::TraceLimits::time`] allows.
    #[error("execution timeout")]
    Timeout(Duration),
    /// It would be longer than [`super::TraceLimits::bytes`].
    #[error("trace too large: use a call tracer, disableStorage, disableStack or limit")]
    TooLarge,
    /// This node's own failure.
    #[error(transparent)]
    Fault(#[from] Fault),
}

impl TraceError {
    /// Whether the request itself is unsound, whatever the chain holds (JSON-RPC's -32602).
    #[must_use]
    pub const fn is_invalid_request(&self) -> bool {
        matches!(self, Self::TracerNotFound | Self::Config(_))
    }
}

impl From<CallError> for TraceError {
    fn from(error: CallError) -> Self {
        match error {
            CallError::Override(error) => Self::Override(error),
            CallError::Unfit(reason) => Self::Unfit(reason),
            CallError::Timeout(limit) => Self::Timeout(limit),
            CallError::Fault(fault) => Self::Fault(fault),
            // Only an estimate ends like this.
            other @ (CallError::Reverted(_)
            | CallError::Halted(_)
            | CallError::GasAboveAllowance(_)
            | CallError::FundsForTransfer) => {
                Self::Fault(Fault::new("a call was taken for an estimate", other))
            }
        }
    }
}
