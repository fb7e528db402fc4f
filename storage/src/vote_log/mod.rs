//! The vote log: what this node has signed and not yet outlived, one sync per frame.
//!
//! A validator that forgets a vote may contradict it, so a frame is on disk before anything of it is
//! sent (protocol.md, "Persisted before sent"). The log is two files of fixed size, filled with zeros
//! in advance so that a sync has no metadata to write, used in turn:
//!
//! ```text
//! votes/0  [1][2][3]......    append until it is full; when all frames that are still needed are
//! votes/1  ...............    in it, the other one starts over; else it grows, within a bound
//! ```
//! There is never more than one frame without a sync, so the only thing that a stop can tear is the
//! last frame, which nobody has acted upon: it is dropped. Anything else that is missing is damage,
//! and then the caller must not sign until it knows that it contradicts nothing.
//!
//! A log that was made anew because there was none, or a damaged one, keeps saying so at every start
//! until its first frame.

mod files;
mod frame;
mod recovery;
#[cfg(test)]
mod tests;

use std::{
    collections::VecDeque,
    fs::{File, OpenOptions},
    io,
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
};

use quorate_types::Height;

use files::{FOLDER, SEGMENTS, exists, lock, provision, read_log, set_aside};
pub use frame::MAX_PAYLOAD_BYTES;
use frame::{FRAME_BYTES, HEADER_BYTES, RawFrame, Tag};
use recovery::{Chain, State};

/// The size of a segment as it is provisioned: some thousand heights of votes, or a few full blocks.
pub const SEGMENT_BYTES: usize = 8 << 20;
/// What a segment may grow to while frames in the other one are still needed: one height whose block
/// was prepared in a dozen views. Beyond it nothing more is signed.
pub const MAX_SEGMENT_BYTES: usize = 256 << 20;

/// One appended payload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// Rises for ever.
    pub sequence: u64,
    /// The height it was appended for.
    pub height: Height,
    /// The caller's bytes.
    pub payload: Vec<u8>,
}

/// What [`VoteLog::open`] found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recovery {
    /// Oldest first. All that were needed at the last append, and perhaps some that no longer are;
    /// of a damaged log, whatever could be read.
    pub frames: Vec<Frame>,
    /// Whether they are all.
    pub condition: Condition,
}

/// What a log's frames are worth.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Condition {
    /// Every frame that was ever synced and not released is there.
    Intact,
    /// Provisioned by [`VoteLog::create`], and nothing was ever appended.
    Fresh,
    /// There was no log, now or when this still empty one was made: what the node signed is unknown.
    Missing,
    /// Frames are lost: what the node signed is unknown. The files were set aside in `votes.damaged`
    /// and an empty log was made.
    Damaged {
        /// What is wrong.
        why: String,
    },
}

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
    /// [`VoteLog::create`] found a log.
    #[error("there is a vote log in {} already", path.display())]
    Exists {
        /// The folder.
        path: PathBuf,
    },
    /// A payload is empty or too big.
    #[error("a frame holds 1 to {MAX_PAYLOAD_BYTES} bytes, not {0}")]
    Payload(usize),
    /// Too much is unreleased.
    #[error("the vote log is full: {0} frames since the last committed block do not fit its bound")]
    Full(usize),
}

/// How an empty log came about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Origin {
    /// With the node, before its first start.
    Provisioned,
    /// In place of a lost one.
    Replacement,
}

/// The sizes of segments; smaller in tests.
#[derive(Clone, Copy, Debug)]
struct Sizes {
    segment: usize,
    max_segment: usize,
}

const SIZES: Sizes = Sizes { segment: SEGMENT_BYTES, max_segment: MAX_SEGMENT_BYTES };

/// An open vote log. One at a time for each folder.
#[derive(Debug)]
pub struct VoteLog {
    folder: PathBuf,
    files: [File; 2],
    segments: [Chain; 2],
    active: usize,
    tag: Tag,
    next_sequence: u64,
    /// `start` of the newest frame on disk: all frames before it count as gone.
    durable_start: u64,
    /// The frames that are not released, oldest first.
    needed: VecDeque<(u64, Height)>,
    failure: Option<String>,
    sizes: Sizes,
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
        provision(folder, identity, Origin::Provisioned, SIZES)
    }

    /// Opens the log in `folder` and reads what it holds. A missing or damaged one is replaced by an
    /// empty one; the condition says so.
    ///
    /// # Errors
    /// [`VoteLogError::Foreign`], [`VoteLogError::Version`], [`VoteLogError::InUse`], or when the
    /// files cannot be read or written.
    pub fn open(folder: &Path, identity: [u8; 32]) -> Result<(Self, Recovery), VoteLogError> {
        Self::open_with(folder, identity, SIZES)
    }

    fn open_with(folder: &Path, identity: [u8; 32], sizes: Sizes) -> Result<(Self, Recovery), VoteLogError> {
        let lock = lock(folder)?;
        if !exists(folder)? {
            provision(folder, identity, Origin::Replacement, sizes)?;
        }
        let state = match read_log(folder, &identity)? {
            Ok(state) => state,
            Err((why, frames)) => {
                set_aside(folder)?;
                provision(folder, identity, Origin::Replacement, sizes)?;
                let state = read_log(folder, &identity)?
                    .map_err(|(why, _)| io_error(folder, "reading back a new log")(io::Error::other(why)))?;
                let recovery = Recovery { frames, condition: Condition::Damaged { why } };
                return Ok((Self::on(folder, state, sizes, lock)?, recovery));
            }
        };
        let condition = match (state.next_sequence, state.origin) {
            (1, Origin::Provisioned) => Condition::Fresh,
            (1, Origin::Replacement) => Condition::Missing,
            _ => Condition::Intact,
        };
        let recovery = Recovery { frames: state.frames.clone(), condition };
        Ok((Self::on(folder, state, sizes, lock)?, recovery))
    }

    fn on(folder: &Path, state: State, sizes: Sizes, lock: File) -> Result<Self, VoteLogError> {
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
        Ok(Self {
            folder: folder.to_owned(),
            files,
            segments: state.segments,
            active: state.active,
            tag: state.tag,
            next_sequence: state.next_sequence,
            durable_start: state.start,
            needed: state.frames.iter().map(|frame| (frame.sequence, frame.height)).collect(),
            failure: None,
            sizes,
            _lock: lock,
        })
    }

    /// Appends one frame; when this returns `Ok`, it survives a power cut.
    ///
    /// # Errors
    /// [`VoteLogError::Payload`] and [`VoteLogError::Full`] write nothing. After any other error the
    /// log takes nothing more: the caller must sign nothing either, and stop.
    pub fn append(&mut self, height: Height, payload: &[u8]) -> Result<(), VoteLogError> {
        if payload.is_empty() || payload.len() > MAX_PAYLOAD_BYTES {
            return Err(VoteLogError::Payload(payload.len()));
        }
        if let Some(failure) = &self.failure {
            return Err(VoteLogError::Poisoned(failure.clone()));
        }
        self.make_room(FRAME_BYTES + payload.len())?;
        let sequence = self.next_sequence;
        self.write(height, payload)?;
        self.needed.push_back((sequence, height));
        Ok(())
    }

    /// Says that frames of `height` and below are no longer needed: its block is on disk in the store.
    /// Nothing is written; the next append carries it.
    pub fn release(&mut self, height: Height) {
        while self.needed.front().is_some_and(|(_, needed)| *needed <= height) {
            self.needed.pop_front();
        }
    }

    /// Sees to it that the active segment has room for `bytes`: by changing to the other one when
    /// nothing in it is needed, else by letting this one grow.
    fn make_room(&mut self, bytes: usize) -> Result<(), VoteLogError> {
        let Chain { first, end } = self.segments[self.active];
        if end + bytes <= self.sizes.segment {
            return Ok(());
        }
        // A segment may be overwritten only when a frame on disk says that it is not needed: were the
        // first frame of its new use torn, recovery would otherwise miss the old ones.
        if first.is_some_and(|first| self.start() >= first) {
            if first.is_some_and(|first| self.durable_start < first) {
                self.write(Height::ZERO, &[])?;
            }
            self.active = 1 - self.active;
            self.segments[self.active] = Chain { first: None, end: HEADER_BYTES };
            return Ok(());
        }
        // What is kept free is for the marker above.
        if end + bytes + FRAME_BYTES > self.sizes.max_segment {
            return Err(VoteLogError::Full(self.needed.len()));
        }
        Ok(())
    }

    /// The oldest frame that is needed, or the next one.
    fn start(&self) -> u64 {
        self.needed.front().map_or(self.next_sequence, |(sequence, _)| *sequence)
    }

    /// One write, one sync.
    fn write(&mut self, height: Height, payload: &[u8]) -> Result<(), VoteLogError> {
        let (sequence, start) = (self.next_sequence, self.start());
        let frame = RawFrame { sequence, height: height.0, start, payload }.encode(self.tag);
        let (file, end) = (&self.files[self.active], self.segments[self.active].end);
        let written = file.write_all_at(&frame, end as u64).and_then(|()| file.sync_data());
        if let Err(source) = written {
            self.failure = Some(source.to_string());
            return Err(io_error(&self.folder, "writing a frame")(source));
        }
        let segment = &mut self.segments[self.active];
        segment.end += frame.len();
        segment.first.get_or_insert(sequence);
        self.next_sequence += 1;
        self.durable_start = start;
        Ok(())
    }
}

fn io_error(folder: &Path, doing: &'static str) -> impl FnOnce(io::Error) -> VoteLogError {
    let path = folder.to_owned();
    move |source| VoteLogError::Io { path, doing, source }
}
