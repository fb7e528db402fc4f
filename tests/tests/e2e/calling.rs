//! Calls that change nothing: on states that never were, with the list of what they touch, and traced.

use jsonrpsee::http_client::HttpClient;
use quorate_tests::{
    cluster::Cluster,
    wallet::{Wallet, ask, counter_code, receipt, send},
};
use quorate_types::{Address, B256, U256};
use serde_json::{Value, json};

/// A network with a contract that counts its calls, called once.
struct Counter {
    _cluster: Cluster,
    client: HttpClient,
    contract: Address,
    called: Value,
}

impl Counter {
    async fn called() -> Self {
        let cluster = Cluster::start(1);
        let client = cluster.client(0);
        let mut alice = Wallet::development(1);
        let seen = receipt(&client, send(&client, &alice.deploy(counter_code())).await).await;
        let contract = serde_json::from_value(seen["contractAddress"].clone()).expect("an address");
        let called = receipt(&client, send(&client, &alice.call(contract, [].into())).await).await;
        Self { _cluster: cluster, client, contract, called }
    }

    async fn ask(&self, method: &str, params: Value) -> Result<Value, (i32, String)> {
        ask(&self.client, method, params).await
    }
}

/// Given a contract that counts, when calls find its storage, its code, an account or the block changed, then they run as if it
/// were so, and afterwards nothing is; what contradicts itself is refused in geth's words.
#[tokio::test(flavor = "multi_thread")]
async fn calls_run_on_states_that_never_were() {
    let counter = Counter::called().await;
    let contract = counter.contract;
    let call = async |overrides: Value, block: Value| {
        counter.ask("eth_call", json!([{ "to": contract }, "latest", overrides, block])).await
    };
    let word = |number: u64| Ok(json!(B256::from(U256::from(number))));
    let slot = |value: u64| json!({ B256::ZERO.to_string(): B256::from(U256::from(value)) });

    assert_eq!(call(json!({ contract.to_string(): { "stateDiff": slot(41) } }), json!({})).await, word(42));
    assert_eq!(call(json!({ contract.to_string(): { "state": {} } }), Value::Null).await, word(1));
    // NUMBER PUSH0 MSTORE  PUSH1 32 PUSH0 RETURN
    let tells_height = json!({ contract.to_string(): { "code": "0x435f5260205ff3" } });
    assert_eq!(call(tells_height, json!({ "number": "0x3e8" })).await, word(1_000));
    let both = json!({ contract.to_string(): { "state": {}, "stateDiff": slot(1) } });
    let (code, message) = call(both, Value::Null).await.expect_err("a contradiction");
    assert_eq!(code, -32000);
    assert!(message.ends_with("has both 'state' and 'stateDiff'"), "{message}");
    assert_eq!(call(json!({}), json!({})).await, word(2), "nothing of it is left");

    let poor = Wallet::fresh(77).address();
    let rich = json!({ poor.to_string(): { "balance": "0xde0b6b3a7640000" } });
    let transfer = json!({ "from": poor, "to": Address::ZERO, "value": "0x1" });
    let gas = counter.ask("eth_estimateGas", json!([transfer, "latest", rich])).await;
    assert_eq!(gas, Ok(json!("0x5208")));
    assert!(counter.ask("eth_estimateGas", json!([transfer])).await.is_err(), "it owns nothing");
    let foreign = counter.ask("eth_call", json!([{ "to": contract, "chainId": "0x1" }])).await;
    assert_eq!(foreign, Err((-32000, "chainId does not match node's (have=1, want=20200)".to_owned())));
}

/// Given a call for what is not here, or in a block far above the head, then the one is refused with a reason and the other runs.
#[tokio::test(flavor = "multi_thread")]
async fn calls_for_what_is_not_here_are_refused() {
    let counter = Counter::called().await;
    let blobs = "transaction type not supported: there are no blobs here".to_owned();
    for blob in [json!({ "blobVersionedHashes": [B256::ZERO] }), json!({ "type": "0x3" })] {
        assert_eq!(counter.ask("eth_call", json!([blob])).await, Err((-32000, blobs.clone())), "{blob}");
    }
    // BLOCKHASH of 9,999.
    let asks = json!({ counter.contract.to_string(): { "code": "0x61270f405f5260205ff3" } });
    let above = json!([{ "to": counter.contract }, "latest", asks, { "number": "0x2710" }]);
    assert_eq!(counter.ask("eth_call", above).await, Ok(json!(B256::ZERO)), "geth: 0");
}

/// Given a call, then the list of what it touches makes it cheaper to foresee: the contract's slot, and the gas with the list.
#[tokio::test(flavor = "multi_thread")]
async fn what_a_call_touches_is_listed() {
    let counter = Counter::called().await;
    let listed = counter.ask("eth_createAccessList", json!([{ "to": counter.contract }])).await;
    let listed = listed.expect("a list");
    let expected = json!([{ "address": counter.contract, "storageKeys": [B256::ZERO] }]);
    assert_eq!((&listed["accessList"], listed.get("error")), (&expected, None));
    let request = json!({ "to": counter.contract, "accessList": expected });
    let limited = json!([{ "to": counter.contract, "accessList": expected, "gas": listed["gasUsed"] }]);
    assert!(counter.ask("eth_call", limited).await.is_ok(), "the gas is enough");
    assert!(counter.ask("eth_estimateGas", json!([request])).await.is_ok());
    let reverts = json!([{ "to": counter.contract, "data": "0x01" }]);
    let reverted = counter.ask("eth_createAccessList", reverts).await.expect("a list all the same");
    assert_eq!(reverted["error"], "execution reverted");
}

/// Given a transaction of the past, then its traces agree with its receipt, alone and with its block, and one that nobody can
/// run says so.
#[tokio::test(flavor = "multi_thread")]
async fn traces_agree_with_receipts() {
    let counter = Counter::called().await;
    let (hash, number) = (&counter.called["transactionHash"], &counter.called["blockNumber"]);
    let calls = json!({ "tracer": "callTracer", "tracerConfig": { "withLog": true } });

    let traced = counter.ask("debug_traceTransaction", json!([hash, calls])).await.expect("a trace");
    assert_eq!(traced["gasUsed"], counter.called["gasUsed"]);
    assert_eq!(traced["to"], json!(counter.contract));
    assert_eq!(traced["logs"][0]["data"], counter.called["logs"][0]["data"]);
    let block = counter.ask("debug_traceBlockByNumber", json!([number, calls])).await.expect("traces");
    assert_eq!(block, json!([{ "txHash": hash, "result": traced }]));
    let by_hash = counter.ask("debug_traceBlockByHash", json!([counter.called["blockHash"], calls])).await;
    assert_eq!(by_hash, Ok(block));

    let steps = counter.ask("debug_traceTransaction", json!([hash])).await.expect("a trace");
    let gas = steps["gas"].as_u64().expect("a number");
    assert_eq!(json!(format!("{gas:#x}")), counter.called["gasUsed"]);
    let last = steps["structLogs"].as_array().and_then(|steps| steps.last()).expect("steps");
    assert_eq!(last["op"], "RETURN");
    let diff = json!({ "tracer": "prestateTracer", "tracerConfig": { "diffMode": true } });
    let changed = counter.ask("debug_traceTransaction", json!([hash, diff])).await.expect("a trace");
    let contract = format!("{:#x}", counter.contract);
    assert_eq!(
        changed["post"][&contract]["storage"],
        json!({ B256::ZERO.to_string(): B256::with_last_byte(1) })
    );

    let called = json!([{ "to": counter.contract }, "latest", calls]);
    let call = counter.ask("debug_traceCall", called).await.expect("a trace");
    assert_eq!(call["output"], json!(B256::with_last_byte(2)));
    let script = json!([hash, { "tracer": "{ step: function() {} }" }]);
    let refused = counter.ask("debug_traceTransaction", script).await;
    assert_eq!(refused, Err((-32602, "tracer not found".to_owned())));
    for (method, params, message) in [
        ("debug_traceTransaction", json!([B256::ZERO]), "transaction not found"),
        ("debug_traceBlockByNumber", json!(["earliest"]), "genesis is not traceable"),
        ("debug_traceBlockByNumber", json!(["0xffff"]), "block #65535 not found"),
        ("debug_traceCall", json!([{}, "pending"]), "tracing on top of pending is not supported"),
    ] {
        assert_eq!(counter.ask(method, params).await, Err((-32000, message.to_owned())), "{method}");
    }
}
