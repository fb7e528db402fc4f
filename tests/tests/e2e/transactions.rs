//! What a wallet and a contract developer see.

use jsonrpsee::{
    core::client::{ClientT, Subscription, SubscriptionClientT},
    rpc_params,
    ws_client::WsClientBuilder,
};
use quorate_types::{Address, B256, U256};
use serde_json::{Value, json};

use quorate_tests::{
    cluster::Cluster,
    wallet::{Wallet, balance, counter_code, receipt, send},
};

/// Given a fresh network, when a wallet sends a transfer to one node, then every node shows it, and the observer too.
#[tokio::test(flavor = "multi_thread")]
async fn a_transfer_sent_to_one_node_is_seen_on_all() {
    let cluster = Cluster::start(4);
    let (mut alice, bob) = (Wallet::development(1), Wallet::fresh(1));

    let hash = send(&cluster.client(2), &alice.transfer(bob.address(), 12_345)).await;

    for index in 0..cluster.len() {
        let seen = receipt(&cluster.client(index), hash).await;
        assert_eq!(seen["status"], "0x1");
        assert_eq!(seen["gasUsed"], "0x5208");
        assert_eq!(balance(&cluster.client(index), bob.address()).await, U256::from(12_345));
    }
    cluster.assert_same_chain(&[0, 1, 2, 3, 4]).await;
}

/// Given a contract, when it is called, then its log comes by subscription, by query and in the receipt alike; and a call
/// that reverts says so in geth's way.
#[tokio::test(flavor = "multi_thread")]
async fn a_contract_is_deployed_called_and_followed() {
    let cluster = Cluster::start(4);
    let client = cluster.client(0);
    let mut alice = Wallet::development(2);
    let deployed = receipt(&client, send(&client, &alice.deploy(counter_code())).await).await;
    let contract: Address = serde_json::from_value(deployed["contractAddress"].clone()).expect("an address");
    let websocket = WsClientBuilder::default().build(format!("ws://127.0.0.1:{}", cluster.rpc_port(3))).await;
    let websocket = websocket.expect("node 3 takes websockets");
    let mut logs: Subscription<Value> = websocket
        .subscribe("eth_subscribe", rpc_params!["logs", json!({ "address": contract })], "eth_unsubscribe")
        .await
        .expect("a subscription");
    let mut heads: Subscription<Value> = websocket
        .subscribe("eth_subscribe", rpc_params!["newHeads"], "eth_unsubscribe")
        .await
        .expect("a subscription");

    let called = receipt(&client, send(&client, &alice.call(contract, [].into())).await).await;

    let pushed = logs.next().await.expect("a log").expect("it decodes");
    assert_eq!(pushed["topics"], json!([B256::with_last_byte(0x42)]));
    assert_eq!(pushed["transactionHash"], called["transactionHash"]);
    let head = heads.next().await.expect("a head").expect("it decodes");
    assert_eq!(head["hash"], called["blockHash"]);
    let filter = json!({ "address": contract, "fromBlock": "earliest", "toBlock": "latest" });
    let queried: Vec<Value> = client.request("eth_getLogs", rpc_params![filter]).await.expect("logs");
    assert_eq!(queried, called["logs"].as_array().expect("logs").clone());
    let counted: B256 =
        client.request("eth_getStorageAt", rpc_params![contract, "0x0", "latest"]).await.expect("a slot");
    assert_eq!(counted, B256::with_last_byte(1));
    let next: B256 =
        client.request("eth_call", rpc_params![json!({ "to": contract }), "latest"]).await.expect("a call");
    assert_eq!(next, B256::with_last_byte(2));
    let reverted = client
        .request::<Value, _>("eth_call", rpc_params![json!({ "to": contract, "data": "0x01" }), "latest"])
        .await
        .expect_err("it reverts");
    let jsonrpsee::core::client::Error::Call(error) = reverted else {
        panic!("not a call error: {reverted}")
    };
    assert_eq!((error.code(), error.message()), (3, "execution reverted"));
}

/// Given a block of the past, when its state is read, then it is what it was then.
#[tokio::test(flavor = "multi_thread")]
async fn old_states_can_be_read() {
    let cluster = Cluster::start(1);
    let client = cluster.client(0);
    let (mut alice, bob) = (Wallet::development(3), Wallet::fresh(3));
    let first = receipt(&client, send(&client, &alice.transfer(bob.address(), 10)).await).await;
    receipt(&client, send(&client, &alice.transfer(bob.address(), 5)).await).await;

    let then: U256 = client
        .request("eth_getBalance", rpc_params![bob.address(), first["blockNumber"].clone()])
        .await
        .expect("an old balance");

    assert_eq!(then, U256::from(10));
    assert_eq!(balance(&client, bob.address()).await, U256::from(15));
}

/// Given many accounts, when thousands of transfers go through one endpoint in batches, then each is included exactly once.
#[tokio::test(flavor = "multi_thread")]
async fn each_of_many_transfers_is_included_exactly_once() {
    let cluster = Cluster::start(4);
    let client = cluster.client(0);
    let mut wallets: Vec<_> = (0..10).map(Wallet::development).collect();
    let sink = Wallet::fresh(9).address();
    let before = balance(&client, sink).await;

    let mut hashes = Vec::new();
    for _ in 0..20 {
        let mut batch = jsonrpsee::core::params::BatchRequestBuilder::new();
        for wallet in &mut wallets {
            for _ in 0..5 {
                batch
                    .insert("eth_sendRawTransaction", rpc_params![wallet.transfer(sink, 1)])
                    .expect("it encodes");
            }
        }
        let answers = client.batch_request::<B256>(batch).await.expect("a batch");
        hashes.extend(answers.into_iter().map(|answer| answer.expect("none is refused")));
    }

    for hash in &hashes {
        assert_eq!(receipt(&client, *hash).await["status"], "0x1");
    }
    assert_eq!(balance(&client, sink).await - before, U256::from(hashes.len()));
    let top = cluster.assert_same_chain(&[0, 1, 2, 3, 4]).await;
    let mut included = 0;
    for height in 0..=top {
        let block: Value = client
            .request("eth_getBlockByNumber", rpc_params![format!("{height:#x}"), false])
            .await
            .expect("a block");
        included += block["transactions"].as_array().expect("a list").len();
    }
    assert_eq!(included, hashes.len());
}
