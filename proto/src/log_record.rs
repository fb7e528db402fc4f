//! Records of the vote log: what a validator signed, and what it is locked on.

use std::sync::Arc;

use bytes::Bytes;
use quorate_types::{Block, Message, PrepareCertificate};

use crate::{
    block,
    bounds::{MAX_FRAME_BYTES, MAX_LOG_MESSAGES},
    certificate::{self, optional_prepare},
    error::{DecodeError, Within},
    fields::required,
    frame::{self, Frame, LOG_VERSION},
    message::{decode_message, encode_message},
    shape::{Part, Shape},
    wire,
};

/// What one synced write to the vote log makes permanent, before any of it is sent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LogRecord {
    /// Own signed messages, to be sent again after a restart, never signed again. At most [`MAX_LOG_MESSAGES`].
    pub messages: Vec<Message>,
    /// A lock with its body: what a validator in the next view may ask for.
    pub prepared: Option<(PrepareCertificate, Arc<Block>)>,
}

const PREPARED: Shape =
    Shape(&[Part::one(1, "certificate", &Shape::FLAT), Part::one(2, "block", &block::BLOCK)]);

impl Frame for wire::LogRecord {
    const NAME: &'static str = "log_record";
    const VERSION: u32 = LOG_VERSION;
    const MAX_BYTES: usize = MAX_FRAME_BYTES;
    const SHAPE: Shape = Shape(&[
        Part::list(2, "messages", MAX_LOG_MESSAGES, &Shape::FLAT),
        Part::one(3, "prepared", &PREPARED),
    ]);
}

impl LogRecord {
    /// Encodes it, with its version first.
    #[must_use]
    pub fn encode(&self) -> Bytes {
        let prepared = self.prepared.as_ref().map(|(certificate, block)| wire::PreparedBlock {
            certificate: Some(certificate::to_wire(certificate)),
            block: Some(block::to_wire(block)),
        });
        let messages = self.messages.iter().map(encode_message).collect();
        frame::encode(&wire::LogRecord { version: LOG_VERSION, messages, prepared })
    }

    /// The reverse of [`LogRecord::encode`]. The log is the node's own, but its disk is not believed more
    /// than a peer is.
    ///
    /// # Errors
    /// For bytes that are no record: a node that finds one must not sign as if it had not been there.
    pub fn decode(record: Bytes) -> Result<Self, DecodeError> {
        frame::decode(&record, |it: wire::LogRecord| {
            let messages: Result<_, _> = it.messages.into_iter().map(decode_message).collect();
            Ok(Self {
                messages: messages.within("messages")?,
                prepared: it.prepared.map(prepared).transpose().within("prepared")?,
            })
        })
    }
}

fn prepared(it: wire::PreparedBlock) -> Result<(PrepareCertificate, Arc<Block>), DecodeError> {
    let certificate = required("certificate", optional_prepare(it.certificate)?)?;
    let block = block::from_wire(required("block", it.block)?).within("block")?;
    Ok((certificate, Arc::new(block)))
}
