//! Blocks: a header's RLP and raw transactions.

use alloy_rlp::{Decodable, Encodable};
use bytes::Bytes;
use quorate_types::{Block, Header};

use crate::{
    bounds::{MAX_BLOCK_BYTES, MAX_HEADER_BYTES, MAX_TRANSACTIONS_PER_BLOCK},
    error::{DecodeError, Problem},
    fields::check_total,
    shape::{Part, Shape},
    wire,
};

pub(crate) const BLOCK: Shape =
    Shape(&[Part::list(2, "transactions", MAX_TRANSACTIONS_PER_BLOCK, &Shape::FLAT)]);

pub(crate) fn to_wire(block: &Block) -> wire::Block {
    wire::Block {
        header: encode_header(block.header()),
        transactions: block.transactions().iter().map(|raw| raw.0.clone()).collect(),
    }
}

/// The transactions go on sharing the frame's memory, since most of the frame is them.
pub(crate) fn from_wire(block: wire::Block) -> Result<Block, DecodeError> {
    check_total("transactions", &block.transactions, MAX_BLOCK_BYTES)?;
    let header = header("header", &block.header)?;
    Ok(Block::new(header, block.transactions.into_iter().map(Into::into).collect()))
}

pub(crate) fn encode_header(header: &Header) -> Bytes {
    let mut rlp = Vec::with_capacity(header.length());
    header.encode(&mut rlp);
    rlp.into()
}

/// Reads RLP that is a header, nothing behind it, and exactly what the header encodes to: the block's
/// hash is that of these bytes.
pub(crate) fn header(field: &str, rlp: &Bytes) -> Result<Header, DecodeError> {
    if rlp.len() > MAX_HEADER_BYTES {
        return Err(Problem::TooLong { got: rlp.len(), most: MAX_HEADER_BYTES }.of(field));
    }
    let mut rest = &rlp[..];
    let header =
        Header::decode(&mut rest).map_err(|error| Problem::Malformed(error.to_string()).of(field))?;
    if !rest.is_empty() {
        return Err(Problem::Inconsistent("bytes behind the header").of(field));
    }
    if encode_header(&header) != *rlp {
        return Err(Problem::NotCanonical.of(field));
    }
    Ok(header)
}
