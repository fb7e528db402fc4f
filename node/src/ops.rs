//! The operations port: `/metrics`, `/livez`, `/readyz`. Loopback by default.

use std::time::Duration;

use axum::{Json, Router, extract::State, http::StatusCode, response::IntoResponse, routing::get};
use metrics_exporter_prometheus::PrometheusHandle;
use quorate_rpc::NodeStatus;
use tokio::{net::TcpListener, sync::watch};
use tokio_util::sync::CancellationToken;

/// How often samples of histograms are put into their buckets. The recorder keeps each of them until then, or until somebody
/// reads the metrics.
const UPKEEP_INTERVAL: Duration = Duration::from_secs(5);

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
    let upkeep = keep_up(metrics.clone(), cancel.clone());
    let router = Router::new()
        .route("/metrics", get(|State(ops): State<Ops>| async move { ops.metrics.render() }))
        // It answers, so the event loop turns.
        .route("/livez", get(|| async { "ok" }))
        .route("/readyz", get(readyz))
        .with_state(Ops { metrics, status });
    let served = axum::serve(listener, router).with_graceful_shutdown(cancel.cancelled_owned());
    let (served, ()) = tokio::join!(served.into_future(), upkeep);
    if let Err(error) = served {
        tracing::error!(%error, "the operations port is closed");
    }
}

async fn keep_up(metrics: PrometheusHandle, cancel: CancellationToken) {
    let mut due = tokio::time::interval(UPKEEP_INTERVAL);
    while cancel.run_until_cancelled(due.tick()).await.is_some() {
        metrics.run_upkeep();
    }
}

async fn readyz(State(ops): State<Ops>) -> impl IntoResponse {
    let status = ops.status.borrow().clone();
    let code = if status.ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (code, Json(status))
}
