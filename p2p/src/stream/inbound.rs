//! The streams that peers open: their greeting, then their frames.

use std::sync::Arc;

use bytes::Bytes;
use futures::{SinkExt, StreamExt};
use libp2p::PeerId;
use libp2p_stream::IncomingStreams;
use quorate_proto::{Hello, MAX_FRAME_BYTES, MAX_HELLO_BYTES};
use quorate_types::NodeId;
use tokio::{
    sync::{mpsc, oneshot, watch},
    time::timeout,
};
use tokio_util::sync::CancellationToken;

use super::{End, Reader, Report, StreamNumber, Verdict, Writer, next_frame, report, split};
use crate::{
    NetworkEvent,
    limits::{GREETING_TIMEOUT, MAX_REASON_BYTES, REFUSAL_LINGER},
    peer::Traffic,
    requests::reason_frame,
};

/// What a welcomed stream needs to serve its peer.
pub(crate) struct Serving {
    pub(crate) node: NodeId,
    pub(crate) stream: StreamNumber,
    /// True once the node knows that the peer is connected.
    pub(crate) announced: watch::Receiver<bool>,
    pub(crate) lane: mpsc::Sender<NetworkEvent>,
    pub(crate) traffic: Arc<Traffic>,
    /// Brings the reason to part with; dropped, the stream ends without one.
    pub(crate) farewell: oneshot::Receiver<String>,
}

/// Takes in streams until `stop`. Libp2p drops what is not taken at once, so this loop only spawns. How
/// many streams a peer may have open is bounded by the multiplexer.
pub(crate) async fn accept_streams<F>(
    mut incoming: IncomingStreams,
    receive: fn(PeerId, libp2p::Stream, mpsc::Sender<Report>) -> F,
    reports: mpsc::Sender<Report>,
    stop: CancellationToken,
) where
    F: Future<Output = ()> + Send + 'static,
{
    while let Some(Some((peer, stream))) = stop.run_until_cancelled(incoming.next()).await {
        let (reports, stop) = (reports.clone(), stop.clone());
        tokio::spawn(async move {
            stop.run_until_cancelled(receive(peer, stream, reports)).await;
        });
    }
}

/// Takes the frames of a stream that a peer opened, after its greeting.
pub(crate) async fn receive_frames(peer: PeerId, stream: libp2p::Stream, reports: mpsc::Sender<Report>) {
    let (mut reader, mut writer) = split(stream, MAX_HELLO_BYTES, MAX_REASON_BYTES);
    let serving = match greeted(peer, &mut reader, &reports).await {
        Ok(serving) => serving,
        Err(reason) => return part(&mut writer, &reason).await,
    };
    let (node, number) = (serving.node, serving.stream);
    // An empty frame: welcome.
    if let Err(error) = writer.send(Bytes::new()).await {
        let end = End::Closed(error.to_string());
        return report(&reports, Report::Ended { peer, stream: number, end }).await;
    }
    reader.decoder_mut().set_max_frame_length(MAX_FRAME_BYTES);
    let end = take_frames(&mut reader, &mut writer, *serving).await;
    tracing::debug!(peer = %node, ?end, "a consensus stream from a peer ended");
    report(&reports, Report::Ended { peer, stream: number, end }).await;
}

/// Reads the greeting and has the network task judge it.
async fn greeted(
    peer: PeerId,
    reader: &mut Reader,
    reports: &mpsc::Sender<Report>,
) -> Result<Box<Serving>, String> {
    let frame = timeout(GREETING_TIMEOUT, next_frame(reader, MAX_HELLO_BYTES)).await;
    let frame = match frame {
        Ok(Ok(frame)) => frame,
        Ok(Err(End::Closed(reason) | End::Refused(reason) | End::Violation(reason))) => return Err(reason),
        Err(_) => return Err(format!("no greeting came within {} s", GREETING_TIMEOUT.as_secs())),
    };
    let hello = Hello::decode(frame).map_err(|error| format!("the greeting is invalid: {error}"))?;
    let (verdict, answer) = oneshot::channel();
    report(reports, Report::Greeted { peer, hello, verdict }).await;
    match answer.await {
        Ok(Verdict::Welcome(serving)) => Ok(serving),
        Ok(Verdict::Refuse(reason)) => Err(reason),
        Err(_) => Err("this node is stopping".into()),
    }
}

/// Hands frames to the node until the stream ends or this node parts.
async fn take_frames(reader: &mut Reader, writer: &mut Writer, serving: Serving) -> End {
    let Serving { node, announced, lane, traffic, mut farewell, .. } = serving;
    let end = tokio::select! {
        end = pump(reader, node, announced, &lane, &traffic) => end,
        reason = &mut farewell => match reason {
            Ok(reason) => {
                part(writer, &reason).await;
                End::Closed(reason)
            }
            Err(_) => End::Closed("another stream took its place".into()),
        },
    };
    if let End::Violation(reason) = &end {
        part(writer, reason).await;
    }
    end
}

async fn pump(
    reader: &mut Reader,
    node: NodeId,
    mut announced: watch::Receiver<bool>,
    lane: &mpsc::Sender<NetworkEvent>,
    traffic: &Traffic,
) -> End {
    if announced.wait_for(|announced| *announced).await.is_err() {
        return End::Closed("the connection is gone".into());
    }
    loop {
        let frame = match next_frame(reader, MAX_FRAME_BYTES).await {
            Ok(frame) if frame.is_empty() => return End::Violation("an empty frame".into()),
            Ok(frame) => frame,
            Err(end) => return end,
        };
        let Some(place) = traffic.receive(&frame).await else {
            return End::Closed("the connection is gone".into());
        };
        if lane.send(NetworkEvent::Consensus { from: node, frame, place }).await.is_err() {
            return End::Closed("the node takes no more events".into());
        }
    }
}

/// Tells the peer why, as far as it still listens.
async fn part(writer: &mut Writer, reason: &str) {
    let farewell = async {
        if writer.send(reason_frame(reason)).await.is_ok() {
            let _ = SinkExt::<Bytes>::close(writer).await;
        }
    };
    let _ = timeout(REFUSAL_LINGER, farewell).await;
}
