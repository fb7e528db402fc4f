//! What the vote log comes down to, without its bytes.

use quorate_types::Height;

use super::{Found, Frame, Remains};

#[derive(Debug)]
struct Entry {
    sequence: u64,
    /// The oldest frame that was still needed when this one was written.
    start: u64,
    frame: Frame,
}

/// The frames, and which of them are needed.
#[derive(Debug, Default)]
pub(super) struct Log {
    entries: Vec<Entry>,
    /// Whether the last one is not synced.
    writing: bool,
    /// The oldest that is needed. Nothing is written for it; the next frame carries it.
    start: u64,
    next: u64,
    damaged: bool,
}

impl Log {
    pub(super) fn write(&mut self, frame: Frame) {
        let (sequence, start) = (self.next, self.start.min(self.next));
        self.entries.push(Entry { sequence, start, frame });
        self.next += 1;
        self.writing = true;
    }

    pub(super) fn sync(&mut self) {
        self.writing = false;
        if let Some(start) = self.entries.last().map(|entry| entry.start) {
            self.entries.retain(|entry| entry.sequence >= start);
        }
    }

    pub(super) fn release(&mut self, height: Height) {
        for entry in &self.entries {
            if entry.sequence >= self.start && entry.frame.height > height {
                return;
            }
            self.start = self.start.max(entry.sequence + 1);
        }
    }

    pub(super) const fn is_writing(&self) -> bool {
        self.writing
    }

    pub(super) fn crash(&mut self, remains: Remains) {
        // A reader drops a part of a frame.
        if self.writing && remains != Remains::All {
            self.entries.pop();
        }
        self.sync();
    }

    pub(super) fn lose(&mut self) {
        *self = Self::default();
    }

    /// The last frame is spared: bytes missing there look like a torn write.
    pub(super) fn damage(&mut self, chance: u64) {
        self.damaged = true;
        if self.entries.len() > 1 {
            let older = self.entries.len() as u64 - 1;
            self.entries.remove(usize::try_from(chance % older).expect("few frames"));
        }
    }

    pub(super) fn needed(&mut self) -> Vec<Frame> {
        self.entries.iter().map(|entry| entry.frame.clone()).collect()
    }

    pub(super) fn open(&mut self) -> Found {
        let frames = self.needed();
        self.start = self.entries.last().map_or(self.next, |entry| entry.start);
        let whole = !self.damaged;
        if !whole {
            // Replaced by an empty one.
            self.lose();
        }
        Found { frames, whole }
    }

    pub(super) const fn len(&self) -> usize {
        self.entries.len()
    }
}
