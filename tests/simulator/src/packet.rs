//! What nodes send each other, and how it reads in a trace.

use std::sync::Arc;

use quorate_types::{B256, Block, Bytes, CommitCertificate, Height, Message, Phase};

use crate::wire::Frame;

/// One packet.
#[derive(Clone, Debug)]
pub(crate) enum Packet {
    /// A connection was made.
    Hello,
    /// A consensus message.
    Consensus(Arc<Message>),
    /// Raw transactions.
    Transactions(Arc<Vec<Bytes>>),
    /// Who has this block?
    GetBody(B256),
    /// Here it is.
    Body(Arc<Block>),
    /// Decided blocks from this height on, please.
    GetBlocks(Height),
    /// Some of them.
    Blocks(Arc<Vec<DecidedBlock>>),
    /// Bytes, of which the receiver must make something.
    Frame(Frame),
}

/// A block with its proof.
#[derive(Clone, Debug)]
pub(crate) struct DecidedBlock {
    pub(crate) block: Arc<Block>,
    pub(crate) certificate: CommitCertificate,
}

impl Packet {
    pub(crate) fn describe(&self) -> String {
        match self {
            Self::Hello => "hello".to_owned(),
            Self::Consensus(message) => describe(message),
            Self::Transactions(transactions) => format!("{} transactions", transactions.len()),
            Self::GetBody(hash) => format!("get body {}", short(hash)),
            Self::Body(block) => format!("body {}", short(&block.hash())),
            Self::GetBlocks(height) => format!("get blocks from h{height}"),
            Self::Blocks(blocks) => format!("{} decided blocks", blocks.len()),
            Self::Frame(frame) => format!("{} bytes of {:?}", frame.bytes.len(), frame.stream),
        }
    }
}

/// A message in a few words.
pub(crate) fn describe(message: &Message) -> String {
    match message {
        Message::Proposal(it) => {
            let it = &it.propose.statement;
            format!("propose h{} v{} {}", it.height, it.view, short(&it.block_hash))
        }
        Message::Vote(it) => {
            let phase = match it.statement.phase {
                Phase::Prevote => "prevote",
                Phase::Commit => "commit",
            };
            let it = &it.statement;
            format!("{phase} h{} v{} {}", it.height, it.view, short(&it.block_hash))
        }
        Message::ViewChange(it) => {
            let it = &it.signed.statement;
            let lock =
                it.prepared.map_or("none".to_owned(), |it| format!("v{} {}", it.view, short(&it.block_hash)));
            format!("view change h{} to v{}, lock {lock}", it.height, it.view)
        }
        Message::Reject(it) => {
            let it = &it.statement;
            format!("reject h{} v{} {}: {:?}", it.height, it.view, short(&it.block_hash), it.reason)
        }
        Message::Status(it) => format!("status h{} v{}", it.statement.height, it.statement.view),
        Message::Decided(it) => {
            format!(
                "decided h{} v{} {}",
                it.certificate.height(),
                it.certificate.view(),
                short(&it.certificate.block_hash())
            )
        }
    }
}

/// The first letters of a hash.
pub(crate) fn short(hash: &B256) -> String {
    quorate_types::hex::encode(&hash[..3])
}
