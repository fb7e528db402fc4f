//! What all nodes share: time, chance, the links, and the eye that sees everything.

use std::{sync::Arc, time::Duration};

use quorate_types::{Height, NodeId, ValidatorSet};
use rand_chacha::ChaCha8Rng;

use crate::{
    chain::Chain,
    network::{Network, between},
    oracle::Oracle,
    packet::Packet,
    queue::{Event, Queue, Wake},
    tally::Tally,
    wire,
};

/// How long a node's own work takes: each time something between two bounds.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    /// Syncing the vote log.
    pub log: (Duration, Duration),
    /// Syncing a block record.
    pub blocks: (Duration, Duration),
    /// Executing or building an empty block.
    pub execution: (Duration, Duration),
    /// What each transaction adds to that.
    pub transaction: Duration,
}

impl Pace {
    /// A good disk and light blocks.
    pub const FAIR: Self = Self {
        log: (Duration::from_micros(200), Duration::from_millis(2)),
        blocks: (Duration::from_micros(500), Duration::from_millis(4)),
        execution: (Duration::from_millis(1), Duration::from_millis(10)),
        transaction: Duration::ZERO,
    };
}

/// Counts for the report.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Counts {
    pub(crate) steps: u64,
    pub(crate) packets: u64,
}

/// Everything outside the nodes.
pub(crate) struct World {
    pub(crate) chain: Chain,
    pub(crate) ids: Vec<NodeId>,
    pub(crate) queue: Queue,
    pub(crate) rng: ChaCha8Rng,
    pub(crate) network: Network,
    pub(crate) pace: Pace,
    pub(crate) oracle: Oracle,
    pub(crate) counts: Counts,
    pub(crate) tally: Tally,
    /// How often each node started or ended. What was sent to an earlier life is lost with its connection.
    pub(crate) lives: Vec<u32>,
    pub(crate) trace: Option<Vec<String>>,
    /// Whether packets travel as the bytes that real nodes send.
    pub(crate) real_bytes: bool,
    /// What liars agreed on before the run.
    pub(crate) collusion: u64,
    /// Whether some nodes compute other roots than others, so that refusals and alarms are right.
    pub(crate) disputed: bool,
    /// Whether new transactions are told to all at once.
    pub(crate) publishes: bool,
}

impl World {
    pub(crate) fn now(&self) -> Duration {
        self.queue.now()
    }

    /// The node with this key; the first of two when the key runs twice.
    pub(crate) fn index_of(&self, id: &NodeId) -> Option<usize> {
        self.ids.iter().position(|it| it == id)
    }

    /// All that answer to this key, other than one of them.
    pub(crate) fn others_called(&self, id: NodeId, me: usize) -> Vec<usize> {
        self.others(me).filter(|it| self.ids[*it] == id).collect()
    }

    /// Who votes on a height, as far as the chain of decided blocks says.
    pub(crate) fn set_of(&self, height: Height) -> Option<Arc<ValidatorSet>> {
        self.oracle.set_of(height, &self.chain)
    }

    pub(crate) fn others(&self, me: usize) -> impl Iterator<Item = usize> + use<> {
        (0..self.ids.len()).filter(move |it| *it != me)
    }

    pub(crate) fn send(&mut self, from: usize, to: usize, packet: &Packet) {
        let life = self.lives[to];
        let framed = self.real_bytes.then(|| Packet::Frame(wire::encode(packet)));
        let packet = framed.as_ref().unwrap_or(packet);
        let now = self.now();
        for delay in self.network.delays(&mut self.rng, (from, to), now).into_iter().flatten() {
            self.counts.packets += 1;
            self.queue.push(delay, Event::Arrival { to, from, life, packet: packet.clone() });
        }
    }

    pub(crate) fn send_to_all(&mut self, from: usize, packet: &Packet) {
        self.others(from).for_each(|to| self.send(from, to, packet));
    }

    /// Has something happen at a node, unless it crashes before.
    pub(crate) fn wake(&mut self, node: usize, after: Duration, what: Wake) {
        let life = self.lives[node];
        self.queue.push(after, Event::Wake { node, life, what });
    }

    pub(crate) fn take_time(&mut self, (least, most): (Duration, Duration)) -> Duration {
        between(&mut self.rng, least, most)
    }

    /// How long a block of so many transactions takes to execute.
    pub(crate) fn execution_time(&mut self, transactions: usize) -> Duration {
        let count = u32::try_from(transactions).expect("blocks are small");
        self.take_time(self.pace.execution) + self.pace.transaction * count
    }

    /// Writes a line of the trace, when there is one.
    pub(crate) fn note(&mut self, node: usize, line: impl FnOnce() -> String) {
        let now = self.now();
        if let Some(trace) = &mut self.trace {
            trace.push(format!("{:>10.4} s  n{node}  {}", now.as_secs_f64(), line()));
        }
    }

    /// Holds a node to what must be true.
    pub(crate) fn require(&mut self, node: usize, truth: Result<(), String>) {
        if let Err(what) = truth {
            self.note(node, || format!("VIOLATION {what}"));
            let now = self.now();
            self.oracle.accuse(now, Some(node), what);
        }
    }

    pub(crate) fn consensus(message: quorate_types::Message) -> Packet {
        Packet::Consensus(Arc::new(message))
    }
}
