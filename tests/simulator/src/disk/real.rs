//! The very bytes that a node would write to its vote log, and read back from it.

use quorate_proto::LogRecord;
use quorate_types::{Height, NodeId, keccak256};
use quorate_vote_log::{Condition, Origin, Outcome, Segments, Sizes, State, Write, recover};

use super::{Found, Frame, Remains};

/// Small, so that segments are changed and grow within a run.
const SIZES: Sizes = Sizes { segment: 32 << 10, max_segment: 64 << 20 };
/// A byte of a segment's header that its checksum covers.
const IN_HEADER: usize = 20;

/// Two segments, and what is on its way to them.
#[derive(Debug)]
pub(super) struct Log {
    identity: [u8; 32],
    images: [Vec<u8>; 2],
    segments: Segments,
    /// Written, not synced.
    pending: Option<Write>,
    /// Frames since the log was made or opened that are not released.
    heights: Vec<Height>,
    /// How many logs were made for this node: each has a tag of its own.
    made: u64,
}

impl Log {
    pub(super) fn provisioned(owner: NodeId) -> Self {
        Self::make(owner.0, 0, Origin::Provisioned)
    }

    fn make(identity: [u8; 32], made: u64, origin: Origin) -> Self {
        let tag = keccak256([identity.as_slice(), &made.to_be_bytes()].concat());
        let tag = *tag.first_chunk().expect("a hash has eight bytes");
        let images = [0, 1].map(|_| Segments::provision(identity, tag, origin, SIZES));
        let Some(state) = state(&images, &identity) else {
            unreachable!("what was just provisioned is whole")
        };
        let segments = Segments::resume(&state, SIZES);
        Self { identity, images, segments, pending: None, heights: Vec::new(), made }
    }

    /// Each write but the last is synced at once, as the log demands.
    pub(super) fn write(&mut self, frame: Frame) {
        let Frame { height, messages, prepared } = frame;
        let payload = LogRecord { messages, prepared }.encode();
        let mut writes =
            self.segments.append(height, &payload).expect("the frames of a run fit its segments");
        self.pending = writes.pop();
        for write in writes {
            self.apply(&write, write.bytes.len());
        }
        self.heights.push(height);
    }

    pub(super) fn sync(&mut self) {
        self.crash(Remains::All);
    }

    pub(super) fn release(&mut self, height: Height) {
        self.segments.release(height);
        self.heights.retain(|it| *it > height);
    }

    pub(super) const fn is_writing(&self) -> bool {
        self.pending.is_some()
    }

    pub(super) fn crash(&mut self, remains: Remains) {
        let Some(write) = self.pending.take() else { return };
        let length = match remains {
            Remains::Nothing => 0,
            // The end of a frame is a signature or a transaction: it is not what stood there before.
            Remains::Part => write.bytes.len() / 2,
            Remains::All => write.bytes.len(),
        };
        self.apply(&write, length);
    }

    fn apply(&mut self, write: &Write, length: usize) {
        let image = &mut self.images[write.segment];
        let end = write.at + length;
        if image.len() < end {
            image.resize(end, 0);
        }
        image[write.at..end].copy_from_slice(&write.bytes[..length]);
    }

    pub(super) fn lose(&mut self) {
        *self = Self::make(self.identity, self.made + 1, Origin::Replacement);
    }

    /// The last frame is spared: bytes missing there look like a torn write. Of a log with one frame or none a header rots.
    pub(super) fn damage(&mut self, chance: u64) {
        let payloads: Vec<Vec<u8>> = state(&self.images, &self.identity)
            .map_or_else(Vec::new, |state| state.frames.into_iter().map(|frame| frame.payload).collect());
        let victim = (payloads.len() > 1).then(|| {
            let older = payloads.len() as u64 - 1;
            &payloads[usize::try_from(chance % older).expect("few frames")]
        });
        let Some(victim) = victim else {
            self.images[0][IN_HEADER] ^= 1;
            return;
        };
        for image in &mut self.images {
            if let Some(at) = image.windows(victim.len()).position(|bytes| bytes == victim) {
                image[at] ^= 1;
            }
        }
    }

    pub(super) fn open(&mut self, head: Height) -> Found {
        let [first, second] = &self.images;
        let (frames, condition) = match recover([first, second], &self.identity) {
            Outcome::Whole(state) => {
                self.segments = Segments::resume(&state, SIZES);
                self.heights = state.frames.iter().map(|frame| frame.height).collect();
                let condition = state.condition(head);
                (state.frames, condition)
            }
            Outcome::Damaged { why, frames } => {
                self.lose();
                (frames, Condition::Damaged { why })
            }
            Outcome::Foreign { .. } | Outcome::Version(_) => {
                unreachable!("a byte that rots breaks the checksum")
            }
        };
        self.release(head);
        let above = frames.into_iter().filter(|frame| frame.height > head);
        Found { frames: above.map(decode).collect(), condition }
    }

    pub(super) const fn len(&self) -> usize {
        self.heights.len()
    }
}

fn state([first, second]: &[Vec<u8>; 2], identity: &[u8; 32]) -> Option<State> {
    match recover([first, second], identity) {
        Outcome::Whole(state) => Some(state),
        Outcome::Damaged { .. } | Outcome::Foreign { .. } | Outcome::Version(_) => None,
    }
}

fn decode(frame: quorate_vote_log::Frame) -> Frame {
    let record = LogRecord::decode(frame.payload.into()).expect("a whole frame holds a record");
    Frame { height: frame.height, messages: record.messages, prepared: record.prepared }
}
