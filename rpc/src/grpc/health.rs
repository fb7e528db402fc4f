//! `grpc.health.v1`: what `/health` says, for load balancers that speak gRPC.

use tokio::sync::watch;
use tonic::server::NamedService;
use tonic_health::{
    ServingStatus,
    pb::health_server::{Health, HealthServer},
    server::HealthReporter,
};

use super::{
    Api, ChainServiceServer, EventServiceServer, NodeServiceServer, StateServiceServer,
    TransactionServiceServer,
};
use crate::NodeStatus;

/// The node as a whole, and each service; they are well together.
const NAMES: [&str; 6] = [
    "",
    <NodeServiceServer<Api> as NamedService>::NAME,
    <ChainServiceServer<Api> as NamedService>::NAME,
    <StateServiceServer<Api> as NamedService>::NAME,
    <TransactionServiceServer<Api> as NamedService>::NAME,
    <EventServiceServer<Api> as NamedService>::NAME,
];

/// The service, which follows `status` as long as somebody writes it.
pub(super) fn service(mut status: watch::Receiver<NodeStatus>) -> HealthServer<impl Health> {
    let (reporter, service) = tonic_health::server::health_reporter();
    tokio::spawn(async move {
        let mut last = None;
        loop {
            let ready = status.borrow_and_update().ready;
            // The status changes with each block, and who watches is told of nothing but health.
            if last != Some(ready) {
                report(&reporter, ready).await;
                last = Some(ready);
            }
            if status.changed().await.is_err() {
                report(&reporter, false).await;
                return;
            }
        }
    });
    service
}

async fn report(reporter: &HealthReporter, ready: bool) {
    let status = if ready { ServingStatus::Serving } else { ServingStatus::NotServing };
    for name in NAMES {
        reporter.set_service_status(name, status).await;
    }
}
