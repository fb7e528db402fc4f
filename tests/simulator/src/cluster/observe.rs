//! What can be seen of a cluster from outside.

use std::time::Duration;

use quorate_consensus::{Alarm, Snapshot};
use quorate_types::{B256, Height, NodeId};
use rand_chacha::ChaCha8Rng;

use super::Cluster;
use crate::{Tally, node::Node, oracle::Violation};

impl Cluster {
    /// Virtual time since the beginning.
    #[must_use]
    pub fn now(&self) -> Duration {
        self.world.now()
    }

    /// The first thing that was wrong.
    #[must_use]
    pub fn violation(&self) -> Option<&Violation> {
        self.world.oracle.violation()
    }

    /// Notes a violation that only the whole run shows.
    pub(crate) fn accuse(&mut self, what: String) {
        let now = self.now();
        self.world.oracle.accuse(now, None, what);
    }

    /// How many nodes there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.nodes.len()
    }

    /// Whether there are none: never.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.nodes.is_empty()
    }

    /// Whether a node lies.
    #[must_use]
    pub fn is_honest(&self, node: usize) -> bool {
        self.nodes[node].is_honest()
    }

    /// The nodes that neither lie nor are gone for good.
    pub fn honest(&self) -> impl Iterator<Item = usize> + '_ {
        let there = |node: &&Node| node.is_honest() && !self.gone[node.index];
        self.nodes.iter().filter(there).map(|node| node.index)
    }

    /// The last block that a node decided.
    #[must_use]
    pub fn head(&self, node: usize) -> Height {
        self.nodes[node].disk.tip()
    }

    /// The last height that any honest node decided.
    #[must_use]
    pub fn highest(&self) -> Height {
        self.world.oracle.highest()
    }

    /// The hash of the block that a node decided at a height.
    #[must_use]
    pub fn decided(&self, node: usize, height: Height) -> Option<B256> {
        self.nodes[node].disk.block(height).map(|it| it.block.hash())
    }

    /// How many transactions wait at a node.
    #[must_use]
    pub fn waiting(&self, node: usize) -> usize {
        self.nodes[node].process.as_ref().map_or(0, |process| process.pool.len())
    }

    /// Whether a node runs.
    #[must_use]
    pub fn is_running(&self, node: usize) -> bool {
        self.nodes[node].is_running()
    }

    /// What a node raised alarm over, in all its lives.
    #[must_use]
    pub fn alarms(&self, node: usize) -> &[Alarm] {
        &self.nodes[node].alarms
    }

    /// A running replica as an operator sees it.
    #[must_use]
    pub fn snapshot(&self, node: usize) -> Option<Snapshot> {
        self.nodes[node].process.as_ref().map(|process| process.replica.snapshot())
    }

    /// A node's key.
    #[must_use]
    pub fn id(&self, node: usize) -> NodeId {
        self.world.ids[node]
    }

    /// Which node has this key.
    #[must_use]
    pub fn index_of(&self, id: &NodeId) -> Option<usize> {
        self.world.index_of(id)
    }

    /// Steps of all replicas, and packets on all links, so far.
    #[must_use]
    pub const fn effort(&self) -> (u64, u64) {
        (self.world.counts.steps, self.world.counts.packets)
    }

    /// What happened how often, so far.
    #[must_use]
    pub fn tally(&self) -> Tally {
        let mut tally = self.world.tally.clone();
        self.world.network.fates.count(&mut tally);
        tally
    }

    /// What was written down.
    #[must_use]
    pub fn trace(&self) -> &[String] {
        self.world.trace.as_deref().unwrap_or_default()
    }

    /// The randomness, for scripts that are made as they go.
    pub(crate) const fn rng(&mut self) -> &mut ChaCha8Rng {
        &mut self.world.rng
    }
}
