//! Reading a request: within a time, and within what the node has for all that are being read.

use std::{sync::Arc, time::Duration};

use axum::http::StatusCode;
use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt as _;
use hyper::body::Body;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// So much of each request is free: the number of connections bounds it, and nobody's large requests stand in the way of small ones.
const FREE_BYTES: usize = 16 << 10;
/// For what is larger, all requests together.
const SHARED_BYTES: usize = 256 << 20;

/// Room for the requests that are being read or answered; a clone shares it.
#[derive(Clone, Debug)]
pub(crate) struct Bodies {
    shared: Arc<Semaphore>,
    most: usize,
    patience: Duration,
}

/// A request's bytes, and the room that they take up.
#[derive(Debug)]
pub(crate) struct Received {
    pub(crate) bytes: Bytes,
    /// To be kept as long as they are.
    pub(crate) room: Option<OwnedSemaphorePermit>,
}

impl Bodies {
    /// For requests of `most` bytes each that are waited for so long.
    pub(crate) fn new(most: usize, patience: Duration) -> Self {
        Self { shared: Arc::new(Semaphore::new(SHARED_BYTES)), most, patience }
    }

    /// The whole of `body`.
    ///
    /// # Errors
    /// HTTP's word for why not: too large, too slow, broken off, or no room now.
    pub(crate) async fn read<B: Body<Data = Bytes> + Unpin>(&self, body: B) -> Result<Received, StatusCode> {
        let late = |_| StatusCode::REQUEST_TIMEOUT;
        tokio::time::timeout(self.patience, self.collect(body)).await.map_err(late)?
    }

    /// Room is taken for what came, not for what was announced: a promise costs the one who makes it nothing.
    async fn collect<B: Body<Data = Bytes> + Unpin>(&self, mut body: B) -> Result<Received, StatusCode> {
        let (mut bytes, mut room) = (BytesMut::new(), None::<OwnedSemaphorePermit>);
        while let Some(frame) = body.frame().await {
            let Ok(data) = frame.map_err(|_| StatusCode::BAD_REQUEST)?.into_data() else { continue };
            let length = bytes.len() + data.len();
            if length > self.most {
                return Err(StatusCode::PAYLOAD_TOO_LARGE);
            }
            let held = room.as_ref().map_or(0, OwnedSemaphorePermit::num_permits);
            let missing = length.saturating_sub(FREE_BYTES).saturating_sub(held);
            if missing > 0 {
                let more =
                    self.shared.clone().try_acquire_many_owned(u32::try_from(missing).unwrap_or(u32::MAX));
                let more = more.map_err(|_| StatusCode::SERVICE_UNAVAILABLE)?;
                match &mut room {
                    Some(room) => room.merge(more),
                    None => room = Some(more),
                }
            }
            bytes.extend_from_slice(&data);
        }
        Ok(Received { bytes: bytes.freeze(), room })
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use futures::{StreamExt as _, stream};
    use http_body_util::{Full, StreamBody};
    use hyper::body::Frame;

    use super::*;

    const MOST: usize = 5 << 20;
    /// Longer than any of these stories.
    const PATIENCE: Duration = Duration::from_secs(600);

    fn full(length: usize) -> Full<Bytes> {
        Full::new(vec![b' '; length].into())
    }

    /// Given a client that begins a request and sends no more of it, then it is answered after a while, whoever else is served.
    #[tokio::test]
    async fn who_sends_too_slowly_is_cut_off() {
        let begun = stream::once(async { Ok::<_, Infallible>(Frame::data(Bytes::from_static(b"{"))) });
        let body = StreamBody::new(Box::pin(begun.chain(stream::pending())));
        let answer = Bodies::new(MOST, Duration::from_millis(10)).read(body).await;
        assert_eq!(answer.expect_err("it never ends"), StatusCode::REQUEST_TIMEOUT);
    }

    /// Given large requests that are held, when there is no room for more of them, then small ones are read, and large ones again once
    /// an answer is out.
    #[tokio::test]
    async fn large_requests_share_a_bound_that_small_ones_do_not_need() {
        let bodies = Bodies::new(MOST, PATIENCE);
        let mut held = Vec::new();
        let refused = loop {
            match bodies.read(full(MOST)).await {
                Ok(received) => held.push(received),
                Err(status) => break status,
            }
        };
        assert_eq!(
            (refused, held.len()),
            (StatusCode::SERVICE_UNAVAILABLE, SHARED_BYTES / (MOST - FREE_BYTES))
        );
        assert_eq!(bodies.read(full(FREE_BYTES)).await.expect("it is small").bytes.len(), FREE_BYTES);
        held.pop();
        bodies.read(full(MOST)).await.expect("there is room again");
    }

    #[tokio::test]
    async fn a_request_has_a_largest_size() {
        let bodies = Bodies::new(MOST, PATIENCE);
        assert_eq!(bodies.read(full(MOST)).await.expect("it fits").bytes.len(), MOST);
        let refused = bodies.read(full(MOST + 1)).await.expect_err("one byte too many");
        assert_eq!(refused, StatusCode::PAYLOAD_TOO_LARGE);
    }
}
