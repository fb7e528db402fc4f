//! A cluster that a test drives by hand, or a script of faults by chance.

mod config;
mod observe;

use std::time::Duration;

use quorate_consensus::ReplicaConfig;
use quorate_types::{Bytes, Height, NodeId};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::{
    chain::{Chain, key_number},
    disk::{Death, Disk},
    fault::{Fault, Script},
    liar::Liar,
    network::{Network, Weather},
    node::{Fuse, Node},
    oracle::Oracle,
    packet::Packet,
    queue::{Event, Queue},
    world::{Counts, Pace, World},
};

/// More events than any run needs: beyond it something goes round in circles.
const MAX_EVENTS: u64 = 20_000_000;

pub use config::ClusterConfig;

/// The timer of view 0 in every simulated chain.
pub const BASE_TIMEOUT: Duration = Duration::from_secs(1);

/// Nodes, links and time.
pub struct Cluster {
    world: World,
    nodes: Vec<Node>,
    /// Who never comes back.
    gone: Vec<bool>,
    transaction_bytes: usize,
    events: u64,
    transactions: u64,
}

impl Cluster {
    /// All nodes down, at time zero.
    #[must_use]
    pub fn new(config: ClusterConfig) -> Self {
        let chain = Chain::new(config.nodes, config.keys);
        let ids: Vec<NodeId> = chain.validators.members().iter().map(|member| member.key).collect();
        let liars = config.liars.iter().map(|(index, _)| ids[*index]).collect();
        let mut signers: Vec<_> =
            (0..config.nodes).map(|index| config.keys.signer(key_number(index))).collect();
        signers.sort_by_key(|signer| signer.id());
        let nodes = signers.into_iter().enumerate().map(|(index, signer)| {
            let habits = config.liars.iter().find(|(liar, _)| *liar == index).map(|(_, habits)| habits);
            let mut disk = Disk::default();
            if config.no_logs {
                disk.wipe();
            }
            Node {
                index,
                id: ids[index],
                signer,
                config: replica_config(ids[index]),
                clock_ahead_s: config.clocks_ahead_s.get(index).copied().unwrap_or(0),
                disk,
                disk_full: false,
                process: None,
                liar: habits.map(|habits| Liar::new(habits, config.nodes)),
                fuse: None,
            }
        });
        let nodes = nodes.collect();
        let world = World {
            chain,
            queue: Queue::default(),
            rng: ChaCha8Rng::seed_from_u64(config.seed),
            network: Network::new(config.nodes, config.weather),
            pace: config.pace,
            oracle: Oracle::new(liars),
            counts: Counts::default(),
            lives: vec![0; config.nodes],
            trace: config.trace.then(Vec::new),
            gossip: config.gossip,
            collusion: config.seed,
            ids,
        };
        let (gone, transaction_bytes) = (vec![false; config.nodes], config.transaction_bytes);
        Self { world, nodes, gone, transaction_bytes, events: 0, transactions: 0 }
    }

    /// A fair cluster of honest nodes, all of them running.
    #[must_use]
    pub fn running(seed: u64, nodes: usize) -> Self {
        let mut cluster = Self::new(ClusterConfig::fair(seed, nodes));
        cluster.start_all();
        cluster
    }

    /// Has the faults of a script happen at their times, counted from now.
    pub fn schedule(&mut self, script: Script) {
        for (after, fault) in script {
            self.world.queue.push(after, Event::Fault(fault));
        }
    }

    /// Has something go wrong now.
    pub fn suffer(&mut self, fault: Fault) {
        match fault {
            Fault::Start(node) => self.start(node),
            Fault::Crash { node, death, after: 0 } => {
                self.nodes[node].crash(death, &mut self.world);
            }
            Fault::Crash { node, death, after } => self.nodes[node].fuse = Some(Fuse { death, after }),
            Fault::Wipe(node) => self.wipe(node),
            Fault::DiskFull { node, full } => self.nodes[node].set_disk_full(full, &mut self.world),
            Fault::Partition(side) => self.world.network.partition(&side),
            Fault::Cut { from, to } => self.world.network.cut(from, to),
            Fault::Mend => self.world.network.mend(),
            Fault::Weather(weather) => self.world.network.weather = weather,
            Fault::Inject(node) => self.inject(node),
        }
    }

    /// Starts a node, unless it runs; those that run greet it.
    pub fn start(&mut self, node: usize) {
        self.nodes[node].fuse = None;
        if self.nodes[node].is_running() || self.gone[node] {
            return;
        }
        self.nodes[node].start(&mut self.world);
        for other in self.world.others(node) {
            if self.nodes[other].is_running() {
                self.world.send(node, other, &Packet::Hello);
                self.world.send(other, node, &Packet::Hello);
            }
        }
    }

    /// Starts all that do not run.
    pub fn start_all(&mut self) {
        (0..self.nodes.len()).for_each(|node| self.start(node));
    }

    /// Ends a process now.
    pub fn crash(&mut self, node: usize, death: Death) {
        self.suffer(Fault::Crash { node, death, after: 0 });
    }

    /// Ends a process that nobody will start again.
    pub fn bury(&mut self, node: usize) {
        self.crash(node, Death::PowerCut);
        self.gone[node] = true;
    }

    /// Deletes the data folder of a stopped node. Only once each other node has a block on disk: a node that loses
    /// its folder in a chain's first moments cannot know that the chain has begun.
    fn wipe(&mut self, node: usize) {
        let begun = self.nodes.iter().all(|it| it.index == node || it.disk.durable() > Height::ZERO);
        if begun && !self.nodes[node].is_running() {
            self.world.note(node, || "loses its data folder".to_owned());
            self.nodes[node].disk.wipe();
        }
    }

    /// A client sends a new transaction to a node, which loses it when it does not run.
    pub fn inject(&mut self, node: usize) {
        self.transactions += 1;
        let salt: u64 = self.world.rng.random();
        let mut raw: Vec<u8> = [self.transactions, salt].iter().flat_map(|it| it.to_be_bytes()).collect();
        raw.resize(self.transaction_bytes.max(raw.len()), 0);
        self.nodes[node].inject(Bytes::from(raw), &mut self.world);
    }

    /// The network is good again, every fault is over, and all that is down starts.
    pub fn heal(&mut self) {
        self.world.queue.forget_faults();
        self.world.network.mend();
        self.world.network.weather = Weather::FAIR;
        self.world.pace = Pace::FAIR;
        self.nodes.iter_mut().for_each(|node| node.set_disk_full(false, &mut self.world));
        self.start_all();
    }

    /// Lets events happen until the predicate holds, something is violated, or `limit` has passed; `true` when
    /// the predicate held.
    pub fn run_until(&mut self, limit: Duration, mut done: impl FnMut(&Self) -> bool) -> bool {
        let until = self.now() + limit;
        loop {
            if self.violation().is_some() {
                return false;
            }
            if done(self) {
                return true;
            }
            let Some(event) = self.world.queue.pop(until) else { return false };
            self.happen(event);
        }
    }

    /// Lets events happen for some time.
    pub fn run_for(&mut self, time: Duration) {
        self.run_until(time, |_| false);
    }

    fn happen(&mut self, event: Event) {
        self.events += 1;
        if self.events > MAX_EVENTS {
            let now = self.now();
            self.world.oracle.accuse(now, None, format!("more than {MAX_EVENTS} events"));
        }
        match event {
            Event::Arrival { to, from, life, packet } => {
                if self.world.lives[to] == life && !self.world.network.is_cut(from, to) {
                    self.nodes[to].on_packet(from, packet, &mut self.world);
                }
            }
            Event::Wake { node, life, what } => {
                if self.world.lives[node] == life {
                    self.nodes[node].on_wake(what, &mut self.world);
                }
            }
            Event::Fault(fault) => self.suffer(fault),
        }
    }
}

fn replica_config(me: NodeId) -> ReplicaConfig {
    ReplicaConfig {
        me,
        base_timeout: BASE_TIMEOUT,
        min_block_interval: Duration::from_millis(50),
        empty_block_interval: None,
        mutant: None,
    }
}
