//! # The development chain: `node dev`
//!
//! One process is the whole chain: it votes alone, and forgets everything when it ends. Blocks are built, run, stored and
//! served by what a node builds, runs, stores and serves them with; what is missing is whom to agree with.
//!
//! ```text
//! rpc --Submission--> Worker -> Admission -> Pool -> Chain::build -> one signature -> Chain::commit -> the reply
//!     --Control-----> Worker: blocks now, the clock, snapshots and the way back (Store::rewind)
//! ```
//! A transaction's sender hears of it when it is in a block, so a test reads what it wrote.

mod worker;

use std::{net::Ipv4Addr, sync::Arc};

use alloy_signer_local::PrivateKeySigner;
use eyre::WrapErr as _;
use parking_lot::Mutex;
use quorate_execution::Executor;
use quorate_rpc::{Backend, ConsensusState, Development, NodeStatus, RpcLimits, RpcServer};
use quorate_storage::{Store, StoreOptions};
use quorate_txpool::{NextBlock, Pool, PoolConfig};
use quorate_types::{ChainConfig, Genesis, GenesisValidator, NodeId, NodeKey};
use tempfile::TempDir;
use tokio::{
    net::TcpListener,
    sync::{broadcast, mpsc, watch},
};

use crate::{
    admission::{Admission, Recovery},
    chain::{Candidates, Chain, ChainParts},
    clock::{self, Clock},
    exit::{Exit, Failure},
    ingress::SUBMISSION_CAPACITY,
    open_files,
    stop::Stop,
    testnet::{DevelopmentAccount, alloc, development_accounts},
};
use worker::Worker;

/// Admitted transactions, by hash, that a client which follows the pool may be behind.
const ADMITTED_CAPACITY: usize = 1024;
/// Requests for blocks, time and snapshots that may wait.
const CONTROL_CAPACITY: usize = 64;

/// What a developer chooses.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// The port on 127.0.0.1; 0 takes a free one.
    pub port: u16,
    /// The EIP-155 chain id.
    pub chain_id: u64,
}

/// A chain that runs, as its developer is told of it.
#[derive(Clone, Debug)]
pub struct Running {
    /// Where clients find it.
    pub url: String,
    /// The EIP-155 chain id.
    pub chain_id: u64,
    /// The funded accounts, which it signs for.
    pub accounts: Vec<DevelopmentAccount>,
}

/// Runs a chain until SIGINT or SIGTERM. `tell` hears of it once clients can connect.
///
/// # Errors
/// When the port is taken, or there is no room for a temporary folder.
pub async fn run(options: Options, tell: impl FnOnce(&Running)) -> eyre::Result<Exit> {
    let stop = Stop::default();
    stop.on_signals().wrap_err("cannot watch SIGTERM and SIGINT")?;
    open_files::raise_limit();
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, options.port)).await.map_err(|error| {
        let what = format!("cannot listen on 127.0.0.1:{}: {error}; choose another --port", options.port);
        Failure::new(Exit::Other, what)
    })?;
    let accounts = development_accounts()?;
    let folder = tempfile::Builder::new().prefix("quorate-dev-").tempdir()?;
    let parts = Parts::new(options.chain_id, &accounts, &folder)?;
    let url = format!("http://{}", listener.local_addr()?);
    tell(&Running { url, chain_id: options.chain_id, accounts: accounts.clone() });
    parts.serve(&accounts, listener, &stop).await?;
    Ok(stop.exit())
}

/// What the worker and the server share.
struct Parts {
    genesis: Genesis,
    key: NodeKey,
    store: Arc<Store>,
    executor: Arc<Executor>,
    pool: Arc<Mutex<Pool>>,
    admitted: broadcast::Sender<quorate_types::B256>,
}

impl Parts {
    fn new(chain_id: u64, accounts: &[DevelopmentAccount], folder: &TempDir) -> eyre::Result<Self> {
        let key = NodeKey::generate()?;
        let genesis = genesis(chain_id, key.id(), accounts)?;
        let options = StoreOptions { scratch: true, ..StoreOptions::default() };
        let store = Arc::new(Store::open(folder.path(), &genesis, options)?);
        let pool = Arc::new(Mutex::new(empty_pool(&genesis.config, &store)));
        let executor = Arc::new(Executor::new(genesis.config.clone()));
        let (admitted, _) = broadcast::channel(ADMITTED_CAPACITY);
        Ok(Self { genesis, key, store, executor, pool, admitted })
    }

    async fn serve(
        self,
        accounts: &[DevelopmentAccount],
        listener: TcpListener,
        stop: &Stop,
    ) -> eyre::Result<()> {
        let (submissions, submission_queue) = mpsc::channel(SUBMISSION_CAPACITY);
        let (controls, control_queue) = mpsc::channel(CONTROL_CAPACITY);
        let head = watch::Sender::new(self.store.head().height);
        let status = watch::Sender::new(self.status());
        let chain = Arc::new(self.genesis.config.clone());
        let signer = |it: &DevelopmentAccount| it.private_key.parse::<PrivateKeySigner>();
        let accounts = accounts.iter().map(signer).collect::<Result<_, _>>()?;
        let backend = Backend {
            store: self.store.clone(),
            executor: self.executor.clone(),
            pool: self.pool.clone(),
            submissions,
            head: head.subscribe(),
            admitted: self.admitted.clone(),
            status: status.subscribe(),
            consensus: watch::Sender::new(ConsensusState::default()).subscribe(),
            record: Default::default(),
            chain: chain.clone(),
            development: Some(Development { accounts, controls }),
        };
        let limits = RpcLimits::default();
        let limits =
            RpcLimits { max_connections: open_files::room_for_clients(limits.max_connections), ..limits };
        let server = RpcServer::new(backend, limits)?;
        let server = tokio::spawn(server.serve(listener, stop.token()));
        let worker = self.worker(chain, head, status)?;
        worker.run(submission_queue, control_queue, stop).await;
        Ok(server.await?)
    }

    fn worker(
        self,
        config: Arc<ChainConfig>,
        head: watch::Sender<quorate_types::Height>,
        status: watch::Sender<NodeStatus>,
    ) -> eyre::Result<Worker> {
        let clock = Clock::default();
        let chain = Chain::new(ChainParts {
            store: self.store.clone(),
            executor: self.executor,
            pool: self.pool.clone(),
            candidates: Candidates::default(),
            head: head.clone(),
            config,
            announce: Box::new(move |height| status.send_modify(|status| status.height = height)),
            clock: clock.clone(),
            me: self.key.id(),
        });
        let admission = Admission {
            pool: self.pool,
            store: self.store,
            recovery: Recovery::new(self.genesis.config.chain_id),
            admitted: self.admitted,
        };
        Ok(Worker::new(chain, admission, (self.key, self.genesis.domain()?), clock, head))
    }

    /// As well as a chain of one can be.
    fn status(&self) -> NodeStatus {
        NodeStatus {
            status: "healthy",
            node_id: Some(self.key.id()),
            height: self.store.head().height,
            quorum: true,
            ready: true,
            ..NodeStatus::default()
        }
    }
}

fn genesis(chain_id: u64, me: NodeId, accounts: &[DevelopmentAccount]) -> eyre::Result<Genesis> {
    Ok(Genesis {
        config: ChainConfig::new(chain_id),
        timestamp: clock::now_ms() / 1000,
        validators: vec![GenesisValidator { key: me, weight: 1, fee_recipient: accounts[0].address }],
        alloc: alloc(accounts, None)?,
    })
}

fn empty_pool(config: &ChainConfig, store: &Store) -> Pool {
    let head = store.head();
    let next = NextBlock { height: head.height.next(), base_fee: config.base_fee.next(&head.header) };
    Pool::new(PoolConfig::default(), config.clone(), next)
}
