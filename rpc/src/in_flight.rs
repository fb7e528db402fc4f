//! How much of clients' requests is held at a time: one connection may not fill the node's memory with what waits for its turn,
//! and neither may many.

use std::{future::Future, sync::Arc};

use jsonrpsee::{
    MethodResponse,
    core::middleware::{Batch, BatchEntry, Notification, RpcServiceT},
    types::{ErrorObjectOwned, Id, Request},
};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tower::Layer;

use crate::error::RpcError;

/// What is counted in: each call takes one at the least, so that many small ones are bounded as well.
const UNIT_BYTES: usize = 16 << 10;
/// Of one connection: 16 MiB, or 1,024 small calls.
const MAX_OF_CONNECTION: usize = 1 << 10;
/// Of all connections: 256 MiB.
const MAX_OF_ALL: usize = 1 << 14;

/// Puts an [`InFlight`] around each connection's service.
#[derive(Clone, Debug)]
pub(crate) struct InFlightLayer {
    all: Arc<Semaphore>,
}

impl InFlightLayer {
    pub(crate) fn new() -> Self {
        Self { all: Arc::new(Semaphore::new(MAX_OF_ALL)) }
    }

    /// Room for what comes in over another protocol, whose own bounds are those of one connection.
    ///
    /// # Errors
    /// When all of it is taken.
    pub(crate) fn room(&self, bytes: usize) -> Result<OwnedSemaphorePermit, RpcError> {
        let room = self.all.clone().try_acquire_many_owned(units(bytes));
        room.map_err(|_| RpcError::Limit("the node is busy with other calls: try again".to_owned()))
    }

    /// The same for a stream, which waits for it: meanwhile its client does.
    ///
    /// # Errors
    /// None while the node runs.
    pub(crate) async fn room_in_time(&self, bytes: usize) -> Result<OwnedSemaphorePermit, RpcError> {
        self.all.clone().acquire_many_owned(units(bytes)).await.map_err(|_| RpcError::Stopping)
    }
}

/// However large one request may be by the configuration, it may come alone.
fn units(bytes: usize) -> u32 {
    u32::try_from(bytes.div_ceil(UNIT_BYTES).clamp(1, MAX_OF_CONNECTION)).unwrap_or(u32::MAX)
}

/// A WebSocket's service is made once, so its own places are counted here; over HTTP each request has one, and the protocol
/// bounds how many a connection has.
impl<S> Layer<S> for InFlightLayer {
    type Service = InFlight<S>;

    fn layer(&self, inner: S) -> InFlight<S> {
        InFlight { inner, own: Arc::new(Semaphore::new(MAX_OF_CONNECTION)), all: self.all.clone() }
    }
}

/// The service of one connection, which refuses what would be too much.
#[derive(Clone, Debug)]
pub(crate) struct InFlight<S> {
    inner: S,
    own: Arc<Semaphore>,
    all: Arc<Semaphore>,
}

impl<S> InFlight<S> {
    /// Room for so many bytes of parameters, until it is dropped.
    fn room(&self, bytes: usize) -> Result<[OwnedSemaphorePermit; 2], RpcError> {
        let units = units(bytes);
        let take = |places: &Arc<Semaphore>, what: &str| {
            places.clone().try_acquire_many_owned(units).map_err(|_| RpcError::Limit(what.to_owned()))
        };
        Ok([
            take(&self.own, "too many calls of this connection are under way: wait for answers")?,
            take(&self.all, "the node is busy with other calls: try again")?,
        ])
    }
}

fn bytes_of(request: &Request<'_>) -> usize {
    request.params.as_ref().map_or(0, |params| params.get().len())
}

impl<S> RpcServiceT for InFlight<S>
where
    S: RpcServiceT<
            MethodResponse = MethodResponse,
            NotificationResponse = MethodResponse,
            BatchResponse = MethodResponse,
        > + Clone
        + Send
        + Sync
        + 'static,
{
    type MethodResponse = MethodResponse;
    type NotificationResponse = MethodResponse;
    type BatchResponse = MethodResponse;

    fn call<'a>(&self, request: Request<'a>) -> impl Future<Output = MethodResponse> + Send + 'a {
        let (room, inner) = (self.room(bytes_of(&request)), self.inner.clone());
        async move {
            match room {
                Ok(_room) => inner.call(request).await,
                Err(full) => MethodResponse::error(request.id, ErrorObjectOwned::from(full)),
            }
        }
    }

    fn batch<'a>(&self, batch: Batch<'a>) -> impl Future<Output = MethodResponse> + Send + 'a {
        let sizes = batch.iter().map(|entry| match entry {
            Ok(BatchEntry::Call(request)) => bytes_of(request),
            Ok(BatchEntry::Notification(_)) | Err(_) => 0,
        });
        let (room, inner) = (self.room(sizes.sum()), self.inner.clone());
        async move {
            match room {
                Ok(_room) => inner.batch(batch).await,
                Err(full) => MethodResponse::error(Id::Null, ErrorObjectOwned::from(full)),
            }
        }
    }

    fn notification<'a>(
        &self,
        notification: Notification<'a>,
    ) -> impl Future<Output = MethodResponse> + Send + 'a {
        self.inner.notification(notification)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Given a connection with as much under way as it may have, then more of it is refused, others are not, and it goes on when an
    /// answer is out.
    #[test]
    fn one_connection_does_not_take_all_the_room() {
        let layer = InFlightLayer::new();
        let (greedy, other) = (layer.layer(()), layer.layer(()));
        let mut held: Vec<_> = (0..MAX_OF_CONNECTION).map(|_| greedy.room(100).expect("room")).collect();
        assert!(matches!(greedy.room(0), Err(RpcError::Limit(_))), "each takes some");
        let _ = other.room(5 << 20).expect("others have their own");
        held.pop();
        let _ = greedy.room(0).expect("one is out");
        assert!(greedy.room(UNIT_BYTES + 1).is_err(), "a larger one needs more");
        drop(held);
        let _ = greedy.room(usize::MAX).expect("however large, alone it fits");
    }

    /// Given many connections, then all together are bounded too.
    #[test]
    fn all_connections_share_a_bound() {
        let layer = InFlightLayer::new();
        let connections: Vec<_> = (0..=MAX_OF_ALL / MAX_OF_CONNECTION).map(|_| layer.layer(())).collect();
        let held: Vec<_> = connections.iter().map(|it| it.room(usize::MAX)).collect();
        let (last, others) = held.split_last().expect("some");
        assert!(others.iter().all(Result::is_ok));
        assert!(matches!(last, Err(RpcError::Limit(_))), "{last:?}");
    }
}
