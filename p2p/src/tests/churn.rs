//! Strangers without certificates, many of them.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use futures::{AsyncReadExt, FutureExt, StreamExt, future::BoxFuture};
use libp2p::{
    PeerId, Swarm, Transport,
    core::upgrade::{InboundConnectionUpgrade, OutboundConnectionUpgrade, UpgradeInfo, Version},
    swarm::{self, SwarmEvent, dummy},
    tcp, yamux,
};
use rustls::{
    ClientConfig,
    pki_types::{PrivateKeyDer, ServerName, pem::PemObject},
    version::TLS13,
};
use tokio::{io::AsyncWriteExt, net::TcpSocket, task::JoinSet};

use super::{Chain, assert_only_good_peers_are_heard, assert_they_talk, connect};
use crate::{
    address::multiaddr,
    admission::{Admission, NodeVerifier},
    cert::{AGENCY_VALIDITY, NODE_VALIDITY, SdkIdentity, Validity, issue_sdk, issue_sdk_branch},
};

/// Another of loopback's addresses, as a stranger would have.
const STRANGER: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::new(127, 0, 0, 2)), 0);

#[tokio::test]
async fn what_is_not_tls_is_refused() {
    let chain = Chain::new();
    let mut victim = chain.identity(1).start(&[]).await;
    let mut browser = tokio::net::TcpStream::connect(victim.socket()).await.expect("it connects");
    let request = format!("GET / HTTP/1.1\r\nHost: node\r\nUser-Agent: {}\r\n\r\n", "x".repeat(100));
    browser.write_all(request.as_bytes()).await.expect("it writes");
    let reason = victim.refused("").await;
    assert!(reason.starts_with("no handshake came about") && reason.contains("invalid message"), "{reason}");
    assert_only_good_peers_are_heard(&mut victim, &chain.identity(3), super::key(2).id()).await;
}

#[tokio::test]
async fn tls_without_a_certificate_is_refused() {
    let chain = Chain::new();
    let mut victim = chain.identity(1).start(&[]).await;
    let told = stranger_dials(&chain, &victim, None).await;
    assert!(told.contains("CertificateRequired"), "{told}");
    victim.refused("the peer showed no certificate").await;
    assert_only_good_peers_are_heard(&mut victim, &chain.identity(3), super::key(2).id()).await;
}

/// An SDK client's own key, ECDSA P-256, cannot even sign what P2P asks for.
#[tokio::test]
async fn an_sdk_client_is_refused() {
    let chain = Chain::new();
    let branch = issue_sdk_branch(&chain.ca, "sdk", Validity::from_now(AGENCY_VALIDITY)).expect("a branch");
    let client = issue_sdk(&branch, "app", Validity::from_now(NODE_VALIDITY)).expect("a client");
    let mut victim = chain.identity(1).start(&[]).await;
    stranger_dials(&chain, &victim, Some(&client)).await;
    victim.refused("showed no certificate").await;
    assert_only_good_peers_are_heard(&mut victim, &chain.identity(3), super::key(2).id()).await;
}

/// faults.md, flood: handshake churn (Besu #10897).
#[tokio::test]
async fn flood_handshake_churn_does_not_stop_a_good_peer() {
    let chain = Chain::new();
    let mut victim = chain.identity(1).start(&[]).await;
    let target = victim.socket();
    let mut flood = JoinSet::new();
    for lane in 0..16 {
        flood.spawn(async move {
            loop {
                // Some say nothing and hold on, some talk nonsense, some hang up at once.
                let socket = TcpSocket::new_v4().expect("a socket");
                socket.bind(STRANGER).expect("an address of loopback");
                if let Ok(mut stream) = socket.connect(target).await {
                    let _ = stream.write_all(&[lane; 64]).await;
                    if lane % 4 == 0 {
                        tokio::time::sleep(Duration::from_millis(200)).await;
                    }
                }
                tokio::task::yield_now().await;
            }
        });
    }
    // The flood is under way when the good peer comes.
    victim.refused("").await;
    let mut good = chain.identity(2).start(&[&victim]).await;
    connect(&mut victim, &mut good).await;
    for _ in 0..20 {
        assert_they_talk(&mut victim, &mut good).await;
    }
    flood.shutdown().await;
}

/// Dials with TLS and without a node's certificate; returns what the stranger is told.
async fn stranger_dials(chain: &Chain, victim: &super::Node, client: Option<&SdkIdentity>) -> String {
    let upgrade = Stranger(stranger_tls(chain, client));
    let transport = tcp::tokio::Transport::new(tcp::Config::default())
        .upgrade(Version::V1)
        .authenticate(upgrade)
        .multiplex(yamux::Config::default())
        .boxed();
    let config = swarm::Config::with_tokio_executor();
    let mut swarm = Swarm::new(transport, dummy::Behaviour, PeerId::random(), config);
    swarm.dial(multiaddr(victim.socket())).expect("it dials");
    loop {
        match swarm.select_next_some().await {
            SwarmEvent::OutgoingConnectionError { error, .. } => return format!("{error:?}"),
            SwarmEvent::ConnectionEstablished { .. } => panic!("a stranger was let in"),
            _ => {}
        }
    }
}

fn stranger_tls(chain: &Chain, client: Option<&SdkIdentity>) -> Arc<ClientConfig> {
    let crls: [Vec<u8>; 0] = [];
    let admission = Admission::new(chain.ca.certificate(), &crls).expect("a CA");
    let builder = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_protocol_versions(&[&TLS13])
        .expect("TLS 1.3")
        .dangerous()
        .with_custom_certificate_verifier(NodeVerifier::new(admission));
    let mut config = match client {
        Some(client) => {
            let key = PrivateKeyDer::from_pem_slice(client.key_pem.as_bytes()).expect("a key");
            builder.with_client_auth_cert(client.certificate.chain.clone(), key).expect("a certificate")
        }
        None => builder.with_no_client_auth(),
    };
    config.alpn_protocols = vec![b"quorate-p2p/1".to_vec()];
    Arc::new(config)
}

/// The upgrade of somebody who knows the protocol and lacks the certificate.
#[derive(Clone)]
struct Stranger(Arc<ClientConfig>);

type Tls<C> = futures_rustls::TlsStream<C>;

impl UpgradeInfo for Stranger {
    type Info = &'static str;
    type InfoIter = std::iter::Once<&'static str>;

    fn protocol_info(&self) -> Self::InfoIter {
        std::iter::once("/quorate/mtls/1")
    }
}

impl<C> OutboundConnectionUpgrade<C> for Stranger
where
    C: futures::AsyncRead + futures::AsyncWrite + Send + Unpin + 'static,
{
    type Output = (PeerId, Tls<C>);
    type Error = std::io::Error;
    type Future = BoxFuture<'static, Result<Self::Output, std::io::Error>>;

    fn upgrade_outbound(self, socket: C, _: Self::Info) -> Self::Future {
        async move {
            let name = ServerName::try_from("node.invalid").map_err(std::io::Error::other)?;
            let mut stream = futures_rustls::TlsConnector::from(self.0).connect(name, socket).await?;
            stream.read_exact(&mut [0]).await?;
            Ok((PeerId::random(), stream.into()))
        }
        .boxed()
    }
}

impl<C> InboundConnectionUpgrade<C> for Stranger
where
    C: futures::AsyncRead + futures::AsyncWrite + Send + Unpin + 'static,
{
    type Output = (PeerId, Tls<C>);
    type Error = std::io::Error;
    type Future = BoxFuture<'static, Result<Self::Output, std::io::Error>>;

    fn upgrade_inbound(self, _: C, _: Self::Info) -> Self::Future {
        async { Err(std::io::Error::other("a stranger only dials")) }.boxed()
    }
}
