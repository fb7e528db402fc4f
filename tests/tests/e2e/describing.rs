//! What a node says of itself to tools, and what it fills in for them.

use alloy_rpc_types_eth::TransactionRequest;
use quorate_tests::{
    cluster::Cluster,
    wallet::{Wallet, ask, included, send},
};
use quorate_types::{Address, Bytes};
use serde_json::{Value, json};

/// Given a young chain, then its node says that all of it can be asked for, proofs of the last 1,025 blocks, and that Osaka's rules
/// hold from the first block.
#[tokio::test(flavor = "multi_thread")]
async fn a_node_says_how_far_back_it_knows_and_by_which_rules_it_runs() {
    let cluster = Cluster::start(1);
    let client = cluster.client(0);
    let sent = send(&client, &Wallet::development(1).transfer(Address::ZERO, 1)).await;
    included(&client, sent).await;

    let reach = ask(&client, "eth_capabilities", json!([])).await.expect("capabilities");
    let head = ask(&client, "eth_getBlockByNumber", json!([reach["head"]["number"], false])).await;
    assert_eq!(reach["head"]["hash"], head.expect("a block")["hash"]);
    let whole = json!({ "disabled": false, "oldestBlock": "0x0" });
    for kind in ["state", "tx", "logs", "receipts", "blocks"] {
        assert_eq!(reach[kind], whole, "{kind}");
    }
    let window = json!({ "type": "window", "retentionBlocks": "0x401" });
    let of_proofs = json!({ "disabled": false, "oldestBlock": "0x0", "deleteStrategy": window });
    assert_eq!(reach["stateproofs"], of_proofs);

    let rules = ask(&client, "eth_config", json!([])).await.expect("rules");
    assert_eq!((&rules["next"], &rules["last"]), (&Value::Null, &Value::Null));
    let current = &rules["current"];
    assert_eq!((&current["activationTime"], &current["chainId"]), (&json!(0), &json!("0x4ee8")));
    assert_eq!(current["precompiles"]["P256VERIFY"], json!(Address::left_padding_from(&[1, 0])));
    assert_eq!((&current["blobSchedule"]["target"], &current["blobSchedule"]["max"]), (&json!(0), &json!(0)));
}

/// Given a request that says whom to pay and no more, when the node fills it in, then what comes back can be signed as it is, and
/// pays; and one that would revert is refused with the reason.
#[tokio::test(flavor = "multi_thread")]
async fn what_a_request_leaves_out_is_filled_in() {
    let cluster = Cluster::start(1);
    let client = cluster.client(0);
    let mut alice = Wallet::development(2);
    let first = send(&client, &alice.transfer(Address::ZERO, 1)).await;
    included(&client, first).await;

    let request = json!({ "from": alice.address(), "to": Address::repeat_byte(0xb0), "value": "0x5" });
    let filled = ask(&client, "eth_fillTransaction", json!([request])).await.expect("it is filled");
    let raw: Bytes = serde_json::from_value(filled["raw"].clone()).expect("bytes");
    assert_eq!(raw[0], 2, "EIP-1559's type");
    let read: TransactionRequest = serde_json::from_value(filled["tx"].clone()).expect("a transaction");
    assert_eq!((read.nonce, read.gas, read.chain_id), (Some(1), Some(21_000), Some(20200)));
    assert!(read.max_fee_per_gas >= read.max_priority_fee_per_gas && read.max_fee_per_gas > Some(0));

    let priced = json!({ "from": alice.address(), "to": Address::ZERO, "gasPrice": "0x7" });
    let filled = ask(&client, "eth_fillTransaction", json!([priced])).await.expect("it is filled");
    assert_eq!((&filled["tx"]["type"], &filled["tx"]["gasPrice"]), (&json!("0x0"), &json!("0x7")));

    // Init code that reverts: PUSH0, PUSH0, REVERT.
    let reverting = json!({ "from": alice.address(), "input": "0x5f5ffd" });
    let refused = ask(&client, "eth_fillTransaction", json!([reverting])).await;
    assert_eq!(refused.expect_err("it reverts"), (3, "execution reverted".to_owned()));
}
