//! Passing transactions on: what is new here at once, to everyone; what waits too long by its hash, to each peer that lacks
//! it. The first may lose some where a peer is slow or its pool full; the second waits for the peer, and goes on until they
//! are in a block.

#[cfg(test)]
mod tests;

use std::{collections::HashSet, sync::Arc, time::Duration};

use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};
use parking_lot::Mutex;
use quorate_p2p::{NetworkHandle, RequestError};
use quorate_proto::{Request, Response, TransactionBatch};
use quorate_types::{B256, Bytes, NodeId, Transaction};
use tokio::runtime::Handle;

/// Hashes in one offer: 32 KiB, twice a second at the most.
pub(crate) const MAX_OFFERED: usize = 1024;
/// Raw transactions that follow one answer, but the first however large it is: a small share of a link, for a peer whose
/// pool is full gets them again each time. The rest follows the next answer.
const MAX_SENT_BYTES: usize = 256 << 10;

/// A peer that comes gets an offer this often at most, however often it connects.
const GREETING_INTERVAL: Duration = Duration::from_secs(5);

#[derive(Clone)]
pub(crate) struct Sharing {
    network: NetworkHandle,
    runtime: Handle,
    /// Peers that have an offer and have not answered: they get no other, until they come anew. So few more are open than
    /// there are peers.
    asked: Arc<Mutex<HashSet<NodeId>>>,
    greetings: Arc<DefaultKeyedRateLimiter<NodeId>>,
}

impl Sharing {
    /// Must be called within a tokio runtime; the rest may be called anywhere.
    pub(crate) fn new(network: NetworkHandle) -> Self {
        let greetings = Quota::with_period(GREETING_INTERVAL).expect("not zero");
        let greetings = Arc::new(RateLimiter::keyed(greetings));
        Self { network, runtime: Handle::current(), asked: Arc::default(), greetings }
    }

    /// Sends raw transactions to everyone but one.
    pub(crate) fn publish(&self, raw: Vec<Bytes>, trace_id: Option<[u8; 16]>, except: Option<NodeId>) {
        for batch in TransactionBatch::split(raw, trace_id) {
            self.network.publish_transactions(&batch, except);
        }
    }

    /// Offers transactions to every peer by their hashes, and sends each what it lacks.
    pub(crate) fn offer(&self, waiting: Vec<Transaction>) {
        let waiting = Arc::new(waiting);
        self.network.peers().iter().for_each(|peer| self.offer_to(peer.id, waiting.clone()));
    }

    /// Offers what waits to a peer that has just connected.
    pub(crate) fn greet(&self, peer: NodeId, waiting: impl FnOnce() -> Vec<Transaction> + Send + 'static) {
        self.greetings.retain_recent();
        if self.greetings.check_key(&peer).is_err() {
            return;
        }
        // What it was offered before ended with the connection that it was offered on.
        self.asked.lock().remove(&peer);
        let this = self.clone();
        // The pool may be busy, and whoever tells of the peer has others to tell of.
        rayon::spawn(move || this.offer_to(peer, Arc::new(waiting())));
    }

    /// The same for one peer.
    fn offer_to(&self, peer: NodeId, waiting: Arc<Vec<Transaction>>) {
        if waiting.is_empty() || !self.asked.lock().insert(peer) {
            return;
        }
        let this = self.clone();
        self.runtime.spawn(async move {
            if let Err(error) = this.send_missing(peer, &waiting).await {
                tracing::debug!(%error, "transactions were not offered");
            }
            this.asked.lock().remove(&peer);
        });
    }

    async fn send_missing(&self, peer: NodeId, waiting: &[Transaction]) -> Result<(), RequestError> {
        let hashes = waiting.iter().map(Transaction::hash).collect();
        let Response::Missing(missing) = self.network.request(peer, &Request::Offer(hashes)).await? else {
            return Err(RequestError::Invalid { peer, reason: "no answer to an offer".to_owned() });
        };
        let missing: HashSet<B256> = missing.into_iter().collect();
        let lacked = waiting.iter().filter(|it| missing.contains(&it.hash())).map(|it| it.raw().clone());
        let mut sent = 0;
        let some = lacked.take_while(|raw| {
            let is_first = sent == 0;
            sent += raw.len();
            is_first || sent <= MAX_SENT_BYTES
        });
        for batch in TransactionBatch::split(some.collect(), None) {
            // A peer that is gone has no use for them.
            self.network.send_transactions(peer, &batch).await;
        }
        Ok(())
    }
}
