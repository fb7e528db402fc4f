//! The one place where a fatal failure stops everything.

use std::sync::{Arc, OnceLock};

use tokio_util::sync::CancellationToken;

use crate::{
    driver::SignError,
    exit::{Exit, Failure},
};

impl From<SignError> for Failure {
    fn from(error: SignError) -> Self {
        match error {
            SignError::Guard(error) => Self::new(Exit::Refused, error.to_string()),
            SignError::Signer(error) => Self::new(Exit::Other, error.to_string()),
            SignError::Log(error) => Self::new(
                Exit::Corrupt,
                format!(
                    "{error}; nothing more is signed. Make room or replace the disk, then start the node again"
                ),
            ),
        }
    }
}

/// The way to stop the node from anywhere.
#[derive(Clone, Debug, Default)]
pub(crate) struct Stop {
    cancel: CancellationToken,
    failure: Arc<OnceLock<Failure>>,
}

impl Stop {
    /// Stops because of `failure`; the first one counts.
    pub(crate) fn now(&self, failure: Failure) {
        tracing::error!(exit_code = failure.exit as u8, "{failure}");
        // A later failure follows from the first.
        let _ = self.failure.set(failure);
        self.cancel.cancel();
    }

    /// What every task watches.
    pub(crate) fn token(&self) -> CancellationToken {
        self.cancel.clone()
    }

    /// The code that the process ends with.
    pub(crate) fn exit(&self) -> Exit {
        self.failure.get().map_or(Exit::Success, |failure| failure.exit)
    }
}
