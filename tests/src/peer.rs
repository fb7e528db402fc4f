//! Other servers that a node is measured beside.

use std::{
    net::{Ipv4Addr, SocketAddr, TcpListener},
    process::{Child, Command, Stdio},
    time::Duration,
};

use jsonrpsee::{
    core::client::ClientT as _,
    http_client::{HttpClient, HttpClientBuilder},
    rpc_params,
};
use serde_json::Value;

/// Between two questions whether it answers.
const LOOK: Duration = Duration::from_millis(50);

/// A server, in a process that ends with this.
#[derive(Debug)]
pub struct Peer {
    child: Child,
    /// Where it serves.
    pub address: SocketAddr,
}

impl Peer {
    /// Starts what `command` makes of a free address, and waits until it answers. `None` when there is no such program.
    pub async fn start(command: impl FnOnce(SocketAddr) -> Command) -> Option<Self> {
        let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
        let address = free.local_addr().expect("it is bound");
        drop(free);
        let child = command(address).stdout(Stdio::null()).spawn().ok()?;
        let peer = Self { child, address };
        while peer.client().request::<Value, _>("eth_chainId", rpc_params![]).await.is_err() {
            tokio::time::sleep(LOOK).await;
        }
        Some(peer)
    }

    /// anvil with the networks' chain id, where it is installed (`npm install @foundry-rs/anvil`): `ANVIL` is its path, else PATH is
    /// searched.
    pub async fn anvil(options: &[&str]) -> Option<Self> {
        let program = std::env::var("ANVIL").unwrap_or_else(|_| "anvil".to_owned());
        Self::start(|address| {
            development_chain(Command::new(program), &[&["--silent"], options].concat(), address)
        })
        .await
    }

    /// Where it serves, for clients.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// A client of it.
    pub fn client(&self) -> HttpClient {
        HttpClientBuilder::default().build(self.url()).expect("a client")
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A chain for development, by the options that anvil and `node dev` share.
pub fn development_chain(mut command: Command, options: &[&str], address: SocketAddr) -> Command {
    command.args(options).args(["--chain-id", "20200", "--port", &address.port().to_string()]);
    command.stderr(Stdio::null());
    command
}

/// The one in the middle.
pub fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures[figures.len() / 2]
}
