//! Killed, restarted, wiped: the chain goes on, and nothing that was seen is lost.

use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use jsonrpsee::{
    core::client::{ClientT, Error as ClientError},
    rpc_params,
};
use quorate_types::B256;
use serde_json::Value;

use quorate_tests::{
    cluster::{Cluster, wait_until},
    wallet::{Wallet, receipt, send},
};

/// Given four validators, when one is killed, then blocks go on; when two are, then they stop; when one comes back, then they
/// go on, and nobody forks.
#[tokio::test(flavor = "multi_thread")]
async fn three_of_four_go_on_and_two_wait_for_the_third() {
    let cluster = Cluster::start(4);
    let (mut alice, sink) = (Wallet::development(0), Wallet::fresh(20).address());

    cluster.kill(3);
    for _ in 0..5 {
        let hash = send(&cluster.client(0), &alice.transfer(sink, 1)).await;
        receipt(&cluster.client(1), hash).await;
    }

    cluster.kill(2);
    let stuck = cluster.height(0).await.expect("node 0 serves");
    let waiting = send(&cluster.client(0), &alice.transfer(sink, 1)).await;
    wait_until("a view change that cannot come about", async || {
        let state: Result<Value, _> =
            cluster.client(0).request("quorate_consensusState", rpc_params![]).await;
        state.is_ok_and(|state| state["view"].as_u64() > Some(0))
    })
    .await;
    assert_eq!(cluster.height(0).await, Some(stuck));

    cluster.restart(2);
    receipt(&cluster.client(0), waiting).await;
    cluster.restart(3);
    cluster.wait_for_height(&[0, 1, 2, 3, 4], stuck + 1).await;
    cluster.assert_same_chain(&[0, 1, 2, 3, 4]).await;
}

/// faults.md, lone-transaction: given a transaction that came to the observer when no validator was there to be told of it,
/// when the validators are back, then it gets into a block.
#[tokio::test(flavor = "multi_thread")]
async fn lone_transaction_of_an_observer_gets_into_a_block() {
    let cluster = Cluster::start(4);
    let (mut alice, sink) = (Wallet::development(0), Wallet::fresh(22).address());
    (0..4).for_each(|validator| cluster.kill(validator));
    let lone = send(&cluster.client(4), &alice.transfer(sink, 1)).await;

    (0..4).for_each(|validator| cluster.restart(validator));
    receipt(&cluster.client(0), lone).await;
    cluster.assert_same_chain(&[0, 1, 2, 3, 4]).await;
}

/// Given load, when all five are killed at once and started again, then the chain goes on by itself, and every
/// transaction seen in a block is still in that block.
#[tokio::test(flavor = "multi_thread")]
async fn all_killed_under_load_lose_nothing() {
    let cluster = Arc::new(Cluster::start(4));
    let stop = Arc::new(AtomicBool::new(false));
    let load = tokio::spawn({
        let (cluster, stop) = (cluster.clone(), stop.clone());
        async move {
            let client = cluster.client(0);
            let (mut alice, sink) = (Wallet::development(4), Wallet::fresh(21).address());
            let mut sent = Vec::new();
            let mut raw = alice.transfer(sink, 1);
            while !stop.load(Ordering::Relaxed) {
                let answer: Result<B256, _> =
                    client.request("eth_sendRawTransaction", rpc_params![&raw]).await;
                match answer {
                    Ok(hash) => {
                        sent.push(hash);
                        raw = alice.transfer(sink, 1);
                    }
                    // As much of one sender waits as may.
                    Err(ClientError::Call(_)) => tokio::task::yield_now().await,
                    // The node was killed.
                    Err(_) => break,
                }
            }
            sent
        }
    });
    cluster.wait_for_height(&[0, 1, 2, 3, 4], 10).await;
    let mut seen = Vec::new();
    for height in 1..=10 {
        seen.push(cluster.hash_at(1, height).await.expect("it was there"));
    }

    for index in 0..cluster.len() {
        cluster.kill(index);
    }
    stop.store(true, Ordering::Relaxed);
    load.await.expect("the load ends");
    cluster.up();

    let hash = {
        let mut bob = Wallet::development(5);
        send(&cluster.client(3), &bob.transfer(Wallet::fresh(22).address(), 1)).await
    };
    receipt(&cluster.client(0), hash).await;
    cluster.assert_same_chain(&[0, 1, 2, 3, 4]).await;
    for (height, hash) in (1..).zip(seen) {
        assert_eq!(cluster.hash_at(4, height).await, Some(hash), "block {height} was seen before");
    }
}

/// faults.md, wiped-node (Besu #8307): given a validator whose data are deleted, when it starts again, then it syncs,
/// abstains where it must, and votes again.
#[tokio::test(flavor = "multi_thread")]
async fn wiped_node_syncs_and_votes_again() {
    let cluster = Cluster::start(4);
    let (mut alice, sink) = (Wallet::development(6), Wallet::fresh(23).address());
    for _ in 0..5 {
        let hash = send(&cluster.client(0), &alice.transfer(sink, 1)).await;
        receipt(&cluster.client(0), hash).await;
    }

    cluster.kill(1);
    cluster.wipe(1);
    cluster.restart(1);
    let head = cluster.height(0).await.expect("node 0 serves");
    cluster.wait_for_height(&[1], head).await;
    votes_again(&cluster, 1, &mut alice).await;
    cluster.kill(0);
    let hash = send(&cluster.client(2), &alice.transfer(sink, 1)).await;
    receipt(&cluster.client(1), hash).await;
    cluster.assert_same_chain(&[1, 2, 3, 4]).await;
}

/// Given a validator whose database is replaced by a copy that is a few blocks old, with its vote log as it was, when it
/// starts, then it says that the database had more, and votes only after it cannot contradict itself.
#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_was_put_back_is_noticed() {
    let cluster = Cluster::start(4);
    let (mut alice, sink) = (Wallet::development(8), Wallet::fresh(24).address());
    let chain = cluster.folder_of(1).join("data/chain");
    let copy = chain.with_extension("copy");
    cluster.kill(1);
    copy_folder(&chain, &copy);
    cluster.restart(1);
    cluster.wait_for_height(&[1], 0).await;
    // It votes for the third when it has the second on disk.
    for _ in 0..3 {
        let hash = send(&cluster.client(1), &alice.transfer(sink, 1)).await;
        receipt(&cluster.client(1), hash).await;
    }

    cluster.kill(1);
    std::fs::remove_dir_all(&chain).expect("it was there");
    std::fs::rename(&copy, &chain).expect("the copy is put in");
    cluster.restart(1);
    wait_until("node 1 says so", async || {
        cluster.log_of(1).contains("the database is older than the vote log")
    })
    .await;
    votes_again(&cluster, 1, &mut alice).await;
    cluster.assert_same_chain(&[0, 1, 2, 3, 4]).await;
}

/// It abstains until the chain is three blocks above what the others had when it came back.
async fn votes_again(cluster: &Cluster, index: usize, wallet: &mut Wallet) {
    wait_until("the validator votes again", async || {
        let hash = send(&cluster.client(0), &wallet.transfer(Wallet::fresh(25).address(), 1)).await;
        receipt(&cluster.client(index), hash).await;
        let state = cluster.consensus_state(index).await;
        state.get("abstaining").is_some_and(Value::is_null)
    })
    .await;
}

fn copy_folder(from: &Path, to: &Path) {
    std::fs::create_dir(to).expect("makes a folder");
    for file in std::fs::read_dir(from).expect("a folder").flatten() {
        std::fs::copy(file.path(), to.join(file.file_name())).expect("copies");
    }
}
