//! The files of a vote log: made whole, read whole, set aside when damaged.

use std::{
    fs::{self, File, OpenOptions, TryLockError},
    io::{self, Write},
    path::Path,
};

use crate::{
    error::{VoteLogError, io_error},
    recovery::{Outcome, State, recover},
    segments::{Frame, Origin, Segments, Sizes},
};

/// Where the log is, in the folder that it was given.
pub(crate) const FOLDER: &str = "votes";
pub(crate) const UNFINISHED_FOLDER: &str = "votes.new";
pub(crate) const DAMAGED_FOLDER: &str = "votes.damaged";
const LOCK_FILE: &str = "votes.lock";
/// The two segments.
pub(crate) const SEGMENTS: [&str; 2] = ["0", "1"];

pub(crate) fn lock(folder: &Path) -> Result<File, VoteLogError> {
    fs::create_dir_all(folder).map_err(io_error(folder, "making the folder"))?;
    let file = OpenOptions::new().create(true).truncate(false).write(true).open(folder.join(LOCK_FILE));
    let file = file.map_err(io_error(folder, "opening the lock file"))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(VoteLogError::InUse { path: folder.to_owned() }),
        Err(TryLockError::Error(source)) => Err(io_error(folder, "locking the lock file")(source)),
    }
}

pub(crate) fn exists(folder: &Path) -> Result<bool, VoteLogError> {
    folder.join(FOLDER).try_exists().map_err(io_error(folder, "looking for the log"))
}

/// The log's state, or what is wrong with it and the frames that could be read.
pub(crate) type ReadLog = Result<State, (String, Vec<Frame>)>;

pub(crate) fn read_log(folder: &Path, identity: &[u8; 32]) -> Result<ReadLog, VoteLogError> {
    let read = |name| match fs::read(folder.join(FOLDER).join(name)) {
        // An absent segment has no header: damage, not an error of the operating system.
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        other => other.map_err(io_error(folder, "reading a segment")),
    };
    let [first, second] = [read(SEGMENTS[0])?, read(SEGMENTS[1])?];
    match recover([&first, &second], identity) {
        Outcome::Whole(state) => Ok(Ok(state)),
        Outcome::Damaged { why, frames } => Ok(Err((why, frames))),
        Outcome::Foreign { .. } => Err(VoteLogError::Foreign { path: folder.to_owned() }),
        Outcome::Version(found) => Err(VoteLogError::Version { path: folder.to_owned(), found }),
    }
}

/// Makes both segments in a folder of another name, and renames it when all is on disk: a log is
/// there as a whole or not at all.
pub(crate) fn provision(
    folder: &Path,
    identity: [u8; 32],
    origin: Origin,
    sizes: Sizes,
) -> Result<(), VoteLogError> {
    let io = |doing| io_error(folder, doing);
    let unfinished = folder.join(UNFINISHED_FOLDER);
    if unfinished.try_exists().map_err(io("looking for an unfinished log"))? {
        fs::remove_dir_all(&unfinished).map_err(io("removing an unfinished log"))?;
    }
    fs::create_dir(&unfinished).map_err(io("making a log"))?;
    let mut tag = [0; 8];
    getrandom::fill(&mut tag).map_err(|error| io("drawing a tag")(io::Error::other(error)))?;
    let image = Segments::provision(identity, tag, origin, sizes);
    for name in SEGMENTS {
        let written = File::create_new(unfinished.join(name)).and_then(|mut file| {
            file.write_all(&image)?;
            file.sync_all()
        });
        written.map_err(io("filling a segment"))?;
    }
    sync_folder(&unfinished).map_err(io("syncing a new log"))?;
    fs::rename(&unfinished, folder.join(FOLDER)).map_err(io("putting a new log into its place"))?;
    sync_folder(folder).map_err(io("syncing the folder"))
}

/// Keeps a damaged log for whoever wants to look at it; of several, the last.
pub(crate) fn set_aside(folder: &Path) -> Result<(), VoteLogError> {
    let aside = folder.join(DAMAGED_FOLDER);
    if aside.try_exists().map_err(io_error(folder, "looking for an older damaged log"))? {
        fs::remove_dir_all(&aside).map_err(io_error(folder, "removing an older damaged log"))?;
    }
    fs::rename(folder.join(FOLDER), aside).map_err(io_error(folder, "setting a damaged log aside"))?;
    sync_folder(folder).map_err(io_error(folder, "syncing the folder"))
}

fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}
