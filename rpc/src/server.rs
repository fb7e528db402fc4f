//! One port for all that SDK clients speak: JSON-RPC over HTTP and WebSocket, gRPC, and `GET /health`. The accept loop looks
//! at each request and hands it on; another protocol joins by another arm in [`App::dispatch`].

use std::{
    convert::Infallible,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use axum::{Json, Router, body::Body, http::StatusCode, response::IntoResponse, routing::get};
use hyper::{Method, Request, Response, body::Incoming, header};
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::{conn::auto, graceful::GracefulShutdown},
};
use jsonrpsee::{
    core::{RegisterMethodError, middleware::RpcServiceBuilder},
    server::{
        BatchRequestConfig, Methods, PingConfig, Server, ServerConfig, ServerHandle, StopHandle,
        TowerServiceBuilder, stop_channel,
    },
};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::Semaphore,
};
use tokio_io_timeout::TimeoutStream;
use tokio_util::sync::CancellationToken;
use tower::{
    Service, ServiceExt,
    layer::util::{Identity, Stack},
};
use tower_http::cors::CorsLayer;

use crate::{
    Backend, RpcLimits,
    arity::Arities,
    body::{Bodies, Received},
    criteria::Criteria,
    eth::Eth,
    grpc,
    ids::HexIds,
    in_flight::InFlightLayer,
    methods,
    turns::Turns,
    wording::WordingLayer,
};

/// A client that connects and says nothing is cut off after this.
const FIRST_BYTE_TIMEOUT: Duration = Duration::from_secs(10);
/// A client that does not finish its request's head by then is cut off; between two requests as well, so it
/// is as long as geth's idle time.
const HEADER_TIMEOUT: Duration = Duration::from_secs(120);
/// A client has so long for the body of its request, as geth gives it.
const BODY_TIMEOUT: Duration = Duration::from_secs(30);
/// Dead HTTP/2 connections are found by pings this often.
const KEEP_ALIVE_INTERVAL: Duration = Duration::from_secs(30);
/// How long answers under way have when the node stops.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(2);
/// After a failed accept (too many open files, say), before the next.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
/// A client that takes nothing of an answer for so long is cut off: the answer is in memory until then.
const WRITE_TIMEOUT: Duration = Duration::from_secs(30);
/// Requests of one HTTP/2 connection at a time; further ones wait in the client.
const MAX_HTTP2_STREAMS: u32 = 64;
/// Answers and notifications that wait for one WebSocket client to read; who makes one more waits with it.
const MAX_WAITING_MESSAGES: u32 = 64;

/// Why a server could not be made.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// Two methods of one name: a defect.
    #[error("rpc methods: {0}")]
    Methods(#[from] RegisterMethodError),
    /// The services' descriptors do not fit each other: a defect.
    #[error("grpc services: {0}")]
    Services(#[from] tonic_reflection::server::Error),
}

/// The server, ready to serve listeners.
#[derive(Clone)]
pub struct RpcServer {
    app: App,
    places: Arc<Semaphore>,
    /// Ends WebSocket sessions; dropping it would end them at once.
    sessions: ServerHandle,
}

#[derive(Clone)]
struct App {
    web: Router,
    grpc: Router,
    rpc: TowerServiceBuilder<Stack<WordingLayer, Stack<InFlightLayer, Identity>>, Identity>,
    methods: Methods,
    bodies: Bodies,
    stop: StopHandle,
    /// Each request and each WebSocket session needs an id of its own: subscriptions hang on it.
    next_id: Arc<AtomicU32>,
}

impl RpcServer {
    /// All methods over `backend`, within `limits`. It must be called within the runtime.
    ///
    /// # Errors
    /// When two methods have one name, or the services' descriptors do not fit each other.
    pub fn new(backend: Backend, limits: RpcLimits) -> Result<Self, ServeError> {
        let health = backend.status.clone();
        let web = Router::new().route(
            "/health",
            get(move || async move {
                let status = health.borrow().clone();
                let code = if status.ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
                (code, Json(status)).into_response()
            }),
        );
        let config = ServerConfig::builder()
            .max_connections(limits.max_connections)
            .max_request_body_size(limits.max_body_bytes)
            .max_response_body_size(limits.max_response_bytes)
            .max_subscriptions_per_connection(limits.max_subscriptions)
            .set_message_buffer_capacity(MAX_WAITING_MESSAGES)
            .set_batch_request_config(BatchRequestConfig::Limit(limits.max_batch))
            .enable_ws_ping(PingConfig::new())
            .set_id_provider(HexIds)
            .build();
        let description = methods::description(backend.development.as_ref());
        let wording = WordingLayer {
            arities: Arc::new(Arities::of(&description)),
            max_response_bytes: limits.max_response_bytes,
            max_batch_time: limits.batch_timeout,
        };
        let (stop, sessions) = stop_channel();
        let in_flight = InFlightLayer::new();
        let (turns, criteria) = (Turns::new(limits.call_timeout), Criteria::default());
        let eth = Eth::new(backend, limits, turns.clone(), criteria.clone());
        let shared = (turns.clone(), criteria.clone(), in_flight.clone());
        let largest = usize::try_from(limits.max_response_bytes).unwrap_or(usize::MAX);
        let app = App {
            web,
            grpc: grpc::services(grpc::Api::new(eth.clone(), limits, shared), largest)?,
            rpc: Server::builder()
                .set_config(config)
                .set_rpc_middleware(RpcServiceBuilder::new().layer(in_flight).layer(wording))
                .to_service_builder(),
            methods: methods::all(eth, limits, (turns, criteria), description)?,
            bodies: Bodies::new(usize::try_from(limits.max_body_bytes).unwrap_or(usize::MAX), BODY_TIMEOUT),
            stop,
            next_id: Arc::default(),
        };
        let places = Arc::new(Semaphore::new(usize::try_from(limits.max_connections).unwrap_or(usize::MAX)));
        Ok(Self { app, places, sessions })
    }

    /// Serves one listener until `cancel`.
    pub async fn serve(self, listener: TcpListener, cancel: CancellationToken) {
        let mut builder = auto::Builder::new(TokioExecutor::new());
        builder.http1().timer(TokioTimer::new()).header_read_timeout(HEADER_TIMEOUT);
        builder
            .http2()
            .timer(TokioTimer::new())
            .keep_alive_interval(KEEP_ALIVE_INTERVAL)
            .max_concurrent_streams(MAX_HTTP2_STREAMS);
        let builder = Arc::new(builder);
        let graceful = GracefulShutdown::new();
        loop {
            let accepted = tokio::select! {
                () = cancel.cancelled() => break,
                accepted = listener.accept() => accepted,
            };
            let (stream, _): (TcpStream, SocketAddr) = match accepted {
                Ok(accepted) => accepted,
                Err(error) => {
                    tracing::warn!(%error, "could not accept a client");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                    continue;
                }
            };
            // Beyond the limit the connection is closed at once: the client sees it, instead of waiting.
            let Ok(place) = self.places.clone().try_acquire_owned() else {
                tracing::warn!("refused a client: the limit of connections is reached");
                continue;
            };
            // A socket that refuses an option still works.
            let _ = stream.set_nodelay(true);
            let (builder, app, watcher) = (builder.clone(), self.app.clone(), graceful.watcher());
            tokio::spawn(async move {
                if !matches!(tokio::time::timeout(FIRST_BYTE_TIMEOUT, stream.peek(&mut [0])).await, Ok(Ok(1)))
                {
                    return;
                }
                let mut stream = TimeoutStream::new(stream);
                stream.set_write_timeout(Some(WRITE_TIMEOUT));
                let service = hyper::service::service_fn(move |request| app.clone().dispatch(request));
                let io = TokioIo::new(Box::pin(stream));
                let connection = builder.serve_connection_with_upgrades(io, service).into_owned();
                // How a client ends its connection is its own affair.
                let _ = watcher.watch(connection).await;
                drop(place);
            });
        }
        // Another listener's loop may have said so already.
        let _ = self.sessions.stop();
        let _ = tokio::time::timeout(DRAIN_TIMEOUT, graceful.shutdown()).await;
    }
}

impl App {
    async fn dispatch(self, request: Request<Incoming>) -> Result<Response<Body>, Infallible> {
        if grpc::is_meant(&request) {
            return grpc::answer(self.grpc, request.map(Body::new)).await;
        }
        let upgrade = request.headers().get(header::UPGRADE);
        let websocket = upgrade.is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"websocket"));
        let json_rpc = websocket || matches!(*request.method(), Method::POST | Method::OPTIONS);
        if json_rpc && request.uri().path() == "/" {
            let (head, body) = request.into_parts();
            // A session's messages have no end: each is bounded for itself.
            let (body, _room) = if websocket {
                (Body::new(body), None)
            } else {
                match self.bodies.read(body).await {
                    Ok(Received { bytes, room }) => (Body::from(bytes), room),
                    Err(status) => return Ok(status.into_response()),
                }
            };
            let id = self.next_id.fetch_add(1, Ordering::Relaxed);
            let service = self.rpc.connection_id(id).build(self.methods, self.stop);
            // Browsers' wallets come from other origins; nothing here depends on cookies.
            let mut service = tower::ServiceBuilder::new().layer(CorsLayer::permissive()).service(service);
            return Ok(match service.call(Request::from_parts(head, body)).await {
                Ok(response) => response.map(Body::new),
                Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
            });
        }
        self.web.oneshot(request.map(Body::new)).await
    }
}
