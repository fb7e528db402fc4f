//! What travels between replicas: signed statements with what proves or completes them.

use std::sync::Arc;

use alloy_primitives::{B256, Bytes, FixedBytesSliceExt, keccak256};

use crate::{
    Block, CertificateError, CommitCertificate, Domain, Header, Height, NodeId, PrepareCertificate, Propose,
    Reject, Signed, Statement, Status, ValidatorSet, Verifier, View, ViewChange, Vote,
};

/// A consensus message.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "each variant is named after what it holds")]
pub enum Message {
    Proposal(Arc<Proposal>),
    Vote(Signed<Vote>),
    ViewChange(SignedViewChange),
    Reject(Signed<Reject>),
    Status(Signed<Status>),
    Decided(Decided),
}

/// A leader's offer, with the block in compact form and, above view 0, the right to make it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proposal {
    /// What the leader signed.
    pub propose: Signed<Propose>,
    /// The block's header; its hash is the signed one.
    pub header: Header,
    /// The hashes of all transactions in order.
    pub transaction_hashes: Vec<B256>,
    /// Raw transactions that the leader supposes others lack, by their place in the block.
    pub prefilled: Vec<(u32, Bytes)>,
    /// Why this view may begin; `None` in view 0 alone.
    pub justification: Option<Justification>,
}

/// A wish to change the view with the certificate that its lock names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedViewChange {
    /// What was signed.
    pub signed: Signed<ViewChange>,
    /// The proof of `prepared`, exactly when that is `Some`.
    pub certificate: Option<PrepareCertificate>,
}

/// A quorum's wishes for one (height, view), with the certificate of the highest lock among them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Justification {
    /// From distinct validators, sorted by signer.
    pub view_changes: Vec<Signed<ViewChange>>,
    /// `None` exactly when none of them is locked.
    pub certificate: Option<PrepareCertificate>,
}

/// The proof that a height is decided, for whoever is still below or at it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decided {
    /// The proof.
    pub certificate: CommitCertificate,
    /// The block, when the receiver is likely to lack it.
    pub block: Option<Arc<Block>>,
}

impl Proposal {
    /// keccak256 over the hashes in order: the `body_hash` that the leader signs.
    #[must_use]
    pub fn body_hash(transaction_hashes: &[B256]) -> B256 {
        keccak256(transaction_hashes.as_flattened())
    }
}

impl Message {
    /// The height it is about.
    #[must_use]
    pub fn height(&self) -> Height {
        match self {
            Self::Proposal(it) => it.propose.statement.height,
            Self::Vote(it) => it.statement.height,
            Self::ViewChange(it) => it.signed.statement.height,
            Self::Reject(it) => it.statement.height,
            Self::Status(it) => it.statement.height,
            Self::Decided(it) => it.certificate.height(),
        }
    }

    /// Who signed it; a certificate has many signers and no sender of its own.
    #[must_use]
    pub fn signer(&self) -> Option<NodeId> {
        match self {
            Self::Proposal(it) => Some(it.propose.signer),
            Self::Vote(it) => Some(it.signer),
            Self::ViewChange(it) => Some(it.signed.signer),
            Self::Reject(it) => Some(it.signer),
            Self::Status(it) => Some(it.signer),
            Self::Decided(_) => None,
        }
    }

    /// What [`signer`](Self::signer) signed, without what stands beside it.
    #[must_use]
    pub fn signed(&self) -> Option<Signed<Statement>> {
        match self {
            Self::Proposal(it) => Some(it.propose.of_any_kind()),
            Self::Vote(it) => Some(it.of_any_kind()),
            Self::ViewChange(it) => Some(it.signed.of_any_kind()),
            Self::Reject(it) => Some(it.of_any_kind()),
            Self::Status(it) => Some(it.of_any_kind()),
            Self::Decided(_) => None,
        }
    }
}

/// What a message is checked against: the chain, the signature scheme and the set of its height.
#[derive(Clone, Copy)]
pub struct VerifyContext<'a> {
    /// The chain.
    pub domain: &'a Domain,
    /// The validators of the message's height.
    pub set: &'a ValidatorSet,
    /// The signature scheme.
    pub verifier: &'a dyn Verifier,
}

/// Why a message counts for nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum VerifyError {
    /// The signer does not vote at this height.
    #[error("{0} is no validator of this height")]
    NotAValidator(NodeId),
    /// Not the signer's signature.
    #[error("the signature is not that of {0}")]
    BadSignature(NodeId),
    /// The signer does not lead the view.
    #[error("{signer} does not lead view {view}")]
    NotTheLeader {
        /// Who signed.
        signer: NodeId,
        /// The view that somebody else leads.
        view: View,
    },
    /// Header, transaction list and signed hashes do not belong together.
    #[error("the proposal's {0} is not the one that was signed")]
    NotBound(&'static str),
    /// A justification is missing, superfluous, or does not prove what it should.
    #[error("the justification does not hold: {0}")]
    Unjustified(&'static str),
    /// An attached certificate proves nothing.
    #[error(transparent)]
    Certificate(#[from] CertificateError),
}

/// A value whose every signature and binding was checked against one chain and one validator set.
/// Nothing else reaches the replica.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verified<T>(T);

impl<T> Verified<T> {
    /// What was verified.
    pub fn into_inner(self) -> T {
        self.0
    }
}

impl<T> std::ops::Deref for Verified<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

impl Message {
    /// Checks each signature and each binding. Whether the message fits the replica's height, view
    /// and phase is the replica's to judge.
    ///
    /// # Errors
    /// The first thing found wrong.
    pub fn verify(self, context: VerifyContext<'_>) -> Result<Verified<Self>, VerifyError> {
        match &self {
            Self::Proposal(it) => context.check_proposal(it)?,
            Self::Vote(it) => context.check_signed(it)?,
            Self::ViewChange(it) => context.check_view_change(it)?,
            Self::Reject(it) => context.check_signed(it)?,
            Self::Status(it) => {
                // Observers say where they are too: a status needs no vote.
                if !it.verify(context.domain, context.verifier) {
                    return Err(VerifyError::BadSignature(it.signer));
                }
            }
            Self::Decided(it) => {
                it.certificate.verify(context.domain, context.set, context.verifier)?;
                if it.block.as_ref().is_some_and(|block| block.hash() != it.certificate.block_hash()) {
                    return Err(VerifyError::NotBound("block"));
                }
                if it.block.as_ref().is_some_and(|block| !block.is_body_bound()) {
                    return Err(VerifyError::NotBound("body"));
                }
            }
        }
        Ok(Verified(self))
    }
}

impl VerifyContext<'_> {
    fn check_signed<S: crate::Signable>(&self, signed: &Signed<S>) -> Result<(), VerifyError> {
        if !self.set.contains(&signed.signer) {
            return Err(VerifyError::NotAValidator(signed.signer));
        }
        if !signed.verify(self.domain, self.verifier) {
            return Err(VerifyError::BadSignature(signed.signer));
        }
        Ok(())
    }

    fn check_proposal(&self, proposal: &Proposal) -> Result<(), VerifyError> {
        let Signed { statement: propose, signer, .. } = &proposal.propose;
        if self.set.leader(propose.height, propose.view).key != *signer {
            return Err(VerifyError::NotTheLeader { signer: *signer, view: propose.view });
        }
        if proposal.header.number != propose.height.0 {
            return Err(VerifyError::NotBound("height"));
        }
        if proposal.header.hash_slow() != propose.block_hash {
            return Err(VerifyError::NotBound("header"));
        }
        if Proposal::body_hash(&proposal.transaction_hashes) != propose.body_hash {
            return Err(VerifyError::NotBound("transaction list"));
        }
        self.check_signed(&proposal.propose)?;
        match &proposal.justification {
            None if propose.view == View::ZERO => Ok(()),
            None => Err(VerifyError::Unjustified("a view above 0 needs one")),
            Some(_) if propose.view == View::ZERO => Err(VerifyError::Unjustified("view 0 needs none")),
            Some(justification) => self.check_justification(propose, justification),
        }
    }

    fn check_justification(&self, propose: &Propose, it: &Justification) -> Result<(), VerifyError> {
        let unjustified = |why| Err(VerifyError::Unjustified(why));
        if !it.view_changes.is_sorted_by(|a, b| a.signer < b.signer) {
            return unjustified("its signers are not distinct and sorted");
        }
        let matches = |change: &Signed<ViewChange>| {
            change.statement.height == propose.height && change.statement.view == propose.view
        };
        if !it.view_changes.iter().all(matches) {
            return unjustified("a view change in it is for another height or view");
        }
        if self.set.weight_of_all(it.view_changes.iter().map(|change| &change.signer)) < self.set.quorum() {
            return unjustified("its signers are no quorum");
        }
        let highest =
            it.view_changes.iter().filter_map(|change| change.statement.prepared).max_by_key(|it| it.view);
        match (highest, &it.certificate) {
            (None, None) => {}
            (Some(lock), Some(certificate)) => {
                self.check_lock(propose.height, propose.view, lock, certificate)?;
                if certificate.block_hash() != propose.block_hash {
                    return unjustified("another block is prepared");
                }
            }
            _ => return unjustified("the certificate of its highest lock is missing or superfluous"),
        }
        it.view_changes.iter().try_for_each(|change| self.check_signed(change))
    }

    fn check_view_change(&self, change: &SignedViewChange) -> Result<(), VerifyError> {
        let ViewChange { height, view, prepared } = change.signed.statement;
        if view == View::ZERO {
            return Err(VerifyError::Unjustified("nobody changes to view 0"));
        }
        self.check_signed(&change.signed)?;
        match (prepared, &change.certificate) {
            (None, None) => Ok(()),
            (Some(lock), Some(certificate)) => self.check_lock(height, view, lock, certificate),
            _ => Err(VerifyError::Unjustified("the lock and its certificate do not come together")),
        }
    }

    fn check_lock(
        &self,
        height: Height,
        view: View,
        lock: crate::Prepared,
        certificate: &PrepareCertificate,
    ) -> Result<(), VerifyError> {
        let named = (height, lock.view, lock.block_hash);
        if (certificate.height(), certificate.view(), certificate.block_hash()) != named || lock.view >= view
        {
            return Err(VerifyError::Unjustified("the certificate is not that of the lock"));
        }
        Ok(certificate.verify(self.domain, self.set, self.verifier)?)
    }
}
