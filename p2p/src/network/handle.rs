//! The node's end of the network.

use std::{
    collections::{BTreeMap, HashSet},
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering::Relaxed},
    },
    time::Duration,
};

use arc_swap::ArcSwap;
use bytes::Bytes;
use quorate_proto::{MAX_REQUEST_BYTES, Request, Response, TransactionBatch};
use quorate_types::NodeId;
use tokio::{
    sync::{mpsc, oneshot},
    time::Instant,
};
use tokio_util::sync::CancellationToken;

use crate::{
    NetworkError, PeerInfo, RequestError,
    admission::Admission,
    peer::{Peer, Validators},
};

/// All greeted peers.
pub(super) type Roster = BTreeMap<NodeId, Arc<Peer>>;

/// What the network task is asked for.
pub(super) enum Command {
    Request { to: NodeId, request: Bytes, reply: oneshot::Sender<Result<Bytes, RequestError>> },
    Recheck,
    Part { node: NodeId, reason: String, until: Instant },
}

/// Steers the network. Cheap to clone; when the last one is dropped, the network stops.
#[derive(Clone)]
pub struct NetworkHandle(Arc<Inner>);

struct Inner {
    own: NodeId,
    listening: Vec<SocketAddr>,
    shared: Shared,
    commands: mpsc::Sender<Command>,
}

/// What handle and task both see.
#[derive(Clone)]
pub(super) struct Shared {
    pub(super) admission: Arc<Admission>,
    pub(super) roster: Arc<ArcSwap<Roster>>,
    pub(super) validators: Validators,
    /// Connections that live, greeted or not.
    pub(super) connections: Arc<AtomicU32>,
    /// Asks the task to stop.
    pub(super) stop: CancellationToken,
    /// Says that it has.
    pub(super) stopped: CancellationToken,
}

impl NetworkHandle {
    pub(super) fn new(
        own: NodeId,
        listening: Vec<SocketAddr>,
        shared: Shared,
        commands: mpsc::Sender<Command>,
    ) -> Self {
        Self(Arc::new(Inner { own, listening, shared, commands }))
    }

    /// This node.
    #[must_use]
    pub fn id(&self) -> NodeId {
        self.0.own
    }

    /// Where it listens, with the port that was taken for port 0. For an unspecified address
    /// (0.0.0.0) it is one of the machine's.
    #[must_use]
    pub fn listening(&self) -> &[SocketAddr] {
        &self.0.listening
    }

    /// Queues a consensus frame for every connected peer but one, and returns for how many. Never
    /// waits: a peer whose outbox is full misses the frame, which [`PeerInfo::frames_dropped`] counts.
    /// Frames that are empty or above [`quorate_proto::MAX_FRAME_BYTES`] go nowhere.
    pub fn broadcast(&self, frame: &Bytes, except: Option<NodeId>) -> usize {
        let roster = self.0.shared.roster.load();
        roster.iter().filter(|(id, _)| Some(**id) != except).filter(|(_, peer)| peer.queue(frame)).count()
    }

    /// Queues a consensus frame for one peer. False when it is not connected or its outbox is full.
    pub fn send(&self, to: NodeId, frame: &Bytes) -> bool {
        self.0.shared.roster.load().get(&to).is_some_and(|peer| peer.queue(frame))
    }

    /// Queues transactions for every connected peer but one, and returns for how many. Never waits: a peer whose outbox is
    /// full misses them. Batches above [`quorate_proto::MAX_BATCH_BYTES`] go nowhere.
    pub fn publish_transactions(&self, batch: &TransactionBatch, except: Option<NodeId>) -> usize {
        let frame = batch.encode();
        let roster = self.0.shared.roster.load();
        let others = roster.iter().filter(|(id, _)| Some(**id) != except);
        others.filter(|(_, peer)| peer.queue_batch(&frame)).count()
    }

    /// Queues transactions for one peer, and waits until its outbox has room for them. False when it is not connected any
    /// more, or the batch larger than peers read.
    pub async fn send_transactions(&self, to: NodeId, batch: &TransactionBatch) -> bool {
        let peer = self.0.shared.roster.load().get(&to).cloned();
        match peer {
            Some(peer) => peer.outboxes.batches.queue_when_possible(batch.encode()).await,
            None => false,
        }
    }

    /// Asks one peer, and waits for its answer for at most 15 seconds. Whether the response answers the
    /// request is the caller's to check.
    ///
    /// # Errors
    /// When there is no answer, or it is not one. Another peer may do better.
    pub async fn request(&self, to: NodeId, request: &Request) -> Result<Response, RequestError> {
        let request = request.encode();
        if request.len() > MAX_REQUEST_BYTES {
            return Err(RequestError::TooLarge { bytes: request.len(), most: MAX_REQUEST_BYTES });
        }
        let (reply, answer) = oneshot::channel();
        let command = Command::Request { to, request, reply };
        self.0.commands.send(command).await.map_err(|_| RequestError::Stopped)?;
        let response = answer.await.map_err(|_| RequestError::Stopped)??;
        Response::decode(response)
            .map_err(|error| RequestError::Invalid { peer: to, reason: error.to_string() })
    }

    /// All connected peers, sorted by key.
    #[must_use]
    pub fn peers(&self) -> Vec<PeerInfo> {
        let validators = self.0.shared.validators.load();
        self.0.shared.roster.load().values().map(|peer| peer.info(validators.contains(&peer.id))).collect()
    }

    /// The name in the certificate of a node that was connected, for people to read. A name proves nothing: the key does.
    #[must_use]
    pub fn name_of(&self, node: &NodeId) -> Option<String> {
        self.0.shared.admission.name_of(node)
    }

    /// How many peers are connected.
    #[must_use]
    pub fn peer_count(&self) -> usize {
        self.0.shared.roster.load().len()
    }

    /// How many connections live, greeted or not.
    #[must_use]
    pub fn connection_count(&self) -> u32 {
        self.0.shared.connections.load(Relaxed)
    }

    /// Reserves a place for each of these nodes, and gives each a validator's share of this node, connected or not, from its
    /// next frame on. Everyone else is a guest; nobody is dropped.
    pub fn set_validators(&self, validators: HashSet<NodeId>) {
        self.0.shared.validators.store(Arc::new(validators));
    }

    /// Replaces the revocation lists (each a file's bytes, PEM or DER) and checks connected peers
    /// again: whoever no longer passes is told why, and dropped.
    ///
    /// # Errors
    /// When a list cannot be read, and then the lists before stay in force; or the network has stopped.
    pub async fn reload_crls(&self, crls: &[impl AsRef<[u8]>]) -> Result<(), NetworkError> {
        self.0.shared.admission.reload_crls(crls)?;
        self.0.commands.send(Command::Recheck).await.map_err(|_| NetworkError::Stopped)
    }

    /// Drops a peer, which is told why, and greets it no more for a while. `false` when the network is too busy to take
    /// that now: then the peer stays, and gives reason for it again.
    #[must_use]
    pub fn part(&self, node: NodeId, reason: impl Into<String>, pause: Duration) -> bool {
        let command = Command::Part { node, reason: reason.into(), until: Instant::now() + pause };
        self.0.commands.try_send(command).is_ok()
    }

    /// Closes all connections and waits until that is done.
    pub async fn shutdown(&self) {
        self.0.shared.stop.cancel();
        self.0.shared.stopped.cancelled().await;
    }
}
