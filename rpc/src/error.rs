//! What a client is told when a call fails: geth's codes and texts where clients match on them.

use jsonrpsee::types::{ErrorObjectOwned, error::ErrorCode};
use quorate_execution::{CallError, TraceError};
use quorate_storage::StorageError;
use quorate_types::{Bytes, Height};

/// geth's code for what the server refuses (`-32000`).
const SERVER_ERROR: i32 = -32000;
/// geth's code for a reverted call; the data are the revert's.
const REVERTED: i32 = 3;
/// geth's code for a request that asks for too much.
const CLIENT_LIMIT: i32 = -38026;
/// EIP-1474's code for what exceeds a limit.
const LIMIT_EXCEEDED: i32 = -32005;

/// Why a call has no result.
#[derive(Debug, thiserror::Error)]
pub enum RpcError {
    /// The block named is not here.
    #[error("header not found")]
    UnknownBlock,
    /// No block has this hash.
    #[error("header for hash not found")]
    UnknownHash,
    /// The height is above the head.
    #[error("header not found")]
    AboveHead {
        /// What was asked for.
        height: Height,
        /// The head.
        head: Height,
    },
    /// Nothing here is called that.
    #[error("{0}")]
    NotFound(&'static str),
    /// The parameters make no sense together.
    #[error("{0}")]
    InvalidParams(String),
    /// Nothing of this name can be followed.
    #[error("no {kind:?} subscription in {namespace} namespace")]
    NoSubscription {
        /// What was asked for.
        kind: String,
        /// Where.
        namespace: &'static str,
    },
    /// The pool or the ingress refused a transaction.
    #[error("{0}")]
    Refused(String),
    /// The call reverted.
    #[error("{message}")]
    Reverted {
        /// In geth's words.
        message: String,
        /// What the contract returned.
        data: Bytes,
    },
    /// A simulated block breaks a rule, which has a code of its own.
    #[error("{message}")]
    Simulation {
        /// The specification's.
        code: i32,
        /// In geth's words.
        message: String,
    },
    /// More than a client may ask for at once, on any node.
    #[error("{0}")]
    TooMuch(String),
    /// A limit of this node.
    #[error("{0}")]
    Limit(String),
    /// What was waited for does not come any more.
    #[error("the node is stopping")]
    Stopping,
    /// This node's disk or a defect.
    #[error("internal error: {0}")]
    Internal(String),
}

impl From<StorageError> for RpcError {
    fn from(error: StorageError) -> Self {
        match error {
            StorageError::UnknownHeight { height, head } => Self::AboveHead { height, head },
            StorageError::TooManyLogs { .. }
            | StorageError::TooLargeLogs { .. }
            | StorageError::TooManySlots { .. }
            | StorageError::TimeLimit { .. } => Self::Limit(error.to_string()),
            StorageError::OutsideProofWindow { .. } => Self::Refused(error.to_string()),
            other => Self::Internal(other.to_string()),
        }
    }
}

impl From<CallError> for RpcError {
    fn from(error: CallError) -> Self {
        match &error {
            CallError::Reverted(data) => Self::Reverted { message: error.to_string(), data: data.clone() },
            CallError::Fault(fault) => Self::Internal(fault.to_string()),
            _ => Self::Refused(error.to_string()),
        }
    }
}

impl From<TraceError> for RpcError {
    fn from(error: TraceError) -> Self {
        match &error {
            TraceError::Fault(fault) => Self::Internal(fault.to_string()),
            _ if error.is_invalid_request() => Self::InvalidParams(error.to_string()),
            _ => Self::Refused(error.to_string()),
        }
    }
}

impl From<RpcError> for ErrorObjectOwned {
    fn from(error: RpcError) -> Self {
        let message = error.to_string();
        match error {
            RpcError::InvalidParams(_) => Self::owned(ErrorCode::InvalidParams.code(), message, None::<()>),
            RpcError::NoSubscription { .. } => {
                Self::owned(ErrorCode::MethodNotFound.code(), message, None::<()>)
            }
            RpcError::Reverted { data, .. } => Self::owned(REVERTED, message, Some(data)),
            RpcError::Simulation { code, .. } => Self::owned(code, message, None::<()>),
            RpcError::TooMuch(_) => Self::owned(CLIENT_LIMIT, message, None::<()>),
            RpcError::Limit(_) => Self::owned(LIMIT_EXCEEDED, message, None::<()>),
            RpcError::Stopping => Self::owned(ErrorCode::InternalError.code(), message, None::<()>),
            RpcError::Internal(_) => {
                tracing::error!(%message, "a call failed");
                Self::owned(ErrorCode::InternalError.code(), message, None::<()>)
            }
            RpcError::UnknownBlock
            | RpcError::UnknownHash
            | RpcError::AboveHead { .. }
            | RpcError::NotFound(_)
            | RpcError::Refused(_) => Self::owned(SERVER_ERROR, message, None::<()>),
        }
    }
}
