//! Who votes, where the replica stands, and what the chain is set to.

use quorate_types::{B256, NodeId};
use serde_json::{Value, json};

use super::{Arguments, Fisco, arguments::invalid};
use crate::error::RpcError;

/// FISCO's nodes of a group by type.
const SEALER: &str = "consensus_sealer";
const OBSERVER: &str = "consensus_observer";
/// Who is drawn for a term; here everybody is always.
const TERM_WEIGHT: u64 = 1;

impl Fisco {
    pub(super) fn view(&self, _: &Arguments) -> Result<Value, RpcError> {
        Ok(json!(self.backend().consensus.borrow().view))
    }

    pub(super) fn sealers(&self, _: &Arguments) -> Result<Value, RpcError> {
        let set = self.backend().store.head().next_validators.clone();
        let sealer = |it: &quorate_types::Validator| json!({ "nodeID": it.key.to_string(), "weight": it.weight, "termWeight": TERM_WEIGHT });
        Ok(set.members().iter().map(sealer).collect())
    }

    /// The connected nodes without a vote, and this one if it has none: others are not known.
    pub(super) fn observers(&self, _: &Arguments) -> Result<Value, RpcError> {
        Ok(self.without_vote().iter().map(|id| json!(id.to_string())).collect())
    }

    pub(super) fn nodes_by_type(&self, arguments: &Arguments) -> Result<Value, RpcError> {
        match arguments.required::<String>(0, "node type")?.as_str() {
            SEALER => {
                let set = self.backend().store.head().next_validators.clone();
                let node = |it: &quorate_types::Validator| json!({ "nodeID": it.key.to_string(), "weight": it.weight });
                Ok(set.members().iter().map(node).collect())
            }
            OBSERVER => {
                let node = |id: &NodeId| json!({ "nodeID": id.to_string(), "weight": 0 });
                Ok(self.without_vote().iter().map(node).collect())
            }
            other => Err(invalid("node type", &format!("{other:?} is neither {SEALER} nor {OBSERVER}"))),
        }
    }

    fn without_vote(&self) -> Vec<NodeId> {
        let set = self.backend().store.head().next_validators.clone();
        let status = self.backend().status.borrow();
        let mut ids: Vec<_> = status.node_id.into_iter().chain(status.connected.iter().copied()).collect();
        ids.retain(|id| !set.contains(id));
        ids
    }

    /// JSON in a string, as FISCO's nodes answer.
    pub(super) fn consensus_status(&self, _: &Arguments) -> Result<Value, RpcError> {
        let (head, state) = (self.backend().store.head(), self.backend().consensus.borrow().clone());
        let (me, connected) = {
            let status = self.backend().status.borrow();
            (status.node_id, status.connected.len())
        };
        let set = &head.next_validators;
        let index = |id: Option<NodeId>| id.and_then(|id| set.index_of(&id));
        let node = |(index, it): (usize, &quorate_types::Validator)| {
            let id = it.key.to_string();
            json!({ "nodeID": id, "weight": it.weight, "termWeight": TERM_WEIGHT, "index": index })
        };
        let status = json!({
            "nodeID": me.map(|id| id.to_string()).unwrap_or_default(),
            "index": index(me),
            "leaderIndex": index(state.leader),
            "consensusNodesNum": set.len(),
            "maxFaultyQuorum": set.max_faulty(),
            "minRequiredQuorum": set.quorum(),
            "isConsensusNode": index(me).is_some(),
            "blockNumber": head.height,
            "hash": plain(head.hash),
            "timeout": state.view_changes.weight > 0,
            "changeCycle": state.view,
            "view": state.view,
            "connectedNodeList": connected,
            "consensusNodeList": set.members().iter().enumerate().map(node).collect::<Vec<_>>(),
        });
        Ok(Value::String(status.to_string()))
    }

    /// JSON in a string. Where others are is known of their highest alone.
    pub(super) fn sync_status(&self, _: &Arguments) -> Result<Value, RpcError> {
        let (store, status) = (&self.backend().store, self.backend().status.borrow().clone());
        let head = store.head();
        let genesis = store.hash_of(quorate_types::Height::ZERO)?.unwrap_or_default();
        let highest = status.syncing.map_or(head.height, |range| range.highest);
        let known = if highest == head.height { plain(head.hash) } else { String::new() };
        let peers: Vec<_> = status.connected.iter().map(|id| json!({ "nodeID": id.to_string() })).collect();
        let status = json!({
            "isSyncing": status.syncing.is_some(),
            "genesisHash": plain(genesis),
            "nodeID": status.node_id.map(|id| id.to_string()).unwrap_or_default(),
            "blockNumber": head.height,
            "archivedBlockNumber": 0,
            "latestHash": plain(head.hash),
            "knownHighestNumber": highest,
            "knownLatestHash": known,
            "peers": peers,
        });
        Ok(Value::String(status.to_string()))
    }

    /// The settings that have a meaning here; they are the genesis file's, so they count from block 0.
    pub(super) fn system_config(&self, arguments: &Arguments) -> Result<Value, RpcError> {
        let chain = &self.backend().chain;
        let value = match arguments.required::<String>(0, "key")?.as_str() {
            "tx_gas_limit" => chain.transaction_gas_cap.to_string(),
            "tx_gas_price" => format!("{:#x}", self.backend().next_base_fee()),
            "consensus_leader_period" => "1".to_owned(),
            "web3_chain_id" => chain.chain_id.to_string(),
            other => return Err(invalid("key", &format!("there is no setting {other:?} here"))),
        };
        Ok(json!({ "blockNumber": 0, "value": value }))
    }
}

/// Without `0x`, as FISCO's status texts have hashes.
fn plain(hash: B256) -> String {
    format!("{hash:x}")
}
