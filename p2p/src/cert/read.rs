//! Reading certificates: PEM files into DER, and DER into what people want to know.

use std::time::SystemTime;

use quorate_types::{NodeId, hex};
use rustls::pki_types::{CertificateDer, CertificateRevocationListDer, pem::PemObject};
use time::OffsetDateTime;
use webpki::EndEntityCert;
use x509_parser::prelude::{FromDer, X509Certificate, X509Name};

use super::Role;
use crate::NetworkError;

/// The start of an ed25519 key's SubjectPublicKeyInfo (RFC 8410); the key's 32 bytes follow.
const ED25519_PREFIX: [u8; 12] = [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];

/// What a certificate says, none of it checked against a signature.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertificateDetails {
    /// The subject's common name; empty when it has none.
    pub name: String,
    /// The issuer's common name.
    pub issuer: String,
    /// The role in the subject's OU.
    pub role: Option<Role>,
    /// The subject's key, when it is an ed25519 key.
    pub node: Option<NodeId>,
    /// The serial number, big-endian, as [`super::issue_crl`] takes it.
    pub serial: Vec<u8>,
    /// From when on it counts.
    pub not_before: SystemTime,
    /// Until when it counts.
    pub not_after: SystemTime,
}

impl CertificateDetails {
    /// Reads a DER certificate.
    ///
    /// # Errors
    /// [`NetworkError::Certificate`] when the bytes are no X.509 certificate.
    pub fn read(der: &CertificateDer<'_>) -> Result<Self, NetworkError> {
        let (_, parsed) = X509Certificate::from_der(der).map_err(|error| NetworkError::Certificate {
            what: "a certificate".into(),
            reason: format!("the bytes are no X.509 certificate: {error}"),
        })?;
        let unit = parsed.subject().iter_organizational_unit().next().and_then(|unit| unit.as_str().ok());
        Ok(Self {
            name: common_name(parsed.subject()),
            issuer: common_name(parsed.issuer()),
            role: unit.and_then(Role::from_name),
            node: node_id_of(der),
            serial: parsed.raw_serial().to_vec(),
            not_before: system_time(parsed.validity().not_before.timestamp()),
            not_after: system_time(parsed.validity().not_after.timestamp()),
        })
    }

    /// The subject in words: its name and the start of its key, or its serial number.
    #[must_use]
    pub fn subject(&self) -> String {
        let name = if self.name.is_empty() { "a nameless subject" } else { &self.name };
        match self.node {
            Some(node) => format!("{name} (key {})", node.short()),
            None => format!("{name} (serial {})", hex::encode(&self.serial)),
        }
    }
}

/// The ed25519 key in a certificate, if it has one.
fn node_id_of(der: &CertificateDer<'_>) -> Option<NodeId> {
    let certificate = EndEntityCert::try_from(der).ok()?;
    let info = certificate.subject_public_key_info();
    info.strip_prefix(&ED25519_PREFIX).and_then(|key| key.try_into().ok()).map(NodeId)
}

/// All certificates of a PEM file's text in order; `what` names the file in the error.
///
/// # Errors
/// [`NetworkError::Certificate`] when the text is not PEM or holds no certificate.
pub fn read_certificates(pem: &str, what: &str) -> Result<Vec<CertificateDer<'static>>, NetworkError> {
    let bad = |reason: String| NetworkError::Certificate { what: what.to_owned(), reason };
    let read: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem.as_bytes()).collect();
    match read {
        Ok(certificates) if certificates.is_empty() => {
            Err(bad("it has no `BEGIN CERTIFICATE` block; is it the right file?".into()))
        }
        Ok(certificates) => Ok(certificates),
        Err(error) => Err(bad(format!("it is not PEM: {error:?}"))),
    }
}

/// All revocation lists of a PEM file's text; a text without any is an empty list.
///
/// # Errors
/// [`NetworkError::Certificate`] when the text is not PEM.
pub fn read_crls(pem: &str, what: &str) -> Result<Vec<CertificateRevocationListDer<'static>>, NetworkError> {
    CertificateRevocationListDer::pem_slice_iter(pem.as_bytes()).collect::<Result<Vec<_>, _>>().map_err(
        |error| NetworkError::Certificate {
            what: what.to_owned(),
            reason: format!("it is not PEM: {error:?}"),
        },
    )
}

/// A date as operators read it: `2026-01-31 23:59 UTC`.
pub(crate) fn shown_date(date: SystemTime) -> String {
    let date = OffsetDateTime::from(date);
    format!("{} {:02}:{:02} UTC", date.date(), date.hour(), date.minute())
}

fn common_name(name: &X509Name<'_>) -> String {
    name.iter_common_name().next().and_then(|name| name.as_str().ok()).unwrap_or_default().to_owned()
}

/// Seconds since 1970; dates that no clock can show are cut to its first moment.
fn system_time(seconds: i64) -> SystemTime {
    OffsetDateTime::from_unix_timestamp(seconds).map_or(SystemTime::UNIX_EPOCH, SystemTime::from)
}
