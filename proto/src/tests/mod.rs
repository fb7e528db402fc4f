//! Tests of the whole wire format; those of one helper stand beside it.

mod bounds;
mod generators;
mod golden;
mod junk;
mod memory;
mod round_trip;
mod samples;
mod shapes;

use bytes::Bytes;
use proptest::test_runner::{Config, RngSeed};

use crate::{
    DecodeError, Hello, LogRecord, Request, Response, TransactionBatch, decode_certificate, decode_message,
    encode_certificate, encode_message,
};

/// The formats, to be tried on the same bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Format {
    Message,
    Certificate,
    Hello,
    Batch,
    Request,
    Response,
    Log,
}

impl Format {
    const ALL: [Self; 7] = [
        Self::Message,
        Self::Certificate,
        Self::Hello,
        Self::Batch,
        Self::Request,
        Self::Response,
        Self::Log,
    ];

    /// Decodes the frame and encodes the value again.
    fn reencode(self, frame: Bytes) -> Result<Bytes, DecodeError> {
        match self {
            Self::Message => decode_message(frame).map(|it| encode_message(&it)),
            Self::Certificate => decode_certificate(frame).map(|it| encode_certificate(&it)),
            Self::Hello => Hello::decode(frame).map(|it| it.encode()),
            Self::Batch => TransactionBatch::decode(frame).map(|it| it.encode()),
            Self::Request => Request::decode(frame).map(|it| it.encode()),
            Self::Response => Response::decode(frame).map(|it| it.encode()),
            Self::Log => LogRecord::decode(frame).map(|it| it.encode()),
        }
    }
}

/// Property tests whose cases are the same on every run.
fn seeded(cases: u32) -> Config {
    Config { cases, rng_seed: RngSeed::Fixed(20200), failure_persistence: None, ..Config::default() }
}
