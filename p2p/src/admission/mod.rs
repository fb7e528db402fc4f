//! Who is let in: the chain CA, revocation lists, roles; and why somebody is not.
//!
//! [`Admission`] is the node's judgement, shared by all handshakes and reloadable while it runs.
//! [`NodeVerifier`] is that judgement in one handshake: what rustls asks, and where the words of a
//! refusal wait, since TLS itself carries but an alert's number.

mod crls;
mod refusal;
mod tls;

use std::{collections::HashSet, sync::Arc, time::SystemTime};

use arc_swap::ArcSwap;
use quick_cache::sync::Cache;
use quorate_types::NodeId;
use rustls::{
    SignatureScheme,
    crypto::WebPkiSupportedAlgorithms,
    pki_types::{CertificateDer, TrustAnchor, UnixTime},
};
use webpki::{
    CertRevocationList, EndEntityCert, KeyUsage, RevocationCheckDepth, RevocationOptionsBuilder,
    UnknownStatusPolicy, VerifiedPath,
};

use crate::{
    NetworkError,
    cert::{CertificateDetails, Role},
    limits::{MAX_CHAIN_CERTIFICATES, MAX_REMEMBERED_CHAINS},
};
pub use refusal::{Check, Refusal};
pub use tls::NodeVerifier;

/// The only signatures that count on P2P, in certificates and in handshakes.
static ED25519_ONLY: WebPkiSupportedAlgorithms = WebPkiSupportedAlgorithms {
    all: &[webpki::ring::ED25519],
    mapping: &[(SignatureScheme::ED25519, &[webpki::ring::ED25519])],
};

/// In which direction a certificate is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// By the node that was dialed.
    Listener,
    /// By the node that dials.
    Dialer,
}

/// The chain's judgement on certificates.
pub struct Admission {
    anchor: TrustAnchor<'static>,
    /// The chain CA's subject, raw, and its name in words.
    ca_subject: Vec<u8>,
    ca_name: String,
    crls: ArcSwap<Vec<CertRevocationList<'static>>>,
    /// What admitted peers showed, for the re-check after a reload.
    shown: Cache<NodeId, Arc<[CertificateDer<'static>]>>,
}

impl Admission {
    /// Trusts one chain CA, and heeds `crls` (PEM or DER; of one issuer the highest number).
    ///
    /// # Errors
    /// When the CA's certificate or a list cannot be read.
    pub fn new(ca: &CertificateDer<'_>, crls: &[impl AsRef<[u8]>]) -> Result<Arc<Self>, NetworkError> {
        let details = CertificateDetails::read(ca)?;
        let unfit = |error| NetworkError::Certificate {
            what: format!("the chain CA's certificate of {}", details.subject()),
            reason: format!("it is no certificate authority's: {error}"),
        };
        let anchor = webpki::anchor_from_trusted_cert(ca).map_err(unfit)?.to_owned();
        Ok(Arc::new(Self {
            ca_subject: anchor.subject.to_vec(),
            anchor,
            ca_name: details.name,
            crls: ArcSwap::from_pointee(crls::parse(crls)?),
            shown: Cache::new(MAX_REMEMBERED_CHAINS),
        }))
    }

    /// Replaces the revocation lists, for every handshake from now on. Peers that are connected are
    /// checked again by [`crate::NetworkHandle::reload_crls`].
    ///
    /// # Errors
    /// When a list cannot be read; the lists before stay in force.
    pub fn reload_crls(&self, crls: &[impl AsRef<[u8]>]) -> Result<(), NetworkError> {
        self.crls.store(Arc::new(crls::parse(crls)?));
        Ok(())
    }

    /// Judges a chain, leaf first, at a moment.
    ///
    /// # Errors
    /// The first check that it fails, in words.
    pub fn check(
        &self,
        chain: &[CertificateDer<'_>],
        side: Side,
        now: SystemTime,
    ) -> Result<NodeId, Refusal> {
        let (leaf, above) = chain.split_first().ok_or_else(Refusal::nothing_shown)?;
        let details = CertificateDetails::read(leaf).map_err(|error| Refusal::unreadable(&error))?;
        let refuse = |check| Refusal::new(&details, check);
        if above.len() >= MAX_CHAIN_CERTIFICATES {
            return Err(refuse(Check::ChainTooLong(chain.len())));
        }
        if details.role != Some(Role::Node) {
            return Err(refuse(Check::Role(details.role)));
        }
        let node = details.node.filter(NodeId::is_sound).ok_or_else(|| refuse(Check::KeyKind))?;
        self.verify(leaf, above, side, now).map_err(|error| match error {
            PathError::Webpki(error) => refuse(self.explain(&error, leaf, above)),
            PathError::IssuerRole { name, role } => refuse(Check::IssuerRole { name, role }),
        })?;
        Ok(node)
    }

    /// Which of `live` no longer pass; whose chain is not remembered does not pass either.
    pub(crate) fn recheck(&self, live: &HashSet<NodeId>, now: SystemTime) -> Vec<(NodeId, String)> {
        let verdict = |node: &NodeId| match self.shown.get(node) {
            Some(chain) => self.check(&chain, Side::Dialer, now).err().map(|refusal| refusal.to_string()),
            None => Some("its certificate has to be shown again".to_owned()),
        };
        live.iter().filter_map(|node| verdict(node).map(|reason| (*node, reason))).collect()
    }

    /// The name in the certificate that an admitted node showed last, while that is remembered.
    pub(crate) fn name_of(&self, node: &NodeId) -> Option<String> {
        let chain = self.shown.get(node)?;
        let details = CertificateDetails::read(chain.first()?).ok()?;
        Some(details.name).filter(|name| !name.is_empty())
    }

    /// Keeps what an admitted node showed.
    fn remember(&self, node: NodeId, chain: &[CertificateDer<'static>]) {
        self.shown.insert(node, chain.into());
    }

    fn verify(
        &self,
        leaf: &CertificateDer<'_>,
        above: &[CertificateDer<'_>],
        side: Side,
        now: SystemTime,
    ) -> Result<(), PathError> {
        let usage = match side {
            Side::Listener => KeyUsage::server_auth(),
            Side::Dialer => KeyUsage::client_auth(),
        };
        let crls = self.crls.load();
        let crls: Vec<_> = crls.iter().collect();
        // An issuer without a list has revoked nobody; a list past its date is better than none.
        let revocation = RevocationOptionsBuilder::new(&crls).ok().map(|options| {
            options
                .with_depth(RevocationCheckDepth::Chain)
                .with_status_policy(UnknownStatusPolicy::Allow)
                .build()
        });
        let since_epoch = now.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let now = UnixTime::since_unix_epoch(since_epoch);
        let anchors = std::slice::from_ref(&self.anchor);
        let certificate = EndEntityCert::try_from(leaf)?;
        let path =
            certificate.verify_for_usage(ED25519_ONLY.all, anchors, above, now, usage, revocation, None)?;
        check_issuers(&path)
    }

    /// Webpki's error as the check that failed.
    fn explain(
        &self,
        error: &webpki::Error,
        leaf: &CertificateDer<'_>,
        above: &[CertificateDer<'_>],
    ) -> Check {
        match error {
            webpki::Error::CertExpired { not_after, .. } => Check::Expired(refusal::date(*not_after)),
            webpki::Error::CertNotValidYet { not_before, .. } => Check::NotYet(refusal::date(*not_before)),
            webpki::Error::CertRevoked => Check::Revoked,
            // An issuer of the right name with another key is another chain's as well.
            webpki::Error::InvalidSignatureForPublicKey => Check::OtherChain { ca: self.ca_name.clone() },
            webpki::Error::UnknownIssuer => match self.missing_issuer(leaf, above) {
                Some(issuer) => Check::IssuerMissing(issuer),
                None => Check::OtherChain { ca: self.ca_name.clone() },
            },
            other => Check::Other(format!("{other:?}")),
        }
    }

    /// The name of the leaf's issuer, when it is neither the chain CA nor among the certificates shown.
    fn missing_issuer(&self, leaf: &CertificateDer<'_>, above: &[CertificateDer<'_>]) -> Option<String> {
        let leaf_certificate = EndEntityCert::try_from(leaf).ok()?;
        let wanted = leaf_certificate.issuer();
        let shown = above.iter().any(|certificate| {
            EndEntityCert::try_from(certificate).is_ok_and(|certificate| certificate.subject() == wanted)
        });
        let missing = !shown && wanted != self.ca_subject;
        missing.then(|| CertificateDetails::read(leaf).map(|details| details.issuer).unwrap_or_default())
    }
}

/// What a path fails on.
enum PathError {
    Webpki(webpki::Error),
    IssuerRole { name: String, role: Option<Role> },
}

impl From<webpki::Error> for PathError {
    fn from(error: webpki::Error) -> Self {
        Self::Webpki(error)
    }
}

/// Between leaf and chain CA only agencies may stand: the SDK branch cannot make nodes.
fn check_issuers(path: &VerifiedPath<'_>) -> Result<(), PathError> {
    for issuer in path.intermediate_certificates() {
        let details = CertificateDetails::read(&issuer.der()).ok();
        let role = details.as_ref().and_then(|details| details.role);
        if role != Some(Role::Agency) {
            let name = details.map(|details| details.name).unwrap_or_default();
            return Err(PathError::IssuerRole { name, role });
        }
    }
    Ok(())
}
