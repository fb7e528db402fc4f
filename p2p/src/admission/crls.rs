//! Revocation lists: PEM or DER in, one list of each issuer out.

use std::collections::BTreeMap;

use rustls::pki_types::{CertificateRevocationListDer, pem::PemObject};
use webpki::{CertRevocationList, OwnedCertRevocationList};
use x509_parser::{
    num_bigint::BigUint,
    prelude::{CertificateRevocationList, FromDer},
};

use crate::NetworkError;

/// Parses files of lists. Webpki heeds the first list of an issuer, so of each issuer only the one
/// with the highest number is kept: an old file left in the folder brings nobody back.
pub(super) fn parse(files: &[impl AsRef<[u8]>]) -> Result<Vec<CertRevocationList<'static>>, NetworkError> {
    let mut newest: BTreeMap<Vec<u8>, (BigUint, OwnedCertRevocationList)> = BTreeMap::new();
    for (file, index) in files.iter().zip(1..) {
        for der in lists(file.as_ref(), index)? {
            let (issuer, number) = issuer_and_number(&der, index)?;
            let list = OwnedCertRevocationList::from_der(&der).map_err(|error| unreadable(index, &error))?;
            if newest.get(&issuer).is_none_or(|(known, _)| *known < number) {
                newest.insert(issuer, (number, list));
            }
        }
    }
    Ok(newest.into_values().map(|(_, list)| list.into()).collect())
}

/// The lists of one file: several in PEM, one in DER.
fn lists(file: &[u8], index: usize) -> Result<Vec<Vec<u8>>, NetworkError> {
    if !file.trim_ascii_start().starts_with(b"-----") {
        return Ok(if file.is_empty() { vec![] } else { vec![file.to_vec()] });
    }
    let read: Result<Vec<_>, _> = CertificateRevocationListDer::pem_slice_iter(file).collect();
    let read = read.map_err(|error| bad(index, format!("it is not PEM: {error:?}")))?;
    if read.is_empty() {
        return Err(bad(index, "it has no `BEGIN X509 CRL` block; is it the right file?".into()));
    }
    Ok(read.into_iter().map(|der| der.to_vec()).collect())
}

fn issuer_and_number(der: &[u8], index: usize) -> Result<(Vec<u8>, BigUint), NetworkError> {
    let (_, list) =
        CertificateRevocationList::from_der(der).map_err(|error| bad(index, error.to_string()))?;
    let number = list.crl_number().cloned().unwrap_or_default();
    Ok((list.issuer().as_raw().to_vec(), number))
}

fn unreadable(index: usize, error: &webpki::Error) -> NetworkError {
    bad(index, format!("{error:?}"))
}

fn bad(index: usize, reason: String) -> NetworkError {
    NetworkError::Certificate { what: format!("revocation list {index}"), reason }
}
