//! Sorts what comes from the network: frames to the gate, batches to the ingress, requests to the library.

use quorate_consensus::Input as ReplicaInput;
use quorate_p2p::{NetworkEvent, NetworkEvents};
use quorate_sync::Input as SyncInput;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::{conduct::Conduct, driver::Event, gate::Gate, ingress::Ingress, serve::Library};

/// Where each kind of event goes.
pub(super) struct Sorter {
    pub(super) gate: Gate,
    pub(super) conduct: Conduct,
    pub(super) ingress: Ingress,
    pub(super) library: Library,
    pub(super) replica: mpsc::Sender<Event>,
    pub(super) sync: mpsc::Sender<SyncInput>,
}

impl Sorter {
    pub(super) async fn run(self, mut events: NetworkEvents, cancel: CancellationToken) {
        loop {
            tokio::select! {
                () = cancel.cancelled() => return,
                event = events.recv() => match event {
                    Some(event) => self.sort(event).await,
                    None => return,
                },
            }
        }
    }

    async fn sort(&self, event: NetworkEvent) {
        match event {
            NetworkEvent::Consensus { from, frame, place } => self.gate.pass(from, frame, place).await,
            NetworkEvent::Transactions { from, batch, place } => {
                let ingress = self.ingress.clone();
                tokio::spawn(async move {
                    ingress.take_from_peer(from, batch).await;
                    drop(place);
                });
            }
            NetworkEvent::Request { from, request, respond } => {
                let library = self.library.clone();
                tokio::task::spawn_blocking(move || match library.answer(request) {
                    Ok(response) => respond.respond(&response),
                    Err(error) => {
                        tracing::error!(%from, %error, "could not answer a request");
                        respond.refuse("the node could not read its data");
                    }
                });
            }
            NetworkEvent::PeerConnected { id, hello } => {
                tracing::info!(peer = %id, height = %hello.height, agent = %hello.agent, "peer connected");
                self.ingress.greet(id);
                let _ = self.sync.send(SyncInput::PeerHead { peer: id, height: hello.height }).await;
                let _ = self.replica.send(Event::Input(ReplicaInput::PeerConnected)).await;
            }
            NetworkEvent::PeerDisconnected { id } => {
                tracing::info!(peer = %id, "peer disconnected");
                let _ = self.sync.send(SyncInput::PeerGone(id)).await;
            }
            NetworkEvent::Churn { id, address, connections } => {
                self.conduct.count_churn(id, &address, connections);
            }
            NetworkEvent::Refused { address, reason } => tracing::warn!(%address, %reason, "refused"),
        }
    }
}
