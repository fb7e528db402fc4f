//! `NodeService`.

use quorate_types::Height;
use tonic::{Request, Response, Status, async_trait};

use super::{
    Api,
    messages::{key, octets},
    v1::{self, node_service_server::NodeService},
};
use crate::{error::RpcError, web3::client_version};

#[async_trait]
impl NodeService for Api {
    async fn get_info(
        &self,
        _: Request<v1::GetInfoRequest>,
    ) -> Result<Response<v1::GetInfoResponse>, Status> {
        let head = self.backend.store.head();
        let genesis = self.backend.store.hash_of(Height::ZERO).map_err(RpcError::from)?;
        let node_id = self.backend.status.borrow().node_id;
        Ok(Response::new(v1::GetInfoResponse {
            client_version: client_version(),
            chain_id: self.backend.chain.chain_id,
            genesis_hash: octets(genesis.ok_or(RpcError::UnknownBlock)?),
            node_id: node_id.as_ref().map(key).unwrap_or_default(),
            head_height: head.height.0,
            head_hash: octets(head.hash),
        }))
    }

    async fn get_status(
        &self,
        _: Request<v1::GetStatusRequest>,
    ) -> Result<Response<v1::GetStatusResponse>, Status> {
        let status = self.backend.status.borrow().clone();
        let syncing = status
            .syncing
            .map(|range| v1::Syncing { starting_height: range.starting.0, highest_height: range.highest.0 });
        Ok(Response::new(v1::GetStatusResponse {
            ready: status.ready,
            reasons: status.reasons,
            height: status.height.0,
            lag: status.lag,
            peers: status.connected.iter().map(key).collect(),
            quorum: status.quorum,
            syncing,
        }))
    }

    async fn get_consensus(
        &self,
        _: Request<v1::GetConsensusRequest>,
    ) -> Result<Response<v1::GetConsensusResponse>, Status> {
        let state = self.backend.consensus.borrow().clone();
        Ok(Response::new(v1::GetConsensusResponse {
            height: state.height.0,
            view: state.view.0,
            leader: state.leader.as_ref().map(key),
            phase: state.phase.to_owned(),
            waiting_for: state.waiting_for,
            missing: state.missing.iter().map(key).collect(),
            quorum_weight: state.quorum_weight,
            total_weight: state.total_weight,
        }))
    }
}
