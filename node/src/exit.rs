//! How the program ends: one enum of exit codes, and the error that carries one.

use std::process::ExitCode;

use crate::config::ConfigError;

/// What an exit code tells a script.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    /// It worked.
    Success = 0,
    /// It failed for a reason without a code of its own.
    Other = 1,
    /// The command line is wrong.
    Usage = 2,
    /// The configuration or the genesis file is wrong.
    Configuration = 3,
    /// A node did not answer, or not in time.
    Unreachable = 4,
    /// A node answered that it is not well.
    Unhealthy = 5,
    /// A node refused a transaction, or it was reverted.
    Rejected = 6,
    /// The operating system or a node denied permission.
    Permission = 7,
    /// Data is damaged or of another version, or a node's answer is not proven.
    Corrupt = 8,
    /// Going on might break a promise: an existing folder would be overwritten, a vote signed twice.
    Refused = 9,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// An error that knows its exit code: what failed, why, and what to do next.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct Failure {
    /// The code that the process ends with.
    pub exit: Exit,
    /// For an operator to read.
    pub message: String,
}

impl Failure {
    /// A failure with its message.
    #[must_use]
    pub fn new(exit: Exit, message: impl Into<String>) -> Self {
        Self { exit, message: message.into() }
    }
}

/// The exit code of a command that failed with `error`.
#[must_use]
pub fn exit_of(error: &eyre::Report) -> Exit {
    let causes = || error.chain();
    if let Some(failure) = causes().find_map(|cause| cause.downcast_ref::<Failure>()) {
        return failure.exit;
    }
    if causes().any(|cause| cause.is::<ConfigError>() || cause.is::<quorate_types::GenesisError>()) {
        return Exit::Configuration;
    }
    match causes().find_map(|cause| cause.downcast_ref::<std::io::Error>()).map(std::io::Error::kind) {
        Some(std::io::ErrorKind::PermissionDenied) => Exit::Permission,
        _ => Exit::Other,
    }
}

#[cfg(test)]
mod tests {
    use eyre::WrapErr as _;

    use super::*;

    #[test]
    fn the_code_survives_what_is_wrapped_around_the_error() {
        let failure: eyre::Result<()> = Err(Failure::new(Exit::Unreachable, "nobody there").into());
        let report = failure.wrap_err("while asking").expect_err("it failed");
        assert_eq!(exit_of(&report), Exit::Unreachable);
    }

    #[test]
    fn errors_of_the_libraries_have_their_codes() {
        let genesis = quorate_types::Genesis::from_json("{}").expect_err("no genesis");
        let denied = std::io::Error::from(std::io::ErrorKind::PermissionDenied);
        assert_eq!(exit_of(&eyre::Report::new(genesis)), Exit::Configuration);
        assert_eq!(exit_of(&eyre::Report::new(denied)), Exit::Permission);
        assert_eq!(exit_of(&eyre::eyre!("anything else")), Exit::Other);
    }
}
