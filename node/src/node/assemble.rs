//! Every task of the node, top to bottom, from its start to its end.

use std::time::Duration;

use eyre::WrapErr as _;
use quorate_consensus::ReplicaConfig;
use quorate_p2p::NetworkHandle;
use quorate_rpc::{RpcLimits, RpcServer};
use tokio::{sync::watch, task::JoinHandle};

use super::{
    VoteLogTrust,
    disk::Disk,
    listen,
    shared::{Shared, Watches},
};
use crate::{
    chain,
    conduct::Conduct,
    config::NodeConfig,
    driver::{Driver, DriverQueues, SigningDesk},
    labels::Labels,
    metrics, open_files, ops, peering,
    stop::Stop,
};

/// How long the tasks have to end after a signal; the promise to an operator is 5 seconds.
const END_TIMEOUT: Duration = Duration::from_secs(3);

/// A running node: what must be waited for at the end.
pub(super) struct Node {
    tasks: Vec<JoinHandle<()>>,
    driver: std::thread::JoinHandle<()>,
    chain: std::thread::JoinHandle<()>,
    network: NetworkHandle,
}

impl Node {
    /// Opens and starts everything. `None` when it was told to stop while it opened its data, which takes long after a power
    /// cut; what follows takes an instant, and ends as a running node does.
    pub(super) async fn start(
        config: NodeConfig,
        trust: VoteLogTrust,
        stop: Stop,
    ) -> eyre::Result<Option<Self>> {
        let listeners = listen::bind(&config).await?;
        let prometheus = metrics::install().wrap_err("cannot install the metrics recorder")?;
        let opening = config.clone();
        let disk = tokio::task::spawn_blocking(move || Disk::open(&opening, trust)).await??;
        if stop.is_stopping() {
            return Ok(None);
        }
        let start = disk.head();
        disk.introduce();
        let (hello_sender, hello) = watch::channel(peering::hello(&disk.domain, &disk.store.head()));
        let validators = start.next_validators.members().iter().map(|member| member.key);
        let (network, network_events) = peering::start_network(&config, &disk.key, validators, hello).await?;
        let (shared, queues) = Shared::new(&config, &disk, network.clone(), stop.clone());
        let (chain, chain_thread) =
            chain::spawn(shared.chain_parts(hello_sender), stop.vital("chain thread"))?;
        let watches = Watches::new(&start);
        let labels = Labels::default();
        let conduct = Conduct::new(network.clone(), watches.current.1.clone(), labels.clone());
        let gate = shared.gate(&conduct, &watches);
        let token = stop.token();
        let rpc = RpcServer::new(shared.backend(&watches), limits(&config))?;
        let mut tasks = vec![
            spawn_vital(
                &stop,
                "network reader",
                shared.sorter(gate.clone(), &conduct).run(network_events, token.clone()),
            ),
            spawn_vital(
                &stop,
                "transaction ingress",
                shared.ingress(&conduct).run(queues.submissions, token.clone()),
            ),
            spawn_vital(&stop, "monitor", shared.monitor(&config, labels, &watches).run(token.clone())),
            tokio::spawn(ops::serve(
                listeners.ops,
                prometheus,
                config.data_dir.clone(),
                watches.status.1.clone(),
                token.clone(),
            )),
        ];
        let sync = shared.sync_task(&start, chain.clone(), conduct, watches.progress.0.clone());
        tasks.push(spawn_vital(&stop, "sync task", sync.run(queues.sync, token.clone())));
        let watcher = shared.watcher(&config, &watches);
        let desk = SigningDesk::new(disk.key, disk.domain, disk.log);
        let parts = shared.driver_parts(desk, chain, watcher, gate, &watches);
        let settings = ReplicaConfig::new(shared.me, &disk.chain);
        let driver = Driver::start(
            settings,
            start,
            disk.recovered,
            parts,
            DriverQueues { events: queues.events, answers: queues.answers },
        )?;
        tasks.extend(listeners.rpc.into_iter().map(|it| tokio::spawn(rpc.clone().serve(it, token.clone()))));
        tracing::info!(rpc = ?config.rpc.listen, p2p = %config.p2p.listen, ops = %config.ops.listen, "Start successfully");
        Ok(Some(Self { tasks, driver, chain: chain_thread, network }))
    }

    /// Waits for the tasks, which the token has told to end. What comes back is the chain thread, which ends after all
    /// that could ask it something.
    pub(super) async fn end(self) -> std::thread::JoinHandle<()> {
        let ended = async {
            for task in self.tasks {
                if let Err(error) = task.await {
                    tracing::error!(%error, "a task ended badly");
                }
            }
            self.network.shutdown().await;
        };
        if tokio::time::timeout(END_TIMEOUT, ended).await.is_err() {
            tracing::warn!("some tasks did not end in time");
        }
        // The driver watches the same token and ends between two inputs, with its log synced.
        let _ = tokio::task::spawn_blocking(move || self.driver.join()).await;
        self.chain
    }
}

fn spawn_vital(
    stop: &Stop,
    name: &'static str,
    task: impl Future<Output = ()> + Send + 'static,
) -> JoinHandle<()> {
    let vital = stop.vital(name);
    tokio::spawn(async move {
        let _vital = vital;
        task.await;
    })
}

fn limits(config: &NodeConfig) -> RpcLimits {
    let rpc = &config.rpc;
    RpcLimits {
        max_connections: open_files::room_for_clients(rpc.max_connections),
        max_body_bytes: rpc.max_body_bytes,
        max_batch: rpc.max_batch,
        batch_timeout: rpc.batch_timeout,
        max_response_bytes: rpc.max_response_bytes,
        max_subscriptions: rpc.max_subscriptions,
        max_log_results: rpc.max_log_results,
        max_log_blocks: rpc.max_log_blocks,
        call_timeout: rpc.call_timeout,
    }
}
