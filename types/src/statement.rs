//! What a validator signs: statements, each bound to one chain, one kind and all its fields.

use alloy_primitives::B256;

use crate::{Height, NodeId, Signature, Signer, SignerError, Verifier, View};

/// The chain that a signature is for: no signature counts on another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Domain {
    /// The chain id of the genesis file.
    pub chain_id: u64,
    /// The hash of block 0.
    pub genesis_hash: B256,
}

/// The first bytes of everything that is signed; the number is the format's version.
const TAG: &[u8] = b"quorate/consensus/1";

/// The two voting phases; the signature covers which.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Phase {
    /// The block is available, valid, and executed to the same roots.
    Prevote,
    /// A quorum of prevotes was seen and is on disk.
    Commit,
}

/// A leader's offer of a block. The header and the transactions travel beside it, unsigned: the two
/// hashes bind them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Propose {
    /// The height it is for.
    pub height: Height,
    /// The view it is for.
    pub view: View,
    /// The hash of the header.
    pub block_hash: B256,
    /// keccak256 of all transaction hashes in order, so that the list is bound before any of it is executed.
    pub body_hash: B256,
}

/// A vote for one block in one phase of one view.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Vote {
    /// Prevote or commit.
    pub phase: Phase,
    /// The height it is for.
    pub height: Height,
    /// The view it is for.
    pub view: View,
    /// The block that it is for.
    pub block_hash: B256,
}

/// The highest view in which a validator saw a quorum of prevotes, and for which block.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Prepared {
    /// The view of the prevotes.
    pub view: View,
    /// The block that they are for.
    pub block_hash: B256,
}

/// The wish to move to `view`, with the lock that must not be forgotten on the way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ViewChange {
    /// The height that is undecided.
    pub height: Height,
    /// The view to move to, at least 1.
    pub view: View,
    /// The lock, if there is one; its certificate travels beside the statement.
    pub prepared: Option<Prepared>,
}

/// Why a proposal was refused. It binds nobody: it is logged, counted and shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Reject {
    /// The height of the proposal.
    pub height: Height,
    /// The view of the proposal.
    pub view: View,
    /// The refused block.
    pub block_hash: B256,
    /// Why.
    pub reason: RejectReason,
    /// What the refusing node computed, when the roots differ.
    pub roots: Option<Roots>,
}

/// The kinds of refusal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum RejectReason {
    /// A header field breaks a rule that needs no execution.
    Header = 1,
    /// A transaction may not stand in a block.
    Transaction = 2,
    /// Execution gave other roots: one of the two nodes is wrong.
    Divergence = 3,
    /// The body never arrived.
    Unavailable = 4,
}

/// What an execution comes down to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Roots {
    /// The state after the block.
    pub state: B256,
    /// Its receipts.
    pub receipts: B256,
}

/// A node's regular sign of life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Status {
    /// The height being decided: head + 1.
    pub height: Height,
    /// The view it is in.
    pub view: View,
    /// The hash of the head.
    pub head_hash: B256,
    /// The node's clock, milliseconds since the Unix epoch.
    pub clock_ms: u64,
    /// Whether it waits for others to change the view.
    pub in_view_change: bool,
}

/// Any of the statements.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "each variant is named after the type it holds")]
pub enum Statement {
    Propose(Propose),
    Vote(Vote),
    ViewChange(ViewChange),
    Reject(Reject),
    Status(Status),
}

/// What can be signed. The kind and every field go into the signed bytes, each at a fixed width.
pub trait Signable: Copy {
    /// The statement as the sum type.
    fn statement(&self) -> Statement;
}

macro_rules! signable {
    ($($name:ident),*) => {$(
        impl Signable for $name {
            fn statement(&self) -> Statement {
                Statement::$name(*self)
            }
        }
    )*};
}
signable!(Propose, Vote, ViewChange, Reject, Status);

impl Statement {
    /// The height that the statement is about.
    #[must_use]
    pub const fn height(&self) -> Height {
        match self {
            Self::Propose(it) => it.height,
            Self::Vote(it) => it.height,
            Self::ViewChange(it) => it.height,
            Self::Reject(it) => it.height,
            Self::Status(it) => it.height,
        }
    }

    /// The view that the statement is about.
    #[must_use]
    pub const fn view(&self) -> View {
        match self {
            Self::Propose(it) => it.view,
            Self::Vote(it) => it.view,
            Self::ViewChange(it) => it.view,
            Self::Reject(it) => it.view,
            Self::Status(it) => it.view,
        }
    }

    /// The number that stands for the kind in the signed bytes and on the wire.
    #[must_use]
    pub const fn kind(&self) -> u8 {
        match self {
            Self::Propose(_) => 1,
            Self::Vote(Vote { phase: Phase::Prevote, .. }) => 2,
            Self::Vote(Vote { phase: Phase::Commit, .. }) => 3,
            Self::ViewChange(_) => 4,
            Self::Reject(_) => 5,
            Self::Status(_) => 6,
        }
    }
}

impl Domain {
    /// The bytes that are signed: tag, chain id, genesis hash, kind, then the fields, all of fixed
    /// width and big-endian, so that no two statements share an encoding.
    #[must_use]
    pub fn signed_bytes(&self, statement: &Statement) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(192);
        bytes.extend_from_slice(TAG);
        bytes.extend_from_slice(&self.chain_id.to_be_bytes());
        bytes.extend_from_slice(self.genesis_hash.as_slice());
        bytes.push(statement.kind());
        bytes.extend_from_slice(&statement.height().0.to_be_bytes());
        bytes.extend_from_slice(&statement.view().0.to_be_bytes());
        match statement {
            Statement::Propose(it) => {
                bytes.extend_from_slice(it.block_hash.as_slice());
                bytes.extend_from_slice(it.body_hash.as_slice());
            }
            Statement::Vote(it) => bytes.extend_from_slice(it.block_hash.as_slice()),
            Statement::ViewChange(it) => {
                bytes.push(u8::from(it.prepared.is_some()));
                if let Some(prepared) = it.prepared {
                    bytes.extend_from_slice(&prepared.view.0.to_be_bytes());
                    bytes.extend_from_slice(prepared.block_hash.as_slice());
                }
            }
            Statement::Reject(it) => {
                bytes.extend_from_slice(it.block_hash.as_slice());
                bytes.push(it.reason as u8);
                bytes.push(u8::from(it.roots.is_some()));
                if let Some(roots) = it.roots {
                    bytes.extend_from_slice(roots.state.as_slice());
                    bytes.extend_from_slice(roots.receipts.as_slice());
                }
            }
            Statement::Status(it) => {
                bytes.extend_from_slice(it.head_hash.as_slice());
                bytes.extend_from_slice(&it.clock_ms.to_be_bytes());
                bytes.push(u8::from(it.in_view_change));
            }
        }
        bytes
    }
}

/// A statement with somebody's signature, not yet checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Signed<S> {
    /// What was said.
    pub statement: S,
    /// Who is said to have said it.
    pub signer: NodeId,
    /// The proof.
    pub signature: Signature,
}

impl<S: Signable> Signed<S> {
    /// Signs `statement` for the chain of `domain`.
    ///
    /// # Errors
    /// When the signer gives no signature.
    pub fn sign(statement: S, domain: &Domain, signer: &dyn Signer) -> Result<Self, SignerError> {
        let signature = signer.sign(&domain.signed_bytes(&statement.statement()))?;
        Ok(Self { statement, signer: signer.id(), signature })
    }

    /// Whether the signature is the signer's over this statement on the chain of `domain`.
    #[must_use]
    pub fn verify(&self, domain: &Domain, verifier: &dyn Verifier) -> bool {
        verifier.verify(&self.signer, &domain.signed_bytes(&self.statement.statement()), &self.signature)
    }

    /// The same with the statement as the sum type.
    #[must_use]
    pub fn of_any_kind(&self) -> Signed<Statement> {
        Signed { statement: self.statement.statement(), signer: self.signer, signature: self.signature }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Ed25519, NodeKey};

    const DOMAIN: Domain = Domain { chain_id: 20200, genesis_hash: B256::repeat_byte(9) };

    fn vote(phase: Phase) -> Vote {
        Vote { phase, height: Height(4), view: View(1), block_hash: B256::repeat_byte(3) }
    }

    /// faults.md, type-confusion: a message type that the signature does not cover (FISCO audit).
    #[test]
    fn type_confusion_a_prevote_is_no_commit() {
        let key = NodeKey::from_seed([1; 32]);
        let signed = Signed::sign(vote(Phase::Prevote), &DOMAIN, &key).expect("signs");
        assert!(signed.verify(&DOMAIN, &Ed25519));
        let confused = Signed { statement: vote(Phase::Commit), ..signed };
        assert!(!confused.verify(&DOMAIN, &Ed25519));
    }

    #[test]
    fn a_signature_counts_on_one_chain_only() {
        let key = NodeKey::from_seed([1; 32]);
        let signed = Signed::sign(vote(Phase::Commit), &DOMAIN, &key).expect("signs");
        let other_id = Domain { chain_id: 1, ..DOMAIN };
        let other_genesis = Domain { genesis_hash: B256::ZERO, ..DOMAIN };
        assert!(!signed.verify(&other_id, &Ed25519));
        assert!(!signed.verify(&other_genesis, &Ed25519));
    }
}
