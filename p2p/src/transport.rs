//! TCP, mutual TLS on the chain's certificates, yamux.
//!
//! The TLS upgrade sits where libp2p's noise would: nobody reaches the multiplexer unadmitted.
//! In TLS 1.3 a dialer is done before the listener has looked at its certificate. So the listener's
//! first byte inside the tunnel says that it has, and the dialer waits for it: a refused dialer learns
//! it during the handshake, from the alert, and not from a connection that breaks right after.

use std::{io, sync::Arc};

use futures::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, FutureExt, future::BoxFuture};
use futures_rustls::{TlsAcceptor, TlsConnector, TlsStream};
use libp2p::{
    PeerId, Transport,
    core::{
        muxing::StreamMuxerBox,
        transport::Boxed,
        upgrade::{InboundConnectionUpgrade, OutboundConnectionUpgrade, UpgradeInfo, Version},
    },
    tcp, yamux,
};
use quorate_types::NodeKey;
use rustls::{
    AlertDescription, ClientConfig, ServerConfig,
    client::Resumption,
    crypto::CryptoProvider,
    pki_types::{CertificateDer, PrivateKeyDer, ServerName, pem::PemObject},
    server::NoServerSessionStorage,
    sign::{CertifiedKey, SingleCertAndKey},
    version::TLS13,
};

use crate::{
    NetworkError,
    admission::{Admission, NodeVerifier, Refusal},
    cert::{CertificateDetails, shown_date},
    identity::peer_id,
    limits::{HANDSHAKE_TIMEOUT, MAX_SUBSTREAMS, REFUSAL_LINGER},
};

/// The upgrade's name in libp2p's negotiation, with the version of what happens inside.
const PROTOCOL: &str = "/quorate/mtls/1";
/// The TLS application protocol: a web server's handshake is never taken for ours.
const ALPN: &[u8] = b"quorate-p2p/1";
/// The listener's first byte in the tunnel: the dialer's certificate was accepted.
const ADMITTED: u8 = 1;
/// Names in certificates are not compared: the key is the identity. TLS wants one all the same.
const SERVER_NAME: &str = "node.invalid";

/// Why a handshake failed.
#[derive(Debug, thiserror::Error)]
pub enum HandshakeError {
    /// This node refused the peer.
    #[error(transparent)]
    Refused(Refusal),
    /// The peer refused this node.
    #[error("the peer refused our {own}: {reason}")]
    RefusedByPeer {
        /// This node's certificate in words.
        own: String,
        /// The alert in words.
        reason: String,
    },
    /// Not TLS, not ours, or broken off.
    #[error("the TLS handshake failed: {0}")]
    Failed(#[from] io::Error),
}

/// The security upgrade.
#[derive(Clone)]
pub(crate) struct MutualTls {
    admission: Arc<Admission>,
    identity: Arc<SingleCertAndKey>,
    provider: Arc<CryptoProvider>,
    own: Arc<str>,
}

impl MutualTls {
    /// For a node with this key and chain, leaf first.
    pub(crate) fn new(
        key: &NodeKey,
        chain: Vec<CertificateDer<'static>>,
        admission: Arc<Admission>,
    ) -> Result<Self, NetworkError> {
        let bad =
            |reason: String| NetworkError::Certificate { what: "the node's certificate".into(), reason };
        let leaf = chain.first().ok_or_else(|| bad("the chain is empty".into()))?;
        let details = CertificateDetails::read(leaf)?;
        if details.node != Some(key.id()) {
            return Err(NetworkError::ForeignCertificate { certified: details.subject(), own: key.id() });
        }
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let pem = key.to_pem().map_err(|error| bad(error.to_string()))?;
        let der = PrivateKeyDer::from_pem_slice(pem.as_bytes()).map_err(|error| bad(format!("{error:?}")))?;
        let key = provider.key_provider.load_private_key(der).map_err(|error| bad(error.to_string()))?;
        let own = format!(
            "certificate of {}, valid from {} to {}",
            details.subject(),
            shown_date(details.not_before),
            shown_date(details.not_after)
        );
        let identity = Arc::new(SingleCertAndKey::from(CertifiedKey::new(chain, key)));
        Ok(Self { admission, identity, provider, own: own.into() })
    }

    fn server(&self, verifier: Arc<NodeVerifier>) -> Result<TlsAcceptor, rustls::Error> {
        let mut config = ServerConfig::builder_with_provider(self.provider.clone())
            .with_protocol_versions(&[&TLS13])?
            .with_client_cert_verifier(verifier)
            .with_cert_resolver(self.identity.clone());
        // A resumed session would skip the certificate, and with it the revocation lists.
        config.session_storage = Arc::new(NoServerSessionStorage {});
        config.send_tls13_tickets = 0;
        config.alpn_protocols = vec![ALPN.to_vec()];
        Ok(TlsAcceptor::from(Arc::new(config)))
    }

    fn client(&self, verifier: Arc<NodeVerifier>) -> Result<TlsConnector, rustls::Error> {
        let mut config = ClientConfig::builder_with_provider(self.provider.clone())
            .with_protocol_versions(&[&TLS13])?
            .dangerous()
            .with_custom_certificate_verifier(verifier)
            .with_client_cert_resolver(self.identity.clone());
        config.enable_sni = false;
        config.resumption = Resumption::disabled();
        config.alpn_protocols = vec![ALPN.to_vec()];
        Ok(TlsConnector::from(Arc::new(config)))
    }

    async fn accept<C>(self, socket: C) -> Result<(PeerId, TlsStream<C>), HandshakeError>
    where
        C: AsyncRead + AsyncWrite + Unpin,
    {
        let verifier = NodeVerifier::new(self.admission.clone());
        let acceptor = self.server(verifier.clone()).map_err(io::Error::other)?;
        match acceptor.accept(socket).into_fallible().await {
            Ok(mut stream) => {
                stream.write_all(&[ADMITTED]).await?;
                stream.flush().await?;
                Ok((self.admitted(&verifier)?, stream.into()))
            }
            Err((error, socket)) => {
                linger(socket).await;
                Err(self.explain(&verifier, error))
            }
        }
    }

    async fn connect<C>(self, socket: C) -> Result<(PeerId, TlsStream<C>), HandshakeError>
    where
        C: AsyncRead + AsyncWrite + Unpin,
    {
        let verifier = NodeVerifier::new(self.admission.clone());
        let connector = self.client(verifier.clone()).map_err(io::Error::other)?;
        let name = ServerName::try_from(SERVER_NAME).map_err(io::Error::other)?;
        let explain = |error| self.explain(&verifier, error);
        let mut stream = match connector.connect(name, socket).into_fallible().await {
            Ok(stream) => stream,
            Err((error, socket)) => {
                linger(socket).await;
                return Err(explain(error));
            }
        };
        let mut first = [0];
        stream.read_exact(&mut first).await.map_err(explain)?;
        if first != [ADMITTED] {
            return Err(HandshakeError::Failed(io::Error::other(
                "the peer speaks another protocol inside TLS",
            )));
        }
        Ok((self.admitted(&verifier)?, stream.into()))
    }

    /// Whose connection it is, once the handshake is complete.
    fn admitted(&self, verifier: &NodeVerifier) -> Result<PeerId, HandshakeError> {
        let node = verifier.conclude().ok_or_else(|| io::Error::other("no certificate was checked"))?;
        Ok(peer_id(&node).ok_or_else(|| io::Error::other("the key is no ed25519 point"))?)
    }

    /// Whose refusal an error is. Ours is in the verifier, the peer's in the alert that it sent.
    fn explain(&self, verifier: &NodeVerifier, error: io::Error) -> HandshakeError {
        if let Some(refusal) = verifier.refusal() {
            return HandshakeError::Refused(refusal.clone());
        }
        match error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
            Some(rustls::Error::AlertReceived(alert)) => {
                HandshakeError::RefusedByPeer { own: self.own.to_string(), reason: alert_words(*alert) }
            }
            Some(rustls::Error::NoCertificatesPresented) => HandshakeError::Refused(Refusal::nothing_shown()),
            _ => HandshakeError::Failed(error),
        }
    }
}

impl UpgradeInfo for MutualTls {
    type Info = &'static str;
    type InfoIter = std::iter::Once<&'static str>;

    fn protocol_info(&self) -> Self::InfoIter {
        std::iter::once(PROTOCOL)
    }
}

impl<C> InboundConnectionUpgrade<C> for MutualTls
where
    C: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    type Output = (PeerId, TlsStream<C>);
    type Error = HandshakeError;
    type Future = BoxFuture<'static, Result<Self::Output, HandshakeError>>;

    fn upgrade_inbound(self, socket: C, _: Self::Info) -> Self::Future {
        self.accept(socket).boxed()
    }
}

impl<C> OutboundConnectionUpgrade<C> for MutualTls
where
    C: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    type Output = (PeerId, TlsStream<C>);
    type Error = HandshakeError;
    type Future = BoxFuture<'static, Result<Self::Output, HandshakeError>>;

    fn upgrade_outbound(self, socket: C, _: Self::Info) -> Self::Future {
        self.connect(socket).boxed()
    }
}

/// The whole stack: what the swarm dials and listens with.
pub(crate) fn transport(tls: MutualTls) -> Boxed<(PeerId, StreamMuxerBox)> {
    let mut multiplexer = yamux::Config::default();
    multiplexer.set_max_num_streams(MAX_SUBSTREAMS);
    tcp::tokio::Transport::new(tcp::Config::default().nodelay(true))
        .upgrade(Version::V1)
        .authenticate(tls)
        .multiplex(multiplexer)
        .timeout(HANDSHAKE_TIMEOUT)
        .boxed()
}

/// A transport's error in words: the handshake's own where there are some, else all of the chain's.
/// The flag says whether somebody refused somebody, rather than could not be reached.
pub(crate) fn in_words(error: &(dyn std::error::Error + 'static)) -> (String, bool) {
    let mut parts: Vec<String> = Vec::new();
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(handshake) = error.downcast_ref::<HandshakeError>() {
            return (handshake.to_string(), true);
        }
        let text = error.to_string();
        if !text.is_empty() && !parts.iter().any(|part| part.contains(&text)) {
            parts.push(text);
        }
        // An io::Error hides its own content behind that content's source.
        next = match error.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
            Some(inner) => Some(inner),
            None => error.source(),
        };
    }
    (parts.join(": "), false)
}

/// Gives the refused side time to read the alert: a socket that closes with bytes unread tells the
/// other end nothing but a reset.
async fn linger(mut socket: impl AsyncRead + Unpin) {
    let mut rest = [0; 1024];
    let drain = async { while matches!(socket.read(&mut rest).await, Ok(1..)) {} };
    let _ = tokio::time::timeout(REFUSAL_LINGER, drain).await;
}

fn alert_words(alert: AlertDescription) -> String {
    let words = match alert {
        AlertDescription::CertificateExpired => "it has expired or is not valid yet by the peer's clock",
        AlertDescription::CertificateRevoked => "it has been revoked",
        AlertDescription::UnknownCA => {
            "it does not lead to the peer's chain CA: another chain's, or node.crt lacks the agency's certificate"
        }
        AlertDescription::AccessDenied => "its role is not `node`",
        AlertDescription::UnsupportedCertificate => "it is not for an ed25519 key, or not for this use",
        AlertDescription::CertificateRequired => "the peer saw no certificate",
        AlertDescription::BadCertificate => "the peer could not read it",
        AlertDescription::NoApplicationProtocol => "the peer is no node of this kind",
        other => return format!("TLS alert {other:?}"),
    };
    words.to_owned()
}
