//! Everything that a key has signed over all its lives, read from the vote log as the disk holds it.

use std::{collections::BTreeMap, fs, path::Path};

use quorate_proto::LogRecord;
use quorate_types::{Height, Message, Phase, View};

/// Where frames begin in a segment, and where the tag that each begins with stands in its header.
const HEADER_BYTES: usize = 4096;
const TAG: std::ops::Range<usize> = 16..24;
/// Tag 8, checksum 4, length 4, sequence 8, height 8, start 8, released 8: `vote_log/src/frame.rs`.
const FRAME_BYTES: usize = 48;

/// What may be signed once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Proposal,
    Prevote,
    Commit,
    ViewChange,
}

/// The statements of one key.
#[derive(Default)]
pub(super) struct Signed {
    statements: BTreeMap<(Height, View, Kind), String>,
}

impl Signed {
    /// Adds what the log in `votes` holds, frames that are no longer needed included.
    ///
    /// # Errors
    /// The first statement that contradicts an earlier one.
    pub(super) fn add_log(&mut self, votes: &Path) -> Result<(), String> {
        for segment in ["0", "1"] {
            let image = fs::read(votes.join(segment)).expect("a segment is never without its file");
            for payload in payloads(&image) {
                let record = LogRecord::decode(payload.to_vec().into()).expect("a whole frame decodes");
                record.messages.iter().try_for_each(|message| self.add(message))?;
            }
        }
        Ok(())
    }

    fn add(&mut self, message: &Message) -> Result<(), String> {
        let (height, view, kind, statement) = match message {
            Message::Proposal(it) => {
                let it = &it.propose.statement;
                (it.height, it.view, Kind::Proposal, format!("{it:?}"))
            }
            Message::Vote(it) => {
                let it = &it.statement;
                let kind = if it.phase == Phase::Prevote { Kind::Prevote } else { Kind::Commit };
                (it.height, it.view, kind, format!("{it:?}"))
            }
            Message::ViewChange(it) => {
                let it = &it.signed.statement;
                (it.height, it.view, Kind::ViewChange, format!("{it:?}"))
            }
            // These bind nobody, and are not logged.
            Message::Reject(_) | Message::Status(_) | Message::Decided(_) => return Ok(()),
        };
        let first = self.statements.entry((height, view, kind)).or_insert_with(|| statement.clone());
        if *first == statement { Ok(()) } else { Err(format!("signed {first} and {statement}")) }
    }

    /// How many statements there are.
    pub(super) fn len(&self) -> usize {
        self.statements.len()
    }
}

/// The payloads of a segment's whole frames from its beginning. Written apart from the log's own reader, which shows only
/// what is still needed, and which this is to check.
fn payloads(segment: &[u8]) -> Vec<&[u8]> {
    let mut found = Vec::new();
    let mut at = HEADER_BYTES;
    while let Some(payload) = payload_at(segment, at) {
        at += FRAME_BYTES + payload.len();
        // A marker carries nothing.
        found.extend((!payload.is_empty()).then_some(payload));
    }
    found
}

fn payload_at(segment: &[u8], at: usize) -> Option<&[u8]> {
    let number = |bytes: &[u8]| u32::from_le_bytes(bytes.try_into().expect("four bytes"));
    let header = segment.get(at..at + FRAME_BYTES)?;
    let length = usize::try_from(number(&header[12..16])).expect("64 bits");
    let frame = segment.get(at..at + FRAME_BYTES + length)?;
    let checksum = crc32c::crc32c_append(crc32c::crc32c(&frame[..8]), &frame[12..]);
    (frame[..8] == segment[TAG] && number(&header[8..12]) == checksum).then(|| &frame[FRAME_BYTES..])
}
