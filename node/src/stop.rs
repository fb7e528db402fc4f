//! The one place where a fatal failure stops everything.

use std::sync::{Arc, OnceLock};

use tokio::signal::unix::{SignalKind, signal};
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

    /// From now on SIGTERM and SIGINT end the node in order, however far its start has come: neither kills the process any
    /// more, and one that comes before anybody waits is kept. Must be called within a runtime.
    pub(crate) fn on_signals(&self) -> std::io::Result<()> {
        let mut terminate = signal(SignalKind::terminate())?;
        let mut interrupt = signal(SignalKind::interrupt())?;
        let token = self.cancel.clone();
        tokio::spawn(async move {
            tokio::select! {
                _ = terminate.recv() => tracing::info!("SIGTERM: stopping"),
                _ = interrupt.recv() => tracing::info!("SIGINT: stopping"),
                () = token.cancelled() => {}
            }
            token.cancel();
        });
        Ok(())
    }

    /// Whether the node is ending.
    pub(crate) fn is_stopping(&self) -> bool {
        self.cancel.is_cancelled()
    }

    /// A guard for a thread or task that must live as long as the node: when it ends first, by a panic, the node stops,
    /// instead of going on with a part missing.
    pub(crate) fn vital(&self, name: &'static str) -> Vital {
        Vital { name, stop: self.clone() }
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

/// See [`Stop::vital`].
pub(crate) struct Vital {
    name: &'static str,
    stop: Stop,
}

impl Drop for Vital {
    fn drop(&mut self) {
        if !self.stop.is_stopping() {
            let message =
                format!("the {} has ended, which is a defect: see the log; start the node again", self.name);
            self.stop.now(Failure::new(Exit::Other, message));
        }
    }
}
