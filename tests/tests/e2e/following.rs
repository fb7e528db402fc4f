//! How clients follow the chain: filters that are polled, subscriptions, and logs that are read on after a disconnect.

use jsonrpsee::{
    core::client::{ClientT, Error, Subscription, SubscriptionClientT},
    http_client::HttpClient,
    rpc_params,
    ws_client::{WsClient, WsClientBuilder},
};
use quorate_tests::{
    cluster::Cluster,
    wallet::{Wallet, counter_code, receipt, send},
};
use quorate_types::{Address, B256};
use serde_json::{Value, json};

/// One validator with a contract that logs a number each time it is called.
struct Counter {
    cluster: Cluster,
    client: HttpClient,
    alice: Wallet,
    contract: Address,
}

impl Counter {
    async fn deployed() -> Self {
        let cluster = Cluster::start(1);
        let client = cluster.client(0);
        let mut alice = Wallet::development(1);
        let seen = receipt(&client, send(&client, &alice.deploy(counter_code())).await).await;
        let contract = serde_json::from_value(seen["contractAddress"].clone()).expect("an address");
        Self { cluster, client, alice, contract }
    }

    /// Calls the contract; its one log.
    async fn counts(&mut self) -> Value {
        let raw = self.alice.call(self.contract, [].into());
        receipt(&self.client, send(&self.client, &raw).await).await["logs"][0].clone()
    }

    async fn ask(&self, method: &str, params: Vec<Value>) -> Result<Value, Error> {
        let mut list = rpc_params![];
        params.into_iter().for_each(|it| list.insert(it).expect("it encodes"));
        self.client.request(method, list).await
    }

    async fn install(&self, method: &str, params: Vec<Value>) -> Value {
        self.ask(method, params).await.expect("a filter")
    }

    async fn changes(&self, filter: &Value) -> Vec<Value> {
        let changes = self.ask("eth_getFilterChanges", vec![filter.clone()]).await.expect("changes");
        changes.as_array().expect("a list").clone()
    }

    async fn websocket(&self) -> WsClient {
        let url = format!("ws://127.0.0.1:{}", self.cluster.rpc_port(0));
        WsClientBuilder::default().build(url).await.expect("it takes websockets")
    }
}

/// Given filters of each kind, when the chain goes on, then each poll gives what is new since the last, once; and a filter
/// that was taken away is not found.
#[tokio::test(flavor = "multi_thread")]
async fn filters_give_what_is_new_since_the_last_poll() {
    let mut counter = Counter::deployed().await;
    let before = counter.counts().await;
    let contract = json!({ "address": counter.contract, "fromBlock": "0x0" });
    let logs = counter.install("eth_newFilter", vec![contract]).await;
    let elsewhere = counter.install("eth_newFilter", vec![json!({ "address": Address::ZERO })]).await;
    let blocks = counter.install("eth_newBlockFilter", vec![]).await;
    let pending = counter.install("eth_newPendingTransactionFilter", vec![]).await;
    assert!(counter.changes(&logs).await.is_empty(), "what was before is not new");

    let (first, second) = (counter.counts().await, counter.counts().await);

    assert_eq!(counter.changes(&logs).await, [first.clone(), second.clone()]);
    assert!(counter.changes(&logs).await.is_empty(), "once");
    assert!(counter.changes(&elsewhere).await.is_empty());
    assert_eq!(counter.changes(&blocks).await, [first["blockHash"].clone(), second["blockHash"].clone()]);
    assert_eq!(
        counter.changes(&pending).await,
        [first["transactionHash"].clone(), second["transactionHash"].clone()]
    );
    let all = counter.ask("eth_getFilterLogs", vec![logs.clone()]).await.expect("logs");
    assert_eq!(all, json!([before, first, second]), "all that it asks for");
    assert_eq!(counter.install("eth_uninstallFilter", vec![logs.clone()]).await, true);
    assert_eq!(counter.install("eth_uninstallFilter", vec![logs.clone()]).await, false);
    for (method, filter) in [("eth_getFilterChanges", logs), ("eth_getFilterLogs", blocks)] {
        let Err(Error::Call(error)) = counter.ask(method, vec![filter]).await else {
            panic!("{method} finds it")
        };
        assert_eq!((error.code(), error.message()), (-32000, "filter not found"));
    }
}

/// Given a client that follows logs and is cut off, when it comes back with the cursor of the last log that it saw, then it gets
/// all that came meanwhile, and what comes now, each once.
#[tokio::test(flavor = "multi_thread")]
async fn logs_are_read_on_behind_a_cursor() {
    async fn follow(websocket: &WsClient, request: Value) -> Subscription<Value> {
        websocket
            .subscribe("quorate_subscribe", rpc_params!["logs", request], "quorate_unsubscribe")
            .await
            .expect("a subscription")
    }
    async fn next(events: &mut Subscription<Value>) -> Value {
        events.next().await.expect("an event").expect("it decodes")
    }
    let mut counter = Counter::deployed().await;
    let filter = json!({ "address": counter.contract });
    let (first, second) = (counter.counts().await, counter.counts().await);
    let websocket = counter.websocket().await;
    let mut events = follow(&websocket, json!({ "filter": filter, "fromBlock": "earliest" })).await;
    let seen = next(&mut events).await;
    assert_eq!(seen["log"], first, "what was before it came is replayed");
    drop((events, websocket));

    let third = counter.counts().await;
    let websocket = counter.websocket().await;
    let mut events = follow(&websocket, json!({ "filter": filter, "cursor": seen["cursor"] })).await;

    assert_eq!(next(&mut events).await["log"], second);
    assert_eq!(next(&mut events).await["log"], third);
    let live = counter.counts().await;
    assert_eq!(next(&mut events).await["log"], live);
}

/// Given a wallet that watches the pool, then it sees each transaction that comes in, by hash or whole.
#[tokio::test(flavor = "multi_thread")]
async fn the_pool_is_followed() {
    let mut counter = Counter::deployed().await;
    let websocket = counter.websocket().await;
    let kind = "newPendingTransactions";
    let mut hashes: Subscription<B256> =
        websocket.subscribe("eth_subscribe", rpc_params![kind], "eth_unsubscribe").await.expect("hashes");
    // Behind a gap, so that it still waits when it is looked up.
    let (skipped, sent) = {
        let sink = Wallet::fresh(7).address();
        (counter.alice.transfer(sink, 1), counter.alice.transfer(sink, 2))
    };
    let mut whole: Subscription<Value> =
        websocket.subscribe("eth_subscribe", rpc_params![kind, true], "eth_unsubscribe").await.expect("all");

    let hash = send(&counter.client, &sent).await;

    assert_eq!(hashes.next().await.expect("a hash").expect("it decodes"), hash);
    let seen = whole.next().await.expect("a transaction").expect("it decodes");
    assert_eq!((&seen["hash"], &seen["value"]), (&json!(hash), &json!("0x2")));
    receipt(&counter.client, send(&counter.client, &skipped).await).await;

    for (method, kind) in [("eth_subscribe", "blocks"), ("quorate_subscribe", "newHeads")] {
        let refused = websocket.subscribe::<Value, _>(method, rpc_params![kind], "eth_unsubscribe").await;
        let Err(Error::Call(error)) = refused else { panic!("{method} follows {kind}") };
        assert_eq!(error.code(), -32601);
        assert!(error.message().starts_with(&format!("no {kind:?} subscription in ")), "{}", error.message());
    }
}

/// Given a filter that says itself where to begin, then it is refused: the place is said beside it, once.
#[tokio::test(flavor = "multi_thread")]
async fn where_to_begin_is_said_beside_the_filter() {
    let counter = Counter::deployed().await;
    let websocket = counter.websocket().await;
    for request in [
        json!({ "filter": { "fromBlock": "0x1" } }),
        json!({ "filter": { "blockHash": B256::ZERO } }),
        json!({ "fromBlock": "pending" }),
    ] {
        let params = rpc_params!["logs", &request];
        let refused =
            websocket.subscribe::<Value, _>("quorate_subscribe", params, "quorate_unsubscribe").await;
        let Err(Error::Call(error)) = refused else { panic!("{request} is followed") };
        assert_eq!(error.code(), -32602, "{request}");
        assert!(error.message().starts_with("where to begin is said by fromBlock"), "{}", error.message());
    }
}

/// Given a filter that names a second place for any topic, then logs that have one topic do not pass it, neither in queries nor
/// in filters.
#[tokio::test(flavor = "multi_thread")]
async fn a_place_for_any_topic_must_be_filled() {
    let mut counter = Counter::deployed().await;
    let topic = B256::with_last_byte(0x42);
    let exact = json!({ "fromBlock": "0x0", "topics": [topic] });
    let longer = json!({ "fromBlock": "0x0", "topics": [topic, null] });
    let (of_exact, of_longer) = (
        counter.install("eth_newFilter", vec![exact.clone()]).await,
        counter.install("eth_newFilter", vec![longer.clone()]).await,
    );
    let log = counter.counts().await;
    assert_eq!(counter.ask("eth_getLogs", vec![exact]).await.expect("logs"), json!([log]));
    assert_eq!(counter.ask("eth_getLogs", vec![longer]).await.expect("logs"), json!([]));
    assert_eq!(counter.changes(&of_exact).await, [log]);
    assert!(counter.changes(&of_longer).await.is_empty());
}
