//! Clients that mean harm: each is told what is wrong, or cut off, and the chain goes on.

use std::{
    io::{Read as _, Write as _},
    net::TcpStream,
    time::Duration,
};

use jsonrpsee::{core::client::ClientT as _, rpc_params, ws_client::WsClientBuilder};
use quorate_tests::{
    cluster::Cluster,
    wallet::{Wallet, receipt, send},
};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use serde_json::{Value, json};

use crate::bad_input::{post, shout};

const IDLE: usize = 1000;
const SLOW: usize = 50;
/// What many systems give a process that does not ask for more.
const USUAL_OPEN_FILES: u64 = 1024;

fn answer(port: u16, body: &str) -> Value {
    let answer = post(port, body);
    let (_, json) = answer.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no body in {answer:?}"));
    serde_json::from_str(json).unwrap_or(Value::Null)
}

async fn goes_on(cluster: &Cluster, alice: &mut Wallet) {
    let hash = send(&cluster.client(0), &alice.transfer(Wallet::fresh(31).address(), 1)).await;
    receipt(&cluster.client(0), hash).await;
}

/// Given requests that break JSON-RPC's rules, then each gets the specification's error, and ids come back as they were sent.
#[tokio::test(flavor = "multi_thread")]
async fn broken_requests_get_the_specifications_errors() {
    let cluster = Cluster::start(4);
    let port = cluster.rpc_port(0);
    let code = |body: &str| answer(port, body)["error"]["code"].clone();

    assert_eq!(code(&"[".repeat(100_000)), json!(-32700), "deep");
    let nested = answer(port, &format!("{}1{}", "[".repeat(100_000), "]".repeat(100_000)));
    assert_eq!(nested[0]["error"]["code"], json!(-32600), "a batch whose only call is a list");
    let deep = format!(
        r#"{{"jsonrpc":"2.0","id":1,"method":"eth_call","params":[{}1{}]}}"#,
        "[".repeat(10_000),
        "]".repeat(10_000)
    );
    assert!([json!(-32602), json!(-32700)].contains(&code(&deep)), "deep parameters: {}", code(&deep));
    assert_eq!(code("[]"), json!(-32600), "an empty batch");
    assert_eq!(code(r#"{"jsonrpc":"2.0","id":1}"#), json!(-32600), "no method");
    assert_eq!(code(r#"{"jsonrpc":"1.0","id":1,"method":"eth_chainId"}"#), json!(-32600), "another version");

    let call = r#"{"jsonrpc":"2.0","id":1,"method":"eth_chainId"}"#;
    let bomb = format!("[{}]", vec![call; 1001].join(","));
    assert!(answer(port, &bomb)["error"]["code"].is_i64(), "more than a batch may hold");
    let whole = format!("[{}]", vec![call; 1000].join(","));
    assert_eq!(answer(port, &whole).as_array().map(Vec::len), Some(1000), "as much as it may hold");
    let mixed = answer(port, &format!(r#"[{call},1,{{"jsonrpc":"2.0","method":"eth_chainId"}},{{"id":2}}]"#));
    let codes: Vec<_> =
        mixed.as_array().expect("a batch").iter().map(|it| it["error"]["code"].clone()).collect();
    assert_eq!(codes, [Value::Null, json!(-32600), json!(-32600)], "notifications have no answer");

    for id in [json!(7), json!("7"), Value::Null, json!(u64::MAX), json!("a \"quoted\" one")] {
        let answered =
            answer(port, &json!({"jsonrpc": "2.0", "id": id, "method": "eth_chainId"}).to_string());
        assert_eq!(answered["id"], id);
    }
}

/// Given a node that may have 1,024 files open at first, when a thousand clients connect and say nothing, others never end their
/// requests, and others never read their answers, then who behaves is served, and blocks are committed.
#[tokio::test(flavor = "multi_thread")]
async fn idle_slow_and_deaf_clients_stand_in_nobodys_way() {
    let before = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: Some(USUAL_OPEN_FILES), ..before })
        .expect("it may be lowered");
    let cluster = Cluster::create(4);
    cluster.up();
    setrlimit(Resource::Nofile, Rlimit { current: before.maximum, ..before }).expect("and raised");
    let (port, mut alice) = (cluster.rpc_port(0), Wallet::development(8));
    let connect = || TcpStream::connect(("127.0.0.1", port)).expect("it listens");

    // Each has said a byte: who says nothing at all is cut off early.
    let idle: Vec<_> = (0..IDLE).map(|_| begun(connect(), b"P")).collect();
    let head =
        "POST / HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 5000000\r\n\r\n[";
    let slow: Vec<_> = (0..SLOW).map(|_| begun(connect(), head.as_bytes())).collect();
    let large = r#"{"jsonrpc":"2.0","id":1,"method":"rpc.discover"}"#;
    let batch = format!("[{}]", vec![large; 100].join(","));
    let length = batch.len();
    let deaf = format!(
        "POST / HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n{batch}"
    );
    let deaf: Vec<_> = (0..SLOW).map(|_| begun(connect(), deaf.as_bytes())).collect();

    goes_on(&cluster, &mut alice).await;
    let chain: Value = cluster.client(0).request("eth_chainId", rpc_params![]).await.expect("it answers");
    assert_eq!(chain, json!("0x4ee8"));
    let mut last = idle.into_iter().next_back().expect("some");
    let rest = "OST /health HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    last.write_all(rest.as_bytes()).expect("it is still connected");
    let mut told = String::new();
    last.read_to_string(&mut told).expect("an answer");
    assert!(told.starts_with("HTTP/1.1 405"), "the last of a thousand is served too: {told}");
    goes_on(&cluster, &mut alice).await;
    drop((slow, deaf));
}

fn begun(mut stream: TcpStream, said: &[u8]) -> TcpStream {
    stream.set_read_timeout(Some(Duration::from_secs(10))).expect("a timeout");
    stream.write_all(said).expect("it reads");
    stream
}

/// Given bodies that are too large, announced or not, and frames that are no protocol's, then they are refused, and the node lives.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_too_large_is_refused() {
    let cluster = Cluster::start(4);
    let port = cluster.rpc_port(0);
    let chunk = format!("{:x}\r\n{}\r\n", 1 << 20, " ".repeat(1 << 20));
    let head =
        "POST / HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n";
    let unannounced = format!("{head}{}0\r\n\r\n", chunk.repeat(6));
    let told = shout(port, unannounced.as_bytes());
    assert!(told.is_empty() || told.contains("413"), "{told}");

    let url = format!("ws://127.0.0.1:{port}");
    let socket = WsClientBuilder::default().max_request_size(64 << 20).build(&url).await.expect("a session");
    let huge = format!("0x{}", "00".repeat(6 << 20));
    let refused: Result<Value, _> = socket.request("web3_sha3", rpc_params![huge]).await;
    assert!(refused.is_err(), "more than a message may hold");

    goes_on(&cluster, &mut Wallet::development(9)).await;
}
