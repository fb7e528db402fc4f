//! # What one node is told by its operator
//!
//! Only what concerns this node alone stands here: paths, addresses, limits. Whatever all nodes must
//! agree on (block interval, gas limit, timers) is in the genesis file, so that no node's own file can
//! slow or stop the chain.
//!
//! ```text
//! node0.toml --toml: syntax, types, unknown keys, each with its line--+
//! defaults --------------------------------------------------------+  |
//!                                                                  v  v
//!                     config: default < file < QUORATE__RPC__LISTEN < --set rpc.listen=...
//!                                                                  |
//!          relative paths joined to the file's folder, bounds checked -> NodeConfig
//! ```
//!
//! The table [`KEYS`] says what each key means. The commented file of `testnet new`, the names of the
//! environment variables, the suggestions for misspelt keys and `config show` all come from it.

mod check;
mod keys;
mod load;
mod peer;
mod template;

use std::{
    net::{Ipv4Addr, SocketAddr},
    path::PathBuf,
    time::Duration,
};

pub use keys::{KEYS, Key};
pub use load::{Loaded, Origin, Overrides, load};
pub use peer::{HostPort, PeerAddress, PeerAddressError, PeerName};
use serde::{Deserialize, Serialize};
pub use template::render;

/// The configuration of one node. Every struct here refuses unknown keys, and every key has a default,
/// so that a file needs to name only what differs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct NodeConfig {
    /// The genesis file.
    pub genesis: PathBuf,
    /// Where the database and the vote log live.
    pub data_dir: PathBuf,
    /// Who this node is.
    pub identity: IdentityConfig,
    /// How it meets other nodes.
    pub p2p: P2pConfig,
    /// How clients reach it.
    pub rpc: RpcConfig,
    /// How operators reach it.
    pub ops: OpsConfig,
    /// The pool of pending transactions.
    pub pool: PoolConfig,
    /// What it tells about itself.
    pub log: LogConfig,
    /// What it keeps.
    pub storage: StorageConfig,
}

impl Default for NodeConfig {
    fn default() -> Self {
        Self {
            genesis: "genesis.json".into(),
            data_dir: "data".into(),
            identity: IdentityConfig::default(),
            p2p: P2pConfig::default(),
            rpc: RpcConfig::default(),
            ops: OpsConfig::default(),
            pool: PoolConfig::default(),
            log: LogConfig::default(),
            storage: StorageConfig::default(),
        }
    }
}

/// The section `[identity]`: PEM files.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct IdentityConfig {
    /// The ed25519 key in PKCS#8.
    pub key: PathBuf,
    /// The node's certificate, then its agency's.
    pub certificate: PathBuf,
    /// The chain's CA.
    pub ca: PathBuf,
    /// Revocation lists.
    pub crls: Vec<PathBuf>,
}

impl Default for IdentityConfig {
    fn default() -> Self {
        Self { key: "node.key".into(), certificate: "node.crt".into(), ca: "ca.crt".into(), crls: Vec::new() }
    }
}

/// The section `[p2p]`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct P2pConfig {
    /// Where other nodes connect.
    pub listen: SocketAddr,
    /// What other nodes are told to dial, when that differs from `listen`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub advertise: Option<HostPort>,
    /// Whom to dial, for ever.
    pub peers: Vec<PeerAddress>,
}

impl Default for P2pConfig {
    fn default() -> Self {
        Self { listen: loopback(30300), advertise: None, peers: Vec::new() }
    }
}

/// The section `[rpc]`. Its limits answer with a clear error when they are reached.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RpcConfig {
    /// Where clients connect. The first address must be free; a busy further one is a warning.
    pub listen: Vec<SocketAddr>,
    /// The most connections at a time.
    pub max_connections: u32,
    /// The most bytes of one request.
    pub max_body_bytes: u32,
    /// The most calls in one batch.
    pub max_batch: u32,
    /// After this the rest of a batch is refused.
    #[serde(with = "humantime_serde")]
    pub batch_timeout: Duration,
    /// The most bytes of one answer.
    pub max_response_bytes: u32,
    /// The most subscriptions on one connection.
    pub max_subscriptions: u32,
    /// The most gas that `eth_call` and `eth_estimateGas` may use.
    pub call_gas_cap: u64,
    /// The most time that they may take.
    #[serde(with = "humantime_serde")]
    pub call_timeout: Duration,
    /// The most logs that one query returns.
    pub max_log_results: u32,
    /// The most blocks that one query for logs spans.
    pub max_log_blocks: u64,
}

impl Default for RpcConfig {
    fn default() -> Self {
        Self {
            listen: vec![loopback(20200)],
            max_connections: 4096,
            max_body_bytes: 5 << 20,
            max_batch: 1000,
            batch_timeout: Duration::from_secs(30),
            max_response_bytes: 64 << 20,
            max_subscriptions: 1024,
            call_gas_cap: 50_000_000,
            call_timeout: Duration::from_secs(5),
            max_log_results: 10_000,
            max_log_blocks: 10_000,
        }
    }
}

/// The section `[ops]`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct OpsConfig {
    /// Where metrics and probes are served.
    pub listen: SocketAddr,
}

impl Default for OpsConfig {
    fn default() -> Self {
        Self { listen: loopback(20300) }
    }
}

/// The section `[pool]`. What it decides is what this node keeps, never what the chain accepts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PoolConfig {
    /// The most transactions.
    pub max_transactions: usize,
    /// The most bytes of raw transactions.
    pub max_bytes: usize,
    /// The most transactions of one sender, and the widest gap of nonces.
    pub per_sender: usize,
}

impl Default for PoolConfig {
    fn default() -> Self {
        Self { max_transactions: 50_000, max_bytes: 256 << 20, per_sender: 1024 }
    }
}

/// How log lines look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// One JSON object a line, for machines.
    Json,
}

/// The section `[log]`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LogConfig {
    /// How lines look.
    pub format: LogFormat,
    /// What is logged, in the syntax of `tracing`.
    pub filter: String,
    /// The folder of the log files; none: everything goes to stderr.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub directory: Option<PathBuf>,
}

impl Default for LogConfig {
    fn default() -> Self {
        Self { format: LogFormat::Text, filter: "info".to_owned(), directory: None }
    }
}

/// How far back old states can be read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum History {
    /// To block 0.
    #[default]
    Archive,
}

/// The section `[storage]`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct StorageConfig {
    /// The free space below which the node stops proposing and voting.
    pub min_free_bytes: u64,
    /// How far back old states can be read.
    pub history: History,
}

impl Default for StorageConfig {
    fn default() -> Self {
        // Room for the write-ahead log, a memtable that is being flushed and a compaction's copy.
        Self { min_free_bytes: 512 << 20, history: History::Archive }
    }
}

const fn loopback(port: u16) -> SocketAddr {
    SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), port)
}

/// Why a node cannot be configured. Every message says where, what, and what to do.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// No such file, or no permission.
    #[error("cannot read {}: {source}\n  name an existing file that this user may read", file.display())]
    Read {
        /// The file.
        file: PathBuf,
        /// In the system's words.
        source: std::io::Error,
    },
    /// A line of the file is wrong.
    #[error("{}:{line}: {what}\n  {todo}", file.display())]
    Line {
        /// The file.
        file: PathBuf,
        /// Counted from 1.
        line: usize,
        /// What is wrong.
        what: String,
        /// What to do about it.
        todo: String,
    },
    /// A value from elsewhere is wrong: the environment, a flag, or a default.
    #[error("{place}: {what}\n  {todo}")]
    Elsewhere {
        /// Where the value comes from.
        place: String,
        /// What is wrong.
        what: String,
        /// What to do about it.
        todo: String,
    },
}
