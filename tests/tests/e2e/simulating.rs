//! `eth_simulateV1` through a node: blocks that never were.

use jsonrpsee::{
    core::client::{ClientT, Error},
    http_client::HttpClient,
    rpc_params,
};
use quorate_tests::{
    cluster::Cluster,
    wallet::{Wallet, counter_code, receipt, send},
};
use quorate_types::{Address, B256, U256};
use serde_json::{Value, json};

const POOR: Address = Address::repeat_byte(0xb0);
const ECHO: Address = Address::repeat_byte(0xec);

/// A network with a contract that counts its calls.
struct Network {
    _cluster: Cluster,
    client: HttpClient,
    contract: Address,
}

impl Network {
    async fn start() -> Self {
        let cluster = Cluster::start(1);
        let client = cluster.client(0);
        let deployed = send(&client, &Wallet::development(1).deploy(counter_code())).await;
        let seen = receipt(&client, deployed).await;
        let contract = serde_json::from_value(seen["contractAddress"].clone()).expect("an address");
        Self { _cluster: cluster, client, contract }
    }

    async fn simulate(&self, payload: Value) -> Result<Value, (i32, String, bool)> {
        match self.client.request("eth_simulateV1", rpc_params![payload, "latest"]).await {
            Ok(blocks) => Ok(blocks),
            Err(Error::Call(error)) => {
                Err((error.code(), error.message().to_owned(), error.data().is_some()))
            }
            Err(other) => panic!("{other}"),
        }
    }

    async fn ask(&self, method: &str) -> Value {
        self.client.request(method, rpc_params!["latest", false]).await.expect(method)
    }
}

fn quantity(value: &Value) -> u64 {
    serde_json::from_value::<U256>(value.clone()).expect("a quantity").to()
}

/// Given a contract that counts, when its calls are simulated in two blocks with a gap between them, then the blocks have the fields
/// of decided ones and stand on the head, the second goes on where the first ended, and afterwards the node knows nothing of it.
#[tokio::test(flavor = "multi_thread")]
async fn simulated_blocks_stand_on_the_head_and_leave_nothing() {
    let network = Network::start().await;
    let head = network.ask("eth_getBlockByNumber").await;
    let height = quantity(&head["number"]);
    let count = json!({ "from": POOR, "to": network.contract });
    // Reverts with what it was called with, and names a price for blobs that it has none of.
    let fails = json!({ "from": POOR, "to": ECHO, "input": "0x0102", "maxFeePerBlobGas": "0x0" });
    let pays = json!({ "from": POOR, "to": Address::ZERO, "value": "0x5" });
    let payload = json!({
        "blockStateCalls": [
            { "stateOverrides": { ECHO.to_string(): { "code": "0x365f5f37365ffd" } }, "calls": [count, fails] },
            {
                "blockOverrides": { "number": format!("{:#x}", height + 3), "beaconRoot": B256::with_last_byte(9) },
                "stateOverrides": { POOR.to_string(): { "balance": "0x5" } },
                "calls": [pays, count],
            },
        ],
        "traceTransfers": true,
        "returnFullTransactions": true,
    });
    let blocks = network.simulate(payload.clone()).await.expect("it runs");
    let blocks = blocks.as_array().expect("blocks");

    let places: Vec<_> = blocks.iter().map(|block| quantity(&block["number"]) - height).collect();
    assert_eq!(places, [1, 2, 3]);
    let mut parent = &head["hash"];
    for block in blocks {
        assert_eq!(&block["parentHash"], parent);
        parent = &block["hash"];
        let known = |block: &Value| -> Vec<String> {
            block.as_object().expect("a block").keys().filter(|key| *key != "calls").cloned().collect()
        };
        assert_eq!(known(block), known(&head));
    }
    let word = |number: u64| json!(B256::from(U256::from(number)));
    let [first, _, last] = blocks.as_slice() else { panic!("{blocks:?}") };
    assert_eq!((&first["calls"][0]["returnData"], &first["calls"][0]["status"]), (&word(1), &json!("0x1")));
    let log = &first["calls"][0]["logs"][0];
    assert_eq!((&log["blockHash"], &log["logIndex"]), (&first["hash"], &json!("0x0")));
    assert_eq!(log["transactionHash"], first["transactions"][0]["hash"]);
    assert_eq!(first["transactions"][0]["from"], json!(POOR));
    assert_eq!(first["calls"][1]["status"], "0x0");
    let reverted = json!({ "code": 3, "message": "execution reverted", "data": "0x0102" });
    assert_eq!((&first["calls"][1]["error"], &first["calls"][1]["returnData"]), (&reverted, &json!("0x")));
    assert_eq!(last["parentBeaconBlockRoot"], json!(B256::with_last_byte(9)));
    assert_eq!(last["calls"][1]["returnData"], word(2));
    assert_eq!(last["calls"][0]["logs"][0]["address"], json!(Address::repeat_byte(0xee)));
    assert_eq!(last["calls"][1]["logs"][0]["logIndex"], "0x1", "numbered through the block");
    let nonces: Vec<_> = [first, last].map(|block| quantity(&block["transactions"][1]["nonce"])).to_vec();
    assert_eq!(nonces, [1, 3], "nonces go on from call to call and from block to block");

    let again = network.simulate(payload).await.expect("it runs again");
    assert_eq!(again[0]["calls"], first["calls"]);
    let called: B256 = network.client.request("eth_call", rpc_params![count]).await.expect("it runs");
    assert_eq!(json!(called), word(1), "nothing of it is left");
}

/// Given payloads that no chain of blocks can follow, then each is refused with its code and without data.
#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_simulated_is_refused_with_its_code() {
    let network = Network::start().await;
    let head = network.ask("eth_getBlockByNumber").await;
    let calls = |call: Value| json!({ "blockStateCalls": [{ "calls": [call] }], "validation": true });
    let block = |overrides: Value| json!({ "blockStateCalls": [{ "blockOverrides": overrides }] });
    for (payload, code, text) in [
        (json!({ "blockStateCalls": [] }), -32602, "empty input"),
        (block(json!({ "number": "0xffffff" })), -38026, "too many blocks"),
        (block(json!({ "number": head["number"] })), -38020, "block numbers must be in order: "),
        (block(json!({ "time": head["timestamp"] })), -38021, "block timestamps must be in order: "),
        (block(json!({ "blockHash": {} })), -32602, "block override \"blockHash\" is not supported"),
        (calls(json!({ "from": POOR, "nonce": "0x9" })), -38011, "err: nonce too high: address "),
        (calls(json!({ "from": POOR, "gas": "0x1" })), -38013, "err: intrinsic gas too low: have 1, want "),
        (
            calls(json!({ "from": POOR, "to": POOR, "value": "0x1" })),
            -38014,
            "err: insufficient funds for gas",
        ),
        (calls(json!({ "gas": "0xffffffffffffffff" })), -38015, "block gas limit reached: remaining: "),
        (calls(json!({ "chainId": "0x1" })), -32000, "chainId does not match node's (have=1, want=20200)"),
    ] {
        let (have, message, data) = network.simulate(payload.clone()).await.expect_err("refused");
        assert_eq!(have, code, "{payload}: {message}");
        assert!(message.starts_with(text), "{payload}: {message}");
        assert!(!data, "{payload}");
    }
}
