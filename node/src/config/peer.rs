//! Where another node is to be found: `name@host:port` or `nodeid@host:port`.

use std::{fmt, str::FromStr};

use quorate_types::NodeId;
use serde::{Deserialize, Serialize};

/// A host, by name or number, and a port. Names are resolved at every dial: addresses of containers
/// and pods change while their names stay.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct HostPort {
    /// A name, an IPv4 address, or an IPv6 address without its brackets.
    pub host: String,
    /// Never 0.
    pub port: u16,
}

impl FromStr for HostPort {
    type Err = PeerAddressError;

    fn from_str(text: &str) -> Result<Self, PeerAddressError> {
        let wrong = || PeerAddressError::HostPort(text.to_owned());
        let (host, port) = text.rsplit_once(':').ok_or_else(wrong)?;
        let port = port.parse().ok().filter(|port| *port != 0).ok_or_else(wrong)?;
        let host = match host.strip_prefix('[').and_then(|host| host.strip_suffix(']')) {
            Some(v6) => v6.parse::<std::net::Ipv6Addr>().is_ok().then_some(v6).ok_or_else(wrong)?,
            None => host,
        };
        let named = !host.is_empty() && !host.contains(|c: char| c.is_whitespace() || "@/[]".contains(c));
        if !named || (host.contains(':') && !text.starts_with('[')) {
            return Err(wrong());
        }
        Ok(Self { host: host.to_owned(), port })
    }
}

impl fmt::Display for HostPort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.host.contains(':') {
            true => write!(f, "[{}]:{}", self.host, self.port),
            false => write!(f, "{}:{}", self.host, self.port),
        }
    }
}

/// What stands before the `@` of a peer.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum PeerName {
    /// A word for logs; whoever the chain's CA certified may answer.
    Name(String),
    /// The one key that is accepted there.
    Id(NodeId),
}

impl fmt::Display for PeerName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => f.write_str(name),
            Self::Id(id) => id.fmt(f),
        }
    }
}

/// A node to dial.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct PeerAddress {
    /// Who it is.
    pub name: PeerName,
    /// Where it is.
    pub address: HostPort,
}

impl FromStr for PeerAddress {
    type Err = PeerAddressError;

    fn from_str(text: &str) -> Result<Self, PeerAddressError> {
        let (name, address) =
            text.split_once('@').ok_or_else(|| PeerAddressError::NoName(text.to_owned()))?;
        let address = address.parse()?;
        if let Ok(id) = name.parse() {
            return Ok(Self { name: PeerName::Id(id), address });
        }
        let plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
        if name.is_empty() || !name.chars().all(plain) {
            return Err(PeerAddressError::Name(name.to_owned()));
        }
        Ok(Self { name: PeerName::Name(name.to_owned()), address })
    }
}

impl fmt::Display for PeerAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.name, self.address)
    }
}

macro_rules! as_string {
    ($kind:ty) => {
        impl TryFrom<String> for $kind {
            type Error = PeerAddressError;

            fn try_from(text: String) -> Result<Self, PeerAddressError> {
                text.parse()
            }
        }

        impl From<$kind> for String {
            fn from(value: $kind) -> Self {
                value.to_string()
            }
        }
    };
}
as_string!(HostPort);
as_string!(PeerAddress);

/// Why a text names no node.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PeerAddressError {
    /// No host, no port, port 0, or an IPv6 address without brackets.
    #[error(
        "`{0}` is not HOST:PORT, such as node1.example.org:30300, 192.0.2.7:30300 or [2001:db8::7]:30300"
    )]
    HostPort(String),
    /// No `@`.
    #[error("`{0}` names nobody: write NAME@HOST:PORT or NODEID@HOST:PORT")]
    NoName(String),
    /// Neither a word nor a key.
    #[error("`{0}` is neither a name of letters, digits, `-`, `_` and `.` nor a node's key of 64 hex digits")]
    Name(String),
}

#[cfg(test)]
mod tests {
    use quorate_types::NodeKey;

    use super::*;

    #[test]
    fn every_form_survives_being_written() {
        let id = NodeKey::from_seed([1; 32]).id();
        let pinned = format!("{id}@[::1]:7");
        for text in ["node1@127.0.0.1:30301", "bank-a.eu@node1.example.org:30300", &pinned] {
            let peer: PeerAddress = text.parse().expect("a peer");
            assert_eq!(peer.to_string(), text);
        }
        let PeerAddress { name, address } = pinned.parse().expect("a peer");
        assert_eq!((name, address.host.as_str()), (PeerName::Id(id), "::1"));
    }

    #[test]
    fn what_cannot_be_dialled_is_refused() {
        for text in
            ["127.0.0.1:1", "a@host", "a@host:0", "a@:1", "a@::1:5", "a b@host:1", "@host:1", "a@b@c:1"]
        {
            assert!(text.parse::<PeerAddress>().is_err(), "{text}");
        }
    }
}
