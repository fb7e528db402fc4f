//! The log on files.

#[cfg(test)]
#[path = "tests.rs"]
mod tests;

use std::{
    fs::{File, OpenOptions},
    io,
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
};

use quorate_types::Height;

use crate::{
    error::{VoteLogError, io_error},
    files::{FOLDER, SEGMENTS, exists, lock, provision, read_log, set_aside},
    recovery::{Condition, State},
    segments::{Frame, Origin, Segments, Sizes},
};

/// What [`VoteLog::open`] found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recovery {
    /// Those above the head, oldest first; of a damaged log, whatever could be read.
    pub frames: Vec<Frame>,
    /// Whether they are all that were appended.
    pub condition: Condition,
}

/// An open vote log. One at a time for each folder.
#[derive(Debug)]
pub struct VoteLog {
    folder: PathBuf,
    files: [File; 2],
    segments: Segments,
    failure: Option<String>,
    /// Locked for as long as the log is open.
    _lock: File,
}

impl VoteLog {
    /// Provisions an empty log in `folder`, for a node that has never run. `identity` binds it to one
    /// node key and one chain.
    ///
    /// # Errors
    /// [`VoteLogError::Exists`], [`VoteLogError::InUse`], or when the files cannot be written.
    pub fn create(folder: &Path, identity: [u8; 32]) -> Result<(), VoteLogError> {
        let _lock = lock(folder)?;
        if exists(folder)? {
            return Err(VoteLogError::Exists { path: folder.to_owned() });
        }
        provision(folder, identity, Origin::Provisioned, Sizes::default())
    }

    /// Opens the log in `folder` and reads what it holds for a node whose store has every block up to
    /// `head` on disk. A missing or damaged one is replaced by an empty one; the condition says so.
    ///
    /// # Errors
    /// [`VoteLogError::Foreign`], [`VoteLogError::Version`], [`VoteLogError::InUse`], or when the
    /// files cannot be read or written.
    pub fn open(folder: &Path, identity: [u8; 32], head: Height) -> Result<(Self, Recovery), VoteLogError> {
        Self::open_with(folder, identity, head, Sizes::default())
    }

    pub(crate) fn open_with(
        folder: &Path,
        identity: [u8; 32],
        head: Height,
        sizes: Sizes,
    ) -> Result<(Self, Recovery), VoteLogError> {
        let lock = lock(folder)?;
        if !exists(folder)? {
            provision(folder, identity, Origin::Replacement, sizes)?;
        }
        let (state, mut recovery) = match read_log(folder, &identity)? {
            Ok(state) => {
                let (frames, condition) = (state.frames.clone(), state.condition(head));
                (state, Recovery { frames, condition })
            }
            Err((why, frames)) => {
                set_aside(folder)?;
                provision(folder, identity, Origin::Replacement, sizes)?;
                let state = read_log(folder, &identity)?
                    .map_err(|(why, _)| io_error(folder, "reading back a new log")(io::Error::other(why)))?;
                (state, Recovery { frames, condition: Condition::Damaged { why } })
            }
        };
        recovery.frames.retain(|frame| frame.height > head);
        let mut log = Self::on(folder, &state, sizes, lock)?;
        log.release(head);
        Ok((log, recovery))
    }

    fn on(folder: &Path, state: &State, sizes: Sizes, lock: File) -> Result<Self, VoteLogError> {
        let open = |name| {
            let file = OpenOptions::new().read(true).write(true).open(folder.join(FOLDER).join(name));
            file.map_err(io_error(folder, "opening a segment"))
        };
        let files = [open(SEGMENTS[0])?, open(SEGMENTS[1])?];
        // What was read may so far be in the page cache alone: a process was killed between write and sync. It will be
        // sent again, so it must be on disk first.
        for file in &files {
            file.sync_data().map_err(io_error(folder, "syncing a segment"))?;
        }
        let segments = Segments::resume(state, sizes);
        Ok(Self { folder: folder.to_owned(), files, segments, failure: None, _lock: lock })
    }

    /// Appends one frame; when this returns `Ok`, it survives a power cut.
    ///
    /// # Errors
    /// [`VoteLogError::Refused`] writes nothing. After any other error the log takes nothing more: the caller must sign
    /// nothing either, and stop.
    pub fn append(&mut self, height: Height, payload: &[u8]) -> Result<(), VoteLogError> {
        if let Some(failure) = &self.failure {
            return Err(VoteLogError::Poisoned(failure.clone()));
        }
        for write in self.segments.append(height, payload)? {
            let file = &self.files[write.segment];
            let written = file.write_all_at(&write.bytes, write.at as u64).and_then(|()| file.sync_data());
            if let Err(source) = written {
                self.failure = Some(source.to_string());
                return Err(io_error(&self.folder, "writing a frame")(source));
            }
        }
        Ok(())
    }

    /// Has the log count as intact from its next frame on for a store that has every block up to `head`, though it was older
    /// than the log: an operator knows that the key signed nothing that is missing.
    pub fn trust(&mut self, head: Height) {
        self.segments.trust(head);
    }

    /// Says that frames of `height` and below are no longer needed: its block is on disk in the store.
    /// Nothing is written; the next append carries it.
    pub fn release(&mut self, height: Height) {
        self.segments.release(height);
    }
}
