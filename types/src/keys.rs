//! Node keys: ed25519, one key for votes, the P2P identity and the TLS certificate.

use std::{fmt, str::FromStr};

use alloy_primitives::hex;
use ed25519_dalek::{
    SigningKey, VerifyingKey,
    pkcs8::{DecodePrivateKey, KeypairBytes, spki::der::pem::LineEnding},
};
use serde::{Deserialize, Serialize};

/// The public key of a node, and thereby its identity: 32 bytes of ed25519.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct NodeId(pub [u8; 32]);

impl NodeId {
    /// Whether the bytes are a canonical point of full order: what a validator's key must be, since
    /// a small-order key would let one signature stand for many messages.
    #[must_use]
    pub fn is_sound(&self) -> bool {
        // A key keeps the bytes that it was read from, and reading takes y modulo p: only its point, written anew, tells.
        let is_canonical = |key: &VerifyingKey| key.to_edwards().compress().to_bytes() == self.0;
        VerifyingKey::from_bytes(&self.0).is_ok_and(|key| !key.is_weak() && is_canonical(&key))
    }

    /// The first four bytes in hex, for log lines and tables.
    #[must_use]
    pub fn short(&self) -> String {
        hex::encode(&self.0[..4])
    }
}

impl fmt::Display for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.short())
    }
}

impl FromStr for NodeId {
    type Err = NodeKeyError;

    fn from_str(text: &str) -> Result<Self, NodeKeyError> {
        hex::FromHex::from_hex(text).map(Self).map_err(|_| NodeKeyError::PublicKey(text.to_owned()))
    }
}

impl TryFrom<String> for NodeId {
    type Error = NodeKeyError;

    fn try_from(text: String) -> Result<Self, NodeKeyError> {
        text.parse()
    }
}

impl From<NodeId> for String {
    fn from(id: NodeId) -> Self {
        format!("0x{id}")
    }
}

/// An ed25519 signature, 64 bytes, not yet checked.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Signature(pub [u8; 64]);

impl fmt::Debug for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(&self.0[..4]))
    }
}

/// What holds a node's key and signs with it: a file's key here, a hardware module or the
/// simulator's keyed hash elsewhere. The replica never sees one.
pub trait Signer: Send + Sync {
    /// Whose signatures these are.
    fn id(&self) -> NodeId;

    /// Signs `message`.
    ///
    /// # Errors
    /// When the device that holds the key does not answer or refuses.
    fn sign(&self, message: &[u8]) -> Result<Signature, SignerError>;
}

/// The counterpart of [`Signer`].
pub trait Verifier: Send + Sync {
    /// Whether `signature` is `signer`'s over `message`.
    fn verify(&self, signer: &NodeId, message: &[u8], signature: &Signature) -> bool;
}

/// The chain's scheme: ed25519, verified strictly. The lax rules of RFC 8032 accept
/// small-order keys and leave room for two verifiers to disagree about one signature.
#[derive(Clone, Copy, Debug)]
pub struct Ed25519;

impl Verifier for Ed25519 {
    fn verify(&self, signer: &NodeId, message: &[u8], signature: &Signature) -> bool {
        VerifyingKey::from_bytes(&signer.0).is_ok_and(|key| {
            key.verify_strict(message, &ed25519_dalek::Signature::from_bytes(&signature.0)).is_ok()
        })
    }
}

/// A node's secret key, wiped from memory when dropped.
pub struct NodeKey(SigningKey);

impl NodeKey {
    /// A fresh key from the operating system's randomness.
    ///
    /// # Errors
    /// When the operating system has no randomness to give.
    pub fn generate() -> Result<Self, NodeKeyError> {
        let mut seed = [0; 32];
        getrandom::fill(&mut seed).map_err(|error| NodeKeyError::Randomness(error.to_string()))?;
        Ok(Self::from_seed(seed))
    }

    /// The key of a given secret.
    #[must_use]
    pub fn from_seed(seed: [u8; 32]) -> Self {
        Self(SigningKey::from_bytes(&seed))
    }

    /// The secret that [`NodeKey::from_seed`] takes.
    #[must_use]
    pub fn seed(&self) -> [u8; 32] {
        self.0.to_bytes()
    }

    /// Reads a PKCS#8 PEM file's text (`BEGIN PRIVATE KEY`), as OpenSSL and this node write it.
    ///
    /// # Errors
    /// When the text is not PEM, not PKCS#8 or not an ed25519 key.
    pub fn from_pem(text: &str) -> Result<Self, NodeKeyError> {
        SigningKey::from_pkcs8_pem(text).map(Self).map_err(|error| NodeKeyError::Pem(error.to_string()))
    }

    /// PKCS#8 version 1, which OpenSSL 3.0 reads; version 2, with the public key inside, it refuses.
    ///
    /// # Errors
    /// When the encoder fails, which only a lack of memory can cause.
    pub fn to_pem(&self) -> Result<String, NodeKeyError> {
        use ed25519_dalek::pkcs8::EncodePrivateKey;
        KeypairBytes { secret_key: self.0.to_bytes(), public_key: None }
            .to_pkcs8_pem(LineEnding::LF)
            .map(|pem| pem.to_string())
            .map_err(|error| NodeKeyError::Pem(error.to_string()))
    }
}

impl fmt::Debug for NodeKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "NodeKey({:?})", self.id())
    }
}

impl Signer for NodeKey {
    fn id(&self) -> NodeId {
        NodeId(self.0.verifying_key().to_bytes())
    }

    fn sign(&self, message: &[u8]) -> Result<Signature, SignerError> {
        use ed25519_dalek::Signer as _;
        Ok(Signature(self.0.sign(message).to_bytes()))
    }
}

impl NodeKey {
    /// The public half.
    #[must_use]
    pub fn id(&self) -> NodeId {
        Signer::id(self)
    }
}

/// Why a signer gave no signature.
#[derive(Debug, thiserror::Error)]
#[error("the signer of node {id} gave no signature: {reason}")]
pub struct SignerError {
    /// Whose key it is.
    pub id: NodeId,
    /// In the device's words.
    pub reason: String,
}

/// Why a key could not be read or made.
#[derive(Debug, thiserror::Error)]
pub enum NodeKeyError {
    /// Not 32 bytes of hex.
    #[error("`{0}` is not a node's public key: expected 64 hex digits")]
    PublicKey(String),
    /// Not a PKCS#8 PEM of an ed25519 key.
    #[error("not an ed25519 private key in PKCS#8 PEM: {0}")]
    Pem(String),
    /// No randomness.
    #[error("the operating system gave no randomness: {0}")]
    Randomness(String),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_is_bound_to_its_signer_and_message() {
        let (alice, bob) = (NodeKey::from_seed([1; 32]), NodeKey::from_seed([2; 32]));
        let signature = alice.sign(b"yes").expect("a key in memory signs");
        assert!(Ed25519.verify(&alice.id(), b"yes", &signature));
        assert!(!Ed25519.verify(&alice.id(), b"no", &signature));
        assert!(!Ed25519.verify(&bob.id(), b"yes", &signature));
    }

    #[test]
    fn a_key_survives_its_pem_file_in_version_one() {
        let key = NodeKey::from_seed([7; 32]);
        let pem = key.to_pem().expect("it encodes");
        assert_eq!(NodeKey::from_pem(&pem).expect("it decodes").id(), key.id());
        // 48 bytes of DER in version 1, so 64 letters of base64; version 2 appends the public key.
        assert_eq!(pem.lines().nth(1).map(str::len), Some(64));
    }

    #[test]
    fn small_order_and_non_canonical_keys_are_unsound() {
        let mut identity = [0; 32];
        identity[0] = 1;
        assert!(!NodeId(identity).is_sound());
        assert!(!NodeId([0; 32]).is_sound());
        // y = p + 1 encodes the same point as y = 1, the identity.
        let mut non_canonical = [0xff; 32];
        non_canonical[0] = 0xee;
        non_canonical[31] = 0x7f;
        assert!(!NodeId(non_canonical).is_sound());
        // y = p + 3 encodes the point of y = 3, which is of full order: only the encoding is wrong.
        let (mut three, mut three_again) = ([0; 32], non_canonical);
        (three[0], three_again[0]) = (3, 0xf0);
        assert!(NodeId(three).is_sound());
        assert!(!NodeId(three_again).is_sound());
        assert!(NodeKey::from_seed([3; 32]).id().is_sound());
    }
}
