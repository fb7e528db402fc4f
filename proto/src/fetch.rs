//! Asking one peer for what is missing, and its answer.

use std::sync::Arc;

use bytes::Bytes;
use quorate_types::{B256, Block, CommitCertificate, Height};

use crate::{
    block,
    bounds::{
        MAX_BLOCKS_PER_RESPONSE, MAX_FRAME_ITEMS, MAX_HEADER_BYTES, MAX_REQUEST_BYTES, MAX_RESPONSE_BYTES,
        MAX_TRANSACTIONS_PER_BATCH, MAX_TRANSACTIONS_PER_BLOCK, TRANSACTION_OVERHEAD_BYTES,
    },
    certificate::{self, required_commit},
    error::{DecodeError, Problem, Within},
    fields::{SIGNATURE_BYTES, detached, encode_hash, encode_hashes, hash, hashes, required},
    frame::{self, Frame, PROTOCOL_VERSION},
    shape::{Part, Shape},
    wire,
    wire::{request::Request as Ask, response::Response as Answer},
};

/// What one node asks of another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Request {
    /// Decided blocks of rising height.
    Blocks {
        /// The first one's height.
        from: Height,
        /// How many at most: 1 to [`MAX_BLOCKS_PER_RESPONSE`].
        count: u32,
    },
    /// One block, decided or only prepared.
    BlockByHash(B256),
    /// Transactions by their hashes, at most [`MAX_TRANSACTIONS_PER_BLOCK`].
    Transactions(Vec<B256>),
    /// Which of these transactions, at most [`MAX_TRANSACTIONS_PER_BATCH`], does the other node lack?
    Offer(Vec<B256>),
}

/// The answer to a [`Request`], of the same kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Response {
    /// The first ones of those asked for, without a gap; none when the answering node lacks the first.
    Blocks(Vec<CertifiedBlock>),
    /// The block, if the answering node has it.
    Block(Option<Arc<Block>>),
    /// Those that the answering node has.
    Transactions(Vec<quorate_types::Bytes>),
    /// The hashes of those that the answering node lacks.
    Missing(Vec<B256>),
}

/// A decided block with the proof, which stands outside its hash.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertifiedBlock {
    /// The block.
    pub block: Block,
    /// The proof that it was decided; not checked yet.
    pub certificate: CommitCertificate,
}

impl Frame for wire::Request {
    const NAME: &'static str = "request";
    const VERSION: u32 = PROTOCOL_VERSION;
    const MAX_BYTES: usize = MAX_REQUEST_BYTES;
    const SHAPE: Shape = Shape(&[Part::one(2, "blocks", &Shape::FLAT)]);
}

impl Request {
    /// Encodes it as a frame.
    #[must_use]
    pub fn encode(&self) -> Bytes {
        let request = match self {
            Self::Blocks { from, count } => Ask::Blocks(wire::BlockRange { from: from.0, count: *count }),
            Self::BlockByHash(hash) => Ask::BlockByHash(encode_hash(*hash)),
            Self::Transactions(hashes) => Ask::Transactions(encode_hashes(hashes)),
            Self::Offer(hashes) => Ask::Offer(encode_hashes(hashes)),
        };
        frame::encode(&wire::Request { version: PROTOCOL_VERSION, request: Some(request) })
    }

    /// The reverse of [`Request::encode`].
    ///
    /// # Errors
    /// For bytes that are no request, and for one of more than fits an answer.
    pub fn decode(frame: Bytes) -> Result<Self, DecodeError> {
        frame::decode(&frame, |it: wire::Request| {
            Ok(match required("request", it.request)? {
                Ask::Blocks(wire::BlockRange { from, count }) => {
                    check_count(count)?;
                    Self::Blocks { from: Height(from), count }
                }
                Ask::BlockByHash(bytes) => Self::BlockByHash(hash("block_by_hash", &bytes)?),
                Ask::Transactions(bytes) => {
                    Self::Transactions(hashes("transactions", &bytes, MAX_TRANSACTIONS_PER_BLOCK)?)
                }
                Ask::Offer(bytes) => Self::Offer(hashes("offer", &bytes, MAX_TRANSACTIONS_PER_BATCH)?),
            })
        })
    }
}

fn check_count(count: u32) -> Result<(), DecodeError> {
    if (1..=MAX_BLOCKS_PER_RESPONSE).contains(&count) {
        return Ok(());
    }
    let problem = Problem::OutOfRange { got: count.into(), least: 1, most: MAX_BLOCKS_PER_RESPONSE.into() };
    Err(problem.of("blocks.count"))
}

const CERTIFIED_BLOCK: Shape =
    Shape(&[Part::one(1, "block", &block::BLOCK), Part::one(2, "certificate", &Shape::FLAT)]);
const CERTIFIED_BLOCKS: Shape =
    Shape(&[Part::list(1, "blocks", MAX_BLOCKS_PER_RESPONSE as usize, &CERTIFIED_BLOCK)]);
const OPTIONAL_BLOCK: Shape = Shape(&[Part::one(1, "block", &block::BLOCK)]);
const TRANSACTIONS: Shape = Shape(&[Part::list(1, "transactions", MAX_TRANSACTIONS_PER_BLOCK, &Shape::FLAT)]);

impl Frame for wire::Response {
    const NAME: &'static str = "response";
    const VERSION: u32 = PROTOCOL_VERSION;
    const MAX_BYTES: usize = MAX_RESPONSE_BYTES;
    const SHAPE: Shape = Shape(&[
        Part::one(2, "blocks", &CERTIFIED_BLOCKS),
        Part::one(3, "block", &OPTIONAL_BLOCK),
        Part::one(4, "transactions", &TRANSACTIONS),
    ]);
}

/// No transaction takes less of a response than this, in [`Response::blocks`]'s and [`Response::transactions`]'s count.
const MIN_SHARE_BYTES: usize = MAX_RESPONSE_BYTES.div_ceil(MAX_FRAME_ITEMS);

impl Response {
    /// As many blocks as an answer may hold, the first always among them. No more is taken from the iterator
    /// than that and one.
    #[must_use]
    pub fn blocks(blocks: impl IntoIterator<Item = CertifiedBlock>) -> Self {
        Self::Blocks(fitting(blocks, MAX_BLOCKS_PER_RESPONSE as usize, CertifiedBlock::max_encoded_len))
    }

    /// As many transactions as an answer may hold.
    #[must_use]
    pub fn transactions(transactions: impl IntoIterator<Item = quorate_types::Bytes>) -> Self {
        Self::Transactions(fitting(transactions, MAX_TRANSACTIONS_PER_BLOCK, max_transaction_len))
    }

    /// Encodes it as a frame.
    #[must_use]
    pub fn encode(&self) -> Bytes {
        let response = match self {
            Self::Blocks(blocks) => Answer::Blocks(wire::CertifiedBlocks {
                blocks: blocks.iter().map(CertifiedBlock::to_wire).collect(),
            }),
            Self::Block(block) => {
                Answer::Block(wire::OptionalBlock { block: block.as_deref().map(block::to_wire) })
            }
            Self::Transactions(transactions) => Answer::Transactions(wire::Transactions {
                transactions: transactions.iter().map(|raw| raw.0.clone()).collect(),
            }),
            Self::Missing(hashes) => Answer::Missing(encode_hashes(hashes)),
        };
        frame::encode(&wire::Response { version: PROTOCOL_VERSION, response: Some(response) })
    }

    /// The reverse of [`Response::encode`]. Whether it answers the request is the asker's to check.
    ///
    /// # Errors
    /// For bytes that are no response.
    pub fn decode(frame: Bytes) -> Result<Self, DecodeError> {
        frame::decode(&frame, |it: wire::Response| {
            Ok(match required("response", it.response)? {
                Answer::Blocks(it) => {
                    let blocks: Result<_, _> = it.blocks.into_iter().map(CertifiedBlock::from_wire).collect();
                    Self::Blocks(blocks.within("blocks")?)
                }
                Answer::Block(it) => {
                    let block = it.block.map(block::from_wire).transpose().within("block")?;
                    Self::Block(block.map(Arc::new))
                }
                Answer::Transactions(it) => {
                    Self::Transactions(it.transactions.iter().map(detached).collect())
                }
                Answer::Missing(bytes) => {
                    Self::Missing(hashes("missing", &bytes, MAX_TRANSACTIONS_PER_BATCH)?)
                }
            })
        })
    }
}

impl CertifiedBlock {
    fn to_wire(&self) -> wire::CertifiedBlock {
        wire::CertifiedBlock {
            block: Some(block::to_wire(&self.block)),
            certificate: Some(certificate::to_wire(&self.certificate)),
        }
    }

    fn from_wire(it: wire::CertifiedBlock) -> Result<Self, DecodeError> {
        Ok(Self {
            block: block::from_wire(required("block", it.block)?).within("block")?,
            certificate: required_commit(it.certificate)?,
        })
    }

    /// No less than it takes in a response, without encoding it.
    fn max_encoded_len(&self) -> usize {
        let transactions: usize = self.block.transactions().iter().map(max_transaction_len).sum();
        let certificate =
            self.certificate.signatures.len() * SIGNATURE_BYTES + self.certificate.signers.len();
        // Twice a header's bound: the header, and the hashes, numbers, tags and lengths of all the rest.
        transactions + certificate + 2 * MAX_HEADER_BYTES
    }
}

/// What a transaction takes in a response; a tiny one counts for its share of [`MAX_FRAME_ITEMS`], so that a response
/// of the right size has no more items than it may.
fn max_transaction_len(raw: &quorate_types::Bytes) -> usize {
    (raw.len() + TRANSACTION_OVERHEAD_BYTES).max(MIN_SHARE_BYTES)
}

/// The first of `items`, at most `most` of them, and at most what a response may hold beside its own tags.
fn fitting<T>(items: impl IntoIterator<Item = T>, most: usize, len: impl Fn(&T) -> usize) -> Vec<T> {
    let mut left = MAX_RESPONSE_BYTES - MAX_HEADER_BYTES;
    let fits = |item: &T| {
        let rest = left.checked_sub(len(item));
        left = rest.unwrap_or(0);
        rest.is_some()
    };
    items.into_iter().take(most).take_while(fits).collect()
}
