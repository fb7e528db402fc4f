use std::{
    io,
    path::{Path, PathBuf},
};

use crate::segments::Refusal;

/// Why the log did not take a frame, or cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum VoteLogError {
    /// The operating system refused something.
    #[error("the vote log in {}: {doing}: {source}", path.display())]
    Io {
        /// The folder.
        path: PathBuf,
        /// What was tried.
        doing: &'static str,
        /// The operating system's words.
        source: io::Error,
    },
    /// A write or a sync failed before. It is never retried: the operating system may have dropped
    /// the bytes and report success the next time.
    #[error("the vote log takes no more frames since a write failed: {0}; restart the node")]
    Poisoned(String),
    /// The log is that of another node key or another chain.
    #[error("the vote log in {} belongs to another node or chain; it must never be moved or copied", path.display())]
    Foreign {
        /// The folder.
        path: PathBuf,
    },
    /// The log was written by another version.
    #[error("the vote log in {} has version {found}; start the version of the node that wrote it", path.display())]
    Version {
        /// The folder.
        path: PathBuf,
        /// The version in the file.
        found: u32,
    },
    /// Another process has the log open: two would sign against each other.
    #[error("the vote log in {} is in use by another process", path.display())]
    InUse {
        /// The folder.
        path: PathBuf,
    },
    /// [`VoteLog::create`](crate::VoteLog::create) found a log.
    #[error("there is a vote log in {} already", path.display())]
    Exists {
        /// The folder.
        path: PathBuf,
    },
    /// The frame does not go in; nothing was written.
    #[error(transparent)]
    Refused(#[from] Refusal),
}

pub(crate) fn io_error(folder: &Path, doing: &'static str) -> impl FnOnce(io::Error) -> VoteLogError {
    let path = folder.to_owned();
    move |source| VoteLogError::Io { path, doing, source }
}
