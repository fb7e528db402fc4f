//! The way of a transaction into the pool, from a client or a peer alike: admit it, tell the leader-to-be that there is
//! work, and pass on what is new.

use quorate_consensus::Input;
use quorate_proto::TransactionBatch;
use quorate_rpc::Submission;
use quorate_types::{B256, Bytes, NodeId};
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use crate::{
    admission::{Admission, Refusal},
    clock,
    conduct::{Conduct, Outcome},
    driver::Event,
    sharing::{MAX_OFFERED, Sharing},
};

/// Submissions that may wait. Beyond it a client is refused at once, instead of waiting without end.
pub(crate) const SUBMISSION_CAPACITY: usize = 8192;
/// Transactions admitted under one lock of the pool: enough to spread the recovery over the cores, few
/// enough that the first of a burst does not wait for the last.
const MAX_BATCH: usize = 256;
/// A raw transaction on its way into the pool.
struct Arrival {
    raw: Bytes,
    origin: Origin,
}

/// Who brought it.
enum Origin {
    /// A client, and where its answer goes.
    Client(oneshot::Sender<Result<B256, String>>),
    Peer(NodeId),
}

/// What the ingress works with.
#[derive(Clone)]
pub(crate) struct Ingress {
    pub(crate) admission: Admission,
    pub(crate) sharing: Sharing,
    pub(crate) conduct: Conduct,
    pub(crate) events: mpsc::Sender<Event>,
}

impl Ingress {
    /// Takes clients' transactions until the node stops.
    pub(crate) async fn run(self, mut submissions: mpsc::Receiver<Submission>, cancel: CancellationToken) {
        let mut batch = Vec::with_capacity(MAX_BATCH);
        while cancel
            .run_until_cancelled(submissions.recv_many(&mut batch, MAX_BATCH))
            .await
            .is_some_and(|got| got > 0)
        {
            let arrivals =
                batch.drain(..).map(|it| Arrival { raw: it.raw, origin: Origin::Client(it.reply) }).collect();
            let accepted = self.admit(arrivals).await;
            self.sharing.publish(accepted, None, None);
        }
    }

    /// Takes a peer's batch, and passes on what was new here and is a transaction of this chain.
    pub(crate) async fn take_from_peer(&self, from: NodeId, batch: TransactionBatch) {
        let mut arrivals =
            batch.transactions.into_iter().map(|raw| Arrival { raw, origin: Origin::Peer(from) });
        loop {
            let some: Vec<_> = arrivals.by_ref().take(MAX_BATCH).collect();
            if some.is_empty() {
                return;
            }
            let accepted = self.admit(some).await;
            self.sharing.publish(accepted, batch.trace_id, Some(from));
        }
    }

    /// Offers what waits to a peer that has just come: its pool may be empty, and the next turn its own, for which all would
    /// wait until half of the timer is over (R14).
    pub(crate) fn greet(&self, peer: NodeId) {
        let pool = self.admission.pool.clone();
        self.sharing.greet(peer, move || pool.lock().to_offer(MAX_OFFERED, 0, clock::now_ms()));
    }

    /// Admits what is sound; returns the raw bytes of what the pool took.
    async fn admit(&self, arrivals: Vec<Arrival>) -> Vec<Bytes> {
        let this = self.clone();
        let (reply, admitted) = oneshot::channel();
        rayon::spawn(move || {
            let _ = reply.send(this.admit_now(arrivals));
        });
        let (accepted, executable) = admitted.await.unwrap_or_default();
        if executable {
            let _ = self.events.send(Event::Input(Input::Work(true))).await;
        }
        accepted
    }

    fn admit_now(&self, arrivals: Vec<Arrival>) -> (Vec<Bytes>, bool) {
        let raw: Vec<_> = arrivals.iter().map(|it| it.raw.clone()).collect();
        let (mut accepted, mut executable) = (Vec::new(), false);
        for (Arrival { raw, origin }, result) in arrivals.into_iter().zip(self.admission.admit(&raw)) {
            let bytes = raw.len();
            if let Ok(admitted) = &result {
                executable |= admitted.executable;
                accepted.push(raw);
            }
            match (origin, result) {
                // The client may be gone.
                (Origin::Client(reply), result) => {
                    drop(reply.send(result.map(|it| it.hash).map_err(Refusal::into_reason)));
                }
                (Origin::Peer(from), Err(Refusal::Forged(reason))) => {
                    tracing::debug!(peer = %from, %reason, "a peer passed on what is no transaction of this chain");
                    self.conduct.count(from, Outcome::ForgedTransaction, bytes);
                }
                (Origin::Peer(_), _) => {}
            }
        }
        (accepted, executable)
    }
}
