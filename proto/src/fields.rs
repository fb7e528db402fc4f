//! Values of fixed width out of byte strings, each with its field's name for the error.

use bytes::Bytes;
use quorate_types::{B256, NodeId, Signable, Signature, Signed};

use crate::{
    error::{DecodeError, Problem, Within},
    wire,
};

/// The width of a hash or a key.
pub(crate) const HASH_BYTES: usize = 32;
/// The width of a signature.
pub(crate) const SIGNATURE_BYTES: usize = 64;

pub(crate) fn array<const N: usize>(field: &str, bytes: &[u8]) -> Result<[u8; N], DecodeError> {
    bytes.try_into().map_err(|_| Problem::Length { expected: N, got: bytes.len() }.of(field))
}

pub(crate) fn hash(field: &str, bytes: &[u8]) -> Result<B256, DecodeError> {
    array(field, bytes).map(B256::new)
}

/// Reads values of `N` bytes that stand end to end.
pub(crate) fn arrays<const N: usize>(
    field: &str,
    bytes: &[u8],
    most: usize,
) -> Result<Vec<[u8; N]>, DecodeError> {
    let (values, rest) = bytes.as_chunks::<N>();
    if !rest.is_empty() {
        return Err(Problem::Fraction { width: N, got: bytes.len() }.of(field));
    }
    if values.len() > most {
        return Err(Problem::TooMany { most }.of(field));
    }
    Ok(values.to_vec())
}

pub(crate) fn hashes(field: &str, bytes: &[u8], most: usize) -> Result<Vec<B256>, DecodeError> {
    arrays(field, bytes, most).map(|values| values.into_iter().map(B256::new).collect())
}

pub(crate) fn encode_hash(hash: B256) -> Bytes {
    Bytes::copy_from_slice(hash.as_slice())
}

pub(crate) fn encode_hashes(hashes: &[B256]) -> Bytes {
    let mut bytes = Vec::with_capacity(hashes.len() * HASH_BYTES);
    hashes.iter().for_each(|hash| bytes.extend_from_slice(hash.as_slice()));
    bytes.into()
}

pub(crate) fn required<T>(field: &str, value: Option<T>) -> Result<T, DecodeError> {
    value.ok_or_else(|| Problem::Missing.of(field))
}

/// Refuses byte strings that are longer than `most` all together.
pub(crate) fn check_total<'a>(
    field: &str,
    items: impl IntoIterator<Item = &'a Bytes>,
    most: usize,
) -> Result<(), DecodeError> {
    let got = items.into_iter().map(Bytes::len).sum();
    if got > most { Err(Problem::TooLong { got, most }.of(field)) } else { Ok(()) }
}

/// The bytes in memory of their own. What may outlive its frame is copied: one transaction that stays in
/// a pool would keep a whole frame of megabytes alive.
pub(crate) fn detached(bytes: &Bytes) -> quorate_types::Bytes {
    quorate_types::Bytes::copy_from_slice(bytes)
}

/// Joins a statement with its seal.
pub(crate) fn signed<S: Signable>(statement: S, seal: Option<wire::Seal>) -> Result<Signed<S>, DecodeError> {
    let seal = required("seal", seal)?;
    let signer = array("signer", &seal.signer).within("seal")?;
    let signature = array("signature", &seal.signature).within("seal")?;
    Ok(Signed { statement, signer: NodeId(signer), signature: Signature(signature) })
}

pub(crate) fn encode_seal<S>(signed: &Signed<S>) -> wire::Seal {
    wire::Seal {
        signer: Bytes::copy_from_slice(&signed.signer.0),
        signature: Bytes::copy_from_slice(&signed.signature.0),
    }
}
