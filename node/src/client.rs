//! Asks a running node: JSON-RPC calls and its `/health`.

use std::time::Duration;

use http_body_util::{BodyExt as _, Empty, Limited};
use hyper::{Request, Uri, body::Bytes};
use hyper_util::rt::TokioIo;
use jsonrpsee::{
    core::{
        client::{ClientT as _, Error as RpcError},
        params::ArrayParams,
    },
    http_client::{HttpClient, HttpClientBuilder},
    rpc_params,
};
use serde_json::Value;
use tokio::net::TcpStream;

use crate::exit::{Exit, Failure};

/// Where a node listens when nobody says otherwise.
pub const DEFAULT_URL: &str = "http://127.0.0.1:20200";
/// The answers asked for here are a few hundred bytes from a node that is doing well; one that does
/// not answer within this is reported as such.
const TIMEOUT: Duration = Duration::from_secs(5);
/// The most bytes of a `/health` answer that are read.
const MAX_HEALTH_BYTES: usize = 64 << 10;

/// The error code of a call that reverts, as geth has it.
const REVERTED: i32 = 3;

/// A node's own judgement of its health.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Health {
    /// Whether it answered 200.
    pub ok: bool,
    /// `{status, height, lag, peers, quorum}`, and `reasons` when it is not well.
    pub body: Value,
}

impl Health {
    /// The height that the node reports.
    #[must_use]
    pub fn height(&self) -> Option<u64> {
        self.body.get("height").and_then(number)
    }

    /// Why it is not well, in its own words.
    #[must_use]
    pub fn reasons(&self) -> String {
        let reasons = self.body.get("reasons").and_then(Value::as_array);
        let words: Vec<_> = reasons.into_iter().flatten().map(text).collect();
        if words.is_empty() { "it gave no reason".to_owned() } else { words.join("; ") }
    }
}

/// One node, asked over its client port.
#[derive(Clone, Debug)]
pub struct Client {
    url: String,
    authority: String,
    rpc: HttpClient,
}

impl Client {
    /// A client of the node at `url`, which it does not contact yet.
    ///
    /// # Errors
    /// When the URL is not `http://HOST:PORT`.
    pub fn new(url: &str) -> Result<Self, Failure> {
        let wrong = |why: &str| {
            Failure::new(
                Exit::Usage,
                format!("`{url}` is no address of a node: {why}; write http://HOST:PORT"),
            )
        };
        let parsed: Uri = url.parse().map_err(|error| wrong(&format!("{error}")))?;
        if parsed.scheme_str() != Some("http") {
            return Err(wrong("only plain http is spoken here"));
        }
        let host = parsed.host().ok_or_else(|| wrong("no host"))?;
        let authority = format!("{host}:{}", parsed.port_u16().unwrap_or(80));
        let rpc = HttpClientBuilder::default().request_timeout(TIMEOUT).build(url);
        let rpc = rpc.map_err(|error| wrong(&error.to_string()))?;
        Ok(Self { url: url.to_owned(), authority, rpc })
    }

    /// Where the node is.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Calls a method without parameters.
    ///
    /// # Errors
    /// When the node does not answer, or answers with an error.
    pub async fn call(&self, method: &str) -> Result<Value, Failure> {
        self.call_with(method, rpc_params![]).await
    }

    /// Calls a method.
    ///
    /// # Errors
    /// When the node does not answer, or answers with an error.
    pub async fn call_with(&self, method: &str, params: ArrayParams) -> Result<Value, Failure> {
        self.rpc.request(method, params).await.map_err(|error| self.rpc_failure(method, &error))
    }

    /// The newest block's header fields, as `eth_getBlockByNumber` gives them.
    ///
    /// # Errors
    /// When the node does not answer, or answers with an error.
    pub async fn latest_block(&self) -> Result<Value, Failure> {
        let method = "eth_getBlockByNumber";
        let answer = self.rpc.request(method, rpc_params!["latest", false]).await;
        answer.map_err(|error| self.rpc_failure(method, &error))
    }

    /// The node's `/health`.
    ///
    /// # Errors
    /// When the node does not answer within five seconds. A node that answers that it is not well is
    /// no error here.
    pub async fn health(&self) -> Result<Health, Failure> {
        let answer = tokio::time::timeout(TIMEOUT, self.get("/health")).await;
        let unreachable = |why: String| self.unreachable(&why);
        match answer {
            Ok(Ok(health)) => Ok(health),
            Ok(Err(error)) => Err(unreachable(error.to_string())),
            Err(_) => Err(unreachable(format!("no answer within {} s", TIMEOUT.as_secs()))),
        }
    }

    async fn get(&self, path: &str) -> eyre::Result<Health> {
        let stream = TcpStream::connect(&self.authority).await?;
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
        let request = Request::get(path).header("host", &self.authority).body(Empty::<Bytes>::new())?;
        let exchange = async {
            let response = sender.send_request(request).await?;
            let ok = response.status().is_success();
            let body = Limited::new(response.into_body(), MAX_HEALTH_BYTES).collect().await;
            let bytes = body.map_err(|error| eyre::eyre!(error))?.to_bytes();
            let body = serde_json::from_slice(&bytes)
                .unwrap_or_else(|_| Value::String(String::from_utf8_lossy(&bytes).into_owned()));
            Ok(Health { ok, body })
        };
        let mut exchange = std::pin::pin!(exchange);
        tokio::select! {
            health = &mut exchange => health,
            // The connection may end with the last byte of the answer: what has come is still read.
            _ = connection => exchange.await,
        }
    }

    fn unreachable(&self, why: &str) -> Failure {
        Failure::new(
            Exit::Unreachable,
            format!(
                "no node answers at {}: {why}\n  start it, or name another with --rpc URL or NODE_RPC_URL",
                self.url
            ),
        )
    }

    fn rpc_failure(&self, method: &str, error: &RpcError) -> Failure {
        match error {
            RpcError::Call(object) => Failure::new(
                exit_of_answer(method, object.code()),
                format!("{} answered {method} with error {}: {}", self.url, object.code(), object.message()),
            ),
            other => self.unreachable(&innermost(other).to_string()),
        }
    }
}

/// What a node's refusal means: of a transaction, or of a question.
fn exit_of_answer(method: &str, code: i32) -> Exit {
    let transaction = ["eth_sendRawTransaction", "eth_estimateGas"].contains(&method);
    if transaction || code == REVERTED { Exit::Rejected } else { Exit::Other }
}

/// What lies behind an error: "connection refused" rather than "client error".
fn innermost(error: &dyn std::error::Error) -> &dyn std::error::Error {
    error.source().map_or(error, innermost)
}

/// A number in any of the forms that nodes use: JSON's own, or Ethereum's hex.
#[must_use]
pub fn number(value: &Value) -> Option<u64> {
    match value {
        Value::Number(number) => number.as_u64(),
        Value::String(text) => match text.strip_prefix("0x") {
            Some(hex) => u64::from_str_radix(hex, 16).ok(),
            None => text.parse().ok(),
        },
        _ => None,
    }
}

/// A value for people: strings without quotes, nothing as a dash.
#[must_use]
pub fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null => "-".to_owned(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::*;

    async fn answering(answer: &'static str) -> Client {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("bound"));
        tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.expect("a client");
            let mut request = vec![0; 1024];
            let read = stream.read(&mut request).await.expect("a request");
            assert!(request[..read].starts_with(b"GET /health HTTP/1.1\r\n"));
            stream.write_all(answer.as_bytes()).await.expect("written");
        });
        Client::new(&url).expect("a sound url")
    }

    #[tokio::test]
    async fn a_healthy_node_and_an_unwell_one_are_told_apart() {
        let ok = "HTTP/1.1 200 OK\r\ncontent-length: 24\r\n\r\n{\"status\":1,\"height\": 7}";
        let health = answering(ok).await.health().await.expect("an answer");
        assert!(health.ok);
        assert_eq!(health.height(), Some(7));

        let unwell = "HTTP/1.1 503 Service Unavailable\r\n\r\n{\"reasons\":[\"no quorum\",\"disk low\"]}";
        let health = answering(unwell).await.health().await.expect("an answer");
        assert!(!health.ok);
        assert_eq!(health.reasons(), "no quorum; disk low");
    }

    #[tokio::test]
    async fn nobody_there_is_unreachable() {
        let free = std::net::TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("bound");
        let client = Client::new(&format!("http://{free}")).expect("sound");
        assert_eq!(client.health().await.expect_err("nobody").exit, Exit::Unreachable);
        assert_eq!(client.call("eth_blockNumber").await.expect_err("nobody").exit, Exit::Unreachable);
    }

    #[test]
    fn what_is_no_url_of_a_node_is_a_usage_error() {
        for url in ["127.0.0.1:20200", "https://127.0.0.1:1", "http://", "ftp://a"] {
            assert_eq!(Client::new(url).expect_err(url).exit, Exit::Usage, "{url}");
        }
    }

    #[test]
    fn numbers_are_read_in_every_form() {
        let forms = [serde_json::json!(26), serde_json::json!("0x1a"), serde_json::json!("26")];
        assert!(forms.iter().all(|form| number(form) == Some(26)));
        assert_eq!(number(&Value::Null), None);
    }
}
