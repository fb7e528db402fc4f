//! What JSON-RPC costs: answers a second to small requests. The node is compared with jsonrpsee alone, which has one method that gives
//! a constant, and with anvil where that is installed (`npm install @foundry-rs/anvil`; `ANVIL` is its path, else PATH is searched).
//! Who is compared takes turns, so that what else the machine does weighs on all alike.
//!
//! `cargo bench --workspace --bench rpc`, or `make bench-rpc`.

use std::{
    net::{Ipv4Addr, SocketAddr, TcpListener},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use http_body_util::{BodyExt as _, Full};
use hyper::{Request, body::Bytes, client::conn::http1, header};
use hyper_util::rt::TokioIo;
use jsonrpsee::{
    RpcModule,
    core::client::ClientT as _,
    http_client::{HttpClient, HttpClientBuilder},
    rpc_params,
    server::Server,
};
use quorate_tests::{
    cluster::Cluster,
    wallet::{Wallet, counter_code, receipt, send},
};
use quorate_types::Address;
use serde_json::{Value, json};
use tokio::{net::TcpStream, task::JoinSet};

/// Clients, each with a connection and one request under way.
const CLIENTS: usize = 32;
const ROUND: Duration = Duration::from_secs(2);
const ROUNDS: usize = 5;
/// Tells a process of this program where to serve jsonrpsee alone.
const ALONE: &str = "QUORATE_BENCH_JSONRPSEE";
/// The networks' chain id, so that what is signed for one fits the other.
const CHAIN_ID: &str = "20200";
/// `CHAIN_ID` as the method gives it.
const ANSWER: &str = "0x4ee8";

#[tokio::main]
async fn main() {
    if let Ok(address) = std::env::var(ALONE) {
        return serve_alone(&address).await;
    }
    let cluster = Cluster::start(4);
    let node = SocketAddr::from((Ipv4Addr::LOCALHOST, cluster.rpc_port(0)));
    println!("rpc    answers/s, medians of {ROUNDS} rounds; {CLIENTS} clients");
    let this = std::env::current_exe().expect("a program has a path");
    let alone = Peer::start(|address| {
        let mut command = Command::new(this);
        command.env(ALONE, address.to_string());
        command
    })
    .await
    .expect("jsonrpsee serves");
    compare(
        "jsonrpsee alone",
        &request("eth_chainId", json!([])),
        node,
        &request("eth_chainId", json!([])),
        alone.address,
    )
    .await;
    drop(alone);

    let anvil = std::env::var("ANVIL").unwrap_or_else(|_| "anvil".to_owned());
    let peer = Peer::start(|address| {
        let mut command = Command::new(anvil);
        command.args(["--silent", "--chain-id", CHAIN_ID, "--port", &address.port().to_string()]);
        command
    })
    .await;
    let Some(peer) = peer else { return println!("skipped: anvil is not installed") };
    let (ours, theirs) = (counter(&cluster.client(0)).await, counter(&peer.client()).await);
    let whose = || json!([Wallet::development(1).address(), "latest"]);
    for (method, here, there) in
        [("eth_getBalance", whose(), whose()), ("eth_call", read(ours), read(theirs))]
    {
        compare("anvil", &request(method, here), node, &request(method, there), peer.address).await;
    }
}

/// One method on jsonrpsee as it comes, until the process is ended.
async fn serve_alone(address: &str) {
    let mut module = RpcModule::new(());
    module.register_method("eth_chainId", |_, (), _| ANSWER).expect("one name");
    let server = Server::builder().build(address).await.expect("a free port");
    server.start(module).stopped().await;
}

/// Another server, a process that ends with this.
struct Peer {
    child: Child,
    address: SocketAddr,
}

impl Peer {
    /// Starts it at a free address, and waits until it answers. `None` when there is no such program.
    async fn start(command: impl FnOnce(SocketAddr) -> Command) -> Option<Self> {
        let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
        let address = free.local_addr().expect("it is bound");
        drop(free);
        let child = command(address).stdout(Stdio::null()).spawn().ok()?;
        let peer = Self { child, address };
        while peer.client().request::<Value, _>("eth_chainId", rpc_params![]).await.is_err() {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        Some(peer)
    }

    fn client(&self) -> HttpClient {
        HttpClientBuilder::default().build(format!("http://{}", self.address)).expect("a client")
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Where a contract of the same code stands on a chain.
async fn counter(client: &HttpClient) -> Address {
    let hash = send(client, &Wallet::development(0).deploy(counter_code())).await;
    let deployed = receipt(client, hash).await;
    serde_json::from_value(deployed["contractAddress"].clone()).expect("it was deployed")
}

/// The parameters of a call that reads the contract's count.
fn read(contract: Address) -> Value {
    json!([{ "to": contract, "data": "0x" }, "latest"])
}

fn request(method: &str, params: Value) -> Bytes {
    json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params }).to_string().into()
}

/// Prints how many answers a second `node` and `peer` give, and their ratio.
async fn compare(name: &str, here: &Bytes, node: SocketAddr, there: &Bytes, peer: SocketAddr) {
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        ours.push(rate(node, here).await);
        theirs.push(rate(peer, there).await);
    }
    let (ours, theirs) = (median(ours), median(theirs));
    let method: Value = serde_json::from_slice(here).expect("a request");
    let method = method["method"].as_str().expect("it has a method");
    println!("{method}   node {ours:8.0}   {name} {theirs:8.0}   ratio {:.2}", ours / theirs);
}

fn median(mut rates: Vec<f64>) -> f64 {
    rates.sort_by(f64::total_cmp);
    rates[rates.len() / 2]
}

/// Answers a second of the server at `address`.
async fn rate(address: SocketAddr, request: &Bytes) -> f64 {
    let started = Instant::now();
    let mut clients = JoinSet::new();
    for _ in 0..CLIENTS {
        clients.spawn(ask(address, request.clone(), started + ROUND));
    }
    let answers: u64 = clients.join_all().await.into_iter().sum();
    answers as f64 / started.elapsed().as_secs_f64()
}

/// One client: asks again as soon as it has an answer, until `end`.
async fn ask(address: SocketAddr, body: Bytes, end: Instant) -> u64 {
    let stream = TcpStream::connect(address).await.expect("it listens");
    stream.set_nodelay(true).expect("it is a socket");
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.expect("HTTP/1.1");
    tokio::spawn(connection);
    let mut answers = 0;
    while Instant::now() < end {
        let request = Request::post("/")
            .header(header::HOST, "localhost")
            .header(header::CONTENT_TYPE, "application/json")
            .body(Full::new(body.clone()))
            .expect("a request");
        let response = sender.send_request(request).await.expect("an answer");
        let answer = response.into_body().collect().await.expect("all of it").to_bytes();
        if answers == 0 {
            let answer: Value = serde_json::from_slice(&answer).expect("JSON");
            assert!(!answer["result"].is_null(), "it fails: {answer}");
        }
        answers += 1;
    }
    answers
}
