//! What a client is told when a method fails: a code of gRPC, a message, and a reason that programs can tell apart.

use std::collections::HashMap;

use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt as _};

use crate::error::RpcError;

/// Messages travel in headers, and clients take few bytes of these.
const MAX_MESSAGE_BYTES: usize = 1024;
/// Whose reasons they are.
const DOMAIN: &str = "quorate";

fn refusal(code: Code, reason: &str, mut message: String) -> Status {
    message.truncate(message.floor_char_boundary(MAX_MESSAGE_BYTES));
    let details = ErrorDetails::with_error_info(reason, DOMAIN, HashMap::<String, String>::new());
    Status::with_error_details(code, message, details)
}

/// What was waited for did not come in time.
pub(super) fn late(what: impl Into<String>) -> Status {
    refusal(Code::DeadlineExceeded, "LATE", what.into())
}

impl From<RpcError> for Status {
    fn from(error: RpcError) -> Self {
        let message = error.to_string();
        match error {
            RpcError::AboveHead { height, head } => {
                let what = format!("block {height} is not decided yet: the head is {head}");
                refusal(Code::NotFound, "NOT_FOUND", what)
            }
            RpcError::UnknownBlock | RpcError::UnknownHash | RpcError::NotFound(_) => {
                refusal(Code::NotFound, "NOT_FOUND", message)
            }
            RpcError::InvalidParams(_) | RpcError::TooMuch(_) | RpcError::NoSubscription { .. } => {
                refusal(Code::InvalidArgument, "INVALID", message)
            }
            RpcError::Refused(_) | RpcError::Reverted { .. } | RpcError::Simulation { .. } => {
                refusal(Code::FailedPrecondition, "REFUSED", message)
            }
            RpcError::Limit(_) => refusal(Code::ResourceExhausted, "LIMIT", message),
            RpcError::Stopping => refusal(Code::Unavailable, "STOPPING", message),
            RpcError::Internal(_) => {
                tracing::error!(%message, "a call failed");
                refusal(Code::Internal, "INTERNAL", message)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use quorate_types::Height;

    use super::*;

    #[test]
    fn refusals_have_a_code_and_a_reason() {
        let told = |error: RpcError| {
            let status = Status::from(error);
            (status.code(), status.get_details_error_info().expect("details").reason)
        };
        let above = RpcError::AboveHead { height: Height(2), head: Height(1) };
        assert_eq!(told(above), (Code::NotFound, "NOT_FOUND".to_owned()));
        assert_eq!(told(RpcError::Limit(String::new())), (Code::ResourceExhausted, "LIMIT".to_owned()));
        assert_eq!(told(RpcError::Stopping), (Code::Unavailable, "STOPPING".to_owned()));
    }

    /// Given a reason that a contract chose, when it is long, then it is cut: clients drop connections for large headers.
    #[test]
    fn long_messages_are_cut_between_letters() {
        let status = Status::from(RpcError::Refused("é".repeat(MAX_MESSAGE_BYTES)));
        assert_eq!(status.message().len(), MAX_MESSAGE_BYTES);
        let status = Status::from(RpcError::Refused(format!("x{}", "é".repeat(MAX_MESSAGE_BYTES))));
        assert_eq!(status.message().len(), MAX_MESSAGE_BYTES - 1);
    }
}
