//! What two segments say after a stop. Works on bytes alone, so that tests can tear them at will.
//!
//! In each segment the log is the chain of valid frames from its beginning whose sequence rises by
//! one; what is behind it is a torn write, an earlier use of the segment, or zeros. Then two questions:
//! is there a valid frame behind a chain that is newer than all chains (then frames before it were
//! lost: damage), and do the chains hold every frame from the newest one's `start` on?
//!
//! ```text
//! segment 0   [11][12][13]~~torn~~ old old         newest is 13; its start, 8, is needed
//! segment 1   [ 5][ 6][ 7][ 8][ 9][10] zeros       8..=13 are all there: intact
//! ```

use quorate_types::Height;

use crate::{
    frame::{HEADER_BYTES, HeaderProblem, RawFrame, SegmentHeader, Tag},
    segments::{Frame, Origin},
};

/// The two segments' bytes.
pub type Images<'a> = [&'a [u8]; 2];

/// What recovery found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Every frame that was synced and is still needed is there.
    Whole(State),
    /// Frames are missing; these were found.
    Damaged {
        /// What is wrong.
        why: String,
        /// Oldest first.
        frames: Vec<Frame>,
    },
    /// The log belongs to another node or chain.
    Foreign {
        /// Whose it is.
        found: [u8; 32],
    },
    /// Written by another version of the format.
    Version(u32),
}

/// Where a whole log stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct State {
    /// How it was made.
    pub origin: Origin,
    pub(crate) tag: Tag,
    /// The frames that are needed, oldest first.
    pub frames: Vec<Frame>,
    pub(crate) segments: [Chain; 2],
    /// The segment that the newest frame is in.
    pub(crate) active: usize,
    /// The sequence of the next frame; 1 in a log without any.
    pub next_sequence: u64,
    /// `start` of the newest frame; `next_sequence` in a log without any.
    pub(crate) start: u64,
    /// The highest height that was released when the newest frame was written.
    pub released: Height,
}

/// What a log's frames are worth.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Condition {
    /// Every frame that was ever synced for a height above the head is there.
    Intact,
    /// Provisioned by [`VoteLog::create`](crate::VoteLog::create), and nothing was ever appended.
    Fresh,
    /// There was no log, now or when this still empty one was made: what the node signed is unknown.
    Missing,
    /// The store is older than the log, which released a height above the head: what the node signed
    /// up to there is unknown.
    StoreWentBack {
        /// That height.
        released: Height,
    },
    /// Frames are lost: what the node signed is unknown. The files were set aside in `votes.damaged`
    /// and an empty log was made.
    Damaged {
        /// What is wrong.
        why: String,
    },
}

impl Condition {
    /// Whether the frames are all that was signed above the head.
    #[must_use]
    pub const fn is_trusted(&self) -> bool {
        matches!(self, Self::Intact | Self::Fresh)
    }
}

impl State {
    /// What the frames are worth to a node whose store has every block up to `head` on disk. It must have what was
    /// released: frames of those heights are gone.
    #[must_use]
    pub fn condition(&self, head: Height) -> Condition {
        match (self.next_sequence, self.origin) {
            (1, Origin::Provisioned) => Condition::Fresh,
            (1, Origin::Replacement) => Condition::Missing,
            _ if self.released > head => Condition::StoreWentBack { released: self.released },
            _ => Condition::Intact,
        }
    }
}

/// The frames of a segment that follow upon each other from its beginning.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Chain {
    /// The sequence of the first one; `None` when there is none.
    pub first: Option<u64>,
    /// Where the next frame goes.
    pub end: usize,
}

/// Reads a log that must be that of `identity`.
#[must_use]
pub fn recover(images: Images<'_>, identity: &[u8; 32]) -> Outcome {
    let headers = images.map(SegmentHeader::decode);
    for header in &headers {
        match header {
            Ok(header) if header.identity != *identity => return Outcome::Foreign { found: header.identity },
            Err(HeaderProblem::Version(version)) => return Outcome::Version(*version),
            Ok(_) | Err(HeaderProblem::Invalid) => {}
        }
    }
    match headers {
        [Ok(first), Ok(second)] if first == second => {
            if images.iter().any(|image| (image.len() as u64) < first.provisioned.max(HEADER_BYTES as u64)) {
                return damaged("a segment is shorter than it was made", images, Some(first.tag));
            }
            recover_frames(images, first)
        }
        [Ok(_), Ok(_)] => damaged("its segments are not of one log", images, None),
        [Ok(header), Err(_)] | [Err(_), Ok(header)] => {
            damaged("the header of a segment is damaged", images, Some(header.tag))
        }
        [Err(_), Err(_)] => damaged("the headers of both segments are damaged", images, None),
    }
}

fn recover_frames(images: Images<'_>, header: SegmentHeader) -> Outcome {
    let tag = header.tag;
    let chains = images.map(|image| chain(image, tag));
    let newest = [chains[0].last(), chains[1].last()];
    let active = usize::from(newest[1] > newest[0]);
    let last = newest[active].unwrap_or(0);
    for (image, chain) in images.iter().zip(&chains) {
        if let Some(stray) = newer_frame(&image[chain.end()..], tag, last) {
            let why = format!("frame {stray} is whole, but the frames after {last} are not");
            return damaged(&why, images, Some(tag));
        }
    }
    let segments = [0, 1].map(|at| Chain { first: chains[at].first(), end: chains[at].end() });
    let Some(newest) = chains[active].frames.last() else {
        let frames = Vec::new();
        let (origin, next_sequence, start, released) = (header.origin, 1, 1, Height::ZERO);
        return Outcome::Whole(State {
            origin,
            tag,
            frames,
            segments,
            active,
            next_sequence,
            start,
            released,
        });
    };
    let start = newest.sequence_start();
    let mut needed: Vec<_> = chains[1 - active].frames.iter().chain(&chains[active].frames).collect();
    needed.retain(|frame| frame.raw.sequence >= start);
    let complete = (start..=last).eq(needed.iter().map(|frame| frame.raw.sequence));
    if !complete {
        return damaged(&format!("frames between {start} and {last} are missing"), images, Some(tag));
    }
    let frames = needed.iter().filter_map(|frame| frame.to_frame()).collect();
    let (origin, next_sequence, released) =
        (header.origin, last.saturating_add(1), Height(newest.raw.released));
    Outcome::Whole(State { origin, tag, frames, segments, active, next_sequence, start, released })
}

/// A frame and where it ends.
struct Placed<'a> {
    raw: RawFrame<'a>,
    end: usize,
}

impl Placed<'_> {
    /// A frame cannot need one that is newer than itself.
    fn sequence_start(&self) -> u64 {
        self.raw.start.min(self.raw.sequence)
    }

    /// What the caller appended; `None` for a marker.
    fn to_frame(&self) -> Option<Frame> {
        let RawFrame { sequence, height, payload, .. } = self.raw;
        (!payload.is_empty()).then(|| Frame { sequence, height: Height(height), payload: payload.to_vec() })
    }
}

struct FoundChain<'a> {
    frames: Vec<Placed<'a>>,
}

impl FoundChain<'_> {
    fn first(&self) -> Option<u64> {
        self.frames.first().map(|frame| frame.raw.sequence)
    }

    fn last(&self) -> Option<u64> {
        self.frames.last().map(|frame| frame.raw.sequence)
    }

    fn end(&self) -> usize {
        self.frames.last().map_or(HEADER_BYTES, |frame| frame.end)
    }
}

fn chain(image: &[u8], tag: Tag) -> FoundChain<'_> {
    let mut frames: Vec<Placed<'_>> = Vec::new();
    let mut at = HEADER_BYTES;
    while let Some(raw) = RawFrame::decode(image, at, tag) {
        if frames.last().is_some_and(|before| raw.sequence != before.raw.sequence.saturating_add(1)) {
            break;
        }
        at += raw.bytes();
        frames.push(Placed { raw, end: at });
    }
    FoundChain { frames }
}

/// The sequence of a valid frame newer than `last`, wherever it begins.
fn newer_frame(rest: &[u8], tag: Tag, last: u64) -> Option<u64> {
    frames_anywhere(rest, tag).map(|frame| frame.sequence).find(|sequence| *sequence > last)
}

fn frames_anywhere(bytes: &[u8], tag: Tag) -> impl Iterator<Item = RawFrame<'_>> {
    let places = bytes.windows(tag.len()).enumerate().filter(move |(_, window)| *window == tag);
    places.filter_map(move |(at, _)| RawFrame::decode(bytes, at, tag))
}

fn damaged(why: &str, images: Images<'_>, tag: Option<Tag>) -> Outcome {
    let mut frames: Vec<_> = tag.map_or_else(Vec::new, |tag| {
        let everywhere = images.iter().flat_map(|image| frames_anywhere(image, tag));
        everywhere.filter_map(|raw| Placed { raw, end: 0 }.to_frame()).collect()
    });
    frames.sort_by_key(|frame| frame.sequence);
    frames.dedup_by_key(|frame| frame.sequence);
    Outcome::Damaged { why: why.to_owned(), frames }
}
