//! # Clients: what users bring, run as they run it
//!
//! ```text
//! compile_contracts   solc from npm makes examples/contracts/build
//! run_suite           tests/clients/NAME/run, a program of that client's own ecosystem, told of the network by its environment
//! Example::run        examples/LANGUAGE, by the commands of its README; the node dies while the example follows events
//! ```
//!
//! Where a toolchain is missing the outcome is [`Outcome::Skipped`] with its name. What a client prints goes to a log, and is
//! shown when it fails.

mod example;
mod process;

use std::path::{Path, PathBuf};

pub use example::Example;
use process::{Failure, Task};

use crate::{cluster::Cluster, wallet::Wallet};

/// A `run` that ends with this has no toolchain, and says so in its last line.
const NO_TOOLCHAIN: i32 = 77;
/// The development accounts of a testnet; each client has one.
const ACCOUNTS: usize = 10;

/// How it went.
#[derive(Debug, PartialEq, Eq)]
pub enum Outcome {
    /// All was as expected.
    Passed,
    /// Something that it needs is not on this machine.
    Skipped(String),
    /// The first line says what, the others are what it printed last.
    Failed(String),
}

impl From<Result<(), Failure>> for Outcome {
    fn from(result: Result<(), Failure>) -> Self {
        match result {
            Ok(()) => Self::Passed,
            Err(Failure::Missing(program)) => Self::Skipped(format!("{program} is not installed")),
            Err(Failure::Failed(reason)) => Self::Failed(reason),
        }
    }
}

/// Where a client finds the network, its key and the contract: the environment of each `run` and of each example.
pub struct Site(Vec<(&'static str, String)>);

impl Site {
    /// The place of the client with this index.
    #[must_use]
    pub fn new(cluster: &Cluster, index: usize, contracts: &Path) -> Self {
        let account = u32::try_from(index % ACCOUNTS).expect("below ten");
        let websocket = |node| cluster.url(node).replace("http", "ws");
        Self(vec![
            ("RPC_URL", cluster.url(0)),
            ("WS_URL", websocket(0)),
            ("OTHER_RPC_URL", cluster.url(1)),
            ("OTHER_WS_URL", websocket(1)),
            ("GRPC_URL", cluster.url(0)),
            ("CHAIN_ID", "20200".to_owned()),
            ("PRIVATE_KEY", Wallet::development(account).secret()),
            ("CONTRACTS", contracts.to_str().expect("a path of plain letters").to_owned()),
        ])
    }

    /// The same through another node.
    fn by_another_node(&self) -> Self {
        let other = |name: &str| self.0.iter().find(|it| it.0 == name).expect("it is set").1.clone();
        let moved = self.0.iter().map(|(name, value)| match *name {
            "RPC_URL" => ("RPC_URL", other("OTHER_RPC_URL")),
            "WS_URL" => ("WS_URL", other("OTHER_WS_URL")),
            name => (name, value.clone()),
        });
        Self(moved.collect())
    }
}

/// Compiles the contract of the examples; the folder with what came of it.
///
/// # Errors
/// When npm is missing, or solc refuses.
pub fn compile_contracts(root: &Path) -> Result<PathBuf, Outcome> {
    let folder = root.join("examples/contracts");
    let compiled = Task::new(&folder, &["npm", "ci"]).succeed();
    match compiled.and_then(|_| Task::new(&folder, &["npm", "run", "build"]).succeed()) {
        Ok(_) => Ok(folder.join("build")),
        Err(failure) => Err(Outcome::from(Err(failure))),
    }
}

/// Runs the program of one client; its version, as it tells it in the last line before its tests, and how it went.
#[must_use]
pub fn run_suite(root: &Path, name: &str, site: &Site) -> (String, Outcome) {
    let folder = root.join("tests/clients").join(name);
    let ended = match Task::new(&folder, &["sh", "./run"]).at(site).run() {
        Ok(ended) => ended,
        Err(failure) => return (String::new(), Outcome::from(Err(failure))),
    };
    let version =
        ended.output.lines().find_map(|line| line.strip_prefix("client: ")).unwrap_or_default().to_owned();
    let outcome = match ended.code {
        Some(0) => Outcome::Passed,
        Some(NO_TOOLCHAIN) => {
            Outcome::Skipped(ended.output.lines().last().unwrap_or("it does not say why").to_owned())
        }
        _ => Outcome::from(Err(ended.into_failure())),
    };
    (version, outcome)
}
