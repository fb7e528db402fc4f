//! The bytes of the vote log: a segment's header and its frames.
//!
//! ```text
//! segment   header (4,096 bytes), frame, frame, ..., whatever was there before
//! header    magic 8 | version 4 | origin 4 | tag 8 | identity 32 | provisioned 8 | crc32c 4 | zeros
//! frame     tag 8 | crc32c 4 | length 4 | sequence 8 | height 8 | start 8 | released 8 | payload
//! ```
//! Numbers are little-endian; a checksum covers all that stands around it in its header or frame.
//! The tag is random and secret to the log: payloads hold what peers sent, and none of them can
//! contain something that passes for a frame.

use crate::segments::Origin;

/// The header has a page of its own, so that no write of a frame ever touches it.
pub(crate) const HEADER_BYTES: usize = 4096;
/// What a frame takes beside its payload.
pub(crate) const FRAME_BYTES: usize = 48;
/// The most bytes that one frame may hold: a prepare certificate with a block at EIP-7934's limit of
/// 8 MiB, and as much again.
pub const MAX_PAYLOAD_BYTES: usize = 16 << 20;

const MAGIC: [u8; 8] = *b"quorvote";
const VERSION: u32 = 2;
const ORIGIN_PROVISIONED: u32 = 0;
const ORIGIN_REPLACEMENT: u32 = 1;
/// Where the header's checksum stands.
const HEADER_CRC_AT: usize = 64;
/// What of a frame the checksum covers, beside the tag: all behind it.
const FRAME_CRC_AT: usize = 8;

/// What tells a log's frames from all other bytes.
pub(crate) type Tag = [u8; 8];

/// The start of a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SegmentHeader {
    pub origin: Origin,
    pub tag: Tag,
    pub identity: [u8; 32],
    /// The size that the segment was made with; a shorter one has lost its end.
    pub provisioned: u64,
}

/// Why a segment's header says nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum HeaderProblem {
    Invalid,
    Version(u32),
}

impl SegmentHeader {
    pub(crate) fn encode(&self) -> Vec<u8> {
        let origin = match self.origin {
            Origin::Provisioned => ORIGIN_PROVISIONED,
            Origin::Replacement => ORIGIN_REPLACEMENT,
        };
        let mut out = Vec::with_capacity(HEADER_BYTES);
        out.extend_from_slice(&MAGIC);
        out.extend_from_slice(&VERSION.to_le_bytes());
        out.extend_from_slice(&origin.to_le_bytes());
        out.extend_from_slice(&self.tag);
        out.extend_from_slice(&self.identity);
        out.extend_from_slice(&self.provisioned.to_le_bytes());
        out.extend_from_slice(&crc32c::crc32c(&out).to_le_bytes());
        out.resize(HEADER_BYTES, 0);
        out
    }

    pub(crate) fn decode(image: &[u8]) -> Result<Self, HeaderProblem> {
        let covered = image.get(..HEADER_CRC_AT).ok_or(HeaderProblem::Invalid)?;
        let whole = read_u32(image, HEADER_CRC_AT) == Some(crc32c::crc32c(covered));
        if !whole || covered[..8] != MAGIC {
            return Err(HeaderProblem::Invalid);
        }
        match read_u32(image, 8) {
            Some(VERSION) => {}
            Some(other) => return Err(HeaderProblem::Version(other)),
            None => return Err(HeaderProblem::Invalid),
        }
        let origin = match read_u32(image, 12) {
            Some(ORIGIN_PROVISIONED) => Origin::Provisioned,
            Some(ORIGIN_REPLACEMENT) => Origin::Replacement,
            _ => return Err(HeaderProblem::Invalid),
        };
        let tag = read(image, 16).ok_or(HeaderProblem::Invalid)?;
        let identity = read(image, 24).ok_or(HeaderProblem::Invalid)?;
        let provisioned = read(image, 56).map(u64::from_le_bytes).ok_or(HeaderProblem::Invalid)?;
        Ok(Self { origin, tag, identity, provisioned })
    }
}

/// One frame as it stands in a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct RawFrame<'a> {
    /// Rises by one with each frame, for ever, through both segments.
    pub sequence: u64,
    pub height: u64,
    /// The sequence of the oldest frame that was still needed when this one was written: itself, if none was.
    pub start: u64,
    /// The highest height that was released when this one was written: the store had its block on disk.
    pub released: u64,
    /// Empty in a marker, which only carries `start` and `released`.
    pub payload: &'a [u8],
}

impl<'a> RawFrame<'a> {
    pub(crate) fn encode(&self, tag: Tag) -> Vec<u8> {
        let length = u32::try_from(self.payload.len()).expect("append bounds the payload far below 4 GiB");
        let mut out = Vec::with_capacity(FRAME_BYTES + self.payload.len());
        out.extend_from_slice(&tag);
        out.extend_from_slice(&[0; 4]);
        out.extend_from_slice(&length.to_le_bytes());
        out.extend_from_slice(&self.sequence.to_le_bytes());
        out.extend_from_slice(&self.height.to_le_bytes());
        out.extend_from_slice(&self.start.to_le_bytes());
        out.extend_from_slice(&self.released.to_le_bytes());
        out.extend_from_slice(self.payload);
        let crc = checksum(&out);
        out[FRAME_CRC_AT..FRAME_CRC_AT + 4].copy_from_slice(&crc.to_le_bytes());
        out
    }

    /// The frame that begins at `at`, if a whole and valid one does.
    pub(crate) fn decode(image: &'a [u8], at: usize, tag: Tag) -> Option<Self> {
        let rest = image.get(at..)?;
        if rest.get(..8)? != tag {
            return None;
        }
        let length =
            usize::try_from(read_u32(rest, 12)?).ok().filter(|length| *length <= MAX_PAYLOAD_BYTES)?;
        let frame = rest.get(..FRAME_BYTES + length)?;
        if read_u32(frame, FRAME_CRC_AT)? != checksum(frame) {
            return None;
        }
        let number = |at| read(frame, at).map(u64::from_le_bytes);
        Some(Self {
            sequence: number(16)?,
            height: number(24)?,
            start: number(32)?,
            released: number(40)?,
            payload: &frame[FRAME_BYTES..],
        })
    }

    pub(crate) const fn bytes(&self) -> usize {
        FRAME_BYTES + self.payload.len()
    }
}

fn checksum(frame: &[u8]) -> u32 {
    crc32c::crc32c_append(crc32c::crc32c(&frame[..FRAME_CRC_AT]), &frame[FRAME_CRC_AT + 4..])
}

fn read<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    bytes.get(at..at + N)?.try_into().ok()
}

fn read_u32(bytes: &[u8], at: usize) -> Option<u32> {
    read(bytes, at).map(u32::from_le_bytes)
}
