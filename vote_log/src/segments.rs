//! Which bytes go where: the log without its files.

use std::collections::VecDeque;

use quorate_types::Height;

use crate::{
    frame::{FRAME_BYTES, HEADER_BYTES, MAX_PAYLOAD_BYTES, RawFrame, SegmentHeader, Tag},
    recovery::{Chain, State},
};

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

/// How an empty log came about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// With the node, before its first start.
    Provisioned,
    /// In place of a lost one.
    Replacement,
}

/// The sizes of segments; smaller in tests.
#[derive(Clone, Copy, Debug)]
pub struct Sizes {
    /// As they are made, bytes.
    pub segment: usize,
    /// What they may grow to, bytes.
    pub max_segment: usize,
}

impl Default for Sizes {
    fn default() -> Self {
        Self { segment: SEGMENT_BYTES, max_segment: MAX_SEGMENT_BYTES }
    }
}

/// Why a frame does not go in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// A payload is empty or too big.
    #[error("a frame holds 1 to {MAX_PAYLOAD_BYTES} bytes, not {0}")]
    Payload(usize),
    /// Too much is unreleased.
    #[error("the vote log is full: {0} frames since the last committed block do not fit its bound")]
    Full(usize),
}

/// Bytes for one place of one segment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Write {
    /// Which of the two.
    pub segment: usize,
    /// From its beginning, bytes.
    pub at: usize,
    /// A whole frame.
    pub bytes: Vec<u8>,
}

/// Where a log stands, and what it writes next.
#[derive(Clone, Debug)]
pub struct Segments {
    pub(crate) chains: [Chain; 2],
    pub(crate) active: usize,
    tag: Tag,
    pub(crate) next_sequence: u64,
    /// `start` of the newest frame on disk: all frames before it count as gone.
    durable_start: u64,
    /// The highest height that was released.
    released: Height,
    /// The frames that are not released, oldest first.
    needed: VecDeque<(u64, Height)>,
    sizes: Sizes,
}

impl Segments {
    /// The bytes that both segments are made with. `tag` is random and secret to the log.
    #[must_use]
    pub fn provision(identity: [u8; 32], tag: [u8; 8], origin: Origin, sizes: Sizes) -> Vec<u8> {
        let mut image = SegmentHeader { origin, tag, identity, provisioned: sizes.segment as u64 }.encode();
        image.resize(sizes.segment.max(HEADER_BYTES), 0);
        image
    }

    /// Goes on where a whole log stands.
    #[must_use]
    pub fn resume(state: &State, sizes: Sizes) -> Self {
        Self {
            chains: state.segments,
            active: state.active,
            tag: state.tag,
            next_sequence: state.next_sequence,
            durable_start: state.start,
            released: state.released,
            needed: state.frames.iter().map(|frame| (frame.sequence, frame.height)).collect(),
            sizes,
        }
    }

    /// What one more frame writes. The writes are done in their order, each synced before the next; should one fail, the log
    /// is not used any more.
    ///
    /// # Errors
    /// A [`Refusal`] changes nothing.
    pub fn append(&mut self, height: Height, payload: &[u8]) -> Result<Vec<Write>, Refusal> {
        if payload.is_empty() || payload.len() > MAX_PAYLOAD_BYTES {
            return Err(Refusal::Payload(payload.len()));
        }
        let mut writes = Vec::from_iter(self.make_room(FRAME_BYTES + payload.len())?);
        let sequence = self.next_sequence;
        writes.push(self.write(height, payload));
        self.needed.push_back((sequence, height));
        Ok(writes)
    }

    /// Says that frames of `height` and below are no longer needed: its block is on disk in the store.
    /// Nothing is written; the next append carries it.
    pub fn release(&mut self, height: Height) {
        self.released = self.released.max(height);
        while self.needed.front().is_some_and(|(_, needed)| *needed <= height) {
            self.needed.pop_front();
        }
    }

    /// Takes back that anything above `head` was released: whoever says so knows what the frames lack.
    pub fn trust(&mut self, head: Height) {
        self.released = self.released.min(head);
    }

    /// Sees to it that the active segment has room for `bytes`: by changing to the other one when
    /// nothing in it is needed, else by letting this one grow. A segment may be overwritten only when a frame on disk
    /// says that it is not needed: were the first frame of its new use torn, recovery would otherwise miss the old
    /// ones. Such a marker is what is returned.
    fn make_room(&mut self, bytes: usize) -> Result<Option<Write>, Refusal> {
        let Chain { first, end } = self.chains[self.active];
        if end + bytes <= self.sizes.segment {
            return Ok(None);
        }
        if let Some(first) = first.filter(|first| self.start() >= *first) {
            let marker = (self.durable_start < first).then(|| self.write(Height::ZERO, &[]));
            self.active = 1 - self.active;
            self.chains[self.active] = Chain { first: None, end: HEADER_BYTES };
            return Ok(marker);
        }
        // What is kept free is for the marker above.
        if end + bytes + FRAME_BYTES > self.sizes.max_segment {
            return Err(Refusal::Full(self.needed.len()));
        }
        Ok(None)
    }

    /// The oldest frame that is needed, or the next one.
    fn start(&self) -> u64 {
        self.needed.front().map_or(self.next_sequence, |(sequence, _)| *sequence)
    }

    fn write(&mut self, height: Height, payload: &[u8]) -> Write {
        let (sequence, start, released) = (self.next_sequence, self.start(), self.released.0);
        let bytes = RawFrame { sequence, height: height.0, start, released, payload }.encode(self.tag);
        let chain = &mut self.chains[self.active];
        let at = chain.end;
        chain.end += bytes.len();
        chain.first.get_or_insert(sequence);
        self.next_sequence += 1;
        self.durable_start = start;
        Write { segment: self.active, at, bytes }
    }
}
