//! # quorate-proto: the wire format
//!
//! The `.proto` files of everything that nodes send each other and of what a validator logs, the code
//! generated from them (private), and the conversion both ways between bytes and the values of
//! [`quorate_types`]. Every bound on bytes that somebody else made is checked here: see the constants.
//!
//! What it never knows: behaviour of any kind. It checks no signature, keeps no state, opens no socket.
//!
//! ```text
//! bytes --size--> --version--> --lists counted--> generated message --re-encoded, equal?--> --fields--> value
//!         |            |              |                                     |                  |
//!         +------------+--------------+---------- DecodeError --------------+------------------+
//! ```
//! A frame has ONE encoding; any other is refused. So [`frame_id`], the keccak256 of a whole frame, names its
//! content, and nobody can pass one vote off as many by padding it. The price is that a new field is a new
//! version. [`Hello`] alone is lenient, so that two versions can tell each other which they are.
//!
//! | frame | value | largest |
//! |---|---|---|
//! | [`encode_message`], [`decode_message`] | [`quorate_types::Message`] | [`MAX_FRAME_BYTES`] |
//! | [`Hello`] | itself | [`MAX_HELLO_BYTES`] |
//! | [`TransactionBatch`] | itself | [`MAX_BATCH_BYTES`] |
//! | [`Request`], [`Response`] | itself | [`MAX_REQUEST_BYTES`], [`MAX_RESPONSE_BYTES`] |
//! | [`LogRecord`] | itself | [`MAX_FRAME_BYTES`] |
//! | [`encode_certificate`], [`decode_certificate`] | [`quorate_types::CommitCertificate`] | 17 KiB |
//!
//! Frames are [`bytes::Bytes`]. What may outlive its frame in a pool is copied out of it; a block shares it.
//!
//! ```
//! use quorate_proto::{decode_message, encode_message};
//! use quorate_types::{B256, Domain, Height, Message, NodeKey, Phase, Signed, View, Vote};
//! let domain = Domain { chain_id: 20200, genesis_hash: B256::ZERO };
//! let vote = Vote { phase: Phase::Commit, height: Height(7), view: View(0), block_hash: B256::repeat_byte(1) };
//! let message = Message::Vote(Signed::sign(vote, &domain, &NodeKey::from_seed([1; 32]))?);
//!
//! let frame = encode_message(&message);
//! assert_eq!(decode_message(frame.clone())?, message);
//!
//! let error = decode_message(frame.slice(..1)).expect_err("a frame cut short");
//! assert!(error.to_string().starts_with("message.version"));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod block;
mod bounds;
mod certificate;
mod error;
mod fetch;
mod fields;
mod frame;
mod log_record;
mod message;
mod network;
mod shape;
mod statement;
#[cfg(test)]
mod tests;

/// The code that prost generates; nothing of it leaves this crate.
#[allow(clippy::all, reason = "generated")]
mod wire {
    include!(concat!(env!("OUT_DIR"), "/quorate.p2p.v1.rs"));
}

pub use bounds::{
    BATCH_OVERHEAD_BYTES, MAX_AGENT_BYTES, MAX_BATCH_BYTES, MAX_BITMAP_BYTES, MAX_BLOCK_BYTES,
    MAX_BLOCKS_PER_RESPONSE, MAX_CERTIFICATE_SIGNATURES, MAX_FRAME_BYTES, MAX_FRAME_ITEMS, MAX_HEADER_BYTES,
    MAX_HELLO_BYTES, MAX_JUSTIFICATION_SIGNERS, MAX_LOG_MESSAGES, MAX_PREFILLED_BYTES, MAX_REQUEST_BYTES,
    MAX_RESPONSE_BYTES, MAX_TRANSACTIONS_PER_BATCH, MAX_TRANSACTIONS_PER_BLOCK, TRANSACTION_OVERHEAD_BYTES,
};
pub use certificate::{decode_certificate, encode_certificate};
pub use error::{DecodeError, Problem};
pub use fetch::{CertifiedBlock, Request, Response};
pub use frame::{LOG_VERSION, PROTOCOL_VERSION, frame_id};
pub use log_record::LogRecord;
pub use message::{decode_message, encode_message};
pub use network::{Hello, TransactionBatch};
