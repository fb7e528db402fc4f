//! What a block from outside must prove before it counts.

use quorate_types::{
    B256, Block, CertificateError, CommitCertificate, Domain, Height, ValidatorSet, Verifier,
};

use crate::CertifiedBlock;

/// What is wrong with blocks that a peer sent. No honest node sends such.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SyncError {
    /// The answer could not be decoded.
    #[error("the answer to a request for blocks cannot be decoded; the peer is not asked for a while")]
    Malformed,
    /// More than was asked for.
    #[error("{got} blocks came, {asked} were asked for; the answer is dropped")]
    TooMany {
        /// How many were asked for.
        asked: u32,
        /// How many came.
        got: usize,
    },
    /// A block of another height than its place in the answer says.
    #[error("block {got} came where block {expected} was asked for; it is asked of another peer")]
    WrongHeight {
        /// The height asked for.
        expected: Height,
        /// The height in the header.
        got: Height,
    },
    /// A block that does not stand on the one before it.
    #[error("block {height} names the parent {parent}, but follows {expected}; it is asked of another peer")]
    WrongParent {
        /// The block's height.
        height: Height,
        /// The hash of the block before it.
        expected: B256,
        /// The parent in its header.
        parent: B256,
    },
    /// The certificate beside a block is for another height or another hash.
    #[error(
        "block {height} ({hash}) came with the certificate of block {certified_height} ({certified_hash}); \
         it is asked of another peer"
    )]
    OtherCertificate {
        /// The block's height.
        height: Height,
        /// The block's hash.
        hash: B256,
        /// The certificate's height.
        certified_height: Height,
        /// The certificate's hash.
        certified_hash: B256,
    },
    /// The certificate proves nothing.
    #[error("the certificate of block {height} does not hold: {error}; the block is asked of another peer")]
    Certificate {
        /// The block's height.
        height: Height,
        /// What is wrong with it.
        error: CertificateError,
    },
    /// The transactions are not those of the certified header.
    #[error(
        "the transactions sent with block {height} are not those of its header; it is asked of another peer"
    )]
    BodyNotBound {
        /// The block's height.
        height: Height,
    },
}

/// Checks that a quorum of `set` committed to `block`, transactions included. Every block needs this, empty
/// ones too. `set` is the one that votes on the block's height: what executing its parent gave. Whether the
/// block stands on the head is not asked here.
///
/// Costs a signature check for each signer and a hash for each transaction.
///
/// # Errors
/// The first thing found wrong.
pub fn verify_block(
    block: &Block,
    certificate: &CommitCertificate,
    domain: &Domain,
    set: &ValidatorSet,
    verifier: &dyn Verifier,
) -> Result<(), SyncError> {
    check_named(block, certificate)?;
    let height = block.height();
    certificate.verify(domain, set, verifier).map_err(|error| SyncError::Certificate { height, error })?;
    // Last, because it costs most: a certificate says nothing about the bytes that travel beside the header.
    if block.is_body_bound() { Ok(()) } else { Err(SyncError::BodyNotBound { height }) }
}

/// Checks what an answer shows by itself, before the validators of its heights are known.
pub(crate) fn check_answer(from: Height, count: u32, blocks: &[CertifiedBlock]) -> Result<(), SyncError> {
    if blocks.len() > usize::try_from(count).unwrap_or(usize::MAX) {
        return Err(SyncError::TooMany { asked: count, got: blocks.len() });
    }
    let mut expected = from;
    let mut before: Option<B256> = None;
    for (block, certificate) in blocks {
        let (height, parent) = (block.height(), block.header().parent_hash);
        if height != expected {
            return Err(SyncError::WrongHeight { expected, got: height });
        }
        check_named(block, certificate)?;
        if let Some(before) = before.filter(|before| *before != parent) {
            return Err(SyncError::WrongParent { height, expected: before, parent });
        }
        before = Some(block.hash());
        expected = expected.next();
    }
    Ok(())
}

fn check_named(block: &Block, certificate: &CommitCertificate) -> Result<(), SyncError> {
    let (height, hash) = (block.height(), block.hash());
    if certificate.height() == height && certificate.block_hash() == hash {
        return Ok(());
    }
    Err(SyncError::OtherCertificate {
        height,
        hash,
        certified_height: certificate.height(),
        certified_hash: certificate.block_hash(),
    })
}
