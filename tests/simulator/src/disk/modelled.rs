//! What the vote log comes down to, without its bytes.

use quorate_types::Height;
use quorate_vote_log::Condition;

use super::{Found, Frame, Remains};

#[derive(Debug)]
struct Entry {
    sequence: u64,
    /// The oldest frame that was still needed when this one was written.
    start: u64,
    /// The highest height that was released then.
    released: Height,
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
    /// The same of the highest height that was released.
    released: Height,
    damaged: bool,
    /// Made in place of a lost one, and without a frame so far.
    replaces: bool,
}

impl Log {
    pub(super) fn write(&mut self, frame: Frame) {
        let (sequence, start, released) = (self.next, self.start.min(self.next), self.released);
        self.entries.push(Entry { sequence, start, released, frame });
        self.next += 1;
        self.writing = true;
    }

    pub(super) fn sync(&mut self) {
        self.writing = false;
        if let Some(start) = self.entries.last().map(|entry| entry.start) {
            self.entries.retain(|entry| entry.sequence >= start);
            self.replaces = false;
        }
    }

    pub(super) fn release(&mut self, height: Height) {
        self.released = self.released.max(height);
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
        *self = Self { replaces: true, ..Self::default() };
    }

    /// The last frame is spared: bytes missing there look like a torn write.
    pub(super) fn damage(&mut self, chance: u64) {
        self.damaged = true;
        if self.entries.len() > 1 {
            let older = self.entries.len() as u64 - 1;
            self.entries.remove(usize::try_from(chance % older).expect("few frames"));
        }
    }

    pub(super) fn open(&mut self, head: Height) -> Found {
        let last = self.entries.last();
        self.start = last.map_or(self.next, |entry| entry.start);
        self.released = last.map_or(Height::ZERO, |entry| entry.released);
        let condition = match (self.damaged, self.replaces) {
            (true, _) => Condition::Damaged { why: String::new() },
            (false, true) => Condition::Missing,
            (false, false) if self.released > head => Condition::StoreWentBack { released: self.released },
            (false, false) => Condition::Intact,
        };
        let frames = self.entries.iter().map(|entry| entry.frame.clone());
        let frames = frames.filter(|frame| frame.height > head).collect();
        if self.damaged {
            self.lose();
        }
        self.release(head);
        Found { frames, condition }
    }

    pub(super) const fn len(&self) -> usize {
        self.entries.len()
    }
}
