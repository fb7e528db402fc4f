//! The operations port: `/metrics`, `/livez`, `/readyz`. Loopback by default.

use axum::{Json, Router, extract::State, http::StatusCode, response::IntoResponse, routing::get};
use metrics_exporter_prometheus::PrometheusHandle;
use quorate_rpc::NodeStatus;
use tokio::{net::TcpListener, sync::watch};
use tokio_util::sync::CancellationToken;

#[derive(Clone)]
struct Ops {
    metrics: PrometheusHandle,
    status: watch::Receiver<NodeStatus>,
}

/// Serves until the node stops.
pub(crate) async fn serve(
    listener: TcpListener,
    metrics: PrometheusHandle,
    status: watch::Receiver<NodeStatus>,
    cancel: CancellationToken,
) {
    let router = Router::new()
        .route("/metrics", get(|State(ops): State<Ops>| async move { ops.metrics.render() }))
        // It answers, so the event loop turns.
        .route("/livez", get(|| async { "ok" }))
        .route("/readyz", get(readyz))
        .with_state(Ops { metrics, status });
    if let Err(error) = axum::serve(listener, router).with_graceful_shutdown(cancel.cancelled_owned()).await {
        tracing::error!(%error, "the operations port is closed");
    }
}

async fn readyz(State(ops): State<Ops>) -> impl IntoResponse {
    let status = ops.status.borrow().clone();
    let code = if status.ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (code, Json(status))
}
