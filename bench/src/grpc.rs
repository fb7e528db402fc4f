//! `quorate.v1`: batches in a stream.

use bytes::Bytes;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Streaming, transport::Endpoint};

use crate::{BenchError, connection::Outcome};
use v1::{
    SubmitRequest, SubmitResponse, submit_response::Outcome as Told,
    transaction_service_client::TransactionServiceClient,
};

/// What tonic generates from the `.proto` files.
#[allow(clippy::all, clippy::pedantic, clippy::nursery, dead_code, reason = "generated")]
mod v1 {
    tonic::include_proto!("quorate.v1");
}

pub(crate) struct Stream {
    url: String,
    batches: mpsc::Sender<SubmitRequest>,
    outcomes: Streaming<SubmitResponse>,
}

impl Stream {
    pub(crate) async fn open(url: &str) -> Result<Self, BenchError> {
        let wrong = |error: tonic::transport::Error| BenchError::node(url, error);
        let channel = Endpoint::from_shared(url.to_owned()).map_err(wrong)?.connect().await.map_err(wrong)?;
        let mut client = TransactionServiceClient::new(channel);
        let (batches, receiver) = mpsc::channel(1);
        let answered = client.submit(ReceiverStream::new(receiver)).await;
        let outcomes = answered.map_err(|status| BenchError::node(url, status))?.into_inner();
        Ok(Self { url: url.to_owned(), batches, outcomes })
    }

    pub(crate) async fn submit(&mut self, transactions: &[Bytes]) -> Result<Vec<Outcome>, BenchError> {
        let ended = || BenchError::node(&self.url, "the stream ended");
        let request = SubmitRequest { transactions: transactions.to_vec() };
        self.batches.send(request).await.map_err(|_| ended())?;
        let mut outcomes = Vec::with_capacity(transactions.len());
        for _ in transactions {
            let told = self.outcomes.message().await;
            let told = told.map_err(|status| BenchError::node(&self.url, status))?;
            outcomes.push(match told.and_then(|it| it.outcome).ok_or_else(ended)? {
                Told::Refused(reason) => Err(reason),
                Told::Hash(_) | Told::Receipt(_) => Ok(()),
            });
        }
        Ok(outcomes)
    }
}
