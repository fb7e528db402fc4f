//! Packets as the bytes that real nodes send, and back.

use std::sync::Arc;

use quorate_proto::{
    CertifiedBlock, DecodeError, Hello, PROTOCOL_VERSION, Request, Response, TransactionBatch,
    decode_message, encode_message,
};
use quorate_types::{B256, Block, Height};

use crate::packet::{DecidedBlock, Packet};

/// As many blocks as one request asks for.
pub(crate) const BLOCKS_AT_ONCE: u32 = 16;

/// Which decoder a stream of the network has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stream {
    Hello,
    Consensus,
    Transactions,
    Request,
    Response,
}

/// Bytes on a stream.
#[derive(Clone, Debug)]
pub(crate) struct Frame {
    pub(crate) stream: Stream,
    pub(crate) bytes: bytes::Bytes,
}

/// What a node would send; frames are frames already.
pub(crate) fn encode(packet: &Packet) -> Frame {
    let (stream, bytes) = match packet {
        Packet::Frame(frame) => return frame.clone(),
        Packet::Hello => (Stream::Hello, hello().encode()),
        Packet::Consensus(message) => (Stream::Consensus, encode_message(message)),
        Packet::Transactions(transactions) => {
            let batch = TransactionBatch { transactions: (**transactions).clone(), trace_id: None };
            (Stream::Transactions, batch.encode())
        }
        Packet::GetBody(hash) => (Stream::Request, Request::BlockByHash(*hash).encode()),
        Packet::GetBlocks(from) => {
            (Stream::Request, Request::Blocks { from: *from, count: BLOCKS_AT_ONCE }.encode())
        }
        Packet::Body(block) => (Stream::Response, Response::Block(Some(block.clone())).encode()),
        Packet::Blocks(blocks) => (Stream::Response, Response::blocks(blocks.iter().map(certified)).encode()),
    };
    Frame { stream, bytes }
}

/// What a node takes it for.
pub(crate) fn decode(frame: Frame) -> Result<Packet, DecodeError> {
    let Frame { stream, bytes } = frame;
    Ok(match stream {
        Stream::Hello => Hello::decode(bytes).map(|_| Packet::Hello)?,
        Stream::Consensus => Packet::Consensus(Arc::new(decode_message(bytes)?)),
        Stream::Transactions => Packet::Transactions(Arc::new(TransactionBatch::decode(bytes)?.transactions)),
        Stream::Request => match Request::decode(bytes)? {
            Request::Blocks { from, .. } => Packet::GetBlocks(from),
            Request::BlockByHash(hash) => Packet::GetBody(hash),
            // No node of the simulator sends these: what it passes on comes whole.
            Request::Transactions(_) | Request::Offer(_) => Packet::Transactions(Arc::default()),
        },
        Stream::Response => match Response::decode(bytes)? {
            Response::Block(Some(block)) => Packet::Body(block),
            Response::Blocks(blocks) => Packet::Blocks(Arc::new(blocks.into_iter().map(decided).collect())),
            Response::Block(None) | Response::Transactions(_) | Response::Missing(_) => {
                Packet::Transactions(Arc::default())
            }
        },
    })
}

fn hello() -> Hello {
    Hello {
        protocol_version: PROTOCOL_VERSION,
        chain_id: 0,
        genesis_hash: B256::ZERO,
        height: Height::ZERO,
        head_hash: B256::ZERO,
        agent: "simulated".to_owned(),
    }
}

fn certified(decided: &DecidedBlock) -> CertifiedBlock {
    let block = Block::new(decided.block.header().clone(), decided.block.transactions().to_vec());
    CertifiedBlock { block, certificate: decided.certificate.clone() }
}

fn decided(it: CertifiedBlock) -> DecidedBlock {
    DecidedBlock { block: Arc::new(it.block), certificate: it.certificate }
}
