//! The stream that this node opens: its greeting, then its frames.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use futures::SinkExt;
use libp2p::PeerId;
use libp2p_stream::Control;
use quorate_proto::{Hello, MAX_FRAME_BYTES};
use tokio::{
    sync::{mpsc, watch},
    time::{sleep, timeout},
};
use tokio_util::sync::CancellationToken;

use super::{
    CONSENSUS, End, Reader, Report, StreamNumber, Writer, next_frame, report, split,
    transactions::send_batches,
};
use crate::{
    limits::{GREETING_TIMEOUT, MAX_REASON_BYTES},
    peer::{Outbox, Outboxes, Queued, Traffic},
};

/// What it takes to open a stream.
pub(crate) struct Opening {
    pub(crate) peer: PeerId,
    pub(crate) stream: StreamNumber,
    pub(crate) control: Control,
    pub(crate) hello: watch::Receiver<Hello>,
    pub(crate) traffic: Arc<Traffic>,
    pub(crate) reports: mpsc::Sender<Report>,
    /// How long to wait first: nothing on a fresh connection.
    pub(crate) delay: Duration,
    pub(crate) stop: CancellationToken,
}

/// Opens the stream, greets, and writes what the outbox brings, until it ends.
pub(crate) async fn open(opening: Opening) {
    let Opening { peer, stream, reports, stop, .. } = &opening;
    let (peer, stream, reports, stop) = (*peer, *stream, reports.clone(), stop.clone());
    let end = stop.run_until_cancelled(run(opening)).await;
    let end = end.unwrap_or_else(|| End::Closed("the connection is closing".into()));
    tracing::debug!(%peer, ?end, "a consensus stream to a peer ended");
    report(&reports, Report::Ended { peer, stream, end }).await;
}

async fn run(mut opening: Opening) -> End {
    sleep(opening.delay).await;
    let (mut answers, frames) = match timeout(GREETING_TIMEOUT, greet(&mut opening)).await {
        Ok(Ok(halves)) => halves,
        Ok(Err(end)) => return end,
        Err(_) => return End::Closed(format!("no welcome within {} s", GREETING_TIMEOUT.as_secs())),
    };
    let Opening { peer, stream, traffic, reports, mut control, .. } = opening;
    let ((to_frames, mut queue), (to_batches, batch_queue)) = (Outbox::of_frames(), Outbox::of_batches());
    let outboxes = Outboxes { frames: to_frames, batches: to_batches };
    report(&reports, Report::Welcomed { peer, stream, outboxes }).await;
    tokio::select! {
        end = write_frames(frames, &mut queue, |frame| traffic.sent(frame)) => end,
        end = answer(&mut answers) => end,
        never = send_batches(&mut control, peer, batch_queue) => match never {},
    }
}

/// Sends the greeting as it stands now, and reads the answer.
async fn greet(opening: &mut Opening) -> Result<(Reader, Writer), End> {
    let closed = |error: &dyn std::fmt::Display| End::Closed(error.to_string());
    let stream =
        opening.control.open_stream(opening.peer, CONSENSUS).await.map_err(|error| closed(&error))?;
    let (mut answers, mut frames) = split(stream, MAX_REASON_BYTES, MAX_FRAME_BYTES);
    let hello = opening.hello.borrow().encode();
    frames.send(hello).await.map_err(|error| closed(&error))?;
    let first = next_frame(&mut answers, MAX_REASON_BYTES).await?;
    if first.is_empty() { Ok((answers, frames)) } else { Err(refused(&first)) }
}

/// After the welcome an answer can only be the reason why the peer parts.
pub(super) async fn answer(answers: &mut Reader) -> End {
    match next_frame(answers, MAX_REASON_BYTES).await {
        Ok(reason) => refused(&reason),
        Err(end) => end,
    }
}

/// Writes what is queued, flushing when nothing more waits.
pub(super) async fn write_frames(
    mut frames: Writer,
    queue: &mut mpsc::Receiver<Queued>,
    sent: impl Fn(&Bytes),
) -> End {
    while let Some(queued) = queue.recv().await {
        let mut next = Some(queued);
        while let Some(queued) = next {
            if let Err(error) = frames.feed(queued.frame.clone()).await {
                return End::Closed(error.to_string());
            }
            sent(&queued.frame);
            next = queue.try_recv().ok();
        }
        if let Err(error) = SinkExt::<Bytes>::flush(&mut frames).await {
            return End::Closed(error.to_string());
        }
    }
    End::Closed("the connection is closing".into())
}

/// A peer's words, made fit for a log line.
fn refused(reason: &[u8]) -> End {
    let text = String::from_utf8_lossy(reason);
    End::Refused(text.chars().map(|letter| if letter.is_control() { ' ' } else { letter }).collect())
}
