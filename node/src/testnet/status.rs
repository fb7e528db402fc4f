//! `status`: what each node says of itself.

use futures::future::join_all;
use serde::Serialize;
use serde_json::Value;

use super::network::{LocalNode, Network};
use crate::client::{Client, number, text};

/// How many hex digits of a block hash tell it from others at a glance, with the `0x`.
const HASH_PREFIX: usize = 10;

/// One row: what is not known is absent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct NodeStatus {
    /// `node0` or `observer0`.
    pub name: String,
    /// `healthy`, `down`, or why it is not well.
    pub state: String,
    /// Its process.
    pub pid: Option<u32>,
    /// The height of its head.
    pub height: Option<u64>,
    /// The view that its replica is in.
    pub view: Option<u64>,
    /// How many nodes it is connected to.
    pub peers: Option<u64>,
    /// The first digits of its head's hash.
    pub head: Option<String>,
}

impl Network {
    /// Asks every node at once.
    pub async fn status(&self) -> Vec<NodeStatus> {
        join_all(self.nodes.iter().map(status)).await
    }
}

async fn status(node: &LocalNode) -> NodeStatus {
    let down = NodeStatus {
        name: node.name.clone(),
        state: "down".to_owned(),
        pid: node.pid(),
        height: None,
        view: None,
        peers: None,
        head: None,
    };
    match (down.pid, node.client()) {
        (Some(_), Ok(client)) => ask(&client, down).await,
        _ => down,
    }
}

async fn ask(client: &Client, down: NodeStatus) -> NodeStatus {
    let (health, consensus, block) =
        futures::join!(client.health(), client.call("quorate_consensusState"), client.latest_block());
    let Ok(health) = health else {
        return NodeStatus { state: "does not answer".to_owned(), ..down };
    };
    let hash =
        block.ok().and_then(|block| Some(block.get("hash")?.as_str()?.chars().take(HASH_PREFIX).collect()));
    NodeStatus {
        state: if health.ok { "healthy".to_owned() } else { health.reasons() },
        height: health.height(),
        view: consensus.ok().and_then(|state| number(state.get("view")?)),
        peers: health.body.get("peers").and_then(peers),
        head: hash,
        ..down
    }
}

/// A count, or a list to count.
fn peers(value: &Value) -> Option<u64> {
    number(value).or_else(|| value.as_array().map(|peers| peers.len() as u64))
}

impl NodeStatus {
    /// The cells of its row, with a dash for what is not known.
    #[must_use]
    pub fn cells(&self) -> [String; 7] {
        let dash = |number: Option<u64>| number.map_or("-".to_owned(), |it| it.to_string());
        [
            self.name.clone(),
            self.state.clone(),
            dash(self.pid.map(u64::from)),
            dash(self.height),
            dash(self.view),
            dash(self.peers),
            text(&self.head.clone().map_or(Value::Null, Value::String)),
        ]
    }
}
