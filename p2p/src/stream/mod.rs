//! The streams of a connection: one of consensus in each direction, for as long as it lives, and one of transactions
//! beside each.
//!
//! ```text
//! opener                                  acceptor
//!    |-- HELLO ------------------------------->|  checks version, chain, genesis, places
//!    |<------------------- empty: welcome -----|  or the reason why not, and the end
//!    |-- frame, frame, frame ... ------------->|  size, quota, inbox -> the node
//!    |<------------- a reason, when it ends ---|
//! ```
//! Every frame has four bytes of length before it. The opener sends, the acceptor only answers; so
//! each of two peers opens one stream. Both must be welcome before either counts as connected. Transactions have
//! streams of their own, so that a vote never waits behind a batch.

mod greeting;
mod inbound;
mod outbound;
mod transactions;

use bytes::Bytes;
use libp2p::{PeerId, StreamProtocol};
use quorate_proto::Hello;
use tokio::{
    io::{ReadHalf, WriteHalf},
    sync::{mpsc, oneshot},
};
use tokio_util::{
    codec::{FramedRead, FramedWrite, LengthDelimitedCodec},
    compat::{Compat, FuturesAsyncReadCompatExt},
};

use crate::{peer::Outboxes, requests::frames};
pub(crate) use greeting::check_greeting;
pub(crate) use inbound::{Serving, accept_streams, receive_frames};
pub(crate) use outbound::{Opening, open};
pub(crate) use transactions::{Batches, receive_batches};

pub(crate) const CONSENSUS: StreamProtocol = StreamProtocol::new("/quorate/consensus/1");
pub(crate) const TRANSACTIONS: StreamProtocol = StreamProtocol::new("/quorate/transactions/1");

type Reader = FramedRead<ReadHalf<Compat<libp2p::Stream>>, LengthDelimitedCodec>;
type Writer = FramedWrite<WriteHalf<Compat<libp2p::Stream>>, LengthDelimitedCodec>;

/// What the stream tasks tell the network task.
pub(crate) enum Report {
    /// A peer's greeting came on a stream that it opened.
    Greeted { peer: PeerId, hello: Hello, verdict: oneshot::Sender<Verdict> },
    /// A peer opened a stream of transactions.
    Batches { peer: PeerId, verdict: oneshot::Sender<Batches> },
    /// The peer accepted our greeting on the stream that we opened.
    Welcomed { peer: PeerId, stream: StreamNumber, outboxes: Outboxes },
    /// A peer sent what no sound node does, beside its consensus stream, on which it is told so.
    Violation { peer: PeerId, stream: StreamNumber, reason: String },
    /// A stream is over.
    Ended { peer: PeerId, stream: StreamNumber, end: End },
}

/// Tells a stream from its successors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct StreamNumber(pub(crate) u64);

/// The answer to a greeting.
pub(crate) enum Verdict {
    Welcome(Box<Serving>),
    Refuse(String),
}

/// How a stream ended.
#[derive(Debug)]
pub(crate) enum End {
    /// The link broke, the peer closed it, or this node did.
    Closed(String),
    /// The peer said why it does not want us.
    Refused(String),
    /// The peer did what no sound node does.
    Violation(String),
}

/// The two halves of a stream with bounds on what comes in and goes out.
fn split(stream: libp2p::Stream, most_in: usize, most_out: usize) -> (Reader, Writer) {
    let (read, write) = tokio::io::split(stream.compat());
    (FramedRead::new(read, frames(most_in)), FramedWrite::new(write, frames(most_out)))
}

/// The next frame, or how the stream ended instead; `most` is named when the frame was larger.
async fn next_frame(reader: &mut Reader, most: usize) -> Result<Bytes, End> {
    use futures::StreamExt;
    match reader.next().await {
        Some(Ok(frame)) => Ok(frame.freeze()),
        Some(Err(error)) if error.kind() == std::io::ErrorKind::InvalidData => {
            Err(End::Violation(format!("a frame is larger than {most} bytes")))
        }
        Some(Err(error)) => Err(End::Closed(error.to_string())),
        None => Err(End::Closed("the peer closed the stream".into())),
    }
}

/// Reports, as long as there is a network to hear it.
async fn report(reports: &mpsc::Sender<Report>, report: Report) {
    let _ = reports.send(report).await;
}
