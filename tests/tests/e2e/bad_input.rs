//! Bad input is a normal day: a clear error, and the node lives.

use std::{
    io::{Read, Write},
    net::TcpStream,
    process::Command,
};

use jsonrpsee::{core::client::ClientT, rpc_params};
use serde_json::Value;

use quorate_tests::{
    cluster::Cluster,
    wallet::{Wallet, receipt, send},
};

/// Sends raw bytes to a port, and returns what comes back before the peer closes or falls silent.
pub fn shout(port: u16, bytes: &[u8]) -> String {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).expect("it listens");
    stream.set_read_timeout(Some(std::time::Duration::from_secs(2))).expect("a timeout");
    // The node may close in the middle of it.
    let _ = stream.write_all(bytes);
    let mut answer = Vec::new();
    let mut buffer = [0; 4096];
    while let Ok(count @ 1..) = stream.read(&mut buffer) {
        answer.extend_from_slice(&buffer[..count]);
    }
    String::from_utf8_lossy(&answer).into_owned()
}

pub fn post(port: u16, body: &str) -> String {
    let length = body.len();
    shout(port, format!("POST / HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}").as_bytes())
}

/// What a port answers to a GET.
pub fn get(port: u16, path: &str) -> String {
    shout(port, format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").as_bytes())
}

/// Given a network, when clients and strangers send rubbish to every port, then each is told what is wrong, and the
/// next transaction goes through.
#[tokio::test(flavor = "multi_thread")]
async fn rubbish_on_every_port_harms_nobody() {
    let cluster = Cluster::start(4);
    let port = cluster.rpc_port(0);

    assert!(post(port, "{").contains("-32700"), "malformed JSON");
    assert!(post(port, r#"{"jsonrpc":"2.0","id":1,"method":"eth_nope","params":[]}"#).contains("-32601"));
    assert!(
        post(port, r#"{"jsonrpc":"2.0","id":1,"method":"eth_getBalance","params":["0x12"]}"#)
            .contains("-32602")
    );
    let large =
        format!(r#"{{"jsonrpc":"2.0","id":1,"method":"web3_sha3","params":["0x{}"]}}"#, "00".repeat(6 << 20));
    let answer = post(port, &large);
    assert!(answer.is_empty() || answer.contains("413") || answer.contains("-32007"), "{answer}");
    assert!(shout(port, b"\x00\x01\x02 not http\r\n\r\n").contains("400"));
    shout(port + 20, &[0xff; 100_000]);
    shout(port + 20, b"GET / HTTP/1.1\r\n\r\n");
    assert!(
        shout(cluster.ops_port(0), b"GET /nope HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            .contains("404")
    );

    let mut alice = Wallet::development(7);
    let hash = send(&cluster.client(0), &alice.transfer(Wallet::fresh(30).address(), 1)).await;
    receipt(&cluster.client(4), hash).await;
}

/// Given a node, when transactions are sent that are none of this chain's, then each refusal says why.
#[tokio::test(flavor = "multi_thread")]
async fn refused_transactions_say_why() {
    let cluster = Cluster::start(1);
    let client = cluster.client(0);
    let refusal = async |raw: &str| {
        let answer = client.request::<Value, _>("eth_sendRawTransaction", rpc_params![raw]).await;
        answer.expect_err("it is refused").to_string()
    };
    let mut poor = Wallet::fresh(31);
    let mut alice = Wallet::development(8);
    let good = alice.transfer(poor.address(), 1);

    assert!(refusal("0x").await.contains("rlp"));
    assert!(refusal("0xc0ffee").await.contains("rlp"));
    assert!(refusal(&format!("{good}00")).await.contains("rlp"), "a trailing byte");
    let hash = send(&client, &good).await;
    receipt(&client, hash).await;
    assert!(refusal(&good.to_string()).await.contains("nonce too low"));
    let transfer = poor.transfer(alice.address(), 1_000_000_000);
    assert!(refusal(&transfer.to_string()).await.contains("insufficient funds for gas * price + value"));
}

/// Given a folder of a network, when its configuration, ports or data are broken, then the node says what and where and
/// returns the code for it.
#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_cannot_start_says_why() {
    let cluster = Cluster::start(1);
    let config = cluster.net().join("node0.toml");
    let text = std::fs::read_to_string(&config).expect("made");
    let start = |file: &std::path::Path| {
        let output = Command::new(cluster.binary()).arg("--config").arg(file).output().expect("it runs");
        (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
    };

    let (code, message) = start(&config);
    assert_eq!(code, Some(3), "{message}");
    assert!(message.contains("cannot listen"), "a port in use: {message}");

    let wrong = cluster.net().join("wrong.toml");
    std::fs::write(&wrong, text.replace("data_dir", "data_dirr")).expect("writable");
    let (code, message) = start(&wrong);
    assert_eq!(code, Some(3), "{message}");
    assert!(message.contains("data_dirr") && message.contains("wrong.toml"), "{message}");

    cluster.down();
    let current = cluster.folder_of(0).join("data/chain/CURRENT");
    std::fs::write(&current, "MANIFEST-999999\n").expect("writable");
    let (code, message) = start(&config);
    assert_eq!(code, Some(8), "{message}");
    assert!(message.contains("data"), "a damaged database: {message}");
}
