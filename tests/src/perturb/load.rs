//! Clients as they should be written: each sends what it has until it is in a block, to another node when one does not
//! answer or does not deliver. The same bytes at several nodes are what "at most once" is about.

use std::time::Duration;

use jsonrpsee::{
    core::{ClientError, client::ClientT},
    http_client::HttpClient,
    rpc_params,
};
use quorate_types::{Address, B256, Bytes, keccak256};
use tokio::{sync::watch, task::JoinSet, time::timeout};

use super::{
    Violation,
    watch::{Book, client},
};
use crate::{cluster::Cluster, wallet::Wallet};

/// Transfers that one client sends before it waits for them: blocks hold more than one of a sender.
const BURST: usize = 4;
/// A transfer that is in no block after this time is sent to the next node.
const SEND_AGAIN_AFTER: Duration = Duration::from_secs(2);
/// Clients get their last transfers into blocks within this time once nothing is broken any more.
const LAST_TRANSFERS: Duration = Duration::from_secs(30);
/// The seed of the account that is paid.
const SINK: u32 = 7777;

/// Whom all transfers of 1 go to.
pub(super) fn sink() -> Address {
    Wallet::fresh(SINK).address()
}

/// All clients.
pub(super) struct Load {
    stop: watch::Sender<bool>,
    clients: JoinSet<()>,
}

impl Load {
    /// Starts `wallets` clients, spread over the nodes.
    pub(super) fn start(cluster: &Cluster, wallets: u32, book: &Book) -> Self {
        let (stop, mut clients) = (watch::Sender::new(false), JoinSet::new());
        for (index, wallet) in (0..wallets).enumerate() {
            let client = Client {
                wallet: Wallet::development(wallet),
                nodes: (0..cluster.len()).map(|node| client(cluster, node)).collect(),
                current: index % cluster.len(),
                book: book.clone(),
            };
            clients.spawn(client.run(stop.subscribe()));
        }
        Self { stop, clients }
    }

    /// Lets every client finish what it waits for.
    ///
    /// # Errors
    /// When one cannot: a transaction of its that a node took, or one before it, is in no block.
    pub(super) async fn finish(mut self) -> Result<(), Violation> {
        self.stop.send_replace(true);
        let all = async { while self.clients.join_next().await.is_some() {} };
        timeout(LAST_TRANSFERS, all).await.map_err(|_| Violation::Late {
            what: "every client has its last transfers in blocks".to_owned(),
            within: LAST_TRANSFERS,
        })
    }
}

struct Client {
    wallet: Wallet,
    nodes: Vec<HttpClient>,
    /// The node that it talks to, until that one fails.
    current: usize,
    book: Book,
}

impl Client {
    async fn run(mut self, stop: watch::Receiver<bool>) {
        let sink = sink();
        while !*stop.borrow() {
            let raw: Vec<_> = (0..BURST).map(|_| self.wallet.transfer(sink, 1)).collect();
            let hashes: Vec<_> = raw.iter().map(keccak256).collect();
            self.book.send_modify(|record| hashes.iter().for_each(|hash| record.send(*hash)));
            self.deliver(&raw, &hashes).await;
        }
    }

    async fn deliver(&mut self, raw: &[Bytes], hashes: &[B256]) {
        let mut record = self.book.subscribe();
        loop {
            for (raw, hash) in raw.iter().zip(hashes) {
                let waiting = !self.book.borrow().include(&[*hash]);
                if waiting {
                    self.send(raw).await;
                }
            }
            let included = record.wait_for(|record| record.include(hashes));
            if timeout(SEND_AGAIN_AFTER, included).await.is_ok() {
                return;
            }
            self.turn_to_the_next();
        }
    }

    /// Sends to the first node that answers.
    async fn send(&mut self, raw: &Bytes) {
        for _ in 0..self.nodes.len() {
            let answer: Result<B256, _> =
                self.nodes[self.current].request("eth_sendRawTransaction", rpc_params![raw]).await;
            match answer {
                Ok(hash) => return self.book.send_modify(|record| record.accept(hash)),
                // It knows it already, it is in a block already, or the pool is full: time tells.
                Err(ClientError::Call(_)) => return,
                Err(_) => self.turn_to_the_next(),
            }
        }
    }

    fn turn_to_the_next(&mut self) {
        self.current = (self.current + 1) % self.nodes.len();
    }
}
