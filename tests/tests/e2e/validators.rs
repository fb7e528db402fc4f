//! Who votes changes while the chain runs: by ordinary transactions, by the operator's command, and with nodes down.

use std::process::Output;

use alloy_sol_types::SolCall;
use jsonrpsee::{core::client::ClientT, rpc_params};
use quorate_types::{Bytes, U256};
use serde_json::{Value, json};

use quorate_tests::{
    cluster::{Cluster, wait_until},
    wallet::{Wallet, receipt, send},
};

alloy_sol_types::sol! {
    // As a client of FISCO BCOS has it.
    function addSealer(string nodeID, uint256 weight) external returns (int256);
    function addObserver(string nodeID) external returns (int256);
    function remove(string nodeID) external returns (int256);
    function setWeight(string nodeID, uint256 weight) external returns (int256);
}

pub(crate) fn add(id: &str, weight: u64) -> Bytes {
    addSealerCall { nodeID: id.to_owned(), weight: U256::from(weight) }.abi_encode().into()
}

fn observe(id: &str) -> Bytes {
    addObserverCall { nodeID: id.to_owned() }.abi_encode().into()
}

fn removal(id: &str) -> Bytes {
    removeCall { nodeID: id.to_owned() }.abi_encode().into()
}

fn reweigh(id: &str, weight: u64) -> Bytes {
    setWeightCall { nodeID: id.to_owned(), weight: U256::from(weight) }.abi_encode().into()
}

/// Sends a change through one node and waits until it is in a block; the height of that block.
pub(crate) async fn change(
    cluster: &Cluster,
    through: usize,
    administrator: &mut Wallet,
    data: Bytes,
) -> u64 {
    let client = cluster.client(through);
    let receipt = receipt(&client, send(&client, &administrator.call_consensus(data)).await).await;
    assert_eq!(receipt["status"], "0x1", "{receipt}");
    let height = receipt["blockNumber"].as_str().expect("a number").trim_start_matches("0x");
    u64::from_str_radix(height, 16).expect("a number")
}

/// A transfer through one node that gets into a block.
async fn transfer(cluster: &Cluster, through: usize, wallet: &mut Wallet) {
    let client = cluster.client(through);
    receipt(&client, send(&client, &wallet.transfer(Wallet::fresh(40).address(), 1)).await).await;
}

/// Who votes after the head of a node, as (id, weight).
async fn voters(cluster: &Cluster, through: usize) -> Vec<(String, u64)> {
    let answer: Value = cluster
        .client(through)
        .request("quorate_validators", rpc_params!["latest"])
        .await
        .expect("an answer");
    let members = answer["validators"].as_array().expect("a list").iter();
    members
        .map(|it| (it["id"].as_str().expect("a key").to_owned(), it["weight"].as_u64().expect("a number")))
        .collect()
}

/// Waits until the validators of a node's height have given up on a view: they have work and no quorum.
async fn wait_for_standstill(cluster: &Cluster, through: usize) {
    wait_until("a view change that cannot come about", async || {
        cluster.consensus_state(through).await["view"].as_u64() > Some(0)
    })
    .await;
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// `node validators VERB ...` with the administrator's key, through node 0.
fn operate(cluster: &Cluster, arguments: &[&str]) -> Output {
    let (url, key) = (cluster.url(0), cluster.file("accounts/administrator.key"));
    let common = ["--rpc", &url, "--key", &key, "-o", "json"];
    cluster.run(&[&["validators"], arguments, &common].concat())
}

/// `node validators list` through node 0.
fn list(cluster: &Cluster) -> Value {
    let output = cluster.run(&["validators", "list", "--rpc", &cluster.url(0), "-o", "json"]);
    assert!(output.status.success(), "{}", stderr(&output));
    serde_json::from_slice(&output.stdout).expect("JSON")
}

async fn wait_until_silent(cluster: &Cluster, id: &str) {
    wait_until(&format!("node 0 hears {id} no more"), async || {
        list(cluster)["standing"]["silent"].as_array().is_some_and(|it| it.contains(&json!(id)))
    })
    .await;
}

/// Given four validators, when one is removed by an ordinary transaction, then it follows as an observer, takes clients'
/// transactions, and nobody needs its vote.
#[tokio::test(flavor = "multi_thread")]
async fn a_removed_validator_follows_and_still_serves() {
    let cluster = Cluster::start(4);
    let (mut administrator, mut alice) = (Wallet::development(0), Wallet::development(1));
    let removed = cluster.id_of(3).await;

    let height = change(&cluster, 3, &mut administrator, removal(&removed)).await;
    assert_eq!(voters(&cluster, 3).await.len(), 3);
    transfer(&cluster, 3, &mut alice).await;
    cluster.wait_for_height(&[0, 1, 2, 3, 4], height + 1).await;

    wait_until("it has no vote and says so", async || {
        let state = cluster.consensus_state(3).await;
        state["abstaining"].as_str().is_some_and(|why| why.starts_with("observer"))
    })
    .await;
    let state = cluster.consensus_state(0).await;
    assert_eq!(state["validators"].as_array().expect("a list").len(), 3);
    let healthy: Value = cluster.client(3).request("quorate_status", rpc_params![]).await.expect("a status");
    assert_eq!(healthy["status"], "healthy", "{healthy}");
    assert!(cluster.log_of(3).contains("this node has no vote from this height on"));
    let again = Wallet::development(2);
    let refused: Result<String, _> = cluster
        .client(1)
        .request(
            "eth_call",
            rpc_params![json!({
                "from": again.address(), "to": quorate_types::VALIDATORS_ADDRESS, "data": removal(&removed)
            })],
        )
        .await;
    assert!(refused.expect_err("not the administrator").to_string().contains("only the administrator"));

    // Of three, two decide: with the removed one gone, one of them may go as well.
    cluster.kill(3);
    cluster.kill(2);
    transfer(&cluster, 0, &mut alice).await;
    cluster.restart(2);
    cluster.restart(3);
    let head = cluster.height(0).await.expect("it serves");
    cluster.wait_for_height(&[2, 3], head).await;
    cluster.assert_same_chain(&[0, 1, 2, 3, 4]).await;
}

/// Given an observer, when the operator's command adds it, then it votes at once: with one of the others down, the four
/// that are left include it.
#[tokio::test(flavor = "multi_thread")]
async fn an_added_observer_is_needed_soon_after() {
    let cluster = Cluster::start(4);
    let mut alice = Wallet::development(1);
    let observer = cluster.id_of(4).await;
    let before = list(&cluster);
    assert_eq!(before["nodes"].as_array().expect("a list").len(), 4);

    let added = operate(&cluster, &["add", &observer]);
    assert!(added.status.success(), "{}", stderr(&added));
    assert!(stderr(&added).contains("after: 5 validators of weight W = 5"), "{}", stderr(&added));
    let answer: Value = serde_json::from_slice(&added.stdout).expect("JSON");
    assert_eq!(answer["after"]["quorum"], 4);
    let force = answer["inForceFrom"].as_u64().expect("a height");
    assert_eq!(cluster.height(0).await, Some(force - 1));

    cluster.kill(3);
    transfer(&cluster, 0, &mut alice).await;
    let certificate: Value = cluster
        .client(0)
        .request("quorate_getCertificate", rpc_params!["latest"])
        .await
        .expect("a certificate");
    assert!(certificate["signers"].as_array().expect("a list").contains(&json!(observer)), "{certificate}");
    assert!(cluster.log_of(4).contains("this node is a validator from this height on"));

    cluster.kill(4);
    let client = cluster.client(0);
    let waiting = send(&client, &alice.transfer(Wallet::fresh(41).address(), 1)).await;
    wait_for_standstill(&cluster, 0).await;
    assert!(
        !client
            .request::<Value, _>("eth_getTransactionReceipt", rpc_params![waiting])
            .await
            .is_ok_and(|it| !it.is_null())
    );
    cluster.restart(4);
    receipt(&client, waiting).await;
    cluster.restart(3);
    let head = cluster.height(0).await.expect("it serves");
    cluster.wait_for_height(&[3, 4], head).await;
    cluster.assert_same_chain(&[0, 1, 2, 3, 4]).await;
}

/// Given one validator that is made to weigh seven of ten, when the other three are down, then it decides alone; when it
/// is down, then the other three do not.
#[tokio::test(flavor = "multi_thread")]
async fn weights_change_who_is_a_quorum() {
    let cluster = Cluster::start(4);
    let (mut administrator, mut alice) = (Wallet::development(0), Wallet::development(1));
    let heavy = cluster.id_of(0).await;
    change(&cluster, 1, &mut administrator, reweigh(&heavy, 7)).await;
    assert!(voters(&cluster, 1).await.contains(&(heavy, 7)));

    [1, 2, 3].iter().for_each(|index| cluster.kill(*index));
    transfer(&cluster, 0, &mut alice).await;

    cluster.kill(0);
    [1, 2, 3].iter().for_each(|index| cluster.restart(*index));
    cluster.wait_for_height(&[1, 2, 3], 1).await;
    let client = cluster.client(1);
    let head = cluster.height(4).await.expect("the observer followed the one");
    cluster.wait_for_height(&[1, 2, 3], head).await;
    let waiting = send(&client, &alice.transfer(Wallet::fresh(42).address(), 1)).await;
    wait_for_standstill(&cluster, 1).await;
    assert_eq!(cluster.height(1).await, Some(head), "three of ten decide nothing");
    cluster.restart(0);
    receipt(&client, waiting).await;
    cluster.assert_same_chain(&[0, 1, 2, 3, 4]).await;
}

/// faults.md, set-change-restart (Edge #811): given a network, when validators are removed, added and reweighed while
/// nodes are killed and started, once all of them, then the chain goes on; and a node that begins from nothing verifies
/// all of it.
#[tokio::test(flavor = "multi_thread")]
async fn set_change_restart() {
    let cluster = Cluster::start(4);
    let (mut administrator, mut alice) = (Wallet::development(0), Wallet::development(1));
    let (second, third, observer) = (cluster.id_of(2).await, cluster.id_of(3).await, cluster.id_of(4).await);

    // One is removed while another is killed: two of the three that are left decide.
    let removed = send(&cluster.client(0), &administrator.call_consensus(removal(&third))).await;
    cluster.kill(1);
    assert_eq!(receipt(&cluster.client(0), removed).await["status"], "0x1");
    cluster.kill(3);
    cluster.restart(1);
    transfer(&cluster, 0, &mut alice).await;
    // It comes back into a chain that it has no vote in, gets it again, and is killed at once.
    cluster.restart(3);
    change(&cluster, 0, &mut administrator, add(&third, 2)).await;
    cluster.kill(3);
    cluster.restart(3);
    transfer(&cluster, 1, &mut alice).await;
    // Two changes in flight, and everybody loses power.
    let client = cluster.client(0);
    let swaps = [observe(&second), add(&observer, 1)].map(|data| administrator.call_consensus(data));
    let mut hashes = Vec::new();
    for raw in &swaps {
        hashes.push(send(&client, raw).await);
    }
    receipt(&client, hashes[1]).await;
    (0..cluster.len()).for_each(|index| cluster.kill(index));
    cluster.up();
    transfer(&cluster, 2, &mut alice).await;
    let mut expected = [(cluster.id_of(0).await, 1), (cluster.id_of(1).await, 1), (third, 2), (observer, 1)];
    expected.sort();
    assert_eq!(voters(&cluster, 2).await, expected);

    // From nothing, through every set that there was: the one that has no vote.
    cluster.kill(2);
    cluster.wipe(2);
    cluster.restart(2);
    let head = cluster.height(0).await.expect("it serves");
    cluster.wait_for_height(&[2], head).await;
    transfer(&cluster, 2, &mut alice).await;
    cluster.assert_same_chain(&[0, 1, 2, 3, 4]).await;
}

/// faults.md, offline-candidate (Besu #8425, Edge #637): given three of four alive, when somebody who is down is voted in,
/// then the command refuses and shows why; forced, the chain waits, the nodes say for whom, and it goes on once the
/// candidate is started.
#[tokio::test(flavor = "multi_thread")]
async fn offline_candidate() {
    let cluster = Cluster::start(4);
    let mut alice = Wallet::development(1);
    let (candidate, down) = (cluster.id_of(4).await, cluster.id_of(3).await);

    cluster.kill(4);
    cluster.kill(3);
    wait_until_silent(&cluster, &down).await;
    let refused = operate(&cluster, &["add", &candidate]);
    let said = stderr(&refused);
    assert_eq!(refused.status.code(), Some(9), "{said}");
    assert!(said.contains("now:   4 validators of weight W = 4: F = 1 may lie, Q = 3 decide"), "{said}");
    assert!(said.contains("after: 5 validators of weight W = 5: F = 1 may lie, Q = 4 decide"), "{said}");
    assert!(said.contains("heard from 3, 1 too few to decide") && said.contains(&candidate), "{said}");
    transfer(&cluster, 0, &mut alice).await;
    assert_eq!(voters(&cluster, 0).await.len(), 4, "nothing was sent");

    let forced = operate(&cluster, &["add", &candidate, "--force"]);
    assert!(forced.status.success(), "{}", stderr(&forced));
    assert!(cluster.log_of(0).contains("start the silent ones"), "the node says so as well");
    let client = cluster.client(0);
    let waiting = send(&client, &alice.transfer(Wallet::fresh(43).address(), 1)).await;
    wait_for_standstill(&cluster, 0).await;
    cluster.restart(4);
    receipt(&client, waiting).await;
    cluster.restart(3);
    let head = cluster.height(0).await.expect("it serves");
    cluster.wait_for_height(&[3, 4], head).await;

    // What the contract refuses, the command reports in the contract's words.
    let twice = operate(&cluster, &["add", &candidate]);
    assert_eq!(twice.status.code(), Some(6), "{}", stderr(&twice));
    assert!(
        stderr(&twice).contains("is a validator of weight 1 already: use setWeight"),
        "{}",
        stderr(&twice)
    );
    cluster.assert_same_chain(&[0, 1, 2, 3, 4]).await;
}
