//! The one group and its nodes, and what clients ask of accounts.

use alloy_eips::BlockId;
use quorate_execution::{CallRequest, CallStatus};
use quorate_types::{Address, Bytes};
use serde_json::{Value, json};

use super::{Arguments, Fisco, GROUP, arguments::invalid};
use crate::error::RpcError;

/// FISCO's status of a call that reverted.
const REVERTED: u32 = 16;

impl Fisco {
    pub(super) fn peers(&self, _: &Arguments) -> Result<Value, RpcError> {
        let status = self.backend().status.borrow().clone();
        let peer = |id: &str| {
            let group = json!([{ "group": GROUP, "nodeIDList": [id] }]);
            json!({ "p2pNodeID": id, "endPoint": "", "groupNodeIDInfo": group })
        };
        let mut answer = peer(&status.node_id.map(|id| id.to_string()).unwrap_or_default());
        answer["peers"] = status.connected.iter().map(|id| peer(&id.to_string())).collect();
        Ok(answer)
    }

    pub(super) fn group_peers(&self, _: &Arguments) -> Result<Value, RpcError> {
        let status = self.backend().status.borrow().clone();
        let all = status.node_id.iter().chain(&status.connected);
        Ok(all.map(|id| json!(id.to_string())).collect())
    }

    pub(super) fn groups(&self, _: &Arguments) -> Result<Value, RpcError> {
        Ok(json!({ "code": 0, "msg": "success", "groupList": [GROUP] }))
    }

    pub(super) fn group_info(&self, arguments: &Arguments) -> Result<Value, RpcError> {
        Ok(json!({
            "chainID": self.backend().chain.chain_id.to_string(),
            "groupID": GROUP,
            "genesisConfig": "",
            "iniConfig": "",
            "nodeList": [self.node_info(arguments)?],
        }))
    }

    pub(super) fn group_infos(&self, arguments: &Arguments) -> Result<Value, RpcError> {
        Ok(json!([self.group_info(arguments)?]))
    }

    /// This node: keccak and secp256k1, type 0.
    pub(super) fn node_info(&self, _: &Arguments) -> Result<Value, RpcError> {
        let id = self.backend().status.borrow().node_id.map(|id| id.to_string()).unwrap_or_default();
        Ok(json!({
            "name": id,
            "nodeID": id,
            "type": 0,
            "microService": false,
            "iniConfig": "",
            "serviceInfo": [],
            "featureKeys": [],
            "supportConfigs": [],
            "protocol": { "minSupportedVersion": 0, "maxSupportedVersion": 0, "compatibilityVersion": 0 },
        }))
    }

    pub(super) fn pending_size(&self, _: &Arguments) -> Result<Value, RpcError> {
        let status = self.backend().pool.lock().status();
        Ok(json!(status.pending + status.queued))
    }

    /// At the head, from nobody: what a caller signed of its call is not looked at.
    pub(super) fn call(&self, arguments: &Arguments) -> Result<Value, RpcError> {
        let request = if arguments.is_version_2 {
            arguments.required::<Version2Call>(0, "call")?.into()
        } else {
            let (to, data) = (arguments.required(0, "to")?, arguments.required(1, "data")?);
            CallRequest { to: Some(to), data, ..CallRequest::default() }
        };
        let (state, header) = self.backend().state_and_header(Some(BlockId::latest()))?;
        let overrides = quorate_execution::Overrides::default();
        let outcome = self.backend().executor.call(&header, state, &request, &overrides)?;
        let status = match outcome.status {
            CallStatus::Success => 0,
            CallStatus::Reverted => REVERTED,
            CallStatus::Halted(reason) => return Err(RpcError::Refused(reason)),
        };
        Ok(json!({ "blockNumber": header.number, "status": status, "output": outcome.output }))
    }

    pub(super) fn code(&self, arguments: &Arguments) -> Result<Value, RpcError> {
        let address: Address = arguments.required(0, "address")?;
        let state = self.backend().state(None)?;
        let account = state.account(address)?.unwrap_or_default();
        Ok(json!(state.code(account.code_hash)?))
    }

    /// Contracts are kept without their interface.
    pub(super) fn abi(&self, arguments: &Arguments) -> Result<Value, RpcError> {
        arguments.required::<Address>(0, "address").map_err(|_| invalid("address", "it is none"))?;
        Ok(json!(""))
    }
}

/// What a client of version 2 calls with.
#[derive(Debug, serde::Deserialize)]
struct Version2Call {
    #[serde(default)]
    from: Address,
    to: Address,
    #[serde(default)]
    data: Bytes,
}

impl From<Version2Call> for CallRequest {
    fn from(call: Version2Call) -> Self {
        Self { from: call.from, to: Some(call.to), data: call.data, ..Self::default() }
    }
}
