//! Issuing: authorities, node certificates, the SDK branch, revocation lists.

use std::time::{Duration, SystemTime};

use quorate_types::{NodeId, NodeKey};
use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, DistinguishedName, DnType,
    ExtendedKeyUsagePurpose, IsCa, Issuer, KeyIdMethod, KeyPair, KeyUsagePurpose, PKCS_ECDSA_P256_SHA256,
    PublicKeyData, RevokedCertParams, SerialNumber, SignatureAlgorithm,
};
use rustls::pki_types::CertificateDer;
use time::OffsetDateTime;

use super::{CertificateDetails, Role, read_certificates};
use crate::NetworkError;

/// How long a chain CA's certificate counts: ten years.
pub const CHAIN_CA_VALIDITY: Duration = Duration::from_hours(24 * 3650);
/// How long an agency's certificate counts: five years.
pub const AGENCY_VALIDITY: Duration = Duration::from_hours(24 * 1825);
/// How long a node's certificate counts: two years.
pub const NODE_VALIDITY: Duration = Duration::from_hours(24 * 730);
/// When the next revocation list is due. A node goes on with an old one rather than without any.
pub const CRL_VALIDITY: Duration = Duration::from_hours(24 * 30);
/// Certificates count from an hour ago, so that a node whose clock is behind accepts a fresh one.
const BACKDATING: Duration = Duration::from_hours(1);
/// Bytes of a random serial number; RFC 5280 allows 20.
const SERIAL_BYTES: usize = 16;

/// From when until when a certificate counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Validity {
    /// The first moment.
    pub not_before: SystemTime,
    /// The last one.
    pub not_after: SystemTime,
}

impl Validity {
    /// From now (less an hour, for clocks that are behind) for `duration`.
    #[must_use]
    pub fn from_now(duration: Duration) -> Self {
        let now = SystemTime::now();
        Self { not_before: now - BACKDATING, not_after: now + duration }
    }

    /// No longer than the issuer: a certificate that outlives it would be refused with it all the same.
    fn within(self, issuer: &CertificateDetails) -> Self {
        Self { not_after: self.not_after.min(issuer.not_after), ..self }
    }
}

/// A certificate authority with its key: the chain CA, an agency, or the SDK branch.
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    certificate: CertificateDer<'static>,
    details: CertificateDetails,
}

/// A fresh certificate with those between it and the chain CA.
#[derive(Clone, Debug)]
pub struct Issued {
    /// The leaf first, then its issuer; never the chain CA itself.
    pub chain: Vec<CertificateDer<'static>>,
    /// What the leaf says.
    pub details: CertificateDetails,
}

/// An SDK client's certificate and key.
pub struct SdkIdentity {
    /// The certificate and the branch's.
    pub certificate: Issued,
    /// The ECDSA P-256 key, PKCS#8 PEM. Secret.
    pub key_pem: String,
}

impl Authority {
    /// Reads an authority back from its files, to issue more.
    ///
    /// # Errors
    /// When a text is not what it should be, or the key is not the certificate's.
    pub fn from_pem(certificate_pem: &str, key_pem: &str) -> Result<Self, NetworkError> {
        let certificate = read_certificates(certificate_pem, "the authority's certificate")?.swap_remove(0);
        let key = KeyPair::from_pem(key_pem).map_err(|error| failed("the authority's key", &error))?;
        let authority = Self::new(certificate, key)?;
        match authority.details.role {
            Some(Role::Chain | Role::Agency | Role::Sdk) => Ok(authority),
            _ => Err(unfit(&authority.details, "it is not that of a chain CA, an agency or the SDK branch")),
        }
    }

    fn new(certificate: CertificateDer<'static>, key: KeyPair) -> Result<Self, NetworkError> {
        let details = CertificateDetails::read(&certificate)?;
        let theirs = webpki::EndEntityCert::try_from(&certificate)
            .map_err(|error| unfit(&details, &format!("it does not parse: {error}")))?
            .subject_public_key_info();
        if *theirs != *key.subject_public_key_info() {
            return Err(unfit(&details, "the key beside it is another one's"));
        }
        let issuer =
            Issuer::from_ca_cert_der(&certificate, key).map_err(|error| failed("the authority", &error))?;
        Ok(Self { issuer, certificate, details })
    }

    /// What its own certificate says.
    #[must_use]
    pub const fn details(&self) -> &CertificateDetails {
        &self.details
    }

    /// Its certificate, DER.
    #[must_use]
    pub const fn certificate(&self) -> &CertificateDer<'static> {
        &self.certificate
    }

    /// Its certificate, PEM.
    #[must_use]
    pub fn certificate_pem(&self) -> String {
        to_pem(std::slice::from_ref(&self.certificate))
    }

    /// Its key, PKCS#8 PEM. Secret.
    #[must_use]
    pub fn key_pem(&self) -> String {
        self.issuer.key().serialize_pem()
    }

    /// Has this authority sign for `key`.
    fn sign(
        &self,
        mut params: CertificateParams,
        key: &impl PublicKeyData,
    ) -> Result<CertificateDer<'static>, NetworkError> {
        params.use_authority_key_identifier_extension = true;
        let certificate =
            params.signed_by(key, &self.issuer).map_err(|error| failed("a certificate", &error))?;
        Ok(certificate.into())
    }

    fn expect_role(&self, role: Role) -> Result<(), NetworkError> {
        if self.details.role == Some(role) {
            return Ok(());
        }
        Err(unfit(&self.details, &format!("only the {role} authority issues this kind")))
    }

    /// Wraps a leaf that this authority signed.
    fn issued(&self, leaf: CertificateDer<'static>) -> Result<Issued, NetworkError> {
        let details = CertificateDetails::read(&leaf)?;
        Ok(Issued { chain: vec![leaf, self.certificate.clone()], details })
    }
}

impl Issued {
    /// The chain as PEM, leaf first: what a `node.crt` holds.
    #[must_use]
    pub fn chain_pem(&self) -> String {
        to_pem(&self.chain)
    }
}

/// A new chain: a self-signed CA with a fresh ed25519 key.
///
/// # Errors
/// When the operating system has no randomness.
pub fn issue_chain_ca(name: &str, validity: Validity) -> Result<Authority, NetworkError> {
    let key = ed25519_key()?;
    let params = authority_params(name, Role::Chain, 1, validity)?;
    let certificate = params.self_signed(&key).map_err(|error| failed("the chain CA", &error))?;
    Authority::new(certificate.into(), key)
}

/// A new agency under the chain CA, with a fresh ed25519 key.
///
/// # Errors
/// When `chain` is no chain CA, or the operating system has no randomness.
pub fn issue_agency(chain: &Authority, name: &str, validity: Validity) -> Result<Authority, NetworkError> {
    chain.expect_role(Role::Chain)?;
    let key = ed25519_key()?;
    let params = authority_params(name, Role::Agency, 0, validity.within(&chain.details))?;
    let certificate = chain.sign(params, &key)?;
    Authority::new(certificate, key)
}

/// A node's certificate. The agency needs the node's public key alone, never its secret.
///
/// # Errors
/// When `agency` is no agency, or the operating system has no randomness.
pub fn issue_node(
    agency: &Authority,
    node: NodeId,
    name: &str,
    validity: Validity,
) -> Result<Issued, NetworkError> {
    agency.expect_role(Role::Agency)?;
    let params = leaf_params(name, Role::Node, validity.within(&agency.details))?;
    agency.issued(agency.sign(params, &NodePublicKey(node))?)
}

/// The SDK branch under the chain CA, with a fresh ECDSA P-256 key.
///
/// # Errors
/// When `chain` is no chain CA, or the operating system has no randomness.
pub fn issue_sdk_branch(
    chain: &Authority,
    name: &str,
    validity: Validity,
) -> Result<Authority, NetworkError> {
    chain.expect_role(Role::Chain)?;
    let key = p256_key()?;
    let params = authority_params(name, Role::Sdk, 0, validity.within(&chain.details))?;
    let certificate = chain.sign(params, &key)?;
    Authority::new(certificate, key)
}

/// An SDK client's certificate with a fresh ECDSA P-256 key, which browsers and every TLS library know.
///
/// # Errors
/// When `branch` is not the SDK branch, or the operating system has no randomness.
pub fn issue_sdk(branch: &Authority, name: &str, validity: Validity) -> Result<SdkIdentity, NetworkError> {
    branch.expect_role(Role::Sdk)?;
    let key = p256_key()?;
    let params = leaf_params(name, Role::Sdk, validity.within(&branch.details))?;
    let certificate = branch.issued(branch.sign(params, &key)?)?;
    Ok(SdkIdentity { certificate, key_pem: key.serialize_pem() })
}

/// A revocation list, PEM. `number` must grow from list to list: of one issuer's lists a node heeds
/// the highest. It replaces the one before, so it names all revoked certificates, not only the new.
///
/// # Errors
/// When `validity` ends before it begins.
pub fn issue_crl(
    authority: &Authority,
    revoked: &[Vec<u8>],
    number: u64,
    validity: Validity,
) -> Result<String, NetworkError> {
    let entry = |serial: &Vec<u8>| RevokedCertParams {
        serial_number: SerialNumber::from_slice(serial),
        revocation_time: OffsetDateTime::from(validity.not_before),
        reason_code: None,
        invalidity_date: None,
    };
    let list = CertificateRevocationListParams {
        this_update: validity.not_before.into(),
        next_update: validity.not_after.into(),
        crl_number: SerialNumber::from(number),
        issuing_distribution_point: None,
        revoked_certs: revoked.iter().map(entry).collect(),
        key_identifier_method: KeyIdMethod::Sha256,
    };
    let signed = list.signed_by(&authority.issuer).map_err(|error| failed("a revocation list", &error))?;
    signed.pem().map_err(|error| failed("a revocation list", &error))
}

/// A node's public key as rcgen takes it.
struct NodePublicKey(NodeId);

impl PublicKeyData for NodePublicKey {
    fn der_bytes(&self) -> &[u8] {
        &self.0.0
    }

    fn algorithm(&self) -> &'static SignatureAlgorithm {
        &rcgen::PKCS_ED25519
    }
}

/// By way of our own key type, which writes PKCS#8 version 1: OpenSSL 3.0 refuses the newer one.
fn ed25519_key() -> Result<KeyPair, NetworkError> {
    let pem = NodeKey::generate().and_then(|key| key.to_pem());
    let pem = pem.map_err(|error| failed("a key", &error))?;
    KeyPair::from_pem(&pem).map_err(|error| failed("a key", &error))
}

fn p256_key() -> Result<KeyPair, NetworkError> {
    KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).map_err(|error| failed("a key", &error))
}

fn authority_params(
    name: &str,
    role: Role,
    depth: u8,
    validity: Validity,
) -> Result<CertificateParams, NetworkError> {
    let mut params = params(name, role, validity)?;
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(depth));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    Ok(params)
}

fn leaf_params(name: &str, role: Role, validity: Validity) -> Result<CertificateParams, NetworkError> {
    let mut params = params(name, role, validity)?;
    params.is_ca = IsCa::ExplicitNoCa;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = match role {
        Role::Sdk => vec![ExtendedKeyUsagePurpose::ClientAuth],
        Role::Chain | Role::Agency | Role::Node => {
            vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth]
        }
    };
    Ok(params)
}

fn params(name: &str, role: Role, validity: Validity) -> Result<CertificateParams, NetworkError> {
    let mut subject = DistinguishedName::new();
    subject.push(DnType::OrganizationalUnitName, role.name());
    subject.push(DnType::CommonName, name);
    let mut serial = [0; SERIAL_BYTES];
    getrandom::fill(&mut serial).map_err(|error| failed("a serial number", &error))?;
    // Positive and without leading zeros in DER: lists and certificates then hold the same bytes.
    serial[0] = serial[0] & 0x7f | 0x40;
    let mut params = CertificateParams::default();
    params.distinguished_name = subject;
    params.serial_number = Some(SerialNumber::from_slice(&serial));
    params.not_before = validity.not_before.into();
    params.not_after = validity.not_after.into();
    Ok(params)
}

fn to_pem(certificates: &[CertificateDer<'_>]) -> String {
    let format = pem::EncodeConfig::new().set_line_ending(pem::LineEnding::LF);
    let block =
        |der: &CertificateDer<'_>| pem::encode_config(&pem::Pem::new("CERTIFICATE", der.to_vec()), format);
    certificates.iter().map(block).collect()
}

fn failed(what: &str, error: &impl std::fmt::Display) -> NetworkError {
    NetworkError::Certificate { what: what.to_owned(), reason: error.to_string() }
}

fn unfit(details: &CertificateDetails, reason: &str) -> NetworkError {
    NetworkError::Certificate {
        what: format!("the certificate of {}", details.subject()),
        reason: reason.to_owned(),
    }
}
