//! Every task and every bounded channel of the node, top to bottom.

use std::{sync::Arc, time::Duration};

use eyre::WrapErr as _;
use parking_lot::Mutex;
use quorate_consensus::{Head, ReplicaConfig};
use quorate_execution::{CallLimits, Executor};
use quorate_p2p::NetworkHandle;
use quorate_proto::Hello;
use quorate_rpc::{
    Backend, ConsensusRecord, ConsensusState, NodeStatus, RpcLimits, RpcServer, Submission, SyncRange,
};
use quorate_storage::Store;
use quorate_sync::{Input as SyncInput, SyncConfig, Syncer};
use quorate_txpool::{NextBlock, Pool, PoolConfig};
use quorate_types::{Domain, Ed25519, ExecutedBlock, Height, NodeId};
use tokio::{
    sync::{broadcast, mpsc, watch},
    task::JoinHandle,
};

use super::{VoteLogTrust, disk::Disk, listen, network_events::Sorter};
use crate::{
    bodies::Bodies,
    chain::{self, Candidates, ChainHandle, ChainParts},
    conduct::Conduct,
    config::NodeConfig,
    driver::{
        ANSWER_CAPACITY, Current, Driver, DriverParts, DriverQueues, EVENT_CAPACITY, Event, SigningDesk,
    },
    gate::Gate,
    ingress::{Ingress, Recovery, SUBMISSION_CAPACITY},
    labels::Labels,
    metrics, ops, peering,
    serve::Library,
    status::Monitor,
    stop::Stop,
    sync_task::{SYNC_CAPACITY, SyncTask, to_sync_head},
    watch::{Alarms, EvidenceFile, Names, Watcher, WatcherParts},
};

/// Decided blocks that a subscriber may be behind before it is cut off.
const COMMITTED_CAPACITY: usize = 1024;
/// How long the tasks have to end after a signal; the promise to an operator is 5 seconds.
const END_TIMEOUT: Duration = Duration::from_secs(3);

/// A running node: what must be waited for at the end.
pub(super) struct Node {
    tasks: Vec<JoinHandle<()>>,
    driver: std::thread::JoinHandle<()>,
    chain: std::thread::JoinHandle<()>,
    network: NetworkHandle,
}

/// One end of each queue; all are bounded.
struct Queues {
    events: mpsc::Receiver<Event>,
    answers: mpsc::Receiver<Event>,
    sync: mpsc::Receiver<SyncInput>,
    submissions: mpsc::Receiver<Submission>,
}

/// The other ends, and what everyone shares.
#[derive(Clone)]
struct Shared {
    me: NodeId,
    domain: Domain,
    chain_config: Arc<quorate_types::ChainConfig>,
    store: Arc<Store>,
    pool: Arc<Mutex<Pool>>,
    executor: Arc<Executor>,
    candidates: Candidates,
    recovery: Recovery,
    network: NetworkHandle,
    events: mpsc::Sender<Event>,
    answers: mpsc::Sender<Event>,
    sync: mpsc::Sender<SyncInput>,
    submissions: mpsc::Sender<Submission>,
    committed: broadcast::Sender<Arc<ExecutedBlock>>,
    record: ConsensusRecord,
    alarms: Alarms,
    stop: Stop,
}

impl Shared {
    fn new(config: &NodeConfig, disk: &Disk, network: NetworkHandle, stop: Stop) -> (Self, Queues) {
        let (events, event_queue) = mpsc::channel(EVENT_CAPACITY);
        let (answers, answer_queue) = mpsc::channel(ANSWER_CAPACITY);
        let (sync, sync_queue) = mpsc::channel(SYNC_CAPACITY);
        let (submissions, submission_queue) = mpsc::channel(SUBMISSION_CAPACITY);
        let (committed, _) = broadcast::channel(COMMITTED_CAPACITY);
        let limits = CallLimits { gas: config.rpc.call_gas_cap, time: config.rpc.call_timeout };
        let shared = Self {
            me: disk.key.id(),
            domain: disk.domain,
            chain_config: disk.chain.clone(),
            store: disk.store.clone(),
            pool: Arc::new(Mutex::new(new_pool(config, disk))),
            executor: Arc::new(Executor::new((*disk.chain).clone()).with_call_limits(limits)),
            candidates: Candidates::default(),
            recovery: Recovery::new(disk.chain.chain_id),
            network,
            events,
            answers,
            sync,
            submissions,
            committed,
            record: ConsensusRecord::default(),
            alarms: Alarms::default(),
            stop,
        };
        let queues = Queues {
            events: event_queue,
            answers: answer_queue,
            sync: sync_queue,
            submissions: submission_queue,
        };
        (shared, queues)
    }

    fn chain_parts(&self, hello: watch::Sender<Hello>) -> ChainParts {
        let (answers, sync) = (self.answers.clone(), self.sync.clone());
        let (store, domain) = (self.store.clone(), self.domain);
        // On the chain thread: the replica hears of each durable block in order.
        let announce = move |height: Height| {
            let head = store.head();
            hello.send_replace(peering::hello(&domain, &head));
            let head = quorate_sync::Head {
                height: head.height,
                hash: head.hash,
                next_validators: head.next_validators.clone(),
            };
            // The syncer hears of a later head soon enough when its queue is full.
            let _ = sync.try_send(SyncInput::Head(head));
            let _ = answers.blocking_send(Event::Committed { height });
        };
        ChainParts {
            store: self.store.clone(),
            executor: self.executor.clone(),
            pool: self.pool.clone(),
            candidates: self.candidates.clone(),
            committed: self.committed.clone(),
            config: self.chain_config.clone(),
            announce: Box::new(announce),
            me: self.me,
        }
    }

    fn ingress(&self) -> Ingress {
        Ingress {
            pool: self.pool.clone(),
            store: self.store.clone(),
            network: self.network.clone(),
            recovery: self.recovery.clone(),
            events: self.events.clone(),
        }
    }

    fn gate(&self, conduct: &Conduct, watches: &Watches) -> Gate {
        Gate::new(self.domain, conduct.clone(), watches.current.1.clone(), self.events.clone())
    }

    fn sorter(&self, gate: Gate, conduct: &Conduct) -> Sorter {
        Sorter {
            gate,
            conduct: conduct.clone(),
            ingress: self.ingress(),
            library: Library {
                store: self.store.clone(),
                pool: self.pool.clone(),
                candidates: self.candidates.clone(),
            },
            replica: self.events.clone(),
            sync: self.sync.clone(),
        }
    }

    fn sync_task(
        &self,
        start: &Head,
        chain: ChainHandle,
        conduct: Conduct,
        progress: watch::Sender<Option<SyncRange>>,
    ) -> SyncTask {
        let checks = SyncConfig { domain: self.domain, verifier: Arc::new(Ed25519) };
        SyncTask {
            syncer: Syncer::new(checks, to_sync_head(start)),
            network: self.network.clone(),
            chain,
            recovery: self.recovery.clone(),
            inputs: self.sync.clone(),
            replica: self.answers.clone(),
            progress,
            alarms: self.alarms.clone(),
            conduct,
            stop: self.stop.clone(),
        }
    }

    fn monitor(&self, config: &NodeConfig, labels: Labels, watches: &Watches) -> Monitor {
        Monitor {
            me: self.me,
            store: self.store.clone(),
            pool: self.pool.clone(),
            network: self.network.clone(),
            current: watches.current.1.clone(),
            consensus: watches.consensus.1.clone(),
            syncing: watches.progress.1.clone(),
            alarms: self.alarms.clone(),
            min_free_bytes: config.storage.min_free_bytes,
            labels,
            status: watches.status.0.clone(),
            replica: self.events.clone(),
        }
    }

    fn backend(&self, watches: &Watches) -> Backend {
        Backend {
            store: self.store.clone(),
            executor: self.executor.clone(),
            pool: self.pool.clone(),
            submissions: self.submissions.clone(),
            committed: self.committed.clone(),
            status: watches.status.1.clone(),
            consensus: watches.consensus.1.clone(),
            record: self.record.clone(),
            chain: self.chain_config.clone(),
        }
    }

    /// Reads the evidence that was kept before.
    fn watcher(&self, config: &NodeConfig, watches: &Watches) -> Watcher {
        Watcher::new(WatcherParts {
            record: self.record.clone(),
            evidence: EvidenceFile::open(&config.data_dir, self.domain, self.record.clone()),
            alarms: self.alarms.clone(),
            names: Names::new(self.network.clone()),
            state: watches.consensus.0.clone(),
        })
    }

    fn driver_parts(
        &self,
        desk: SigningDesk,
        chain: ChainHandle,
        watcher: Watcher,
        gate: Gate,
        watches: &Watches,
    ) -> DriverParts {
        let runtime = tokio::runtime::Handle::current();
        let bodies = Bodies {
            pool: self.pool.clone(),
            candidates: self.candidates.clone(),
            network: self.network.clone(),
            chain: chain.clone(),
            recovery: self.recovery.clone(),
            current: watches.current.1.clone(),
            alarms: self.alarms.clone(),
            runtime: runtime.clone(),
        };
        DriverParts {
            desk,
            network: self.network.clone(),
            chain,
            bodies,
            store: self.store.clone(),
            answers: self.answers.clone(),
            current: watches.current.0.clone(),
            gate,
            watcher,
            sync: self.sync.clone(),
            stop: self.stop.clone(),
            runtime,
        }
    }
}

/// The values that one task sets and others read.
struct Watches {
    current: (watch::Sender<Current>, watch::Receiver<Current>),
    consensus: (watch::Sender<ConsensusState>, watch::Receiver<ConsensusState>),
    status: (watch::Sender<NodeStatus>, watch::Receiver<NodeStatus>),
    progress: (watch::Sender<Option<SyncRange>>, watch::Receiver<Option<SyncRange>>),
}

impl Watches {
    fn new(start: &Head) -> Self {
        let current = Current { height: start.height.next(), validators: start.next_validators.clone() };
        Self {
            current: watch::channel(current),
            consensus: watch::channel(ConsensusState::default()),
            status: watch::channel(NodeStatus::default()),
            progress: watch::channel(None),
        }
    }
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
                shared.ingress().run(queues.submissions, token.clone()),
            ),
            spawn_vital(&stop, "monitor", shared.monitor(&config, labels, &watches).run(token.clone())),
            tokio::spawn(ops::serve(listeners.ops, prometheus, watches.status.1.clone(), token.clone())),
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
        max_connections: rpc.max_connections,
        max_body_bytes: rpc.max_body_bytes,
        max_batch: rpc.max_batch,
        max_subscriptions: rpc.max_subscriptions,
        max_log_results: rpc.max_log_results,
        max_log_blocks: rpc.max_log_blocks,
    }
}

fn new_pool(config: &NodeConfig, disk: &Disk) -> Pool {
    let head = disk.store.head();
    let next = NextBlock { height: head.height.next(), base_fee: disk.chain.base_fee.next(&head.header) };
    let limits = PoolConfig {
        max_transactions: config.pool.max_transactions,
        max_bytes: config.pool.max_bytes,
        max_per_sender: config.pool.per_sender,
        max_nonce_gap: config.pool.per_sender as u64,
        ..PoolConfig::default()
    };
    Pool::new(limits, (*disk.chain).clone(), next)
}
