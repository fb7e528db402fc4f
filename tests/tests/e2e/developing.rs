//! `node dev`: a chain of one process, as people who test their applications use it.

use std::{
    process::{Child, Command, Stdio},
    str::FromStr as _,
};

use jsonrpsee::http_client::{HttpClient, HttpClientBuilder};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use quorate_tests::{
    cluster::{Cluster, node_binary},
    wallet::{ask, counter_code},
};
use quorate_types::{Address, B256, Bytes, U256, keccak256};
use serde_json::{Deserializer, Value, json};

/// A chain of its own, ended when dropped.
struct DevelopmentChain {
    process: Child,
    folder: tempfile::TempDir,
    client: HttpClient,
    accounts: Vec<Address>,
}

impl DevelopmentChain {
    fn start() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let mut command = Command::new(node_binary());
        command.args(["dev", "--port", "0", "-o", "json"]).env("TMPDIR", folder.path());
        let mut process = command.stdout(Stdio::piped()).spawn().expect("the binary starts");
        let told =
            Deserializer::from_reader(process.stdout.take().expect("piped")).into_iter::<Value>().next();
        let told = told.expect("it tells of itself").expect("JSON");
        let client = HttpClientBuilder::default().build(told["rpc"].as_str().expect("an address"));
        let address = |it: &Value| serde_json::from_value(it["address"].clone()).expect("an address");
        let accounts = told["accounts"].as_array().expect("a list").iter().map(address).collect();
        Self { process, folder, client: client.expect("a loopback address"), accounts }
    }

    async fn try_ask(&self, method: &str, params: Value) -> Result<Value, (i32, String)> {
        ask(&self.client, method, params).await
    }

    async fn ask(&self, method: &str, params: Value) -> Value {
        self.try_ask(method, params).await.unwrap_or_else(|error| panic!("{method}: {error:?}"))
    }

    /// A transaction of the first account, and its receipt, which is there at once.
    async fn send(&self, mut request: Value) -> Value {
        request["from"] = json!(self.accounts[0]);
        let hash = self.ask("eth_sendTransaction", json!([request])).await;
        let receipt = self.ask("eth_getTransactionReceipt", json!([hash])).await;
        assert_eq!(receipt["status"], json!("0x1"), "{hash} is in a block when it is answered");
        receipt
    }

    async fn deploy_counter(&self) -> Value {
        self.send(json!({ "data": counter_code() })).await["contractAddress"].clone()
    }

    async fn number(&self, method: &str, params: Value) -> u64 {
        serde_json::from_value::<U256>(self.ask(method, params).await).expect("a number").to()
    }

    async fn height(&self) -> u64 {
        self.number("eth_blockNumber", json!([])).await
    }

    async fn time(&self) -> u64 {
        let head = self.ask("eth_getBlockByNumber", json!(["latest", false])).await;
        serde_json::from_value::<U256>(head["timestamp"].clone()).expect("a number").to()
    }

    /// Who made a signature, as the EVM sees it.
    async fn signer_of(&self, hash: B256, signature: &Value) -> Address {
        let signature: Bytes = serde_json::from_value(signature.clone()).expect("bytes");
        let v = B256::from(U256::from(signature[64]));
        let input = Bytes::from([hash.as_slice(), v.as_slice(), &signature[..64]].concat());
        let ecrecover = Address::with_last_byte(1);
        let word = self.ask("eth_call", json!([{ "to": ecrecover, "input": input }])).await;
        Address::from_word(serde_json::from_value(word).expect("a word"))
    }
}

impl Drop for DevelopmentChain {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Given a chain that signs for its accounts, when transactions are sent without nonce, gas and price, one by one and at once, then
/// each is in a block when it is answered, and one that would revert is refused with the reason.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_answered_is_in_a_block() {
    let chain = DevelopmentChain::start();
    assert_eq!(chain.ask("eth_accounts", json!([])).await, json!(chain.accounts));
    assert_eq!((chain.accounts.len(), chain.number("eth_chainId", json!([])).await), (10, 31337));

    let contract = chain.deploy_counter().await;
    let called = chain.send(json!({ "to": contract })).await;
    assert_eq!(called["logs"][0]["address"], contract);
    let payments = (0..20).map(|_| chain.send(json!({ "to": Address::repeat_byte(7), "value": "0x1" })));
    futures::future::join_all(payments).await;
    let paid = chain.number("eth_getBalance", json!([Address::repeat_byte(7), "latest"])).await;
    let nonce = chain.number("eth_getTransactionCount", json!([chain.accounts[0], "latest"])).await;
    assert_eq!((paid, nonce), (20, 22));

    let reverts = json!([{ "from": chain.accounts[0], "to": contract, "data": "0x00" }]);
    let (code, message) = chain.try_ask("eth_sendTransaction", reverts).await.expect_err("it reverts");
    assert_eq!((code, message.as_str()), (3, "execution reverted"));
    let foreign = json!([{ "from": Address::repeat_byte(9), "to": contract }]);
    let (_, message) = chain.try_ask("eth_sendTransaction", foreign).await.expect_err("nobody's account");
    assert!(message.contains("unknown account"), "{message}");
}

/// Given a snapshot, when the chain has gone on by transactions, blocks and an hour, and goes back, then state, height, time, logs,
/// receipts and filters are as they were, the chain goes on from there, and the snapshot is used up.
#[tokio::test(flavor = "multi_thread")]
async fn a_snapshot_brings_everything_back() {
    let chain = DevelopmentChain::start();
    let contract = chain.deploy_counter().await;
    let count = async || chain.number("eth_getStorageAt", json!([contract, "0x0", "latest"])).await;
    let filter = chain.ask("eth_newFilter", json!([{ "address": contract }])).await;
    let news = async || chain.ask("eth_getFilterChanges", json!([filter])).await;
    let (height, time) = (chain.height().await, chain.time().await);
    let snapshot = chain.ask("evm_snapshot", json!([])).await;

    let lost = chain.send(json!({ "to": contract })).await;
    assert_eq!((news().await.as_array().map(Vec::len), count().await), (Some(1), 1));
    chain.ask("evm_increaseTime", json!([3600])).await;
    chain.ask("evm_mine", json!([{ "blocks": 3 }])).await;
    assert_eq!(chain.height().await, height + 4);
    assert!(chain.time().await >= time + 3600);

    assert_eq!(chain.ask("evm_revert", json!([snapshot])).await, json!(true));
    assert_eq!((chain.height().await, chain.time().await, count().await), (height, time, 0));
    let receipt = chain.ask("eth_getTransactionReceipt", json!([lost["transactionHash"]])).await;
    let logs = chain.ask("eth_getLogs", json!([{ "address": contract, "fromBlock": "0x0" }])).await;
    assert_eq!((receipt, logs), (Value::Null, json!([])));

    let again = chain.send(json!({ "to": contract })).await;
    assert_eq!(news().await, again["logs"], "the filter hears of what comes after the way back");
    assert_eq!((chain.height().await, count().await), (height + 1, 1));
    assert!(chain.time().await < time + 3600, "the clock went back as well");
    assert_eq!(chain.ask("evm_revert", json!([snapshot])).await, json!(false));
}

/// Given a time in the past, when a block is asked for with it, then it is refused; with one in the future the clock goes on there.
#[tokio::test(flavor = "multi_thread")]
async fn time_goes_forward_only() {
    let chain = DevelopmentChain::start();
    let time = chain.time().await;
    let (code, _) = chain.try_ask("evm_mine", json!([time - 10])).await.expect_err("the past");
    assert_eq!(code, -32000);
    chain.ask("evm_mine", json!([time + 1_000_000])).await;
    assert_eq!(chain.time().await, time + 1_000_000);
    chain.send(json!({ "to": Address::ZERO })).await;
    assert!(chain.time().await >= time + 1_000_000);
}

/// Given the example of EIP-712, and a message, when an account signs them, then the EVM recovers that account from both.
#[tokio::test(flavor = "multi_thread")]
async fn signatures_are_those_that_contracts_check() {
    let chain = DevelopmentChain::start();
    let alice = chain.accounts[1];
    let signature = chain.ask("eth_sign", json!([alice, "0x68656c6c6f"])).await;
    let hash = keccak256(b"\x19Ethereum Signed Message:\n5hello");
    assert_eq!(chain.signer_of(hash, &signature).await, alice);
    assert_eq!(chain.ask("personal_sign", json!(["0x68656c6c6f", alice])).await, signature);

    let fields = |list: &[(&str, &str)]| -> Vec<Value> {
        list.iter().map(|(name, kind)| json!({ "name": name, "type": kind })).collect()
    };
    let mail = json!({
        "types": {
            "EIP712Domain": fields(&[("name", "string"), ("version", "string"), ("chainId", "uint256"), ("verifyingContract", "address")]),
            "Person": fields(&[("name", "string"), ("wallet", "address")]),
            "Mail": fields(&[("from", "Person"), ("to", "Person"), ("contents", "string")]),
        },
        "primaryType": "Mail",
        "domain": { "name": "Ether Mail", "version": "1", "chainId": 1, "verifyingContract": "0xCcCCccccCCCCcCCCCCCcCcCccCcCCCcCcccccccC" },
        "message": {
            "from": { "name": "Cow", "wallet": "0xCD2a3d9F938E13CD947Ec05AbC7FE734Df8DD826" },
            "to": { "name": "Bob", "wallet": "0xbBbBBBBbbBBBbbbBbbBbbbbBBbBbbbbBbBbbBBbB" },
            "contents": "Hello, Bob!",
        },
    });
    // As EIP-712 gives it for this mail.
    let hash =
        B256::from_str("0xbe609aee343fb3c4b28e1df9e632fca64fcfaede20f02e86244efddf30957bd2").expect("hex");
    let signature = chain.ask("eth_signTypedData_v4", json!([alice, mail])).await;
    assert_eq!(chain.signer_of(hash, &signature).await, alice);
}

/// Given two chains of one id, then they can be told apart, however far they go: Hardhat's Ignition deploys again to one that it does
/// not know.
#[tokio::test(flavor = "multi_thread")]
async fn one_chain_is_told_from_another() {
    let (one, other) = (DevelopmentChain::start(), DevelopmentChain::start());
    let instance =
        async |chain: &DevelopmentChain| chain.ask("hardhat_metadata", json!([])).await["instanceId"].clone();
    let first = instance(&one).await;
    one.ask("evm_mine", json!([])).await;
    assert_eq!(instance(&one).await, first);
    assert_ne!(instance(&other).await, first);
}

/// Given Ctrl-C, when the chain ends, then it ended well and left nothing on disk.
#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_left_when_it_ends() {
    let mut chain = DevelopmentChain::start();
    chain.deploy_counter().await;
    let left = |chain: &DevelopmentChain| std::fs::read_dir(chain.folder.path()).expect("a folder").count();
    assert_eq!(left(&chain), 1);
    let pid = Pid::from_raw(chain.process.id().try_into().expect("a pid"));
    kill(pid, Signal::SIGINT).expect("it is ours");
    assert!(chain.process.wait().expect("it ends").success());
    assert_eq!(left(&chain), 0);
}

/// Given a node of a consortium, when it is asked for what only a development chain does, then there is no such method: it holds no
/// keys, and what is decided stays.
#[tokio::test(flavor = "multi_thread")]
async fn a_node_has_none_of_it() {
    let cluster = Cluster::start(1);
    let methods = ["eth_sendTransaction", "eth_sign", "eth_signTypedData_v4", "personal_sign"];
    let methods = methods.into_iter().chain(["evm_snapshot", "evm_revert", "evm_mine", "evm_increaseTime"]);
    for method in methods {
        let (code, _) = ask(&cluster.client(0), method, json!([])).await.expect_err("no such method");
        assert_eq!(code, -32601, "{method}");
    }
    assert_eq!(ask(&cluster.client(0), "eth_accounts", json!([])).await, Ok(json!([])));
}
