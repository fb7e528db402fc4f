//! What holds for any bytes whatever: the body of the property tests beside this, and of the fuzz targets in `fuzz/`, which
//! include this file. So it uses nothing but what this crate offers to all.

use bytes::Bytes;

use crate::{
    DecodeError, Hello, LogRecord, Request, Response, TransactionBatch, decode_certificate, decode_message,
    encode_certificate, encode_message,
};

/// The formats, to be tried on the same bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    Message,
    Certificate,
    Hello,
    Batch,
    Request,
    Response,
    Log,
}

impl Format {
    /// Each of them.
    pub const ALL: [Self; 7] = [
        Self::Message,
        Self::Certificate,
        Self::Hello,
        Self::Batch,
        Self::Request,
        Self::Response,
        Self::Log,
    ];

    /// Decodes the frame and encodes the value again.
    pub fn reencode(self, frame: Bytes) -> Result<Bytes, DecodeError> {
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

    /// Bytes are refused, or are the one encoding of what they decode to. A greeting may have more than one; what it is
    /// encoded to is read as the same again.
    ///
    /// # Panics
    /// When that is not so.
    pub fn check(self, bytes: &[u8]) {
        let Ok(again) = self.reencode(Bytes::copy_from_slice(bytes)) else { return };
        assert!(again == bytes || self == Self::Hello, "{self:?} has two encodings");
        assert_eq!(self.reencode(again.clone()), Ok(again), "{self:?} is not read as it was written");
    }
}
