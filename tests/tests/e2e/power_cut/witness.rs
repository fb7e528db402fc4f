//! A client of all nodes that writes down every head it is shown.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use jsonrpsee::{core::client::ClientT, http_client::HttpClient, rpc_params};
use serde_json::Value;
use tokio::task::JoinHandle;

/// How often each node is asked: some times a block.
const ASK_EVERY: Duration = Duration::from_millis(15);

#[derive(Default)]
struct Seen {
    hashes: BTreeMap<u64, String>,
    forks: Vec<String>,
}

/// What clients were shown, by whichever node.
pub(super) struct Witness {
    seen: Arc<Mutex<Seen>>,
    tasks: Vec<JoinHandle<()>>,
}

impl Witness {
    /// Asks all `clients` from now on.
    pub(super) fn new(clients: &[HttpClient]) -> Self {
        let seen = Arc::<Mutex<Seen>>::default();
        let tasks = clients.iter().cloned().enumerate().map(|(index, client)| {
            let seen = seen.clone();
            tokio::spawn(async move {
                loop {
                    let head: Result<Value, _> =
                        client.request("eth_getBlockByNumber", rpc_params!["latest", false]).await;
                    head.iter().for_each(|head| seen.lock().expect("no panic").note(index, head));
                    tokio::time::sleep(ASK_EVERY).await;
                }
            })
        });
        Self { tasks: tasks.collect(), seen }
    }

    /// The highest block that anybody saw.
    pub(super) fn top(&self) -> u64 {
        let seen = self.seen.lock().expect("no panic");
        seen.hashes.last_key_value().map_or(0, |(height, _)| *height)
    }

    /// All that was seen, by height.
    ///
    /// # Errors
    /// Two blocks of one height.
    pub(super) fn hashes(&self) -> Result<BTreeMap<u64, String>, String> {
        let seen = self.seen.lock().expect("no panic");
        seen.forks.first().map_or_else(|| Ok(seen.hashes.clone()), |fork| Err(fork.clone()))
    }
}

impl Drop for Witness {
    fn drop(&mut self) {
        self.tasks.iter().for_each(JoinHandle::abort);
    }
}

impl Seen {
    fn note(&mut self, node: usize, head: &Value) {
        let (Some(height), Some(hash)) = (head["number"].as_str(), head["hash"].as_str()) else { return };
        let height = u64::from_str_radix(height.trim_start_matches("0x"), 16).expect("a quantity");
        let first = self.hashes.entry(height).or_insert_with(|| hash.to_owned());
        if first != hash {
            self.forks.push(format!("fork: block {height} is {hash} on node{node}, and was seen as {first}"));
        }
    }
}
