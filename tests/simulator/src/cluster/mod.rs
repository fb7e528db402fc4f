//! A cluster that a test drives by hand, or a script of faults by chance: `config` says how it is made, `suffer` has
//! faults happen, `members` changes who votes, `observe` shows it from outside.

mod config;
mod members;
mod observe;
mod suffer;

use std::{collections::VecDeque, time::Duration};

use quorate_types::{NodeId, Signer, Validator};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

use crate::{
    chain::{Chain, Machine, key_number},
    disk::Disk,
    fault::Script,
    keys::Keys,
    liar::Liar,
    network::{Network, Weather},
    node::Node,
    oracle::Oracle,
    queue::{Event, Queue},
    tally::Tally,
    world::{Counts, Pace, World},
};

/// More events than any run needs: beyond it something goes round in circles.
const MAX_EVENTS: u64 = 20_000_000;

pub use config::ClusterConfig;

/// The timer of view 0 in every simulated chain.
pub const BASE_TIMEOUT: Duration = Duration::from_secs(1);
/// The least time between two blocks, where none is drawn.
pub(crate) const MIN_BLOCK_INTERVAL: Duration = Duration::from_millis(50);

/// Nodes, links and time.
pub struct Cluster {
    world: World,
    nodes: Vec<Node>,
    /// Who never comes back.
    gone: Vec<bool>,
    /// Keys whose vote is not to be relied upon.
    unreliable: Vec<NodeId>,
    transaction_bytes: usize,
    events: u64,
    transactions: u64,
}

impl Cluster {
    /// All nodes down, at time zero.
    #[must_use]
    pub fn new(config: ClusterConfig) -> Self {
        let signers = signers(&config);
        let ids: Vec<NodeId> = signers.iter().map(|signer| signer.id()).collect();
        let weight = |index: usize| config.weights.get(index).copied().unwrap_or(1);
        let members = (0..config.nodes).map(|index| Validator::new(ids[index], weight(index))).collect();
        let processes = config.processes();
        let who_lies = config.liars.iter().map(|(liar, _)| liar).chain(&config.twins);
        let liars: Vec<NodeId> = who_lies.map(|liar| ids[*liar]).collect();
        let unreliable = liars.iter().copied().chain(config.unreliable.iter().map(|it| ids[*it])).collect();
        let nodes = signers.into_iter().enumerate().map(|(index, signer)| node(index, signer, &config));
        let nodes = nodes.collect();
        let world = World {
            chain: Chain::new(members, config.keys),
            queue: Queue::default(),
            rng: ChaCha8Rng::seed_from_u64(config.seed),
            network: Network::new(processes, config.weather),
            pace: config.pace,
            oracle: Oracle::new(ids.clone(), liars),
            counts: Counts::default(),
            tally: Tally::default(),
            lives: vec![0; processes],
            trace: config.trace.then(Vec::new),
            disputed: false,
            publishes: config.publishes,
            real_bytes: config.keys == Keys::Real,
            collusion: config.seed,
            ids,
        };
        let (gone, transaction_bytes) = (vec![false; processes], config.transaction_bytes);
        Self { world, nodes, gone, unreliable, transaction_bytes, events: 0, transactions: 0 }
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

    /// The network is good again, every fault is over, and all that is down starts.
    pub fn heal(&mut self) {
        self.world.queue.forget_faults();
        self.nodes.iter_mut().for_each(|node| node.fuses.clear());
        self.world.network.mend();
        self.world.network.weather = Weather::FAIR;
        self.world.pace = Pace { transaction: self.world.pace.transaction, ..Pace::FAIR };
        for node in &mut self.nodes {
            node.execution_fails = false;
            node.set_disk_full(false, &mut self.world);
        }
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
            self.accuse(format!("more than {MAX_EVENTS} events"));
        }
        match event {
            Event::Arrival { to, from, life, packet } => {
                if self.world.lives[to] == life && !self.world.network.stops(from, to) {
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

/// One for each process: members in the order of their set, observers, second processes.
fn signers(config: &ClusterConfig) -> Vec<Box<dyn Signer>> {
    let signer = |index| config.keys.signer(key_number(index));
    let mut members: Vec<_> = (0..config.nodes).collect();
    members.sort_by_cached_key(|index| signer(*index).id());
    let key = |index: usize| members.get(config.key_of(index)).copied().unwrap_or(index);
    (0..config.processes()).map(|index| signer(key(index))).collect()
}

fn node(index: usize, signer: Box<dyn Signer>, config: &ClusterConfig) -> Node {
    let (id, processes) = (signer.id(), config.processes());
    let habits = config.liars.iter().find(|(liar, _)| *liar == index).map(|(_, habits)| habits);
    let disk = Disk::new(id, config.keys == Keys::Real);
    Node {
        index,
        id,
        signer,
        config: config.replica(id),
        clock_off_s: config.clocks_off_s.get(index).copied().unwrap_or(0),
        has_twin: config.has_twin(index),
        forgot: false,
        execution_fails: false,
        machine: Machine::Sound,
        alarms: Vec::new(),
        disk,
        disk_full: false,
        process: None,
        liar: habits.map(|habits| Liar::new(habits, processes)),
        fuses: VecDeque::new(),
    }
}
