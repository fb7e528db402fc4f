//! What is to be signed, before it is.

use std::sync::Arc;

use quorate_types::{
    B256, Block, Bytes, Header, Height, Justification, PrepareCertificate, Proposal, Propose, Signed,
    ViewChange, Vote,
};

/// Own statements that go to disk as one frame before any of them is sent.
#[derive(Clone, Debug)]
pub struct VoteBatch {
    /// The height they are for.
    pub height: Height,
    /// What to sign.
    pub statements: Vec<Unsigned>,
    /// The lock that must be on disk with them: the certificate and the block it names.
    pub prepared: Option<(PrepareCertificate, Arc<Block>)>,
}

/// A statement to be signed, with what travels beside it.
#[derive(Clone, Debug)]
pub enum Unsigned {
    /// As a leader.
    Proposal(Box<UnsignedProposal>),
    /// A prevote or a commit.
    Vote(Vote),
    /// A wish for another view.
    ViewChange {
        /// What is signed.
        change: ViewChange,
        /// The proof of its lock.
        certificate: Option<PrepareCertificate>,
    },
}

/// A [`Proposal`] without its signature.
#[derive(Clone, Debug)]
pub struct UnsignedProposal {
    /// What is signed.
    pub propose: Propose,
    /// The block's header.
    pub header: Header,
    /// All transaction hashes in order.
    pub transaction_hashes: Vec<B256>,
    /// Raw transactions that others may lack.
    pub prefilled: Vec<(u32, Bytes)>,
    /// Why the view may begin.
    pub justification: Option<Justification>,
}

impl UnsignedProposal {
    /// The proposal with the leader's signature.
    #[must_use]
    pub fn into_signed(self, propose: Signed<Propose>) -> Proposal {
        let Self { header, transaction_hashes, prefilled, justification, .. } = self;
        Proposal { propose, header, transaction_hashes, prefilled, justification }
    }
}
