//! What a node says is checked from the genesis file on, without trust in that node.

use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{TcpListener, TcpStream},
    process::Output,
};

use quorate_tests::{
    cluster::Cluster,
    wallet::{Wallet, balance, receipt, send},
};
use quorate_types::{B256, U256};
use serde_json::{Value, json};

use crate::{
    bad_input::post,
    validators::{add, change},
};

/// What a liar makes of a node's answer to a method.
type Lie = fn(method: &str, result: &mut Value);

/// Each with what it is about, and the reason for which it is not believed.
const LIES: [(&str, Lie, &str); 4] = [
    ("a richer account", richer, "the proof of account"),
    ("a hidden change", hidden, "the certificate of height"),
    ("another set", other_set, "binds another validator set"),
    ("another signature", other_signature, "the certificate of height"),
];

fn richer(method: &str, result: &mut Value) {
    if method == "eth_getProof" {
        result["balance"] = json!("0xffffff");
    }
}

fn hidden(method: &str, result: &mut Value) {
    if method == "quorate_getValidatorChanges" {
        *result = json!([]);
    }
}

fn other_set(method: &str, result: &mut Value) {
    if method == "quorate_getValidatorChanges" && !result[0].is_null() {
        result[0]["next"]["validators"][0]["weight"] = json!(3);
    }
}

fn other_signature(method: &str, result: &mut Value) {
    if method == "quorate_getCertificate" {
        let encoded = result["encoded"].as_str().expect("hex");
        let (kept, last) = encoded.split_at(encoded.len() - 2);
        let other = if last == "00" { "01" } else { "00" };
        result["encoded"] = json!(format!("{kept}{other}"));
    }
}

/// Between a client and a node: what it passes on is another node's word.
struct Liar {
    port: u16,
}

impl Liar {
    /// Passes everything on to a node, and its answers back as `lie` changes them.
    fn of(node: u16, lie: Lie) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("bound").port();
        // It ends with the process of the stories.
        std::thread::spawn(move || listener.incoming().flatten().for_each(|it| pass_on(it, node, lie)));
        Self { port }
    }

    fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }
}

fn pass_on(mut client: TcpStream, node: u16, lie: Lie) {
    let mut reader = BufReader::new(client.try_clone().expect("a socket"));
    let mut length = 0;
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).expect("a head");
        if line.trim().is_empty() {
            break;
        }
        if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().expect("a length");
        }
    }
    let mut request = vec![0; length];
    reader.read_exact(&mut request).expect("a body");
    let request = String::from_utf8(request).expect("JSON");
    let asked: Value = serde_json::from_str(&request).expect("JSON");
    let answer = post(node, &request);
    let (_, body) = answer.split_once("\r\n\r\n").expect("head and body");
    let mut answer: Value = serde_json::from_str(body).expect("an answer");
    lie(asked["method"].as_str().expect("a method"), &mut answer["result"]);
    let body = answer.to_string();
    let head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nconnection: close";
    // Whoever has heard enough may be gone.
    let _ = write!(client, "{head}\r\ncontent-length: {}\r\n\r\n{body}", body.len());
}

fn verify(cluster: &Cluster, url: &str, account: &str) -> Output {
    let genesis = cluster.file("genesis.json");
    cluster.run(&["verify", "--rpc", url, "--genesis", &genesis, "--account", account, "-o", "json"])
}

/// Given four validators and a fifth that was added, then the head and a balance of any node are verified from the genesis file; and
/// when an answer on the way is not the chain's, whichever it is, nothing is, for a reason.
#[tokio::test(flavor = "multi_thread")]
async fn a_head_is_verified_through_changes_of_the_validators() {
    let cluster = Cluster::start(4);
    let (mut administrator, mut alice) = (Wallet::development(0), Wallet::development(1));
    let added = cluster.id_of(4).await;
    let height = change(&cluster, 0, &mut administrator, add(&added, 1)).await;
    cluster.wait_for_height(&[0, 1, 2, 3, 4], height).await;
    // Four of five decide now, so the head needs the one that was added.
    cluster.kill(3);
    let client = cluster.client(1);
    let paid = Wallet::fresh(9).address();
    let sent = receipt(&client, send(&client, &alice.transfer(paid, 12_345)).await).await;
    let account = paid.to_string();

    let output = verify(&cluster, &cluster.url(1), &account);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let verified: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!((&verified["validatorChanges"], &verified["validators"]), (&json!(1), &json!(5)));
    assert!(verified["height"].as_u64().expect("a number") > height);
    if verified["height"] == json!(height + 1) {
        assert_eq!(verified["hash"], sent["blockHash"]);
    }
    assert_eq!(verified["account"]["balance"], json!(balance(&client, paid).await));
    assert_eq!(verified["account"]["balance"], json!(U256::from(12_345)));
    let nobody = verify(&cluster, &cluster.url(1), &Wallet::fresh(10).address().to_string());
    let nobody: Value = serde_json::from_slice(&nobody.stdout).expect("JSON");
    assert_eq!(nobody["account"]["exists"], false, "that there is none is proven too");

    for (what, lie, reason) in LIES {
        let output = verify(&cluster, &Liar::of(cluster.rpc_port(1), lie).url(), &account);
        let words = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(8), "{what}: {words}");
        assert!(words.contains("nothing is verified of what") && words.contains(reason), "{what}: {words}");
        assert!(output.stdout.is_empty(), "{what}: it shows what it does not know");
    }
    assert_ne!(verified["stateRoot"], json!(B256::ZERO));
}
