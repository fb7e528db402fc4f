//! One client's connection to a node, by any of the ways in.

use bytes::Bytes;
use jsonrpsee::{
    core::client::{ClientT as _, Error},
    rpc_params,
    ws_client::{WsClient, WsClientBuilder},
};
use quorate_types::{B256, hex};

use crate::{BenchError, grpc::Stream, http::HttpConnection};

/// How transactions are sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    /// JSON-RPC over HTTP, a transaction a request.
    Http,
    /// JSON-RPC over HTTP, in batches.
    HttpBatch,
    /// JSON-RPC over a WebSocket, a transaction a request.
    WebSocket,
    /// `quorate.v1`, batches in one stream.
    Grpc,
}

impl Transport {
    /// The most transactions of one request, where the plan allows `batch`.
    pub(crate) const fn most(self, batch: usize) -> usize {
        match self {
            Self::Http | Self::WebSocket => 1,
            Self::HttpBatch | Self::Grpc => batch,
        }
    }
}

/// Why a node did not take a transaction, in its words.
pub(crate) type Outcome = Result<(), String>;

pub(crate) enum Connection {
    Http(HttpConnection),
    WebSocket(String, WsClient),
    Grpc(Stream),
}

impl Connection {
    pub(crate) async fn open(transport: Transport, url: &str) -> Result<Self, BenchError> {
        Ok(match transport {
            Transport::Http | Transport::HttpBatch => Self::Http(HttpConnection::open(url).await?),
            Transport::WebSocket => Self::WebSocket(url.to_owned(), websocket(url).await?),
            Transport::Grpc => Self::Grpc(Stream::open(url).await?),
        })
    }

    /// Sends transactions, and waits until each is taken or refused.
    pub(crate) async fn submit(&mut self, transactions: &[Bytes]) -> Result<Vec<Outcome>, BenchError> {
        match self {
            Self::Http(connection) => connection.submit(transactions).await,
            Self::Grpc(stream) => stream.submit(transactions).await,
            Self::WebSocket(url, client) => {
                let mut outcomes = Vec::with_capacity(transactions.len());
                for raw in transactions {
                    let params = rpc_params![hex::encode_prefixed(raw)];
                    outcomes.push(match client.request::<B256, _>("eth_sendRawTransaction", params).await {
                        Ok(_) => Ok(()),
                        Err(Error::Call(refused)) => Err(refused.message().to_owned()),
                        Err(error) => return Err(BenchError::node(url, error)),
                    });
                }
                Ok(outcomes)
            }
        }
    }
}

/// A WebSocket on the port of an HTTP address.
pub(crate) async fn websocket(url: &str) -> Result<WsClient, BenchError> {
    let address = url.replacen("http", "ws", 1);
    WsClientBuilder::default().build(&address).await.map_err(|error| BenchError::node(&address, error))
}
