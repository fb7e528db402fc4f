//! Keys of two kinds: the chain's ed25519, and a keyed hash that is a hundred times faster. The hash is no
//! signature: who knows a node's id could forge it. No liar here does, and the protocol sees no difference.

use quorate_types::{Ed25519, NodeId, NodeKey, Signature, Signer, SignerError, Verifier};

/// Odd constants with well spread bits (MurmurHash3's finalizer and the golden ratio).
const SPREAD: u64 = 0xff51_afd7_ed55_8ccd;
const START: u64 = 0x9e37_79b9_7f4a_7c15;

/// Which signatures a run uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keys {
    /// The keyed hash.
    Hashed,
    /// The chain's scheme.
    Real,
}

impl Keys {
    /// The key of node number `index`, whose id is an ed25519 key in either case.
    pub(crate) fn signer(self, index: u8) -> Box<dyn Signer> {
        let key = NodeKey::from_seed([index + 1; 32]);
        match self {
            Self::Hashed => Box::new(HashedKey(key.id())),
            Self::Real => Box::new(key),
        }
    }

    pub(crate) fn verifier(self) -> Box<dyn Verifier> {
        match self {
            Self::Hashed => Box::new(Hashed),
            Self::Real => Box::new(Ed25519),
        }
    }
}

struct HashedKey(NodeId);
struct Hashed;

impl Signer for HashedKey {
    fn id(&self) -> NodeId {
        self.0
    }

    fn sign(&self, message: &[u8]) -> Result<Signature, SignerError> {
        Ok(keyed_hash(&self.0, message))
    }
}

impl Verifier for Hashed {
    fn verify(&self, signer: &NodeId, message: &[u8], signature: &Signature) -> bool {
        keyed_hash(signer, message) == *signature
    }
}

/// Believes everything; for mutants.
pub(crate) struct Gullible;

impl Verifier for Gullible {
    fn verify(&self, _: &NodeId, _: &[u8], _: &Signature) -> bool {
        true
    }
}

fn keyed_hash(id: &NodeId, message: &[u8]) -> Signature {
    let mut state = START ^ message.len() as u64;
    for chunk in id.0.chunks(8).chain(message.chunks(8)) {
        let mut word = [0; 8];
        word[..chunk.len()].copy_from_slice(chunk);
        state = (state ^ u64::from_le_bytes(word)).wrapping_mul(SPREAD);
        state ^= state >> 32;
    }
    let mut signature = [0; 64];
    for part in signature.chunks_mut(8) {
        state = state.wrapping_add(START).wrapping_mul(SPREAD);
        state ^= state >> 29;
        part.copy_from_slice(&state.to_le_bytes());
    }
    Signature(signature)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hashed_signature_is_bound_to_its_signer_and_message() {
        let (alice, bob) = (Keys::Hashed.signer(0), Keys::Hashed.signer(1));
        let verifier = Keys::Hashed.verifier();
        let signature = alice.sign(b"yes").expect("a hash never fails");
        assert!(verifier.verify(&alice.id(), b"yes", &signature));
        assert!(!verifier.verify(&alice.id(), b"no", &signature));
        assert!(!verifier.verify(&bob.id(), b"yes", &signature));
    }
}
