//! The ports for clients and operators, taken before anything else starts: a port in use is the commonest mistake.

use std::net::SocketAddr;

use tokio::net::TcpListener;

use crate::{
    config::NodeConfig,
    exit::{Exit, Failure},
};

/// The listeners.
pub(super) struct Listeners {
    pub(super) rpc: Vec<TcpListener>,
    pub(super) ops: TcpListener,
}

/// Takes all ports. The first RPC address must be free; a further one (8545, say) may be another program's.
pub(super) async fn bind(config: &NodeConfig) -> eyre::Result<Listeners> {
    let mut rpc = Vec::with_capacity(config.rpc.listen.len());
    for (index, address) in config.rpc.listen.iter().enumerate() {
        match TcpListener::bind(address).await {
            Ok(listener) => rpc.push(listener),
            Err(error) if index > 0 => {
                tracing::warn!(%address, %error, "not serving clients here as well");
            }
            Err(error) => return Err(busy("rpc.listen", *address, &error).into()),
        }
    }
    let ops = TcpListener::bind(config.ops.listen).await;
    Ok(Listeners { rpc, ops: ops.map_err(|error| busy("ops.listen", config.ops.listen, &error))? })
}

fn busy(key: &str, address: SocketAddr, error: &std::io::Error) -> Failure {
    let todo = "stop what listens there, or choose another address";
    Failure::new(Exit::Configuration, format!("cannot listen on {address} ({key}): {error}; {todo}"))
}
