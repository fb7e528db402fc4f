//! What the network tells the node: a lane for consensus, and lanes behind it for everything else.

use std::sync::Arc;

use bytes::Bytes;
use libp2p::request_response::ResponseChannel;
use quorate_proto::{Hello, MAX_RESPONSE_BYTES, Request, Response, TransactionBatch};
use quorate_types::NodeId;
use tokio::{
    runtime::Handle,
    sync::{OwnedSemaphorePermit, mpsc},
};

use crate::{
    peer::{Place, Traffic},
    requests::Answer,
};

/// What happened.
#[derive(Debug)]
pub enum NetworkEvent {
    /// A peer was admitted, and both greetings fit.
    PeerConnected {
        /// Who.
        id: NodeId,
        /// What it says about itself.
        hello: Hello,
    },
    /// A peer that had connected is gone, or its consensus stream is.
    PeerDisconnected {
        /// Who.
        id: NodeId,
    },
    /// A frame of the consensus stream. Between [`NetworkEvent::PeerConnected`] and
    /// [`NetworkEvent::PeerDisconnected`] of its sender, and in the sender's order.
    Consensus {
        /// Whose link it came over; who signed it is for the frame to prove.
        from: NodeId,
        /// Not empty, at most [`quorate_proto::MAX_FRAME_BYTES`].
        frame: Bytes,
        /// Keep it for as long as the frame is worked on: its sender gets no more than its share that way.
        place: Place,
    },
    /// Transactions, decoded, not validated. What is new here is the node's to pass on.
    Transactions {
        /// Who passed them on.
        from: NodeId,
        /// The transactions.
        batch: TransactionBatch,
        /// Keep it for as long as the batch is worked on, as with a frame.
        place: Place,
    },
    /// A peer asks for something.
    Request {
        /// Who.
        from: NodeId,
        /// What.
        request: Request,
        /// Where the answer goes.
        respond: Responder,
    },
    /// A certified node keeps connecting to this one: told once in each [`crate::CHURN_WINDOW`] while it goes on.
    Churn {
        /// Who.
        id: NodeId,
        /// Where it came from last, as a multiaddress.
        address: String,
        /// As many connections within that time: more than an honest node makes.
        connections: u32,
    },
    /// Somebody was refused, or refused this node.
    Refused {
        /// Where, as a multiaddress or as configured.
        address: String,
        /// Who refused whom, whose certificate, which check.
        reason: String,
    },
}

/// The node's end of the lanes. Votes are taken before anything else, in strict priority.
pub struct NetworkEvents {
    pub(crate) consensus: mpsc::Receiver<NetworkEvent>,
    pub(crate) requests: mpsc::Receiver<NetworkEvent>,
    pub(crate) batches: mpsc::Receiver<NetworkEvent>,
    pub(crate) refusals: mpsc::Receiver<NetworkEvent>,
}

impl NetworkEvents {
    /// The next event; `None` when the network has stopped. Cancel-safe.
    pub async fn recv(&mut self) -> Option<NetworkEvent> {
        tokio::select! {
            biased;
            urgent = self.consensus.recv() => urgent,
            Some(event) = self.requests.recv() => Some(event),
            Some(event) = self.batches.recv() => Some(event),
            Some(event) = self.refusals.recv() => Some(event),
        }
    }
}

/// Where an answer goes. Dropped without one, the peer learns that there is none.
pub struct Responder {
    pub(crate) channel: ResponseChannel<Answer>,
    pub(crate) answers: mpsc::Sender<Served>,
    pub(crate) traffic: Arc<Traffic>,
    pub(crate) runtime: Handle,
    pub(crate) place: OwnedSemaphorePermit,
}

/// An answer on its way to the network.
pub(crate) struct Served {
    pub(crate) channel: ResponseChannel<Answer>,
    pub(crate) answer: Answer,
    pub(crate) _place: OwnedSemaphorePermit,
}

impl Responder {
    /// Answers, at the pace that the peer is allowed.
    pub fn respond(self, response: &Response) {
        let bytes = response.encode();
        if bytes.len() > MAX_RESPONSE_BYTES {
            let reason =
                format!("the answer takes {} bytes, at most {MAX_RESPONSE_BYTES} go out", bytes.len());
            return self.refuse(reason);
        }
        self.answer(Ok(bytes));
    }

    /// Says why there is no answer.
    pub fn refuse(self, reason: impl Into<String>) {
        self.answer(Err(reason.into()));
    }

    fn answer(self, answer: Answer) {
        let Self { channel, answers, traffic, runtime, place } = self;
        runtime.spawn(async move {
            traffic.pace_answer(answer.as_ref().map_or(0, Bytes::len)).await;
            // It fails only when the network has stopped.
            let _ = answers.send(Served { channel, answer, _place: place }).await;
        });
    }
}

impl std::fmt::Debug for Responder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Responder").finish_non_exhaustive()
    }
}
