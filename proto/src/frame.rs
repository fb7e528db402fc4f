//! From a frame's bytes to a generated message and back: size, version, shape, one encoding.

use bytes::Bytes;
use quorate_types::{B256, keccak256};

use crate::{
    error::{DecodeError, Problem, Within},
    shape::Shape,
};

/// The version of what travels between nodes: what [`crate::Hello`] tells, and each frame's first field.
pub const PROTOCOL_VERSION: u32 = 1;
/// The version of a log record.
pub const LOG_VERSION: u32 = 1;
/// The key of field 1 as a varint.
const VERSION_KEY: u8 = 1 << 3;

/// What is known of a top-level message before it is decoded.
pub(crate) trait Frame: prost::Message + Default {
    /// How errors call it.
    const NAME: &'static str;
    /// The one version of its format that is written and read.
    const VERSION: u32;
    /// Its largest size.
    const MAX_BYTES: usize;
    /// Its lists.
    const SHAPE: Shape;
}

/// The identity of a consensus frame when it is relayed: keccak256 over all of it, attachments included.
/// A value has one encoding, so nobody can make a second frame of it.
#[must_use]
pub fn frame_id(frame: &[u8]) -> B256 {
    keccak256(frame)
}

/// Encodes a generated message.
pub(crate) fn encode(message: &impl prost::Message) -> Bytes {
    message.encode_to_vec().into()
}

/// Decodes a frame that is no larger than it may be, of the known version, with lists no longer than they may
/// be, and in the one encoding that its content has; then has its content converted.
pub(crate) fn decode<F: Frame, T>(
    frame: &Bytes,
    convert: impl FnOnce(F) -> Result<T, DecodeError>,
) -> Result<T, DecodeError> {
    decode_wire(frame).and_then(convert).within(F::NAME)
}

fn decode_wire<F: Frame>(frame: &Bytes) -> Result<F, DecodeError> {
    check_size(frame, F::MAX_BYTES)?;
    check_version(frame, F::VERSION).map_err(|problem| problem.of("version"))?;
    F::SHAPE.check(frame)?;
    let message: F = parse(frame)?;
    if message.encoded_len() != frame.len() || message.encode_to_vec() != *frame {
        return Err(Problem::NotCanonical.of(""));
    }
    Ok(message)
}

/// Refuses a frame before anything looks into it.
pub(crate) fn check_size(frame: &Bytes, most: usize) -> Result<(), DecodeError> {
    let got = frame.len();
    if got > most { Err(Problem::TooLong { got, most }.of("")) } else { Ok(()) }
}

/// Plain protobuf: as lenient as that is.
pub(crate) fn parse<M: prost::Message + Default>(frame: &Bytes) -> Result<M, DecodeError> {
    M::decode(frame.clone()).map_err(|error| Problem::Malformed(error.to_string()).of(""))
}

/// The version is field 1 and no known one is 0, so a frame of any version starts with it.
fn check_version(frame: &[u8], known: u32) -> Result<(), Problem> {
    let [VERSION_KEY, rest @ ..] = frame else { return Err(Problem::Missing) };
    let malformed = || Problem::Malformed("not a number of 32 bits".to_owned());
    let got = prost::encoding::decode_varint(&mut &*rest).map_err(|_| malformed())?;
    let got = u32::try_from(got).map_err(|_| malformed())?;
    if got == known { Ok(()) } else { Err(Problem::UnknownVersion { got, known }) }
}
