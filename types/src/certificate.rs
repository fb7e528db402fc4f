//! Certificates: a quorum's votes for one block in one phase of one view, checkable by anyone who
//! knows the validator set.

use std::collections::BTreeMap;

use alloy_primitives::B256;

use crate::{
    Domain, Height, MAX_VALIDATORS, NodeId, Phase, Signable, Signature, ValidatorSet, Verifier, View, Vote,
};

/// The votes of a quorum. Only checked ones count: see [`QuorumCertificate::verify`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QuorumCertificate {
    /// What all the signers said.
    pub vote: Vote,
    /// Bit i (of byte i / 8, lowest first) stands for member i of the set; no longer than needed.
    pub signers: Vec<u8>,
    /// One signature for each bit, in the members' order.
    pub signatures: Vec<Signature>,
}

/// Why a certificate proves nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CertificateError {
    /// Made of votes of the other phase.
    #[error("the certificate is made of {0:?} votes")]
    WrongPhase(Phase),
    /// Bits beyond the set, or other than one signature for each bit.
    #[error("the certificate's bitmap does not fit the validator set or its signatures")]
    Malformed,
    /// Too little weight.
    #[error("the signers weigh {weight}, a quorum needs {quorum}")]
    NoQuorum {
        /// What the distinct signers weigh.
        weight: u64,
        /// What is needed.
        quorum: u64,
    },
    /// A signature that is not its signer's.
    #[error("the signature of validator {0} is not valid")]
    BadSignature(NodeId),
}

impl QuorumCertificate {
    /// The keys behind the bits.
    ///
    /// # Errors
    /// [`CertificateError::Malformed`] when bits and signatures do not fit each other or the set.
    pub fn signer_ids<'a>(&self, set: &'a ValidatorSet) -> Result<Vec<&'a NodeId>, CertificateError> {
        if self.signers.len() > MAX_VALIDATORS / 8 || self.signers.last() == Some(&0) {
            return Err(CertificateError::Malformed);
        }
        let bits = (0..self.signers.len() * 8).filter(|bit| self.signers[bit / 8] & (1 << (bit % 8)) != 0);
        let keys: Option<Vec<_>> = bits.map(|bit| set.members().get(bit).map(|member| &member.key)).collect();
        keys.filter(|keys| keys.len() == self.signatures.len()).ok_or(CertificateError::Malformed)
    }

    /// Checks that distinct members of `set` with a quorum's weight signed the vote.
    ///
    /// # Errors
    /// The first thing found wrong.
    pub fn verify(
        &self,
        domain: &Domain,
        set: &ValidatorSet,
        verifier: &dyn Verifier,
    ) -> Result<(), CertificateError> {
        let keys = self.signer_ids(set)?;
        let (weight, quorum) = (set.weight_of_all(keys.iter().copied()), set.quorum());
        if weight < quorum {
            return Err(CertificateError::NoQuorum { weight, quorum });
        }
        let message = domain.signed_bytes(&self.vote.statement());
        match keys.iter().zip(&self.signatures).find(|(key, sig)| !verifier.verify(key, &message, sig)) {
            Some((key, _)) => Err(CertificateError::BadSignature(**key)),
            None => Ok(()),
        }
    }
}

macro_rules! certificate {
    ($(#[$doc:meta])* $name:ident, $phase:ident) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub struct $name(QuorumCertificate);

        impl $name {
            /// Takes a certificate of the right phase, without checking its signatures.
            ///
            /// # Errors
            /// [`CertificateError::WrongPhase`].
            pub fn new(certificate: QuorumCertificate) -> Result<Self, CertificateError> {
                match certificate.vote.phase {
                    Phase::$phase => Ok(Self(certificate)),
                    other => Err(CertificateError::WrongPhase(other)),
                }
            }

            /// The height it is for.
            #[must_use]
            pub const fn height(&self) -> Height {
                self.0.vote.height
            }

            /// The view in which the votes were cast.
            #[must_use]
            pub const fn view(&self) -> View {
                self.0.vote.view
            }

            /// The block it is for.
            #[must_use]
            pub const fn block_hash(&self) -> B256 {
                self.0.vote.block_hash
            }
        }

        impl std::ops::Deref for $name {
            type Target = QuorumCertificate;

            fn deref(&self) -> &QuorumCertificate {
                &self.0
            }
        }
    };
}

certificate!(
    /// A quorum prevoted: from here on only this block can be decided at this height, unless a
    /// higher view prepares another.
    PrepareCertificate,
    Prevote
);
certificate!(
    /// A quorum committed: the block is final. Enough for anyone who knows the validator set.
    CommitCertificate,
    Commit
);

/// The signatures collected for one vote, each signer's once.
#[derive(Clone, Debug)]
pub struct VoteTally {
    vote: Vote,
    signatures: BTreeMap<usize, Signature>,
    weight: u64,
}

impl VoteTally {
    /// Nobody's signatures yet.
    #[must_use]
    pub const fn new(vote: Vote) -> Self {
        Self { vote, signatures: BTreeMap::new(), weight: 0 }
    }

    /// Counts a checked signature; that of a stranger, or a second one of the same member, weighs nothing.
    pub fn add(&mut self, set: &ValidatorSet, signer: &NodeId, signature: Signature) {
        let Some(index) = set.index_of(signer) else { return };
        if self.signatures.insert(index, signature).is_none() {
            self.weight += set.members()[index].weight;
        }
    }

    /// The weight of the distinct signers.
    #[must_use]
    pub const fn weight(&self) -> u64 {
        self.weight
    }

    /// The certificate, once the signers weigh a quorum.
    #[must_use]
    pub fn certificate(&self, set: &ValidatorSet) -> Option<QuorumCertificate> {
        if self.weight < set.quorum() {
            return None;
        }
        let mut signers = vec![0_u8; self.signatures.last_key_value()?.0 / 8 + 1];
        for index in self.signatures.keys() {
            signers[index / 8] |= 1 << (index % 8);
        }
        let signatures = self.signatures.values().copied().collect();
        Some(QuorumCertificate { vote: self.vote, signers, signatures })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Ed25519, NodeKey, Signed, Validator};

    const DOMAIN: Domain = Domain { chain_id: 7, genesis_hash: B256::ZERO };
    const VOTE: Vote =
        Vote { phase: Phase::Commit, height: Height(2), view: View(0), block_hash: B256::repeat_byte(5) };

    fn keys() -> Vec<NodeKey> {
        (1..=4).map(|seed| NodeKey::from_seed([seed; 32])).collect()
    }

    fn set() -> ValidatorSet {
        ValidatorSet::new(keys().iter().map(|key| Validator::new(key.id(), 1))).expect("four sound members")
    }

    fn tally(keys: &[&NodeKey]) -> VoteTally {
        let mut tally = VoteTally::new(VOTE);
        for key in keys {
            let signed = Signed::sign(VOTE, &DOMAIN, *key).expect("signs");
            tally.add(&set(), &signed.signer, signed.signature);
        }
        tally
    }

    #[test]
    fn three_of_four_make_a_certificate_that_verifies() {
        let keys = keys();
        let certificate = tally(&[&keys[0], &keys[2], &keys[3]]).certificate(&set()).expect("a quorum");
        assert_eq!(certificate.verify(&DOMAIN, &set(), &Ed25519), Ok(()));
        assert!(CommitCertificate::new(certificate.clone()).is_ok());
        assert_eq!(PrepareCertificate::new(certificate), Err(CertificateError::WrongPhase(Phase::Commit)));
    }

    /// faults.md, duplicate-signers: one signature three times passes as a quorum (FISCO, Besu #1671).
    #[test]
    fn duplicate_signers_make_no_quorum() {
        let keys = keys();
        assert_eq!(tally(&[&keys[0], &keys[0], &keys[0]]).certificate(&set()), None);
        let mut forged = tally(&[&keys[0], &keys[1], &keys[2]]).certificate(&set()).expect("a quorum");
        forged.signatures[1] = forged.signatures[0];
        assert!(matches!(forged.verify(&DOMAIN, &set(), &Ed25519), Err(CertificateError::BadSignature(_))));
    }

    #[test]
    fn bits_without_members_or_signatures_are_malformed() {
        let keys = keys();
        let good = tally(&[&keys[0], &keys[1], &keys[2]]).certificate(&set()).expect("a quorum");
        let stranger = QuorumCertificate { signers: vec![0b1_0011], ..good.clone() };
        let missing = QuorumCertificate { signers: vec![0b1111], ..good.clone() };
        let padded = QuorumCertificate { signers: vec![good.signers[0], 0], ..good };
        for bad in [stranger, missing, padded] {
            assert_eq!(bad.verify(&DOMAIN, &set(), &Ed25519), Err(CertificateError::Malformed));
        }
    }
}
