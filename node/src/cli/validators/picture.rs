//! What one node knows: the contract's nodes at its head, and whom of them it hears.

use std::collections::BTreeSet;

use alloy_sol_types::SolCall;
use jsonrpsee::rpc_params;
use quorate_execution::IConsensus;
use quorate_types::{Address, Bytes, NodeId, U256, VALIDATORS_ADDRESS, Validator, ValidatorSet};
use serde_json::{Value, json};

use crate::{
    client::{Client, number},
    exit::{Exit, Failure},
    standing::Standing,
};

/// A validator of whom nothing signed came for this long counts as silent; each says something every second.
const HEARD_WITHIN_MS: u64 = 3_000;

/// A change as the command line has it.
#[derive(Clone, Copy, Debug)]
pub(super) enum Change {
    Vote(u64),
    Observe,
    Remove,
    Reweigh(u64),
}

impl Change {
    /// The contract's method for it, encoded.
    pub(super) fn call(self, id: &NodeId) -> Bytes {
        let node_id = id.to_string();
        let encoded = match self {
            Self::Vote(weight) => {
                IConsensus::addSealerCall { nodeID: node_id, weight: U256::from(weight) }.abi_encode()
            }
            Self::Observe => IConsensus::addObserverCall { nodeID: node_id }.abi_encode(),
            Self::Remove => IConsensus::removeCall { nodeID: node_id }.abi_encode(),
            Self::Reweigh(weight) => {
                IConsensus::setWeightCall { nodeID: node_id, weight: U256::from(weight) }.abi_encode()
            }
        };
        encoded.into()
    }

    const fn weight(self) -> u64 {
        match self {
            Self::Vote(weight) | Self::Reweigh(weight) => weight,
            Self::Observe | Self::Remove => 0,
        }
    }
}

/// Who is known, and who is heard.
#[derive(Clone, Debug)]
pub(super) struct Picture {
    pub(super) nodes: Vec<Validator>,
    administrator: Address,
    heard: BTreeSet<NodeId>,
}

impl Picture {
    /// Asks the node. It hears itself, validators by what they sign, and others by being connected to them.
    pub(super) async fn take(client: &Client) -> Result<Self, Failure> {
        let nodes = view::<IConsensus::getNodesCall>(client, IConsensus::getNodesCall {}).await?;
        let node = |it: IConsensus::Node| Validator {
            key: NodeId(it.id.0),
            weight: it.weight,
            fee_recipient: it.feeRecipient,
        };
        let mut nodes: Vec<_> = nodes.into_iter().map(node).collect();
        nodes.sort_by_key(|it| (it.weight == 0, it.key));
        let administrator = IConsensus::getAdministratorCall {};
        let administrator = view::<IConsensus::getAdministratorCall>(client, administrator).await?;
        let state = client.call("quorate_consensusState").await?;
        let status = client.call("quorate_status").await?;
        let peers = client.call("quorate_peers").await?;
        let voters: Vec<_> = state["validators"].as_array().into_iter().flatten().collect();
        let silent: BTreeSet<_> =
            voters.iter().filter(|it| !is_recent(it)).filter_map(|it| id(&it["id"])).collect();
        let connected = peers.as_array().into_iter().flatten().filter_map(id);
        let spoke = voters.iter().filter_map(|it| id(&it["id"]));
        let mut heard: BTreeSet<_> = connected.chain(spoke).filter(|id| !silent.contains(id)).collect();
        heard.extend(id(&status["nodeId"]));
        Ok(Self { nodes, administrator, heard })
    }

    pub(super) fn hears(&self, id: &NodeId) -> bool {
        self.heard.contains(id)
    }

    /// The arithmetic at the head.
    pub(super) fn standing(&self) -> Result<Standing, Failure> {
        self.standing_of(&self.nodes)
    }

    /// The arithmetic after a change that the contract would accept.
    pub(super) fn after(&self, change: Change, id: NodeId) -> Result<Standing, Failure> {
        let mut nodes = self.nodes.clone();
        match nodes.iter_mut().find(|it| it.key == id) {
            Some(known) => known.weight = change.weight(),
            None => nodes.push(Validator::new(id, change.weight())),
        }
        self.standing_of(&nodes)
    }

    fn standing_of(&self, nodes: &[Validator]) -> Result<Standing, Failure> {
        let voters = nodes.iter().filter(|it| it.weight > 0).copied();
        let set =
            ValidatorSet::new(voters).map_err(|error| Failure::new(Exit::Rejected, error.to_string()))?;
        Ok(Standing::of(&set, |id| self.hears(id)))
    }

    pub(super) fn administrator_text(&self) -> String {
        if self.administrator.is_zero() {
            "none: genesis names nobody, so the validators stay as they are".to_owned()
        } else {
            self.administrator.to_string()
        }
    }

    pub(super) fn as_json(&self) -> eyre::Result<Value> {
        let node = |it: &Validator| {
            json!({
                "id": it.key,
                "weight": it.weight,
                "heard": self.hears(&it.key),
                "feeRecipient": it.fee_recipient,
            })
        };
        Ok(json!({
            "administrator": self.administrator,
            "nodes": self.nodes.iter().map(node).collect::<Vec<_>>(),
            "standing": serde_json::to_value(self.standing()?)?,
        }))
    }
}

async fn view<C: SolCall>(client: &Client, call: C) -> Result<C::Return, Failure> {
    let request = json!({ "to": VALIDATORS_ADDRESS, "data": Bytes::from(call.abi_encode()) });
    let answer = client.call_with("eth_call", rpc_params![request, "latest"]).await?;
    let unexpected = |why: String| {
        Failure::new(Exit::Other, format!("the consensus contract answers something unexpected: {why}"))
    };
    let output: Bytes = serde_json::from_value(answer).map_err(|error| unexpected(error.to_string()))?;
    C::abi_decode_returns(&output).map_err(|error| unexpected(error.to_string()))
}

fn is_recent(validator: &Value) -> bool {
    number(&validator["lastSeenMs"]).is_some_and(|ms| ms <= HEARD_WITHIN_MS)
}

fn id(value: &Value) -> Option<NodeId> {
    value.as_str()?.parse().ok()
}
