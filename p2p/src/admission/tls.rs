//! The judgement as rustls asks for it, in one handshake.

use std::{
    fmt,
    sync::{Arc, OnceLock},
    time::SystemTime,
};

use quorate_types::NodeId;
use rustls::{
    DigitallySignedStruct, DistinguishedName, Error, SignatureScheme,
    client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    pki_types::{CertificateDer, ServerName, UnixTime},
    server::danger::{ClientCertVerified, ClientCertVerifier},
};

use super::{Admission, ED25519_ONLY, Refusal, Side, refusal::date};

/// Asks the [`Admission`] once, and keeps its answer in full: both ends of TLS verify with it.
pub struct NodeVerifier {
    admission: Arc<Admission>,
    answer: OnceLock<Result<Shown, Refusal>>,
}

/// A chain that passed, and whose it is.
#[derive(Debug)]
struct Shown {
    node: NodeId,
    chain: Vec<CertificateDer<'static>>,
}

impl NodeVerifier {
    /// For one handshake.
    #[must_use]
    pub fn new(admission: Arc<Admission>) -> Arc<Self> {
        Arc::new(Self { admission, answer: OnceLock::new() })
    }

    /// Why it refused, if it did.
    #[must_use]
    pub fn refusal(&self) -> Option<&Refusal> {
        self.answer.get()?.as_ref().err()
    }

    /// The node that was admitted, to be asked when the handshake is complete. Before, somebody may have
    /// shown a certificate without having its key; so the chain is remembered only now.
    #[must_use]
    pub fn conclude(&self) -> Option<NodeId> {
        let shown = self.answer.get()?.as_ref().ok()?;
        self.admission.remember(shown.node, &shown.chain);
        Some(shown.node)
    }

    fn verify(
        &self,
        leaf: &CertificateDer<'_>,
        above: &[CertificateDer<'_>],
        side: Side,
        now: SystemTime,
    ) -> Result<(), Error> {
        let chain: Vec<_> =
            std::iter::once(leaf).chain(above).map(|certificate| certificate.clone().into_owned()).collect();
        let answer = self.admission.check(&chain, side, now);
        let result = match &answer {
            Ok(_) => Ok(()),
            Err(refusal) => Err(Error::InvalidCertificate(refusal.as_tls())),
        };
        // Rustls asks once per handshake; a second answer would be the same.
        let _ = self.answer.set(answer.map(|node| Shown { node, chain }));
        result
    }
}

impl fmt::Debug for NodeVerifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NodeVerifier").field("answer", &self.answer).finish_non_exhaustive()
    }
}

impl ServerCertVerifier for NodeVerifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _name: &ServerName<'_>,
        _ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        self.verify(end_entity, intermediates, Side::Listener, date(now))?;
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Err(not_offered())
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        rustls::crypto::verify_tls13_signature(message, cert, dss, &ED25519_ONLY)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        ED25519_ONLY.supported_schemes()
    }
}

impl ClientCertVerifier for NodeVerifier {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        self.verify(end_entity, intermediates, Side::Dialer, date(now))?;
        Ok(ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Err(not_offered())
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        rustls::crypto::verify_tls13_signature(message, cert, dss, &ED25519_ONLY)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        ED25519_ONLY.supported_schemes()
    }
}

/// TLS 1.2 is not among the versions offered, so that rustls never comes here.
fn not_offered() -> Error {
    Error::General("TLS 1.2 is not offered".into())
}
