//! `TransactionService`.

use std::time::Duration;

use quorate_types::{B256, keccak256};
use tonic::{Request, Response, Status, Streaming, async_trait};

use super::{
    Api, messages,
    messages::octets,
    status::late,
    stream::Answers,
    submit,
    v1::{self, transaction_service_server::TransactionService},
};
use crate::{convert, error::RpcError, turns::Weight};

/// How long a receipt is waited for.
pub(super) const MAX_WAIT: Duration = Duration::from_secs(60);

#[async_trait]
impl TransactionService for Api {
    type SubmitStream = Answers<v1::SubmitResponse>;
    type SubmitAndWaitStream = Answers<v1::SubmitResponse>;

    async fn send(&self, request: Request<v1::SendRequest>) -> Result<Response<v1::SendResponse>, Status> {
        let raw = request.into_inner().transaction;
        let _room = self.rooms.room(raw.len())?;
        Ok(Response::new(v1::SendResponse { hash: octets(self.backend.submit(raw.into()).await?) }))
    }

    async fn send_and_wait(
        &self,
        request: Request<v1::SendAndWaitRequest>,
    ) -> Result<Response<v1::Receipt>, Status> {
        let raw = request.into_inner().transaction;
        let room = self.rooms.room(raw.len())?;
        let hash = keccak256(&raw);
        if let Err(refused) = self.backend.submit(raw.into()).await
            && !self.knows(hash).await?
        {
            return Err(refused.into());
        }
        drop(room);
        let receipt = tokio::time::timeout(MAX_WAIT, self.included(hash)).await;
        let waits =
            |_| late(format!("{hash} is in the pool, and in no block after {} s", MAX_WAIT.as_secs()));
        Ok(Response::new(receipt.map_err(waits)??))
    }

    async fn submit(
        &self,
        request: Request<Streaming<v1::SubmitRequest>>,
    ) -> Result<Response<Self::SubmitStream>, Status> {
        Ok(Response::new(submit::admissions(self, request.into_inner())?))
    }

    async fn submit_and_wait(
        &self,
        request: Request<Streaming<v1::SubmitRequest>>,
    ) -> Result<Response<Self::SubmitAndWaitStream>, Status> {
        Ok(Response::new(submit::receipts(self, request.into_inner())?))
    }
}

impl Api {
    /// Whether a transaction waits here or is in a block.
    async fn knows(&self, hash: B256) -> Result<bool, RpcError> {
        let known = self.run(Weight::Read, move |eth| Ok(eth.raw_transaction(hash)?.is_some()));
        known.await
    }

    /// The receipt of a transaction as soon as a block has it.
    async fn included(&self, hash: B256) -> Result<v1::Receipt, RpcError> {
        let mut head = self.backend.head.clone();
        loop {
            // What is decided while this looks makes it look again.
            head.borrow_and_update();
            let eth = self.eth.clone();
            let find = move || {
                let Some((block, index)) = eth.located(hash)? else { return Ok(None) };
                convert::receipt(&block, index, eth.backend.chain.chain_id).map(Some)
            };
            if let Some(receipt) = self.turns.run_patiently(Weight::Read, find).await? {
                return Ok(messages::receipt(receipt));
            }
            head.changed().await.map_err(|_| RpcError::Stopping)?;
        }
    }
}
