//! JSON-RPC over one HTTP connection, with as little of the machine as it takes: the load stands beside what it measures.

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::{
    Request, Uri,
    client::conn::http1::{self, SendRequest},
    header,
};
use hyper_util::rt::TokioIo;
use quorate_types::hex;
use serde::{Deserialize, de::IgnoredAny};
use serde_json::json;
use tokio::net::TcpStream;

use crate::{BenchError, connection::Outcome};

pub(crate) struct HttpConnection {
    url: String,
    host: String,
    sender: SendRequest<Full<Bytes>>,
}

#[derive(Deserialize)]
struct Answer {
    #[serde(default)]
    id: usize,
    #[serde(rename = "result")]
    _result: Option<IgnoredAny>,
    error: Option<Refusal>,
}

#[derive(Deserialize)]
struct Refusal {
    message: String,
}

impl HttpConnection {
    pub(crate) async fn open(url: &str) -> Result<Self, BenchError> {
        let wrong = |what: &dyn std::fmt::Display| BenchError::node(url, what);
        let address: Uri = url.parse().map_err(|error| wrong(&error))?;
        let host = address.authority().ok_or_else(|| wrong(&"it has no host"))?.to_string();
        let stream = TcpStream::connect(&host).await.map_err(|error| wrong(&error))?;
        stream.set_nodelay(true).map_err(|error| wrong(&error))?;
        let (sender, connection) =
            http1::handshake(TokioIo::new(stream)).await.map_err(|error| wrong(&error))?;
        // It ends with its sender; what breaks it shows in the next request.
        tokio::spawn(connection);
        Ok(Self { url: url.to_owned(), host, sender })
    }

    /// Sends one transaction alone, and several in a batch.
    pub(crate) async fn submit(&mut self, transactions: &[Bytes]) -> Result<Vec<Outcome>, BenchError> {
        let call = |(id, raw): (usize, &Bytes)| {
            let raw = hex::encode_prefixed(raw);
            json!({ "jsonrpc": "2.0", "id": id, "method": "eth_sendRawTransaction", "params": [raw] })
        };
        let calls: Vec<_> = transactions.iter().enumerate().map(call).collect();
        let body = if let [one] = &*calls { one.to_string() } else { json!(calls).to_string() };
        let answer = self.post(body.into()).await?;
        let read = if answer.first() == Some(&b'{') {
            serde_json::from_slice(&answer).map(|one| vec![one])
        } else {
            serde_json::from_slice::<Vec<Answer>>(&answer)
        };
        let answers = read.map_err(|error| BenchError::node(&self.url, error))?;
        // A refusal of the whole batch stands alone.
        let mut outcomes = vec![Err("no answer".to_owned()); transactions.len()];
        for Answer { id, error, .. } in answers {
            let outcome = error.map_or(Ok(()), |error| Err(error.message));
            outcomes.get_mut(id).into_iter().for_each(|it| it.clone_from(&outcome));
        }
        Ok(outcomes)
    }

    async fn post(&mut self, body: Bytes) -> Result<Bytes, BenchError> {
        let broken = |error: hyper::Error| BenchError::node(&self.url, error);
        self.sender.ready().await.map_err(broken)?;
        let request = Request::post("/")
            .header(header::HOST, &self.host)
            .header(header::CONTENT_TYPE, "application/json")
            .body(Full::new(body))
            .map_err(|error| BenchError::node(&self.url, error))?;
        let response = self.sender.send_request(request).await.map_err(broken)?;
        if !response.status().is_success() {
            return Err(BenchError::node(&self.url, response.status()));
        }
        Ok(response.into_body().collect().await.map_err(broken)?.to_bytes())
    }
}
