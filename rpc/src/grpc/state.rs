//! `StateService`.

use alloy_eips::BlockId;
use quorate_execution::{CallError, CallOutcome, CallRequest, CallStatus, Overrides, revert_message};
use quorate_storage::StateView;
use quorate_types::Header;
use tonic::{Request, Response, Status, async_trait};

use super::{
    Api, fields, messages,
    messages::{octets, word},
    v1::{self, state_service_server::StateService},
};
use crate::{error::RpcError, eth::Eth, turns::Weight};

/// The slots of one question, as JSON-RPC has it.
const MAX_SLOTS: usize = 1024;

#[async_trait]
impl StateService for Api {
    async fn get_account(
        &self,
        request: Request<v1::GetAccountRequest>,
    ) -> Result<Response<v1::Account>, Status> {
        let v1::GetAccountRequest { address, block } = request.into_inner();
        let (address, block) = (fields::address(&address)?, fields::block(block)?);
        let read = move |eth: &Eth| {
            let height = eth.backend.resolve(Some(block))?;
            let account = eth.backend.store.view_at(height)?.account(address)?.unwrap_or_default();
            Ok(v1::Account {
                balance: word(account.balance),
                nonce: account.nonce,
                code_hash: octets(account.code_hash),
                height: height.0,
            })
        };
        Ok(Response::new(self.run(Weight::Read, read).await?))
    }

    async fn get_storage(
        &self,
        request: Request<v1::GetStorageRequest>,
    ) -> Result<Response<v1::GetStorageResponse>, Status> {
        let v1::GetStorageRequest { address, slots, block } = request.into_inner();
        let (address, block) = (fields::address(&address)?, fields::block(block)?);
        let slots = fields::slots(&slots, MAX_SLOTS)?;
        let read = move |eth: &Eth| {
            let state = eth.backend.state(Some(block))?;
            let values = slots.into_iter().map(|slot| state.slot(address, slot).map(word));
            Ok(v1::GetStorageResponse { values: values.collect::<Result<_, _>>()? })
        };
        Ok(Response::new(self.run(Weight::Read, read).await?))
    }

    async fn get_code(
        &self,
        request: Request<v1::GetCodeRequest>,
    ) -> Result<Response<v1::GetCodeResponse>, Status> {
        let v1::GetCodeRequest { address, block } = request.into_inner();
        let (address, block) = (fields::address(&address)?, fields::block(block)?);
        let read = move |eth: &Eth| {
            let state = eth.backend.state(Some(block))?;
            let account = state.account(address)?.unwrap_or_default();
            Ok(v1::GetCodeResponse { code: state.code(account.code_hash)?.0 })
        };
        Ok(Response::new(self.run(Weight::Read, read).await?))
    }

    async fn call(&self, request: Request<v1::CallRequest>) -> Result<Response<v1::CallResponse>, Status> {
        let request = request.into_inner();
        let _room = self.rooms.room(request.data.len())?;
        let call = Call::read(request)?;
        let run = move |eth: &Eth| {
            let (state, header) = eth.backend.state_and_header(Some(call.block))?;
            outcome(eth.backend.executor.call(&header, state, &call.request, &Overrides::default())?)
        };
        Ok(Response::new(self.run(Weight::Call, run).await?))
    }

    async fn estimate_gas(
        &self,
        request: Request<v1::EstimateGasRequest>,
    ) -> Result<Response<v1::EstimateGasResponse>, Status> {
        let request = request.into_inner().call.unwrap_or_default();
        let _room = self.rooms.room(request.data.len())?;
        let call = Call::read(request)?;
        let run = move |eth: &Eth| {
            let (state, header) = eth.backend.state_and_header(Some(call.block))?;
            estimate(eth, &header, state, &call.request)
        };
        let result = Some(self.run(Weight::Call, run).await?);
        Ok(Response::new(v1::EstimateGasResponse { result }))
    }

    async fn get_proof(&self, request: Request<v1::GetProofRequest>) -> Result<Response<v1::Proof>, Status> {
        let v1::GetProofRequest { address, slots, block } = request.into_inner();
        let (address, block) = (fields::address(&address)?, fields::block(block)?);
        let slots = fields::slots(&slots, MAX_SLOTS)?;
        // Of an account alone it takes little; for its slots, all that it has are read.
        let weight = if slots.is_empty() { Weight::Call } else { Weight::Large };
        let limit = self.limits.call_timeout;
        let prove = move |eth: &Eth| {
            let height = eth.backend.resolve(Some(block))?;
            Ok(messages::proof(eth.backend.store.prove(height, address, &slots, limit)?))
        };
        Ok(Response::new(self.run(weight, prove).await?))
    }
}

/// A client's call as the executor takes it, and on which state.
struct Call {
    request: CallRequest,
    block: BlockId,
}

impl Call {
    fn read(asked: v1::CallRequest) -> Result<Self, RpcError> {
        let request = CallRequest {
            from: fields::optional_address(asked.from.as_ref())?.unwrap_or_default(),
            to: fields::optional_address(asked.to.as_ref())?,
            gas: asked.gas,
            value: fields::number(&asked.value)?,
            data: asked.data.into(),
            ..CallRequest::default()
        };
        Ok(Self { request, block: fields::block(asked.block)? })
    }
}

/// That a contract reverts is an answer, with data that are too large for a status.
fn outcome(outcome: CallOutcome) -> Result<v1::CallResponse, RpcError> {
    let gas_used = outcome.gas_used;
    let result = match outcome.status {
        CallStatus::Success => v1::call_response::Result::Output(outcome.output.0),
        CallStatus::Reverted => v1::call_response::Result::Revert(v1::Revert {
            message: revert_message(&outcome.output),
            data: outcome.output.0,
        }),
        CallStatus::Halted(reason) => return Err(RpcError::Refused(reason)),
    };
    Ok(v1::CallResponse { result: Some(result), gas_used })
}

fn estimate(
    eth: &Eth,
    header: &Header,
    state: StateView,
    request: &CallRequest,
) -> Result<v1::estimate_gas_response::Result, RpcError> {
    match eth.backend.executor.estimate(header, state, request, &Overrides::default()) {
        Ok(gas) => Ok(v1::estimate_gas_response::Result::Gas(gas)),
        Err(CallError::Reverted(data)) => Ok(v1::estimate_gas_response::Result::Revert(v1::Revert {
            message: revert_message(&data),
            data: data.0,
        })),
        Err(error) => Err(error.into()),
    }
}
