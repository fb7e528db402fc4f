//! The streams of transactions: one in each direction, beside that of consensus and for as long as it lives.
//!
//! Opened after the welcome, so there is no greeting on it. A batch is decoded here, outside the network task.

use std::{convert::Infallible, sync::Arc};

use libp2p::{PeerId, Stream};
use libp2p_stream::Control;
use quorate_proto::{MAX_BATCH_BYTES, TransactionBatch};
use quorate_types::NodeId;
use tokio::{
    sync::{mpsc, oneshot, watch},
    time::sleep,
};
use tokio_util::sync::CancellationToken;

use super::{
    End, Reader, Report, StreamNumber, TRANSACTIONS, next_frame,
    outbound::{answer, write_frames},
    report, split,
};
use crate::{
    NetworkEvent,
    limits::{MAX_REASON_BYTES, STREAM_RETRY},
    peer::{Queued, Traffic},
};

/// What a stream of transactions needs to serve its peer.
pub(crate) struct Batches {
    pub(crate) node: NodeId,
    /// The consensus stream that it belongs to.
    pub(crate) stream: StreamNumber,
    /// True once the node knows that the peer is connected.
    pub(crate) announced: watch::Receiver<bool>,
    pub(crate) lane: mpsc::Sender<NetworkEvent>,
    pub(crate) traffic: Arc<Traffic>,
    /// Another stream took its place, or the one that it belongs to ended.
    pub(crate) end: CancellationToken,
}

/// Takes the batches of a stream that a peer opened. A peer that sends what is none is parted with.
pub(crate) async fn receive_batches(peer: PeerId, stream: Stream, reports: mpsc::Sender<Report>) {
    let (verdict, answer) = oneshot::channel();
    report(&reports, Report::Batches { peer, verdict }).await;
    let Ok(batches) = answer.await else { return };
    let (number, over) = (batches.stream, batches.end.clone());
    let (mut reader, _open) = split(stream, MAX_BATCH_BYTES, MAX_REASON_BYTES);
    let end = over.run_until_cancelled(pump(&mut reader, batches)).await;
    tracing::debug!(%peer, ?end, "a stream of transactions from a peer ended");
    if let Some(End::Violation(reason)) = end {
        report(&reports, Report::Violation { peer, stream: number, reason }).await;
    }
}

async fn pump(reader: &mut Reader, batches: Batches) -> End {
    let Batches { node, mut announced, lane, traffic, .. } = batches;
    if announced.wait_for(|announced| *announced).await.is_err() {
        return End::Closed("the connection is gone".into());
    }
    loop {
        let frame = match next_frame(reader, MAX_BATCH_BYTES).await {
            Ok(frame) => frame,
            Err(end) => return end,
        };
        let Some(place) = traffic.receive_batch(&frame).await else {
            return End::Closed("the connection is gone".into());
        };
        let batch = match TransactionBatch::decode(frame) {
            Ok(batch) => batch,
            Err(error) => return End::Violation(format!("a batch of transactions is invalid: {error}")),
        };
        if lane.send(NetworkEvent::Transactions { from: node, batch, place }).await.is_err() {
            return End::Closed("the node takes no more events".into());
        }
    }
}

/// Writes what the outbox brings to a peer that has welcomed this node. A stream that ends is opened again: only with the
/// one of consensus is it over.
pub(super) async fn send_batches(
    control: &mut Control,
    peer: PeerId,
    mut queue: mpsc::Receiver<Queued>,
) -> Infallible {
    loop {
        let end = send_on_one(control, peer, &mut queue).await;
        tracing::debug!(%peer, ?end, "a stream of transactions to a peer ended; it is opened again");
        sleep(STREAM_RETRY).await;
    }
}

async fn send_on_one(control: &mut Control, peer: PeerId, queue: &mut mpsc::Receiver<Queued>) -> End {
    let stream = match control.open_stream(peer, TRANSACTIONS).await {
        Ok(stream) => stream,
        Err(error) => return End::Closed(error.to_string()),
    };
    let (mut answers, batches) = split(stream, MAX_REASON_BYTES, MAX_BATCH_BYTES);
    tokio::select! {
        end = write_frames(batches, queue, |_| {}) => end,
        end = answer(&mut answers) => end,
    }
}
