//! What JSON-RPC costs: answers a second to small requests. The node is compared with jsonrpsee alone, which has one method that gives
//! a constant, and with anvil where that is installed (`npm install @foundry-rs/anvil`; `ANVIL` is its path, else PATH is searched).
//! Who is compared takes turns, so that what else the machine does weighs on all alike.
//!
//! `cargo bench --workspace --bench rpc`, or `make bench-rpc`.

use std::{
    net::{Ipv4Addr, SocketAddr},
    process::Command,
    time::{Duration, Instant},
};

use http_body_util::{BodyExt as _, Full};
use hyper::{Request, body::Bytes, client::conn::http1, header};
use hyper_util::rt::TokioIo;
use jsonrpsee::{RpcModule, http_client::HttpClient, server::Server};
use quorate_tests::{
    cluster::{Cluster, node_binary},
    peer::{Peer, development_chain, median},
    wallet::{Wallet, ask as call, counter_code, receipt, send},
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
/// The networks' chain id as the method gives it.
const ANSWER: &str = "0x4ee8";
/// How long the chains are whose logs are searched: as many blocks as one search may span.
const SEARCHED: u64 = 10_000;
/// In such a chain each block with this number of blocks before it has a log.
const APART: u64 = 10;
/// And each with this number has one of another contract.
const FAR_APART: u64 = 1000;

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

    let Some(peer) = Peer::anvil(&[]).await else { return println!("skipped: anvil is not installed") };
    let (ours, theirs) = (counter(&cluster.client(0)).await, counter(&peer.client()).await);
    let whose = || json!([Wallet::development(1).address(), "latest"]);
    for (method, here, there) in
        [("eth_getBalance", whose(), whose()), ("eth_call", read(ours), read(theirs))]
    {
        compare("anvil", &request(method, here), node, &request(method, there), peer.address).await;
    }
    drop(cluster);
    // The same server and store, where blocks can be made at will.
    let node = Peer::start(|address| development_chain(Command::new(node_binary()), &["dev"], address)).await;
    compare_searches(&node.expect("it is built"), &peer).await;
}

/// Searches for many logs, and for few.
async fn compare_searches(node: &Peer, anvil: &Peer) {
    let (ours, theirs) = (chain_of_logs(&node.client()).await, chain_of_logs(&anvil.client()).await);
    for (contract, expected) in [(0, SEARCHED / APART), (1, SEARCHED / FAR_APART)] {
        let search = |chain: &Searched| {
            let to = format!("{:#x}", chain.from + SEARCHED - 1);
            json!([{ "address": chain.contracts[contract], "fromBlock": format!("{:#x}", chain.from), "toBlock": to }])
        };
        for (peer, chain) in [(node, &ours), (anvil, &theirs)] {
            let found = call(&peer.client(), "eth_getLogs", search(chain)).await.expect("logs");
            assert_eq!(found.as_array().map(Vec::len), usize::try_from(expected).ok());
        }
        print!("{expected} logs in {SEARCHED} blocks: ");
        let [here, there] = [&ours, &theirs].map(|chain| request("eth_getLogs", search(chain)));
        compare("anvil", &here, node.address, &there, anvil.address).await;
    }
}

/// Where the searched blocks begin, and whose logs are in them.
struct Searched {
    from: u64,
    contracts: [Address; 2],
}

/// Two contracts, and then `SEARCHED` blocks with logs of the first here and there, and of the second seldom.
async fn chain_of_logs(client: &HttpClient) -> Searched {
    let number = async |method, params| {
        let number = call(client, method, params).await.expect("a number");
        u64::from_str_radix(number.as_str().expect("hex").trim_start_matches("0x"), 16).expect("hex")
    };
    let mut wallet = Wallet::development(0);
    wallet.resume(number("eth_getTransactionCount", json!([wallet.address(), "latest"])).await);
    let mut contracts = [Address::ZERO; 2];
    for contract in &mut contracts {
        let deployed = receipt(client, send(client, &wallet.deploy(counter_code())).await).await;
        *contract = serde_json::from_value(deployed["contractAddress"].clone()).expect("it was deployed");
    }
    let from = number("eth_blockNumber", json!([])).await + 1;
    for block in (0..SEARCHED).step_by(usize::try_from(APART).expect("small")) {
        // Both are at once in a block of their own there.
        let mut made = 1;
        receipt(client, send(client, &wallet.call(contracts[0], [].into())).await).await;
        if block % FAR_APART == 0 {
            receipt(client, send(client, &wallet.call(contracts[1], [].into())).await).await;
            made += 1;
        }
        call(client, "evm_mine", json!([{ "timestamp": null, "blocks": APART - made }]))
            .await
            .expect("blocks");
    }
    assert_eq!(number("eth_blockNumber", json!([])).await, from + SEARCHED - 1);
    Searched { from, contracts }
}

/// One method on jsonrpsee as it comes, until the process is ended.
async fn serve_alone(address: &str) {
    let mut module = RpcModule::new(());
    module.register_method("eth_chainId", |_, (), _| ANSWER).expect("one name");
    let server = Server::builder().build(address).await.expect("a free port");
    server.start(module).stopped().await;
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
