//! Where a peer is: a host name or address, a port, and who should answer there.

use std::{fmt, io, net::SocketAddr, str::FromStr};

use libp2p::{Multiaddr, multiaddr::Protocol};
use quorate_types::NodeId;

use crate::{NetworkError, identity::node_id, limits::MAX_ADDRESSES_PER_NAME};

/// A configured peer. Reads `host:port`, `node-id@host:port`, and multiaddresses such as
/// `/dns4/node1/tcp/30300` or `/ip4/10.0.0.1/tcp/30300/p2p/12D3KooW...`.
///
/// ```
/// use quorate_p2p::PeerAddress;
/// let address: PeerAddress = "node1.example:30300".parse()?;
/// assert_eq!((address.host.as_str(), address.port, address.node), ("node1.example", 30300, None));
/// # Ok::<(), quorate_p2p::NetworkError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct PeerAddress {
    /// A name, which is resolved anew before every dial, or an address.
    pub host: String,
    /// The TCP port.
    pub port: u16,
    /// Who must answer there; `None` when any admitted node will do.
    pub node: Option<NodeId>,
}

impl PeerAddress {
    /// Asks the operating system's resolver, which knows the hosts file, search domains and Kubernetes.
    pub(crate) async fn resolve(&self) -> io::Result<Vec<SocketAddr>> {
        let found = tokio::net::lookup_host((self.host.as_str(), self.port)).await?;
        let addresses: Vec<_> = found.take(MAX_ADDRESSES_PER_NAME).collect();
        if addresses.is_empty() {
            return Err(io::Error::new(io::ErrorKind::NotFound, "the name has no address"));
        }
        Ok(addresses)
    }

    fn from_multiaddr(text: &str) -> Result<Self, String> {
        let address: Multiaddr = text.parse().map_err(|error| format!("{error}"))?;
        let (mut host, mut port, mut node) = (None, None, None);
        for part in &address {
            match part {
                Protocol::Ip4(ip) => host = Some(ip.to_string()),
                Protocol::Ip6(ip) => host = Some(ip.to_string()),
                Protocol::Dns(name) | Protocol::Dns4(name) | Protocol::Dns6(name) => {
                    host = Some(name.into_owned())
                }
                Protocol::Tcp(number) => port = Some(number),
                Protocol::P2p(peer) => node = Some(node_id(&peer).ok_or("the peer id is no ed25519 key's")?),
                other => return Err(format!("`{}` is not supported", other.tag())),
            }
        }
        Ok(Self { host: host.ok_or("it names no host")?, port: port.ok_or("it names no TCP port")?, node })
    }

    fn from_host_port(text: &str) -> Result<Self, String> {
        let (node, place) = match text.split_once('@') {
            Some((node, place)) => (Some(node.parse().map_err(|error| format!("{error}"))?), place),
            None => (None, text),
        };
        let (host, port) = place.rsplit_once(':').ok_or("it has no port")?;
        let port = port.parse().map_err(|_| format!("`{port}` is no port"))?;
        let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
        if host.is_empty() {
            return Err("it has no host".into());
        }
        Ok(Self { host: host.to_owned(), port, node })
    }
}

impl FromStr for PeerAddress {
    type Err = NetworkError;

    fn from_str(text: &str) -> Result<Self, NetworkError> {
        let parsed =
            if text.starts_with('/') { Self::from_multiaddr(text) } else { Self::from_host_port(text) };
        parsed.map_err(|reason| NetworkError::PeerAddress { text: text.to_owned(), reason })
    }
}

impl fmt::Display for PeerAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.host.contains(':') {
            true => write!(f, "[{}]:{}", self.host, self.port),
            false => write!(f, "{}:{}", self.host, self.port),
        }
    }
}

/// A socket's address as libp2p writes it.
pub(crate) fn multiaddr(address: SocketAddr) -> Multiaddr {
    Multiaddr::from(address.ip()).with(Protocol::Tcp(address.port()))
}

/// The reverse of [`multiaddr`].
pub(crate) fn socket_address(address: &Multiaddr) -> Option<SocketAddr> {
    let (mut ip, mut port) = (None, None);
    for part in address {
        match part {
            Protocol::Ip4(it) => ip = Some(it.into()),
            Protocol::Ip6(it) => ip = Some(it.into()),
            Protocol::Tcp(it) => port = Some(it),
            _ => {}
        }
    }
    Some(SocketAddr::new(ip?, port?))
}

#[cfg(test)]
mod tests {
    use quorate_types::NodeKey;

    use super::*;
    use crate::identity::peer_id;

    #[test]
    fn the_three_ways_to_write_an_address_mean_the_same() {
        let node = NodeKey::from_seed([1; 32]).id();
        let peer = peer_id(&node).expect("a point");
        let expected = PeerAddress { host: "node1".into(), port: 30300, node: Some(node) };
        for text in [format!("{node}@node1:30300"), format!("/dns4/node1/tcp/30300/p2p/{peer}")] {
            assert_eq!(text.parse::<PeerAddress>().expect("it reads"), expected, "{text}");
        }
        let address: PeerAddress = "[::1]:30300".parse().expect("it reads");
        assert_eq!((address.host.as_str(), address.to_string().as_str()), ("::1", "[::1]:30300"));
    }

    #[test]
    fn what_is_no_address_says_why() {
        for (text, reason) in [
            ("node1", "no port"),
            ("node1:http", "no port"),
            (":30300", "no host"),
            ("/dns4/node1", "no TCP port"),
            ("/ip4/10.0.0.1/udp/30300", "not supported"),
            ("xyz@node1:30300", "64 hex digits"),
        ] {
            let error = text.parse::<PeerAddress>().expect_err(text).to_string();
            assert!(error.contains(reason), "{text}: {error}");
        }
    }

    #[tokio::test]
    async fn names_are_resolved_by_the_operating_system() {
        let address: PeerAddress = "localhost:30300".parse().expect("it reads");
        let found = address.resolve().await.expect("the hosts file has it");
        assert!(found.iter().all(|address| address.ip().is_loopback() && address.port() == 30300));
    }
}
