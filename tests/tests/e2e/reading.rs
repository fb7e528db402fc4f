//! What a client reads beyond its own transactions: blocks and what is in them by every name they have, what waits, and refusals
//! in the words that clients match on.

use alloy_rpc_types_eth::EIP1186AccountProofResponse;
use jsonrpsee::{
    core::client::{ClientT, Error},
    http_client::HttpClient,
    rpc_params,
};
use quorate_light::{AccountAnswer, SlotAnswer};
use quorate_tests::{
    cluster::{Cluster, wait_until},
    wallet::{Wallet, counter_code, receipt, send},
};
use quorate_types::{Address, B256, Bytes, U256, keccak256};
use serde_json::{Value, json};

use crate::bad_input::post;

async fn ask(client: &HttpClient, method: &str, params: Value) -> Value {
    answer(client, method, params).await.unwrap_or_else(|error| panic!("{method}: {error}"))
}

async fn answer(client: &HttpClient, method: &str, params: Value) -> Result<Value, Error> {
    let mut list = jsonrpsee::core::params::ArrayParams::new();
    params.as_array().expect("a list").iter().for_each(|it| list.insert(it).expect("it encodes"));
    client.request(method, list).await
}

async fn refusal(client: &HttpClient, method: &str, params: Value) -> (i32, String) {
    match answer(client, method, params).await {
        Err(Error::Call(error)) => {
            assert!(error.data().is_none(), "{method} sends data along: {error:?}");
            (error.code(), error.message().to_owned())
        }
        other => panic!("{method} should refuse: {other:?}"),
    }
}

/// Given a block with a transaction, then whatever names it, by number, hash, tag or place, shows the same.
#[tokio::test(flavor = "multi_thread")]
async fn a_block_is_the_same_by_each_of_its_names() {
    let cluster = Cluster::start(1);
    let client = cluster.client(0);
    let mut alice = Wallet::development(1);
    let raw = alice.deploy(counter_code());
    let seen = receipt(&client, send(&client, &raw).await).await;
    let (number, hash, transaction) = (&seen["blockNumber"], &seen["blockHash"], &seen["transactionHash"]);

    let block = ask(&client, "eth_getBlockByHash", json!([hash, true])).await;
    assert_eq!(block, ask(&client, "eth_getBlockByNumber", json!([number, true])).await);
    assert!(block.get("totalDifficulty").is_none(), "execution-apis: a block has no other fields");
    let header = ask(&client, "eth_getHeaderByHash", json!([hash])).await;
    assert_eq!(header, ask(&client, "eth_getHeaderByNumber", json!([number])).await);
    assert_eq!(header["stateRoot"], block["stateRoot"]);
    let receipts = ask(&client, "eth_getBlockReceipts", json!([{ "blockHash": hash }])).await;
    assert_eq!(receipts, json!([seen]));
    for (by_number, by_hash, expected) in [
        ("eth_getBlockTransactionCountByNumber", "eth_getBlockTransactionCountByHash", json!("0x1")),
        ("eth_getUncleCountByBlockNumber", "eth_getUncleCountByBlockHash", json!("0x0")),
    ] {
        assert_eq!(ask(&client, by_number, json!([number])).await, expected);
        assert_eq!(ask(&client, by_hash, json!([hash])).await, expected);
        assert_eq!(ask(&client, by_hash, json!([B256::ZERO])).await, Value::Null);
    }

    let whole = ask(&client, "eth_getTransactionByHash", json!([transaction])).await;
    assert_eq!(whole, block["transactions"][0]);
    assert_eq!(whole, ask(&client, "eth_getTransactionByBlockNumberAndIndex", json!([number, "0x0"])).await);
    assert_eq!(whole, ask(&client, "eth_getTransactionByBlockHashAndIndex", json!([hash, "0x0"])).await);
    let beyond = ask(&client, "eth_getTransactionByBlockHashAndIndex", json!([hash, "0x1"])).await;
    assert_eq!(beyond, Value::Null);
    for (method, params) in [
        ("eth_getRawTransactionByHash", json!([transaction])),
        ("eth_getRawTransactionByBlockNumberAndIndex", json!([number, "0x0"])),
        ("eth_getRawTransactionByBlockHashAndIndex", json!([hash, "0x0"])),
        ("debug_getRawTransaction", json!([transaction])),
    ] {
        assert_eq!(ask(&client, method, params).await, json!(raw), "{method}");
    }
    assert_eq!(ask(&client, "eth_getRawTransactionByHash", json!([B256::ZERO])).await, "0x");
}

/// Given a block, then the bytes that `debug` gives of it hash to what its header says.
#[tokio::test(flavor = "multi_thread")]
async fn raw_bytes_are_those_that_were_hashed() {
    let cluster = Cluster::start(1);
    let client = cluster.client(0);
    let mut alice = Wallet::development(1);
    let seen = receipt(&client, send(&client, &alice.deploy(counter_code())).await).await;
    let bytes = async |method, params| -> Vec<u8> {
        let bytes: Bytes = serde_json::from_value(ask(&client, method, params).await).expect("bytes");
        bytes.to_vec()
    };

    let header = bytes("debug_getRawHeader", json!([seen["blockNumber"]])).await;
    assert_eq!(json!(keccak256(&header)), seen["blockHash"]);
    let block = bytes("debug_getRawBlock", json!([seen["blockNumber"]])).await;
    let size = ask(&client, "eth_getBlockByNumber", json!([seen["blockNumber"], false])).await;
    assert_eq!(json!(format!("{:#x}", block.len())), size["size"]);
    assert!(block.windows(header.len()).any(|window| window == header), "the block begins with its header");
    let receipts = ask(&client, "debug_getRawReceipts", json!([seen["blockHash"]])).await;
    assert_eq!(receipts.as_array().map(Vec::len), Some(1));
    assert!(receipts[0].as_str().expect("hex").starts_with("0x02"), "typed as its transaction");
}

/// Given a transaction behind a gap, then the pool shows it, under its sender and nonce, until the gap is filled.
#[tokio::test(flavor = "multi_thread")]
async fn what_waits_is_shown_by_sender_and_nonce() {
    let cluster = Cluster::start(1);
    let client = cluster.client(0);
    let (mut alice, bob) = (Wallet::development(1), Wallet::fresh(1));
    let first = alice.transfer(bob.address(), 1);
    let second = alice.transfer(bob.address(), 2);
    let waiting = send(&client, &second).await;

    assert_eq!(ask(&client, "txpool_status", json!([])).await, json!({ "pending": "0x0", "queued": "0x1" }));
    let sender = alice.address().to_checksum(None);
    let content = ask(&client, "txpool_content", json!([])).await;
    assert_eq!(content["queued"][&sender]["1"]["hash"], json!(waiting));
    assert_eq!(content["queued"][&sender]["1"]["blockHash"], Value::Null);
    let of_alice = ask(&client, "txpool_contentFrom", json!([alice.address()])).await;
    assert_eq!(of_alice["queued"], content["queued"][&sender]);
    let inspected = ask(&client, "txpool_inspect", json!([])).await;
    let line = inspected["queued"][&sender]["1"].as_str().expect("a line");
    assert!(line.ends_with(": 2 wei + 21000 gas × 1000000000 wei"), "{line}");

    receipt(&client, send(&client, &first).await).await;
    receipt(&client, waiting).await;
    wait_until("an empty pool", async || {
        let status = ask(&client, "txpool_status", json!([])).await;
        status == json!({ "pending": "0x0", "queued": "0x0" })
    })
    .await;
}

/// Fees are the same wherever they are asked for, and never nothing: wallets would hang on 0.
#[tokio::test(flavor = "multi_thread")]
async fn fees_agree_with_each_other() {
    let cluster = Cluster::start(1);
    let client = cluster.client(0);
    let (base, tip) = (
        ask(&client, "eth_baseFee", json!([])).await,
        ask(&client, "eth_maxPriorityFeePerGas", json!([])).await,
    );
    let price = ask(&client, "eth_gasPrice", json!([])).await;
    let number = |value: &Value| u128::from_str_radix(&value.as_str().expect("hex")[2..], 16).expect("hex");
    assert_eq!(number(&base) + number(&tip), number(&price));
    assert!(number(&tip) > 0);
    assert_eq!(ask(&client, "eth_blobBaseFee", json!([])).await, "0x1");
    let history = ask(&client, "eth_feeHistory", json!(["0x1", "latest", [25.0, 75.0]])).await;
    let last = history["baseFeePerGas"].as_array().and_then(|fees| fees.last()).expect("the next block's");
    assert_eq!(*last, base);
    let pending = ask(&client, "eth_getBlockByNumber", json!(["pending", false])).await;
    assert_eq!(pending["baseFeePerGas"], base);
    assert_eq!((&pending["hash"], &pending["nonce"]), (&Value::Null, &Value::Null));
}

/// Given questions that cannot be answered, then each is refused with the code of the specification, in geth's words and
/// without data, alone and in a batch.
#[tokio::test(flavor = "multi_thread")]
async fn refusals_have_the_codes_and_words_that_clients_match_on() {
    let cluster = Cluster::start(1);
    let client = cluster.client(0);
    cluster.wait_for_height(&[0], 1).await;
    let logs = |from: &str, to: &str| json!([{ "fromBlock": from, "toBlock": to }]);
    let (alice, zero) = (Wallet::development(1).address(), B256::ZERO);
    for (method, params, code, words) in [
        ("eth_mine", json!([]), -32601, "the method eth_mine does not exist/is not available"),
        ("eth_subscribe", json!(["newHeads"]), -32601, "notifications not supported"),
        ("eth_getBalance", json!(["0x12"]), -32602, "invalid argument: "),
        (
            "eth_getBalance",
            json!(["12".repeat(20)]),
            -32602,
            "invalid argument: hex string without 0x prefix",
        ),
        ("eth_sendRawTransaction", json!(["0x03c1c0"]), -32000, "transaction type not supported: type 3"),
        ("eth_getBalance", json!([]), -32602, "missing value for required argument 0"),
        ("eth_chainId", json!([1]), -32602, "too many arguments, want at most 0"),
        ("eth_getStorageAt", json!([alice, "0xzz"]), -32602, "invalid argument: invalid hex in storage key"),
        ("eth_getStorageValues", json!([{}]), -32602, "empty request"),
        ("eth_getLogs", logs("0x2", "0x1"), -32602, "invalid block range params"),
        ("eth_getLogs", logs("0x0", "0xffff"), -32602, "block range extends beyond current head block"),
        ("eth_getLogs", logs("0x0", "pending"), -32602, "pending logs are not supported"),
        ("eth_getLogs", json!([{ "blockHash": zero }]), -32000, "unknown block"),
        ("eth_getBalance", json!([alice, "0xffff"]), -32000, "header not found"),
        ("eth_getBalance", json!([alice, { "blockHash": zero }]), -32000, "header for hash not found"),
        (
            "eth_feeHistory",
            json!(["0x1", "0xffff", []]),
            -32000,
            "request beyond head block: requested 65535, head ",
        ),
        ("eth_feeHistory", json!(["0x1", "latest", [50.0, 50.0]]), -32602, "invalid reward percentile"),
    ] {
        let (seen, message) = refusal(&client, method, params.clone()).await;
        assert_eq!(seen, code, "{method} {params}: {message}");
        assert!(message.starts_with(words), "{method} {params}: {message}");
    }
    let empty = ask(&client, "eth_getLogs", json!([{ "fromBlock": "0xffff" }])).await;
    assert_eq!(empty, json!([]), "a poller that is ahead has nothing to get yet");

    let batch = post(
        cluster.rpc_port(0),
        r#"[{"jsonrpc":"2.0","id":"a","method":"eth_chainId"},{"jsonrpc":"2.0","id":7,"method":"eth_mine"}]"#,
    );
    let (_, body) = batch.split_once("\r\n\r\n").expect("head and body");
    let answers: Value = serde_json::from_str(body).expect("a batch");
    assert_eq!(answers[0], json!({ "jsonrpc": "2.0", "id": "a", "result": "0x4ee8" }));
    assert_eq!(answers[1]["error"]["message"], "the method eth_mine does not exist/is not available");
    assert_eq!(answers[1]["id"], 7);
}

/// The namespaces are named.
#[tokio::test(flavor = "multi_thread")]
async fn the_namespaces_are_named() {
    let cluster = Cluster::start(1);
    let modules: Value = cluster.client(0).request("rpc_modules", rpc_params![]).await.expect("modules");
    for name in ["debug", "eth", "net", "quorate", "rpc", "txpool", "web3"] {
        assert_eq!(modules[name], "1.0");
    }
}

/// Given an account and a slot, then the node's proof convinces who has the header alone; also of the past, and of what is not there.
#[tokio::test(flavor = "multi_thread")]
async fn proofs_hold_against_the_header() {
    let cluster = Cluster::start(1);
    let client = cluster.client(0);
    let mut alice = Wallet::development(1);
    let deployed = receipt(&client, send(&client, &alice.deploy(counter_code())).await).await;
    let contract: Address = serde_json::from_value(deployed["contractAddress"].clone()).expect("an address");
    let first = receipt(&client, send(&client, &alice.call(contract, [].into())).await).await;
    receipt(&client, send(&client, &alice.call(contract, [].into())).await).await;

    for (height, address, counted) in [
        (&first["blockNumber"], contract, 1),
        (&json!("latest"), contract, 2),
        (&deployed["blockNumber"], contract, 0),
        (&json!("0x0"), contract, 0),
        (&json!("latest"), Wallet::fresh(5).address(), 0),
    ] {
        let answer = ask(&client, "eth_getProof", json!([address, ["0x0", B256::ZERO], height])).await;
        assert_eq!(answer["storageProof"][0]["key"], "0x0", "as it was asked for");
        assert_eq!(answer["storageProof"][1]["key"], json!(B256::ZERO));
        let block = ask(&client, "eth_getBlockByNumber", json!([height, false])).await;
        let state_root = serde_json::from_value(block["stateRoot"].clone()).expect("a root");
        let mut proof = proven(&answer);
        proof.verify(state_root).unwrap_or_else(|error| panic!("{address} at {height}: {error}"));
        assert_eq!(proof.slots[0].value, U256::from(counted), "{address} at {height}");
        proof.slots[0].value += U256::from(1);
        assert!(proof.verify(state_root).is_err(), "another value is not proven");
    }
}

/// The answer as a light client takes it.
fn proven(answer: &Value) -> AccountAnswer {
    let answer: EIP1186AccountProofResponse = serde_json::from_value(answer.clone()).expect("EIP-1186");
    let slots = answer.storage_proof.into_iter();
    let slots =
        slots.map(|it| SlotAnswer { slot: it.key.as_b256().into(), value: it.value, proof: it.proof });
    AccountAnswer {
        address: answer.address,
        nonce: answer.nonce,
        balance: answer.balance,
        code_hash: answer.code_hash,
        storage_root: answer.storage_hash,
        proof: answer.account_proof,
        slots: slots.collect(),
    }
}
