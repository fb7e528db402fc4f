//! Certificates: a bitmap of signers with one signature for each bit.

use bytes::Bytes;
use quorate_types::{
    CommitCertificate, Height, Phase, PrepareCertificate, QuorumCertificate, Signature, View, Vote,
};

use crate::{
    bounds::{MAX_BITMAP_BYTES, MAX_CERTIFICATE_SIGNATURES, MAX_HEADER_BYTES},
    error::{DecodeError, Problem, Within},
    fields::{SIGNATURE_BYTES, arrays, encode_hash, hash, required},
    frame::{self, Frame, PROTOCOL_VERSION},
    shape::{Part, Shape},
    wire,
};

impl Frame for wire::CertificateFrame {
    const NAME: &'static str = "certificate";
    const VERSION: u32 = PROTOCOL_VERSION;
    const MAX_BYTES: usize = MAX_HEADER_BYTES + MAX_CERTIFICATE_SIGNATURES * SIGNATURE_BYTES;
    const SHAPE: Shape = Shape(&[Part::one(2, "certificate", &Shape::FLAT)]);
}

/// Encodes a commit certificate on its own, as RPC serves it to clients who verify without trust.
#[must_use]
pub fn encode_certificate(certificate: &CommitCertificate) -> Bytes {
    let certificate = Some(to_wire(certificate));
    frame::encode(&wire::CertificateFrame { version: PROTOCOL_VERSION, certificate })
}

/// The reverse of [`encode_certificate`]; the signatures are not checked.
///
/// # Errors
/// For bytes that are no commit certificate.
pub fn decode_certificate(frame: Bytes) -> Result<CommitCertificate, DecodeError> {
    frame::decode(&frame, |it: wire::CertificateFrame| required_commit(it.certificate))
}

pub(crate) fn to_wire(it: &QuorumCertificate) -> wire::Certificate {
    let mut signatures = Vec::with_capacity(it.signatures.len() * SIGNATURE_BYTES);
    it.signatures.iter().for_each(|signature| signatures.extend_from_slice(&signature.0));
    wire::Certificate {
        height: it.vote.height.0,
        view: it.vote.view.0,
        block_hash: encode_hash(it.vote.block_hash),
        signers: Bytes::copy_from_slice(&it.signers),
        signatures: signatures.into(),
    }
}

/// A field named `certificate` that must hold the certificate of a decision.
pub(crate) fn required_commit(it: Option<wire::Certificate>) -> Result<CommitCertificate, DecodeError> {
    let it = from_wire(required("certificate", it)?, Phase::Commit).within("certificate")?;
    Ok(CommitCertificate::new(it).expect("it was made with this phase"))
}

/// A field named `certificate` that may hold the certificate of a lock.
pub(crate) fn optional_prepare(
    it: Option<wire::Certificate>,
) -> Result<Option<PrepareCertificate>, DecodeError> {
    it.map(|it| {
        let it = from_wire(it, Phase::Prevote).within("certificate")?;
        Ok(PrepareCertificate::new(it).expect("it was made with this phase"))
    })
    .transpose()
}

/// The phase is not on the wire: where a certificate stands tells it, and its signatures prove it.
fn from_wire(it: wire::Certificate, phase: Phase) -> Result<QuorumCertificate, DecodeError> {
    let vote = Vote {
        phase,
        height: Height(it.height),
        view: View(it.view),
        block_hash: hash("block_hash", &it.block_hash)?,
    };
    if it.signers.len() > MAX_BITMAP_BYTES {
        let got = it.signers.len();
        return Err(Problem::TooLong { got, most: MAX_BITMAP_BYTES }.of("signers"));
    }
    if it.signers.last() == Some(&0) {
        return Err(Problem::Inconsistent("the last byte of the bitmap is 0").of("signers"));
    }
    let signatures: Vec<_> = arrays("signatures", &it.signatures, MAX_CERTIFICATE_SIGNATURES)?
        .into_iter()
        .map(Signature)
        .collect();
    let bits: u32 = it.signers.iter().map(|byte| byte.count_ones()).sum();
    if usize::try_from(bits) != Ok(signatures.len()) {
        return Err(Problem::Inconsistent("not one signature for each bit of the bitmap").of("signatures"));
    }
    Ok(QuorumCertificate { vote, signers: it.signers.to_vec(), signatures })
}
