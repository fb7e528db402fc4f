//! What the tasks share, every bounded channel between them, and the part of each that is made of it.

use std::sync::Arc;

use parking_lot::Mutex;
use quorate_consensus::Head;
use quorate_execution::{CallLimits, Executor};
use quorate_p2p::NetworkHandle;
use quorate_proto::Hello;
use quorate_rpc::{Backend, ConsensusRecord, ConsensusState, NodeStatus, Submission, SyncRange};
use quorate_storage::Store;
use quorate_sync::{Input as SyncInput, SyncConfig, Syncer};
use quorate_txpool::{NextBlock, Pool, PoolConfig};
use quorate_types::{B256, Domain, Ed25519, Height, NodeId};
use tokio::sync::{broadcast, mpsc, watch};

use super::{disk::Disk, network_events::Sorter};
use crate::{
    admission::{Admission, Recovery},
    bodies::Bodies,
    chain::{Candidates, ChainHandle, ChainParts},
    clock::Clock,
    conduct::Conduct,
    config::NodeConfig,
    driver::{ANSWER_CAPACITY, Current, DriverParts, EVENT_CAPACITY, Event, SigningDesk},
    gate::Gate,
    ingress::{Ingress, SUBMISSION_CAPACITY},
    labels::Labels,
    peering,
    serve::Library,
    sharing::Sharing,
    status::Monitor,
    stop::Stop,
    sync_task::{SYNC_CAPACITY, SyncTask, to_sync_head},
    watch::{Alarms, EvidenceFile, Names, Watcher, WatcherParts},
};

/// Admitted transactions, by hash, that a client which follows the pool may be behind.
const ADMITTED_CAPACITY: usize = 8192;

/// One end of each queue; all are bounded.
pub(super) struct Queues {
    pub(super) events: mpsc::Receiver<Event>,
    pub(super) answers: mpsc::Receiver<Event>,
    pub(super) sync: mpsc::Receiver<SyncInput>,
    pub(super) submissions: mpsc::Receiver<Submission>,
}

/// The other ends, and what everyone shares.
#[derive(Clone)]
pub(super) struct Shared {
    pub(super) me: NodeId,
    domain: Domain,
    chain_config: Arc<quorate_types::ChainConfig>,
    store: Arc<Store>,
    pool: Arc<Mutex<Pool>>,
    executor: Arc<Executor>,
    candidates: Candidates,
    recovery: Recovery,
    network: NetworkHandle,
    sharing: Sharing,
    events: mpsc::Sender<Event>,
    answers: mpsc::Sender<Event>,
    sync: mpsc::Sender<SyncInput>,
    submissions: mpsc::Sender<Submission>,
    head: watch::Sender<Height>,
    admitted: broadcast::Sender<B256>,
    record: ConsensusRecord,
    alarms: Alarms,
    stop: Stop,
}

impl Shared {
    pub(super) fn new(
        config: &NodeConfig,
        disk: &Disk,
        network: NetworkHandle,
        stop: Stop,
    ) -> (Self, Queues) {
        let (events, event_queue) = mpsc::channel(EVENT_CAPACITY);
        let (answers, answer_queue) = mpsc::channel(ANSWER_CAPACITY);
        let (sync, sync_queue) = mpsc::channel(SYNC_CAPACITY);
        let (submissions, submission_queue) = mpsc::channel(SUBMISSION_CAPACITY);
        let (admitted, _) = broadcast::channel(ADMITTED_CAPACITY);
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
            sharing: Sharing::new(network.clone()),
            network,
            events,
            answers,
            sync,
            submissions,
            head: watch::Sender::new(disk.store.head().height),
            admitted,
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

    pub(super) fn chain_parts(&self, hello: watch::Sender<Hello>) -> ChainParts {
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
            head: self.head.clone(),
            config: self.chain_config.clone(),
            announce: Box::new(announce),
            clock: Clock::default(),
            me: self.me,
        }
    }

    pub(super) fn ingress(&self, conduct: &Conduct) -> Ingress {
        let admission = Admission {
            pool: self.pool.clone(),
            store: self.store.clone(),
            recovery: self.recovery.clone(),
            admitted: self.admitted.clone(),
        };
        Ingress {
            admission,
            sharing: self.sharing.clone(),
            conduct: conduct.clone(),
            events: self.events.clone(),
        }
    }

    pub(super) fn gate(&self, conduct: &Conduct, watches: &Watches) -> Gate {
        Gate::new(self.domain, conduct.clone(), watches.current.1.clone(), self.events.clone())
    }

    pub(super) fn sorter(&self, gate: Gate, conduct: &Conduct) -> Sorter {
        Sorter {
            gate,
            conduct: conduct.clone(),
            ingress: self.ingress(conduct),
            library: Library {
                store: self.store.clone(),
                pool: self.pool.clone(),
                candidates: self.candidates.clone(),
            },
            replica: self.events.clone(),
            sync: self.sync.clone(),
        }
    }

    pub(super) fn sync_task(
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

    pub(super) fn monitor(&self, config: &NodeConfig, labels: Labels, watches: &Watches) -> Monitor {
        Monitor {
            me: self.me,
            store: self.store.clone(),
            pool: self.pool.clone(),
            network: self.network.clone(),
            sharing: self.sharing.clone(),
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

    pub(super) fn backend(&self, watches: &Watches) -> Backend {
        Backend {
            store: self.store.clone(),
            executor: self.executor.clone(),
            pool: self.pool.clone(),
            submissions: self.submissions.clone(),
            head: self.head.subscribe(),
            admitted: self.admitted.clone(),
            status: watches.status.1.clone(),
            consensus: watches.consensus.1.clone(),
            record: self.record.clone(),
            chain: self.chain_config.clone(),
            development: None,
        }
    }

    /// Reads the evidence that was kept before.
    pub(super) fn watcher(&self, config: &NodeConfig, watches: &Watches) -> Watcher {
        Watcher::new(WatcherParts {
            record: self.record.clone(),
            evidence: EvidenceFile::open(&config.data_dir, self.domain, self.record.clone()),
            alarms: self.alarms.clone(),
            names: Names::new(self.network.clone()),
            state: watches.consensus.0.clone(),
        })
    }

    pub(super) fn driver_parts(
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
            sharing: self.sharing.clone(),
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
pub(super) struct Watches {
    pub(super) current: (watch::Sender<Current>, watch::Receiver<Current>),
    pub(super) consensus: (watch::Sender<ConsensusState>, watch::Receiver<ConsensusState>),
    pub(super) status: (watch::Sender<NodeStatus>, watch::Receiver<NodeStatus>),
    pub(super) progress: (watch::Sender<Option<SyncRange>>, watch::Receiver<Option<SyncRange>>),
}

impl Watches {
    pub(super) fn new(start: &Head) -> Self {
        let current = Current { height: start.height.next(), validators: start.next_validators.clone() };
        Self {
            current: watch::channel(current),
            consensus: watch::channel(ConsensusState::default()),
            status: watch::channel(NodeStatus::default()),
            progress: watch::channel(None),
        }
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
