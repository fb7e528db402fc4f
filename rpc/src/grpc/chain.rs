//! `ChainService`.

use std::sync::Arc;

use alloy_eips::BlockId;
use quorate_storage::LogFilter;
use quorate_types::Height;
use tonic::{Request, Response, Status, async_trait};

use super::{
    Api, fields, messages,
    stream::{Answers, Sink, answers},
    v1::{self, chain_service_server::ChainService},
};
use crate::{
    convert,
    criteria::{check_size, to_filter},
    error::RpcError,
    eth::Eth,
    feed::logs_from,
    turns::Weight,
};

const NO_BLOCK: RpcError = RpcError::NotFound("no such block");
const NO_TRANSACTION: RpcError = RpcError::NotFound("no transaction has this hash");

#[async_trait]
impl ChainService for Api {
    type GetLogsStream = Answers<v1::Log>;

    async fn get_header(
        &self,
        request: Request<v1::GetHeaderRequest>,
    ) -> Result<Response<v1::Header>, Status> {
        let block = fields::block(request.into_inner().block)?;
        let read = move |eth: &Eth| {
            let height = eth.backend.resolve(Some(block))?;
            let found = eth.backend.store.header(height)?.zip(eth.backend.store.hash_of(height)?);
            let (header, hash) = found.ok_or(NO_BLOCK)?;
            Ok(messages::header(&header, hash))
        };
        Ok(Response::new(self.run(Weight::Read, read).await?))
    }

    async fn get_block(&self, request: Request<v1::GetBlockRequest>) -> Result<Response<v1::Block>, Status> {
        let v1::GetBlockRequest { block, full } = request.into_inner();
        let block = fields::block(block)?;
        let read = move |eth: &Eth| {
            let block = eth.find_block(block)?.ok_or(NO_BLOCK)?;
            messages::block(&block, full, eth.backend.chain.chain_id)
        };
        Ok(Response::new(self.run(Weight::Read, read).await?))
    }

    async fn get_transaction(
        &self,
        request: Request<v1::GetTransactionRequest>,
    ) -> Result<Response<v1::Transaction>, Status> {
        let hash = fields::hash(&request.into_inner().hash)?;
        let read = move |eth: &Eth| match eth.located(hash)? {
            Some((block, index)) => messages::transaction(&block, index, eth.backend.chain.chain_id),
            None => {
                let waiting = eth.backend.pool.lock().get(hash).cloned();
                Ok(messages::pending(&waiting.ok_or(NO_TRANSACTION)?))
            }
        };
        Ok(Response::new(self.run(Weight::Read, read).await?))
    }

    async fn get_receipt(
        &self,
        request: Request<v1::GetReceiptRequest>,
    ) -> Result<Response<v1::Receipt>, Status> {
        let hash = fields::hash(&request.into_inner().transaction_hash)?;
        let read = move |eth: &Eth| {
            let missing = RpcError::NotFound("no block has a transaction with this hash");
            let (block, index) = eth.located(hash)?.ok_or(missing)?;
            convert::receipt(&block, index, eth.backend.chain.chain_id).map(messages::receipt)
        };
        Ok(Response::new(self.run(Weight::Read, read).await?))
    }

    async fn get_block_receipts(
        &self,
        request: Request<v1::GetBlockReceiptsRequest>,
    ) -> Result<Response<v1::GetBlockReceiptsResponse>, Status> {
        let block = fields::block(request.into_inner().block)?;
        let read = move |eth: &Eth| {
            let block = eth.find_block(block)?.ok_or(NO_BLOCK)?;
            let receipts = convert::receipts(&block, eth.backend.chain.chain_id)?;
            let receipts = receipts.into_iter().map(messages::receipt).collect();
            Ok(v1::GetBlockReceiptsResponse { receipts })
        };
        Ok(Response::new(self.run(Weight::Read, read).await?))
    }

    async fn get_logs(
        &self,
        request: Request<v1::GetLogsRequest>,
    ) -> Result<Response<Self::GetLogsStream>, Status> {
        let v1::GetLogsRequest { filter, from_height, to_height } = request.into_inner();
        let asked = fields::filter(filter)?;
        check_size(&asked.filter)?;
        let head = self.backend.store.head().height;
        let (from, to) = (from_height.map_or(head, Height), to_height.map_or(head, Height));
        if from_height.is_some() && to_height.is_some() && from > to {
            return Err(
                RpcError::InvalidParams(format!("the range ends before it begins: {from} to {to}")).into()
            );
        }
        if to > head {
            return Err(RpcError::AboveHead { height: to, head }.into());
        }
        let room = self.criteria.room_for(&asked)?;
        let search = Search { api: self.clone(), filter: Arc::new(to_filter(&asked, from, to)) };
        Ok(Response::new(answers(self.place()?, async move |sink| {
            let _room = room;
            search.push_to(&sink).await
        })))
    }

    async fn get_certificate(
        &self,
        request: Request<v1::GetCertificateRequest>,
    ) -> Result<Response<v1::Certificate>, Status> {
        let block = fields::block(request.into_inner().block)?;
        Ok(Response::new(self.run(Weight::Read, move |eth| certificate(eth, block)).await?))
    }

    async fn get_validators(
        &self,
        request: Request<v1::GetValidatorsRequest>,
    ) -> Result<Response<v1::ValidatorSet>, Status> {
        let block = fields::block(request.into_inner().block)?;
        let read = move |eth: &Eth| {
            let height = eth.backend.resolve(Some(block))?;
            let set = eth.backend.store.view_at(height)?.validators()?;
            Ok(messages::validators(&set, height.next().0))
        };
        Ok(Response::new(self.run(Weight::Read, read).await?))
    }
}

fn certificate(eth: &Eth, block: BlockId) -> Result<v1::Certificate, RpcError> {
    let height = eth.backend.resolve(Some(block))?;
    let trusted = RpcError::NotFound("the block 0 has no certificate: who has the genesis file trusts it");
    let parent = height.previous().ok_or(trusted)?;
    let certificate = eth.backend.store.certificate(height)?;
    let certificate = certificate.ok_or(RpcError::NotFound("this node has no certificate of the block"))?;
    let set = eth.backend.store.view_at(parent)?.validators()?;
    messages::certificate(&certificate, &set)
}

/// A search for logs, page by page: each waits for its turn, and for the client to have read the last.
struct Search {
    api: Api,
    filter: Arc<LogFilter>,
}

impl Search {
    async fn push_to(&self, sink: &Sink<v1::Log>) -> Result<(), Status> {
        let (mut next, last, limits) = (self.filter.from, self.filter.to, self.api.limits);
        while next <= last {
            let filter = self.filter.clone();
            let read = move |eth: &Eth| logs_from(&eth.backend.store, &filter, next, last, limits);
            let (found, after) = self.api.run(Weight::Call, read).await?;
            for log in found {
                sink.push(messages::log(convert::found_log(log))).await?;
            }
            next = after;
        }
        Ok(())
    }
}
