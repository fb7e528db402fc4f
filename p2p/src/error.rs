//! What can fail: starting and steering the network, and asking a peer.

use std::{io, net::SocketAddr};

use quorate_types::NodeId;

/// Why the network did not start, or a certificate or command was refused.
#[derive(Debug, thiserror::Error)]
pub enum NetworkError {
    /// A certificate, key or revocation list is not what it should be.
    #[error("{what}: {reason}")]
    Certificate {
        /// Which one.
        what: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The node's certificate is for another key than the node's.
    #[error(
        "the certificate is for key {certified}, but the node's key is {own}: put the node.key and the \
         node.crt that were issued together into the node's folder"
    )]
    ForeignCertificate {
        /// Whose key it certifies, or what it says instead.
        certified: String,
        /// The node's.
        own: NodeId,
    },
    /// An address of a peer cannot be understood.
    #[error(
        "`{text}` is no peer address: {reason}; write host:port, node-id@host:port, or \
         /dns4/host/tcp/port"
    )]
    PeerAddress {
        /// As configured.
        text: String,
        /// What is wrong with it.
        reason: String,
    },
    /// More peers than would ever be accepted.
    #[error("{0} peers are configured, at most {most} are possible", most = crate::MAX_CONFIGURED_PEERS)]
    TooManyPeers(usize),
    /// The address to listen on is taken or not this machine's.
    #[error(
        "cannot listen on {address}: {reason}; is another node running, or the address another machine's?"
    )]
    Listen {
        /// As configured.
        address: SocketAddr,
        /// The operating system's words.
        reason: String,
    },
    /// A part of the network stack refused its configuration.
    #[error("the network stack refused its configuration: {0}")]
    Stack(String),
    /// The network has been shut down.
    #[error("the network has stopped")]
    Stopped,
    /// The operating system refused something else.
    #[error("{what}: {source}")]
    Io {
        /// What was tried.
        what: String,
        /// The operating system's words.
        source: io::Error,
    },
}

/// Why a request brought no answer. Another peer may have one.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RequestError {
    /// No such peer has greeted.
    #[error("node {0} is not connected")]
    NotConnected(NodeId),
    /// Too many requests to this peer are open already.
    #[error("{open} requests to node {peer} are open already")]
    Busy {
        /// Whom.
        peer: NodeId,
        /// How many.
        open: usize,
    },
    /// The peer said no, in its words.
    #[error("node {peer} refused the request: {reason}")]
    Refused {
        /// Who.
        peer: NodeId,
        /// In its words.
        reason: String,
    },
    /// The answer is no answer.
    #[error("node {peer} answered with an invalid response: {reason}")]
    Invalid {
        /// Who.
        peer: NodeId,
        /// What is wrong with it.
        reason: String,
    },
    /// The connection broke, or time ran out.
    #[error("node {peer} gave no answer: {reason}")]
    Lost {
        /// Who.
        peer: NodeId,
        /// What happened.
        reason: String,
    },
    /// The request itself is larger than peers accept.
    #[error("the request takes {bytes} bytes, peers accept {most}: ask for less at a time")]
    TooLarge {
        /// Its size.
        bytes: usize,
        /// The bound.
        most: usize,
    },
    /// The network has been shut down.
    #[error("the network has stopped")]
    Stopped,
}
