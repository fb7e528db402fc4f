//! What a tool that knows FISCO BCOS alone reads, by the names and in the forms that it knows.

use jsonrpsee::{
    core::client::{ClientT, Error},
    http_client::HttpClient,
    rpc_params,
};
use quorate_tests::{
    cluster::Cluster,
    wallet::{Wallet, counter_code, receipt, send},
};
use quorate_types::{B256, hex};
use serde_json::{Value, json};

async fn ask(client: &HttpClient, method: &str, params: Value) -> Result<Value, Error> {
    let mut list = rpc_params![];
    params.as_array().expect("a list").iter().for_each(|it| list.insert(it).expect("it encodes"));
    client.request(method, list).await
}

async fn told(client: &HttpClient, method: &str, params: Value) -> Value {
    ask(client, method, params).await.unwrap_or_else(|error| panic!("{method}: {error}"))
}

/// What a method answers as JSON in a string.
async fn read(client: &HttpClient, method: &str) -> Value {
    let text = told(client, method, json!(["group0", ""])).await;
    serde_json::from_str(text.as_str().expect("a string")).expect("JSON in it")
}

fn without_prefix(id: &str) -> Value {
    json!(id.trim_start_matches("0x"))
}

/// Given a contract that was called, once in vain, then blocks, transactions and receipts are shown as FISCO shows them, the same as
/// Ethereum's methods do, to clients of both versions.
#[tokio::test(flavor = "multi_thread")]
async fn blocks_and_receipts_have_fiscos_form() {
    let cluster = Cluster::start(1);
    let client = cluster.client(0);
    let mut alice = Wallet::development(1);
    let deployed = receipt(&client, send(&client, &alice.deploy(counter_code())).await).await;
    let contract = serde_json::from_value(deployed["contractAddress"].clone()).expect("an address");
    let called = receipt(&client, send(&client, &alice.call(contract, [].into())).await).await;
    let failed = receipt(&client, send(&client, &alice.call(contract, [1].into())).await).await;
    assert_eq!(failed["status"], "0x0");

    let height = told(&client, "getBlockNumber", json!(["group0", ""])).await;
    assert_eq!(json!(format!("{:#x}", height.as_u64().expect("an integer"))), failed["blockNumber"]);
    assert_eq!(told(&client, "getBlockNumber", json!([1])).await, height, "version 2");
    let header = told(&client, "getBlockByNumber", json!(["group0", "", height])).await;
    assert_eq!((&header["hash"], header.get("transactions")), (&failed["blockHash"], None));
    assert_eq!(header["sealerList"], json!([cluster.id_of(0).await]));
    assert_eq!(header["signatureList"][0]["sealerIndex"], 0);
    let by_hash = json!(["group0", "", failed["blockHash"], false, true]);
    let block = told(&client, "getBlockByHash", by_hash).await;
    assert_eq!(block["transactions"], json!([failed["transactionHash"]]));
    let old = told(&client, "getBlockByNumber", json!([1, failed["blockNumber"], true])).await;
    assert_eq!(old["transactions"][0]["hash"], failed["transactionHash"], "version 2 asks for all of them");
    let hash = told(&client, "getBlockHashByNumber", json!(["group0", "", height])).await;
    assert_eq!(hash, failed["blockHash"]);

    let seen =
        told(&client, "getTransactionReceipt", json!(["group0", "", called["transactionHash"], false])).await;
    assert_eq!(seen["status"], 0);
    assert_eq!(seen["gasUsed"], without_prefix(called["gasUsed"].as_str().expect("hex")));
    assert_eq!(seen["logEntries"][0]["data"], called["logs"][0]["data"]);
    assert_eq!(seen["logEntries"][0]["address"], json!(hex::encode(contract)));
    let seen = told(&client, "getTransactionReceipt", json!(["group0", "", failed["transactionHash"]])).await;
    assert_eq!(seen["status"], 16);
    let transaction =
        told(&client, "getTransaction", json!(["group0", "", called["transactionHash"], true])).await;
    assert_eq!((&transaction["nonce"], &transaction["chainID"]), (&json!("1"), &json!("20200")));
    assert_eq!(told(&client, "getTransaction", json!(["group0", "", B256::ZERO])).await, Value::Null);
    let counts = told(&client, "getTotalTransactionCount", json!(["group0", ""])).await;
    let expected = json!({ "blockNumber": height, "transactionCount": 3, "failedTransactionCount": 1 });
    assert_eq!(counts, expected);
    receipt(&client, send(&client, &alice.call(contract, [].into())).await).await;
    let counts = told(&client, "getTotalTransactionCount", json!(["group0", ""])).await;
    assert_eq!(counts["transactionCount"], 4, "it counts on");

    let call = told(&client, "call", json!(["group0", "", contract, "0x"])).await;
    assert_eq!((&call["status"], &call["output"]), (&json!(0), &json!(B256::with_last_byte(3))));
    let refused = told(&client, "call", json!(["group0", "", contract, "0x01"])).await;
    assert_eq!(refused["status"], 16);
    let code = told(&client, "getCode", json!(["group0", "", contract])).await;
    assert!(code.as_str().expect("hex").starts_with("0x3615"), "{code}");
}

/// Given a validator and an observer, then each list has who belongs there, and the texts of status hold JSON.
#[tokio::test(flavor = "multi_thread")]
async fn nodes_and_status_have_fiscos_form() {
    let cluster = Cluster::start(1);
    let client = cluster.client(0);
    cluster.wait_for_height(&[0, 1], 0).await;
    let (validator, observer) = (cluster.id_of(0).await, cluster.id_of(1).await);
    let (validator, observer) = (without_prefix(&validator), without_prefix(&observer));
    quorate_tests::cluster::wait_until("the observer is connected", async || {
        told(&client, "getObserverList", json!(["group0", ""])).await == json!([observer])
    })
    .await;

    let sealers = told(&client, "getSealerList", json!(["group0", ""])).await;
    assert_eq!(sealers, json!([{ "nodeID": validator, "weight": 1, "termWeight": 1 }]));
    let nodes = told(&client, "getNodeListByType", json!(["group0", "", "consensus_observer"])).await;
    assert_eq!(nodes, json!([{ "nodeID": observer, "weight": 0 }]));
    let consensus = read(&client, "getConsensusStatus").await;
    assert_eq!((&consensus["index"], &consensus["minRequiredQuorum"]), (&json!(0), &json!(1)));
    assert_eq!(consensus["consensusNodeList"][0]["nodeID"], validator);
    let sync = read(&client, "getSyncStatus").await;
    assert_eq!((&sync["isSyncing"], &sync["peers"]), (&json!(false), &json!([{ "nodeID": observer }])));
    for method in ["getPbftView", "getPendingTxSize"] {
        assert_eq!(told(&client, method, json!(["group0", ""])).await, 0, "{method}");
    }
    assert_eq!(told(&client, "getGroupList", json!([])).await["groupList"], json!(["group0"]));
    assert_eq!(told(&client, "getGroupPeers", json!(["group0"])).await, json!([validator, observer]));
    let peers = told(&client, "getPeers", json!([])).await;
    assert_eq!((&peers["p2pNodeID"], &peers["peers"][0]["p2pNodeID"]), (&validator, &observer));
    let group = told(&client, "getGroupInfo", json!(["group0"])).await;
    assert_eq!(group["nodeList"][0]["nodeID"], validator);
    let setting = told(&client, "getSystemConfigByKey", json!(["group0", "", "web3_chain_id"])).await;
    assert_eq!(setting, json!({ "blockNumber": 0, "value": "20200" }));

    for (method, params, code) in [
        ("getBlockNumber", json!(["group1", ""]), -32005),
        ("getSystemConfigByKey", json!(["group0", "", "no_such_key"]), -32602),
        ("getBlockByNumber", json!(["group0", "", 99]), -32000),
        ("sendTransaction", json!(["group0", "", "0x00", false]), -32601),
    ] {
        let Err(Error::Call(error)) = ask(&client, method, params).await else { panic!("{method} answers") };
        assert_eq!(error.code(), code, "{method}: {}", error.message());
    }
}
