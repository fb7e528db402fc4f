//! The driver of the syncer: requests over the network, blocks through the chain thread.

use std::sync::Arc;

use futures::StreamExt;
use quorate_consensus::Input as ReplicaInput;
use quorate_p2p::{NetworkHandle, RequestError};
use quorate_proto::{Request, Response};
use quorate_rpc::SyncRange;
use quorate_sync::{Divergence, Effect, Failure, Head, Input, RequestId, SyncPhase, Syncer, Timer};
use quorate_types::{Block, CommitCertificate, Height, NodeId, RejectReason};
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

use crate::{
    admission::Recovery,
    bodies::roots_in,
    chain::{ApplyError, ChainHandle},
    conduct::{Conduct, Outcome},
    driver::Event,
    exit::{Exit, Failure as NodeFailure},
    metrics,
    stop::Stop,
    timers::Timers,
    watch::{AlarmKind, Alarms, RootsOf},
};

/// Answers and hints that may wait: more than the syncer has requests open.
pub(crate) const SYNC_CAPACITY: usize = 1024;

/// What the task works with.
pub(crate) struct SyncTask {
    pub(crate) syncer: Syncer,
    pub(crate) network: NetworkHandle,
    pub(crate) chain: ChainHandle,
    pub(crate) recovery: Recovery,
    pub(crate) inputs: mpsc::Sender<Input>,
    pub(crate) replica: mpsc::Sender<Event>,
    pub(crate) progress: watch::Sender<Option<SyncRange>>,
    pub(crate) alarms: Alarms,
    pub(crate) conduct: Conduct,
    pub(crate) stop: Stop,
}

impl SyncTask {
    pub(crate) async fn run(mut self, mut inputs: mpsc::Receiver<Input>, cancel: CancellationToken) {
        let mut timers = Timers::new();
        loop {
            let input = tokio::select! {
                () = cancel.cancelled() => return,
                Some(timer) = timers.next() => Input::Timer(timer),
                input = inputs.recv() => match input {
                    Some(input) => input,
                    None => return,
                },
            };
            for effect in self.syncer.step(input) {
                self.perform(effect, &mut timers);
            }
            self.publish();
        }
    }

    fn perform(&self, effect: Effect, timers: &mut Timers<Timer>) {
        match effect {
            Effect::Request { id, peer, from, count } => self.request(id, peer, from, count),
            Effect::Apply { block, certificate } => self.apply(block, certificate),
            Effect::Punish { peer, reason } => {
                tracing::warn!(%peer, %reason, "a peer sent what no honest node sends");
                self.conduct.count(peer, Outcome::ForgedBlock, 0);
            }
            Effect::Diverged(divergence) => {
                tracing::error!(?divergence, "{}", self.alarm(&divergence));
                metrics::diverged();
            }
            Effect::SetTimer(timer, after) => timers.set(timer, after),
            Effect::CancelTimer(timer) => timers.cancel(&timer),
        }
    }

    /// What an operator is told: also over `/readyz`, since this node falls behind from here on.
    fn alarm(&self, divergence: &Divergence) -> String {
        let what = match divergence {
            Divergence::Refused { certificate, reason, .. } => {
                let hash = certificate.block_hash();
                let why = match self.alarms.roots_of(&hash) {
                    Some(roots) => roots.to_string(),
                    None => format!("{reason:?}: see the log"),
                };
                format!("block {hash} at height {} is refused here ({why})", certificate.height())
            }
            Divergence::Fork { height, ours, theirs, .. } => {
                format!("at height {height} this node has block {ours}, the quorum {theirs}")
            }
        };
        let text = format!("sync has stopped, a quorum decided what this node cannot follow: {what}");
        self.alarms.raise(AlarmKind::SyncDiverged, text.clone());
        text
    }

    fn request(&self, request: RequestId, peer: NodeId, from: Height, count: u32) {
        let (network, inputs) = (self.network.clone(), self.inputs.clone());
        tokio::spawn(async move {
            let failed = |why| Input::Failed { request, peer, why };
            let input = match network.request(peer, &Request::Blocks { from, count }).await {
                Ok(Response::Blocks(blocks)) if blocks.is_empty() => failed(Failure::Empty),
                Ok(Response::Blocks(blocks)) => {
                    let blocks = blocks.into_iter().map(|it| (Arc::new(it.block), it.certificate)).collect();
                    Input::Blocks { request, peer, blocks }
                }
                Ok(_) | Err(RequestError::Invalid { .. }) => failed(Failure::Malformed),
                Err(RequestError::Lost { .. }) => failed(Failure::Timeout),
                Err(RequestError::Refused { .. }) => failed(Failure::Empty),
                Err(_) => failed(Failure::Unreachable),
            };
            // The task ends with the node.
            let _ = inputs.send(input).await;
        });
    }

    fn apply(&self, block: Arc<Block>, certificate: CommitCertificate) {
        let (chain, recovery, inputs) = (self.chain.clone(), self.recovery.clone(), self.inputs.clone());
        let (replica, stop, alarms) = (self.replica.clone(), self.stop.clone(), self.alarms.clone());
        tokio::spawn(async move {
            let (height, block_hash) = (block.height(), block.hash());
            let header = roots_in(block.header());
            let refused = |reason| Input::Refused { height, block_hash, reason, roots: None };
            let transactions = match recovery.recover_block(block.clone(), Vec::new()).await {
                Ok(transactions) => transactions,
                Err(error) => {
                    tracing::error!(%height, %error, "a decided block holds what is no transaction here");
                    return drop(inputs.send(refused(RejectReason::Transaction)).await);
                }
            };
            match chain.apply(block, transactions, certificate).await {
                Ok(head) => {
                    let answer = Input::Head(to_sync_head(&head));
                    let _ = replica.send(Event::Input(ReplicaInput::Synced(head))).await;
                    let _ = inputs.send(answer).await;
                }
                Err(ApplyError::NotNext(head)) => drop(inputs.send(Input::Head(to_sync_head(&head))).await),
                Err(ApplyError::Diverged { reason, roots, what }) => {
                    if let Some(own) = roots {
                        alarms.note_refusal(block_hash, RootsOf { header, own });
                    }
                    tracing::error!(%height, %what, "this node computes something else than was decided");
                    let _ = inputs.send(refused(reason)).await;
                }
                Err(ApplyError::Fatal(what)) => {
                    stop.now(NodeFailure::new(
                        Exit::Corrupt,
                        format!("could not store block {block_hash}: {what}"),
                    ));
                }
            }
        });
    }

    fn publish(&self) {
        let progress = self.syncer.progress();
        self.progress.send_modify(|range| {
            *range = match progress.phase {
                SyncPhase::Fetching => Some(SyncRange {
                    starting: range.map_or(progress.head, |range| range.starting),
                    highest: progress.target,
                }),
                SyncPhase::Idle | SyncPhase::Waiting(_) | SyncPhase::Diverged => None,
            };
        });
    }
}

/// The same end of the chain in the syncer's words.
pub(crate) fn to_sync_head(head: &quorate_consensus::Head) -> Head {
    Head { height: head.height, hash: head.hash, next_validators: head.next_validators.clone() }
}
