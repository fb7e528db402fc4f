//! The `quorate` namespace: what Ethereum has no name for.

use alloy_eips::BlockId;
use jsonrpsee::{core::RpcResult, proc_macros::rpc};
use quorate_types::{Address, B256, Bytes, CommitCertificate, NodeId, ValidatorSet, hex};
use serde::Serialize;

use crate::{
    Backend, ConsensusEvent, ConsensusState, EvidenceRecord, MAX_EVENTS, NodeStatus, error::RpcError,
};

/// The methods.
#[rpc(server, namespace = "quorate")]
pub(crate) trait QuorateApi {
    #[method(name = "status")]
    fn status(&self) -> RpcResult<NodeStatus>;
    /// The keys of the connected nodes.
    #[method(name = "peers")]
    fn peers(&self) -> RpcResult<Vec<NodeId>>;
    #[method(name = "validators")]
    fn validators(&self, block: Option<BlockId>) -> RpcResult<Validators>;
    #[method(name = "consensusState")]
    fn consensus_state(&self) -> RpcResult<ConsensusState>;
    #[method(name = "consensusEvents")]
    fn consensus_events(&self, count: Option<usize>) -> RpcResult<Vec<ConsensusEvent>>;
    #[method(name = "evidence")]
    fn evidence(&self) -> RpcResult<Vec<EvidenceRecord>>;
    #[method(name = "getCertificate")]
    fn certificate(&self, block: Option<BlockId>) -> RpcResult<Option<Certificate>>;
}

/// Who votes on the block after the one named, and how much weight decides.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Validators {
    /// The first height that they vote on.
    height: u64,
    total_weight: u64,
    quorum_weight: u64,
    /// The `extraData` of the block before.
    hash: B256,
    validators: Vec<Validator>,
}

/// One member.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Validator {
    id: NodeId,
    weight: u64,
    fee_recipient: Address,
}

/// A certificate in a form that anyone can check.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Certificate {
    height: u64,
    view: u64,
    block_hash: B256,
    /// Who signed, in the order of the signatures.
    signers: Vec<NodeId>,
    signatures: Vec<String>,
    /// The certificate as nodes exchange it.
    encoded: Bytes,
}

impl Validators {
    fn of(set: &ValidatorSet, height: u64) -> Self {
        let validators = set.members().iter();
        Self {
            height,
            total_weight: set.total(),
            quorum_weight: set.quorum(),
            hash: set.hash(),
            validators: validators
                .map(|it| Validator { id: it.key, weight: it.weight, fee_recipient: it.fee_recipient })
                .collect(),
        }
    }
}

impl Certificate {
    fn of(certificate: &CommitCertificate, set: &ValidatorSet) -> Result<Self, RpcError> {
        let signers = certificate.signer_ids(set).map_err(|error| RpcError::Internal(error.to_string()))?;
        Ok(Self {
            height: certificate.height().0,
            view: certificate.view().0,
            block_hash: certificate.block_hash(),
            signers: signers.into_iter().copied().collect(),
            signatures: certificate.signatures.iter().map(|it| hex::encode_prefixed(it.0)).collect(),
            encoded: quorate_proto::encode_certificate(certificate).into(),
        })
    }
}

/// The namespace over a backend.
pub(crate) struct Quorate(pub(crate) Backend);

impl QuorateApiServer for Quorate {
    fn status(&self) -> RpcResult<NodeStatus> {
        Ok(self.0.status.borrow().clone())
    }

    fn peers(&self) -> RpcResult<Vec<NodeId>> {
        Ok(self.0.status.borrow().connected.clone())
    }

    fn validators(&self, block: Option<BlockId>) -> RpcResult<Validators> {
        let height = self.0.resolve(block)?;
        let set =
            self.0.store.view_at(height).and_then(|state| state.validators()).map_err(RpcError::from)?;
        Ok(Validators::of(&set, height.next().0))
    }

    fn consensus_state(&self) -> RpcResult<ConsensusState> {
        Ok(self.0.consensus.borrow().clone())
    }

    fn consensus_events(&self, count: Option<usize>) -> RpcResult<Vec<ConsensusEvent>> {
        Ok(self.0.record.events(count.unwrap_or(MAX_EVENTS)))
    }

    fn evidence(&self) -> RpcResult<Vec<EvidenceRecord>> {
        Ok(self.0.record.evidence())
    }

    fn certificate(&self, block: Option<BlockId>) -> RpcResult<Option<Certificate>> {
        let height = self.0.resolve(block)?;
        let Some(parent) = height.previous() else { return Ok(None) };
        let Some(certificate) = self.0.store.certificate(height).map_err(RpcError::from)? else {
            return Ok(None);
        };
        let set =
            self.0.store.view_at(parent).and_then(|state| state.validators()).map_err(RpcError::from)?;
        Ok(Some(Certificate::of(&certificate, &set)?))
    }
}
