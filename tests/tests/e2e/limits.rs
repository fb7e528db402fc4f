//! Limits that an operator sets, and what who meets one is told.

use jsonrpsee::http_client::HttpClient;
use quorate_tests::{
    cluster::Cluster,
    wallet::{Wallet, ask, included, send},
};
use quorate_types::Address;
use serde_json::{Value, json};

use crate::bad_input::post;

/// Where a call finds the code that it wants to run.
const CALLED: Address = Address::repeat_byte(0xca);
/// JUMPDEST, PUSH0, JUMP.
const LOOP: &str = "0x5b5f56";

/// A network whose first node was given little time and short answers, and so much gas that time ends calls.
fn strict() -> Cluster {
    let cluster = Cluster::create(1);
    let file = cluster.net().join("node0.toml");
    let limits = [
        ("batch_timeout", "\"300ms\""),
        ("call_timeout", "\"200ms\""),
        ("call_gas_cap", "1_000_000_000_000"),
        ("max_response_bytes", "100_000"),
    ];
    let changed = |line: &str| {
        let limit = limits.iter().find(|(key, _)| line.starts_with(&format!("{key} =")));
        limit.map_or_else(|| line.to_owned(), |(key, value)| format!("{key} = {value}"))
    };
    let text = std::fs::read_to_string(&file).expect("it was made");
    let lines: Vec<_> = text.lines().map(changed).collect();
    std::fs::write(&file, lines.join("\n")).expect("it is ours");
    cluster.up();
    cluster
}

fn call(code: &str) -> Value {
    json!([{ "to": CALLED, "gas": "0xe8d4a51000" }, "latest", { CALLED.to_string(): { "code": code } }])
}

/// PUSH2 `bytes`, PUSH0, RETURN.
fn returning(bytes: u16) -> Value {
    call(&format!("0x61{bytes:04x}5ff3"))
}

/// The answers to as many calls in one batch.
fn batch(cluster: &Cluster, call: &Value, count: u64) -> Value {
    let calls: Vec<_> = (0..count)
        .map(|id| json!({ "jsonrpc": "2.0", "id": id, "method": "eth_call", "params": call }))
        .collect();
    let answer = post(cluster.rpc_port(0), &json!(calls).to_string());
    let (_, body) = answer.split_once("\r\n\r\n").expect("head and body");
    serde_json::from_str(body).expect("JSON")
}

async fn refusal(client: &HttpClient, call: Value) -> (i32, String) {
    ask(client, "eth_call", call).await.expect_err("it is refused")
}

/// Given a node with limits, when calls, answers and batches go beyond them, then each is refused with its code, what is within them
/// is answered, and blocks go on.
#[tokio::test(flavor = "multi_thread")]
async fn who_goes_beyond_a_limit_is_told_which() {
    let cluster = strict();
    let client = cluster.client(0);

    let (code, words) = refusal(&client, call(LOOP)).await;
    assert_eq!((code, words.as_str()), (-32000, "execution aborted (timeout = 200ms)"));

    let answers = batch(&cluster, &call(LOOP), 5);
    let codes: Vec<_> = answers.as_array().expect("a batch").iter().map(|it| &it["error"]["code"]).collect();
    assert_eq!((codes[0], codes[4]), (&json!(-32000), &json!(-32002)), "{answers}");
    assert_eq!(answers[4]["error"]["message"], "request timed out");

    let (code, words) = refusal(&client, returning(60_000)).await;
    assert_eq!((code, words.as_str()), (-32008, "Response is too big"));
    ask(&client, "eth_call", returning(40_000)).await.expect("it is short enough");

    let answer = batch(&cluster, &returning(20_000), 3);
    assert_eq!(answer["error"]["code"], -32011, "{answer}");
    assert_eq!(batch(&cluster, &returning(20_000), 2).as_array().map(Vec::len), Some(2));

    let sent = send(&client, &Wallet::development(1).transfer(CALLED, 1)).await;
    included(&client, sent).await;
}
