//! The `quorate` namespace: what Ethereum has no name for.

use alloy_eips::BlockId;
use alloy_rlp::Encodable as _;
use jsonrpsee::{
    core::{RpcResult, async_trait},
    proc_macros::rpc,
};
use quorate_types::{Address, B256, Bytes, CommitCertificate, Height, NodeId, U64, ValidatorSet, hex};
use serde::Serialize;

use crate::{
    Backend, ConsensusEvent, ConsensusState, EvidenceRecord, MAX_EVENTS, NodeStatus, error::RpcError,
    eth::Eth,
};

/// Changes of the validators in one answer; who follows them asks again from behind the last.
const MAX_CHANGES: usize = 64;

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
    /// What leads who trusts the genesis file alone from one set of validators to the next: the headers from a height on that
    /// bind another set than the one before, each with its certificate and that set. An empty list when there are no more.
    #[method(name = "getValidatorChanges")]
    async fn validator_changes(&self, from: U64) -> RpcResult<Vec<ValidatorChange>>;
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

/// The last header of one set of validators.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ValidatorChange {
    height: u64,
    /// RLP: its hash is what the certificate is of.
    header: Bytes,
    /// As nodes exchange it; signed by the set before.
    certificate: Bytes,
    /// The set whose hash is the header's `extraData`.
    next: Validators,
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

impl ValidatorChange {
    fn at(backend: &Backend, height: Height) -> Result<Self, RpcError> {
        let header = backend.store.header(height)?.ok_or(RpcError::UnknownBlock)?;
        let certificate = backend.store.certificate(height)?.ok_or(RpcError::UnknownBlock)?;
        let set = backend.store.view_at(height)?.validators()?;
        let mut encoded = Vec::with_capacity(header.length());
        header.encode(&mut encoded);
        Ok(Self {
            height: height.0,
            header: encoded.into(),
            certificate: quorate_proto::encode_certificate(&certificate).into(),
            next: Validators::of(&set, height.next().0),
        })
    }
}

/// The namespace over a backend.
pub(crate) struct Quorate {
    backend: Backend,
    eth: Eth,
}

impl Quorate {
    /// What takes long takes turns with `eth`.
    pub(crate) fn new(eth: Eth) -> Self {
        Self { backend: eth.backend.clone(), eth }
    }
}

#[async_trait]
impl QuorateApiServer for Quorate {
    fn status(&self) -> RpcResult<NodeStatus> {
        Ok(self.backend.status.borrow().clone())
    }

    fn peers(&self) -> RpcResult<Vec<NodeId>> {
        Ok(self.backend.status.borrow().connected.clone())
    }

    fn validators(&self, block: Option<BlockId>) -> RpcResult<Validators> {
        let height = self.backend.resolve(block)?;
        let set = self
            .backend
            .store
            .view_at(height)
            .and_then(|state| state.validators())
            .map_err(RpcError::from)?;
        Ok(Validators::of(&set, height.next().0))
    }

    fn consensus_state(&self) -> RpcResult<ConsensusState> {
        Ok(self.backend.consensus.borrow().clone())
    }

    fn consensus_events(&self, count: Option<usize>) -> RpcResult<Vec<ConsensusEvent>> {
        Ok(self.backend.record.events(count.unwrap_or(MAX_EVENTS)))
    }

    fn evidence(&self) -> RpcResult<Vec<EvidenceRecord>> {
        Ok(self.backend.record.evidence())
    }

    fn certificate(&self, block: Option<BlockId>) -> RpcResult<Option<Certificate>> {
        let height = self.backend.resolve(block)?;
        let Some(parent) = height.previous() else { return Ok(None) };
        let Some(certificate) = self.backend.store.certificate(height).map_err(RpcError::from)? else {
            return Ok(None);
        };
        let set = self
            .backend
            .store
            .view_at(parent)
            .and_then(|state| state.validators())
            .map_err(RpcError::from)?;
        Ok(Some(Certificate::of(&certificate, &set)?))
    }

    async fn validator_changes(&self, from: U64) -> RpcResult<Vec<ValidatorChange>> {
        self.eth
            .heavy(move |eth| {
                let heights = eth.backend.store.validator_changes(Height(from.to()), MAX_CHANGES)?;
                heights.into_iter().map(|height| ValidatorChange::at(&eth.backend, height)).collect()
            })
            .await
    }
}
