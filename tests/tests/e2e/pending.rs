//! What a client sees of transactions that no block holds yet, and of the block that will hold them.

use jsonrpsee::{core::client::ClientT, http_client::HttpClient, rpc_params};
use quorate_tests::{
    cluster::Cluster,
    wallet::{Wallet, counter_code, receipt, send},
};
use quorate_types::{B256, U256};
use serde_json::{Value, json};

async fn ask(client: &HttpClient, method: &str, params: Value) -> Value {
    let mut list = rpc_params![];
    params.as_array().expect("a list").iter().for_each(|it| list.insert(it).expect("it encodes"));
    client.request(method, list).await.unwrap_or_else(|error| panic!("{method}: {error}"))
}

/// Given a chain that stands still, when transactions wait, then their sender's pending nonce counts them, each shows the most
/// that it offers, and the pending block holds nothing yet; when the chain goes on, then one block holds all, with their
/// logs in one row.
#[tokio::test(flavor = "multi_thread")]
async fn what_waits_counts_as_pending_until_a_block_holds_it() {
    let cluster = Cluster::start(2);
    let client = cluster.client(0);
    let mut alice = Wallet::development(1);
    let mut bob = Wallet::development(2);
    let deployed = receipt(&client, send(&client, &alice.deploy(counter_code())).await).await;
    let contract = serde_json::from_value(deployed["contractAddress"].clone()).expect("an address");
    cluster.kill(1);

    let generous = send(&client, &bob.transfer_at_most(alice.address(), 3_000_000_000)).await;
    let (first, second) = (alice.call(contract, [].into()), alice.call(contract, [].into()));
    // The gap first: no block can hold one of them without the other.
    let second = send(&client, &second).await;
    let first = send(&client, &first).await;

    let nonce =
        async |block: &str| ask(&client, "eth_getTransactionCount", json!([alice.address(), block])).await;
    assert_eq!((nonce("latest").await, nonce("pending").await), (json!("0x1"), json!("0x3")));
    let waiting = ask(&client, "eth_getTransactionByHash", json!([generous])).await;
    assert_eq!((&waiting["blockHash"], &waiting["gasPrice"]), (&Value::Null, &json!("0xb2d05e00")));
    assert_eq!(waiting.get("blockTimestamp"), Some(&Value::Null), "it has no time, and says so");
    for method in ["eth_getBlockTransactionCountByNumber", "eth_getUncleCountByBlockNumber"] {
        assert_eq!(ask(&client, method, json!(["pending"])).await, "0x0", "{method}");
    }

    let head = deployed["blockNumber"].as_str().and_then(|it| u64::from_str_radix(&it[2..], 16).ok());
    let next = json!(format!("{:#x}", head.expect("a number") + 1));
    let header = ask(&client, "eth_getHeaderByNumber", json!(["pending"])).await;
    assert_eq!((&header["number"], &header["hash"], &header["miner"]), (&next, &Value::Null, &Value::Null));
    // NUMBER PUSH0 MSTORE  PUSH1 32 PUSH0 RETURN, as init code: what it returns is what a call gives.
    let tells_height = json!({ "data": "0x435f5260205ff3" });
    let number = ask(&client, "eth_call", json!([tells_height, "pending"])).await;
    assert_eq!(number, json!(B256::from(U256::from(head.expect("a number") + 1))));
    let number = ask(&client, "eth_call", json!([tells_height, "latest"])).await;
    assert_eq!(number, json!(B256::from(U256::from(head.expect("a number")))));

    cluster.restart(1);
    let (first, second) = (receipt(&client, first).await, receipt(&client, second).await);
    receipt(&client, generous).await;
    assert_eq!(first["blockHash"], second["blockHash"], "they waited for the same block");
    assert_eq!(
        (&first["logs"][0]["logIndex"], &second["logs"][0]["logIndex"]),
        (&json!("0x0"), &json!("0x1"))
    );
    let receipts = ask(&client, "eth_getBlockReceipts", json!([first["blockNumber"]])).await;
    let receipts = receipts.as_array().expect("a list");
    assert!(receipts.contains(&first) && receipts.contains(&second), "{receipts:?}");
    let logs = ask(&client, "eth_getLogs", json!([{ "blockHash": first["blockHash"] }])).await;
    assert_eq!(logs, json!([first["logs"][0], second["logs"][0]]));
}
