//! What one node knows: the contract's nodes at its head, and whom of them it hears.

use std::collections::BTreeSet;

use alloy_sol_types::SolCall;
use jsonrpsee::rpc_params;
use quorate_execution::IConsensus;
use quorate_types::{Address, Bytes, Height, NodeId, U256, VALIDATORS_ADDRESS, Validator, ValidatorSet};
use serde_json::{Value, json};

use crate::{
    client::{Client, number},
    exit::{Exit, Failure},
    standing::{Standing, is_heard},
};

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

    /// The node's weight after it; 0: it has no vote.
    pub(super) const fn weight(self) -> u64 {
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
        let heard = heard(&state, &peers, id(&status["nodeId"]));
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

/// Whom the node `me` hears: by what they sign when they vote, by being connected otherwise.
fn heard(state: &Value, peers: &Value, me: Option<NodeId>) -> BTreeSet<NodeId> {
    let voters = state["validators"].as_array().into_iter().flatten();
    let (spoke, silent): (Vec<&Value>, Vec<&Value>) = voters.partition(|it| spoke_lately(it));
    let silent: BTreeSet<_> = silent.iter().filter_map(|it| id(&it["id"])).collect();
    let connected = peers.as_array().into_iter().flatten().filter_map(id).filter(|id| !silent.contains(id));
    connected.chain(spoke.iter().filter_map(|it| id(&it["id"]))).chain(me).collect()
}

fn spoke_lately(validator: &Value) -> bool {
    let height = number(&validator["height"]).map(Height);
    number(&validator["lastSeenMs"]).is_some_and(|ms| is_heard(height, ms))
}

fn id(value: &Value) -> Option<NodeId> {
    value.as_str()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use quorate_types::NodeKey;

    use super::*;

    /// Given a node that has just started and is connected to all, when one validator has said nothing yet and one
    /// nothing for long, then neither is heard; a connected observer is.
    #[test]
    fn a_validator_is_heard_by_what_it_says_and_an_observer_by_being_there() {
        let ids = [1, 2, 3, 4, 5].map(|seed| NodeKey::from_seed([seed; 32]).id());
        let [me, speaks, mute, gone, observer] = ids;
        let state = json!({ "validators": [
            { "id": me, "height": 7, "lastSeenMs": 0 },
            { "id": speaks, "height": "0x7", "lastSeenMs": 500 },
            { "id": mute, "height": null, "lastSeenMs": 0 },
            { "id": gone, "height": 7, "lastSeenMs": 60_000 },
        ] });
        let peers = json!([speaks, mute, gone, observer]);
        assert_eq!(heard(&state, &peers, Some(me)), BTreeSet::from([me, speaks, observer]));
    }
}
