//! A refused certificate in words: whose it is, which check it failed, and the dates.

use std::{
    fmt,
    sync::Arc,
    time::{Duration, SystemTime},
};

use rustls::{CertificateError, OtherError, pki_types::UnixTime};

use crate::{
    NetworkError,
    cert::{CertificateDetails, Role, shown_date},
};

/// Why a certificate was refused. Reads like
/// `certificate of node3 (key ab12cd34) expired on 2026-01-01 00:00 UTC`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// Whose it is, in words.
    pub subject: String,
    /// What it failed.
    pub check: Check,
}

/// The check that a certificate failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Check {
    /// No certificate at all.
    Nothing,
    /// Not X.509.
    Unreadable(String),
    /// More certificates than a chain may have.
    ChainTooLong(usize),
    /// Not a node's; holds the role that it states.
    Role(Option<Role>),
    /// Issued by something else than an agency.
    IssuerRole {
        /// The issuer's name.
        name: String,
        /// The issuer's role.
        role: Option<Role>,
    },
    /// The key is not a sound ed25519 key.
    KeyKind,
    /// Past its date.
    Expired(SystemTime),
    /// Before its date.
    NotYet(SystemTime),
    /// On a revocation list, itself or its issuer.
    Revoked,
    /// The chain as shown lacks the issuer of this name.
    IssuerMissing(String),
    /// Issued under another chain CA.
    OtherChain {
        /// The name of this chain's.
        ca: String,
    },
    /// Anything else that webpki found.
    Other(String),
}

impl Refusal {
    pub(super) fn new(details: &CertificateDetails, check: Check) -> Self {
        Self { subject: format!("certificate of {}", details.subject()), check }
    }

    pub(crate) fn nothing_shown() -> Self {
        Self { subject: "the peer".into(), check: Check::Nothing }
    }

    pub(super) fn unreadable(error: &NetworkError) -> Self {
        Self { subject: "the peer's certificate".into(), check: Check::Unreadable(error.to_string()) }
    }

    /// What rustls makes the alert from: the number that tells the refused side the kind of refusal.
    pub(super) fn as_tls(&self) -> CertificateError {
        match &self.check {
            Check::Expired(_) | Check::NotYet(_) => CertificateError::Expired,
            Check::Revoked => CertificateError::Revoked,
            Check::IssuerMissing(_) | Check::OtherChain { .. } => CertificateError::UnknownIssuer,
            Check::Role(_) | Check::IssuerRole { .. } => CertificateError::ApplicationVerificationFailure,
            Check::KeyKind => CertificateError::InvalidPurpose,
            Check::Nothing | Check::Unreadable(_) | Check::ChainTooLong(_) => CertificateError::BadEncoding,
            Check::Other(_) => CertificateError::Other(OtherError(Arc::new(self.clone()))),
        }
    }
}

impl std::error::Error for Refusal {}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.subject, self.check)
    }
}

impl fmt::Display for Check {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nothing => write!(f, "showed no certificate"),
            Self::Unreadable(reason) => write!(f, "is unreadable: {reason}"),
            Self::ChainTooLong(length) => write!(f, "comes with {length} certificates, too many for a chain"),
            Self::Role(Some(role)) => write!(f, "has the role `{role}`; P2P admits the role `node` only"),
            Self::Role(None) => write!(f, "states no role (OU); P2P admits the role `node` only"),
            Self::IssuerRole { name, role } => {
                let role = role.map_or("none", Role::name);
                write!(f, "was issued by {name}, whose role is {role}; nodes are certified by an agency")
            }
            Self::KeyKind => write!(f, "is not for a sound ed25519 key"),
            Self::Expired(date) => write!(f, "expired on {}", shown_date(*date)),
            Self::NotYet(date) => write!(f, "is not valid before {}; is a clock wrong?", shown_date(*date)),
            Self::Revoked => write!(f, "has been revoked"),
            Self::IssuerMissing(issuer) => write!(
                f,
                "came without the certificate of its issuer {issuer}; node.crt must hold the agency's as well"
            ),
            Self::OtherChain { ca } => write!(f, "was not issued under this chain's CA {ca}"),
            Self::Other(reason) => write!(f, "was refused: {reason}"),
        }
    }
}

/// Webpki's clock as the system's.
pub(super) fn date(time: UnixTime) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(time.as_secs())
}
