//! The operations port: `/metrics`, `/livez`, `/readyz`. Loopback by default.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use axum::{Json, Router, extract::State, http::StatusCode, response::IntoResponse, routing::get};
use metrics_exporter_prometheus::PrometheusHandle;
use metrics_process::Collector;
use quorate_rpc::NodeStatus;
use tokio::{net::TcpListener, sync::watch};
use tokio_util::sync::CancellationToken;

/// How often samples of histograms are put into their buckets. The recorder keeps each of them until then, or until somebody
/// reads the metrics.
const UPKEEP_INTERVAL: Duration = Duration::from_secs(5);

#[derive(Clone)]
struct Ops {
    metrics: PrometheusHandle,
    process: Collector,
    data_dir: PathBuf,
    status: watch::Receiver<NodeStatus>,
}

/// Serves until the node stops.
pub(crate) async fn serve(
    listener: TcpListener,
    metrics: PrometheusHandle,
    data_dir: PathBuf,
    status: watch::Receiver<NodeStatus>,
    cancel: CancellationToken,
) {
    let upkeep = keep_up(metrics.clone(), cancel.clone());
    let process = Collector::default();
    process.describe();
    let router = Router::new()
        .route("/metrics", get(|State(ops): State<Ops>| ops.render()))
        // It answers, so the event loop turns.
        .route("/livez", get(|| async { "ok" }))
        .route("/readyz", get(readyz))
        .with_state(Ops { metrics, process, data_dir, status });
    let served = axum::serve(listener, router).with_graceful_shutdown(cancel.cancelled_owned());
    let (served, ()) = tokio::join!(served.into_future(), upkeep);
    if let Err(error) = served {
        tracing::error!(%error, "the operations port is closed");
    }
}

impl Ops {
    /// The figures of the process and of its folder are as of now.
    async fn render(self) -> String {
        let render = move || {
            self.process.collect();
            crate::metrics::data_bytes(bytes_in(&self.data_dir));
            self.metrics.render()
        };
        // It reads folders.
        tokio::task::spawn_blocking(render).await.unwrap_or_default()
    }
}

/// What the files below a folder hold. Those that go meanwhile do not count.
fn bytes_in(folder: &Path) -> u64 {
    let files = walkdir::WalkDir::new(folder).into_iter().flatten();
    files.filter_map(|entry| entry.metadata().ok()).filter(|it| it.is_file()).map(|it| it.len()).sum()
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
