//! What the nodes' processes used, as they tell Prometheus.

use bytes::Bytes;
use http_body_util::{BodyExt as _, Empty};
use hyper::{Request, Uri, client::conn::http1, header};
use hyper_util::rt::TokioIo;
use prometheus_parse::{Scrape, Value};
use tokio::net::TcpStream;

use crate::{BenchError, NodeFigures};

/// One look at a process.
pub(crate) struct Figures {
    url: String,
    cpu_seconds: f64,
    resident_bytes: f64,
    data_bytes: f64,
}

pub(crate) async fn read(urls: &[String]) -> Result<Vec<Figures>, BenchError> {
    let mut all = Vec::with_capacity(urls.len());
    for url in urls {
        let text = get(url).await?;
        let lines = text.lines().map(|line| Ok(line.to_owned()));
        let scrape = Scrape::parse(lines).map_err(|error| BenchError::node(url, error))?;
        let value = |name: &str| {
            let sample = scrape.samples.iter().find(|sample| sample.metric == name);
            match sample.map(|sample| &sample.value) {
                Some(Value::Counter(value) | Value::Gauge(value) | Value::Untyped(value)) => Ok(*value),
                _ => Err(BenchError::node(url, format!("it has no {name}"))),
            }
        };
        all.push(Figures {
            url: url.clone(),
            cpu_seconds: value("process_cpu_seconds_total")?,
            resident_bytes: value("process_resident_memory_bytes")?,
            data_bytes: value("quorate_data_bytes")?,
        });
    }
    Ok(all)
}

/// The difference of two looks, for each of so many transactions.
pub(crate) fn used(before: &[Figures], after: &[Figures], transactions: usize) -> Vec<NodeFigures> {
    let each = |value: f64| if transactions == 0 { 0.0 } else { value / transactions as f64 };
    let one = |(before, after): (&Figures, &Figures)| NodeFigures {
        url: after.url.clone(),
        cpu_us_per_transaction: each((after.cpu_seconds - before.cpu_seconds) * 1e6),
        resident_bytes: after.resident_bytes,
        data_bytes_per_transaction: each(after.data_bytes - before.data_bytes),
    };
    before.iter().zip(after).map(one).collect()
}

async fn get(url: &str) -> Result<String, BenchError> {
    let wrong = |what: &dyn std::fmt::Display| BenchError::node(url, what);
    let address: Uri = url.parse().map_err(|error| wrong(&error))?;
    let host = address.authority().ok_or_else(|| wrong(&"it has no host"))?.to_string();
    let stream = TcpStream::connect(&host).await.map_err(|error| wrong(&error))?;
    let (mut sender, connection) =
        http1::handshake(TokioIo::new(stream)).await.map_err(|error| wrong(&error))?;
    tokio::spawn(connection);
    let request = Request::get(address.path()).header(header::HOST, host).body(Empty::<Bytes>::new());
    let response = sender.send_request(request.map_err(|error| wrong(&error))?).await;
    let body = response.map_err(|error| wrong(&error))?.into_body().collect().await;
    String::from_utf8(body.map_err(|error| wrong(&error))?.to_bytes().into()).map_err(|error| wrong(&error))
}
