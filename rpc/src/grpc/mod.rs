//! gRPC: `quorate.v1` as `proto/proto/quorate/v1` describes it, with health and reflection, on the port of JSON-RPC.
//!
//! ```text
//! request -> answer (the client's deadline) -> tonic -> Api: a service per file
//!                                                        +- one message:    fields -> a turn (`turns`) -> messages
//!                                                        +- many messages:  `stream`, over the same feed as subscriptions
//! ```
//! Each method says what JSON-RPC says, from the same code below it; a refusal is an [`RpcError`] here too, and `status`
//! gives it gRPC's code. What a client may have under way is bounded by HTTP/2's streams for a connection, and by `Api`'s
//! places for all.

mod chain;
mod deadline;
mod events;
mod fields;
mod health;
mod messages;
mod node;
mod state;
mod status;
mod stream;
mod submit;
mod transactions;

use std::{convert::Infallible, sync::Arc};

use axum::{Router, body::Body};
use hyper::{Request, Response, body::Incoming, header};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tonic::service::Routes;
use tower::ServiceExt as _;

use crate::{
    Backend, RpcLimits,
    criteria::Criteria,
    error::RpcError,
    eth::Eth,
    in_flight::InFlightLayer,
    turns::{Turns, Weight},
};
use v1::{
    chain_service_server::ChainServiceServer, event_service_server::EventServiceServer,
    node_service_server::NodeServiceServer, state_service_server::StateServiceServer,
    transaction_service_server::TransactionServiceServer,
};

/// What tonic generates from the `.proto` files.
#[allow(clippy::all, clippy::too_many_lines, reason = "generated")]
mod v1 {
    tonic::include_proto!("quorate.v1");
}

/// The descriptors of all that is in [`v1`].
const DESCRIPTORS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/quorate.v1.bin"));

/// What the services work with; cheap to clone. Turns, room and criteria are those of JSON-RPC: it is one node that all clients share.
#[derive(Clone)]
pub(crate) struct Api {
    backend: Backend,
    eth: Eth,
    limits: RpcLimits,
    turns: Turns,
    criteria: Criteria,
    rooms: InFlightLayer,
    /// Places for streams.
    streams: Arc<Semaphore>,
    /// Places in the queue of submissions: all streams together fill half of it, so that it has room for who sends one.
    window: Arc<Semaphore>,
}

impl Api {
    pub(crate) fn new(eth: Eth, limits: RpcLimits, shared: (Turns, Criteria, InFlightLayer)) -> Self {
        let (turns, criteria, rooms) = shared;
        let backend = eth.backend.clone();
        let streams = usize::try_from(limits.max_connections).unwrap_or(usize::MAX);
        let streams = Arc::new(Semaphore::new(streams.min(Semaphore::MAX_PERMITS)));
        let window = Arc::new(Semaphore::new(window_of(&backend)));
        Self { backend, eth, limits, turns, criteria, rooms, streams, window }
    }

    /// The most transactions in one batch of a stream.
    fn max_batch(&self) -> usize {
        usize::try_from(self.limits.max_batch).unwrap_or(usize::MAX).min(window_of(&self.backend))
    }

    /// A place for one more stream.
    fn place(&self) -> Result<OwnedSemaphorePermit, RpcError> {
        let full =
            |_| RpcError::Limit("the node serves as many streams as it can: try again later".to_owned());
        self.streams.clone().try_acquire_owned().map_err(full)
    }

    /// Runs what waits for the disk or computes, when it is its turn.
    async fn run<T: Send + 'static>(
        &self,
        weight: Weight,
        work: impl FnOnce(&Eth) -> Result<T, RpcError> + Send + 'static,
    ) -> Result<T, RpcError> {
        let eth = self.eth.clone();
        self.turns.run(weight, move || work(&eth)).await
    }
}

fn window_of(backend: &Backend) -> usize {
    (backend.submissions.max_capacity() / 2).max(1)
}

/// Whether a request is for [`answer`].
pub(crate) fn is_meant(request: &Request<Incoming>) -> bool {
    let kind = request.headers().get(header::CONTENT_TYPE);
    kind.is_some_and(|it| it.as_bytes().starts_with(b"application/grpc"))
}

/// Answers a request, within the time that its client gives.
pub(crate) async fn answer(services: Router, request: Request<Body>) -> Result<Response<Body>, Infallible> {
    let patience = deadline::of(request.headers());
    let answered = services.oneshot(request);
    let Some(patience) = patience else { return answered.await };
    let late = |_| Ok(status::late("the client's deadline is over").into_http());
    tokio::time::timeout(patience, answered).await.unwrap_or_else(late)
}

/// All services. It must be called within the runtime, where the health of the node is followed.
///
/// # Errors
/// When the descriptors do not fit each other: a defect.
pub(crate) fn services(
    api: Api,
    max_response_bytes: usize,
) -> Result<Router, tonic_reflection::server::Error> {
    let health = health::service(api.backend.status.clone());
    let most = usize::try_from(api.limits.max_body_bytes).unwrap_or(usize::MAX);
    let api = Arc::new(api);
    macro_rules! bounded {
        ($service:ident) => {
            $service::from_arc(api.clone())
                .max_decoding_message_size(most)
                .max_encoding_message_size(max_response_bytes)
        };
    }
    let describe = || {
        tonic_reflection::server::Builder::configure()
            .register_encoded_file_descriptor_set(DESCRIPTORS)
            .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
    };
    let routes = Routes::new(bounded!(NodeServiceServer))
        .add_service(bounded!(ChainServiceServer))
        .add_service(bounded!(StateServiceServer))
        .add_service(bounded!(TransactionServiceServer))
        .add_service(bounded!(EventServiceServer))
        .add_service(health)
        .add_service(describe().build_v1()?)
        .add_service(describe().build_v1alpha()?);
    Ok(routes.prepare().into_axum_router())
}

#[cfg(test)]
mod tests {
    use axum::routing::any;

    use super::*;

    /// Given a client that says how long it waits, when nothing comes by then, then it is told so, whatever is being done for it.
    #[tokio::test]
    async fn the_clients_deadline_is_kept() {
        let services = Router::new().fallback(any(std::future::pending::<()>));
        let request = Request::post("/quorate.v1.TransactionService/SendAndWait");
        let request = request.header("grpc-timeout", "10m").body(Body::empty()).expect("a request");
        let response = answer(services, request).await.expect("an answer");
        let status = tonic::Status::from_header_map(response.headers()).expect("a status");
        assert_eq!(status.code(), tonic::Code::DeadlineExceeded);
    }
}
