//! What was seen of the chain, and what must never be seen. Pure: it knows neither nodes nor time.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, HashSet},
    time::Duration,
};

use quorate_types::B256;

use super::Violation;

/// A block as a node shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Block {
    /// Its height.
    pub height: u64,
    /// Its hash.
    pub hash: B256,
    /// The hashes of its transactions.
    pub transactions: Vec<B256>,
}

#[derive(Clone, Debug)]
struct Seen {
    block: Block,
    /// When the first node showed it, since the run began.
    at: Duration,
}

/// Everything that clients sent and any node has ever shown. What it refuses, it keeps as violations.
#[derive(Clone, Debug, Default)]
pub struct Record {
    blocks: BTreeMap<u64, Seen>,
    sent: HashSet<B256>,
    accepted: HashSet<B256>,
    included: HashMap<B256, u64>,
    violations: BTreeSet<Violation>,
}

impl Record {
    /// A client is about to send this.
    pub fn send(&mut self, transaction: B256) {
        self.sent.insert(transaction);
    }

    /// A node has said that it takes this.
    pub fn accept(&mut self, transaction: B256) {
        self.accepted.insert(transaction);
    }

    /// A node shows a block, `at` since the run began.
    pub fn observe(&mut self, node: &str, block: Block, at: Duration) {
        let height = block.height;
        if let Some(known) = self.blocks.get(&height) {
            if known.block != block {
                self.violations.insert(Violation::Fork {
                    height,
                    node: node.to_owned(),
                    hash: block.hash.to_string(),
                    known: known.block.hash.to_string(),
                });
            }
            return;
        }
        for transaction in &block.transactions {
            let hash = || transaction.to_string();
            if !self.sent.contains(transaction) {
                self.violations.insert(Violation::Unsent { hash: hash(), height });
            }
            if let Some(first) = self.included.insert(*transaction, height) {
                self.violations.insert(Violation::Twice { hash: hash(), first, second: height });
            }
        }
        self.blocks.insert(height, Seen { block, at });
    }

    /// A node has nothing, or an end of the chain, where a block was seen.
    pub fn vanish(&mut self, node: &str, height: u64) {
        self.violations.insert(Violation::Vanished { height, node: node.to_owned() });
    }

    /// A node holds proofs against these validators.
    pub fn accuse(&mut self, node: &str, validators: &[String]) {
        let found = validators.iter().cloned();
        let found = found.map(|validator| Violation::Equivocation { node: node.to_owned(), validator });
        self.violations.extend(found);
    }

    /// The highest block that was seen.
    #[must_use]
    pub fn height(&self) -> u64 {
        self.blocks.last_key_value().map_or(0, |(height, _)| *height)
    }

    /// Whether all of these are in blocks that were seen.
    #[must_use]
    pub fn include(&self, transactions: &[B256]) -> bool {
        transactions.iter().all(|it| self.included.contains_key(it))
    }

    /// How many transactions are in blocks.
    #[must_use]
    pub fn included(&self) -> u64 {
        self.included.len() as u64
    }

    /// How many transactions a node has said that it takes.
    #[must_use]
    pub fn accepted(&self) -> usize {
        self.accepted.len()
    }

    /// Transactions in blocks that were first seen after `from`, until `to`.
    #[must_use]
    pub fn included_between(&self, from: Duration, to: Duration) -> u64 {
        let fresh = self.blocks.values().filter(|seen| seen.at > from && seen.at <= to);
        fresh.map(|seen| seen.block.transactions.len() as u64).sum()
    }

    /// The longest time in which no node showed a new block, up to the last block.
    #[must_use]
    pub fn longest_pause(&self) -> Duration {
        let mut times: Vec<_> = self.blocks.values().map(|seen| seen.at).collect();
        times.sort_unstable();
        times.windows(2).map(|pair| pair[1] - pair[0]).max().unwrap_or_default()
    }

    /// What was refused so far.
    #[must_use]
    pub const fn violations(&self) -> &BTreeSet<Violation> {
        &self.violations
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn block(height: u64, hash: u8, transactions: &[u8]) -> Block {
        let transactions = transactions.iter().map(|it| B256::repeat_byte(*it)).collect();
        Block { height, hash: B256::repeat_byte(hash), transactions }
    }

    /// What is refused when these blocks are shown, transactions 1 to 9 being sent.
    fn refused(blocks: &[(&str, Block)]) -> Vec<Violation> {
        let mut record = Record::default();
        (1..10).for_each(|it| record.send(B256::repeat_byte(it)));
        blocks.iter().for_each(|(node, block)| record.observe(node, block.clone(), Duration::ZERO));
        record.violations().iter().cloned().collect()
    }

    #[test]
    fn the_same_chain_on_two_nodes_is_fine() {
        let chain = [block(1, 1, &[]), block(2, 2, &[1, 2]), block(3, 3, &[3])];
        let shown: Vec<_> = chain.iter().flat_map(|it| [("a", it.clone()), ("b", it.clone())]).collect();
        assert_eq!(refused(&shown), []);
    }

    #[test]
    fn another_hash_or_another_body_at_one_height_is_a_fork() {
        for other in [block(1, 2, &[1]), block(1, 1, &[])] {
            let found = refused(&[("a", block(1, 1, &[1])), ("b", other)]);
            assert!(
                matches!(&found[..], [Violation::Fork { height: 1, node, .. }] if node == "b"),
                "{found:?}"
            );
        }
    }

    #[test]
    fn a_transaction_is_in_one_block_and_was_sent_by_somebody() {
        let twice = refused(&[("a", block(1, 1, &[1])), ("a", block(2, 2, &[1]))]);
        assert!(matches!(twice[..], [Violation::Twice { first: 1, second: 2, .. }]), "{twice:?}");
        let within_one = refused(&[("a", block(1, 1, &[1, 1]))]);
        assert!(matches!(within_one[..], [Violation::Twice { first: 1, second: 1, .. }]), "{within_one:?}");
        let unsent = refused(&[("a", block(1, 1, &[99]))]);
        assert!(matches!(unsent[..], [Violation::Unsent { height: 1, .. }]), "{unsent:?}");
    }

    #[test]
    fn a_proof_of_two_signatures_is_a_violation_of_whoever_gave_them() {
        let mut record = Record::default();
        record.accuse("node1", &[]);
        assert!(record.violations().is_empty(), "no proof, no liar");
        let liar = "0xab".to_owned();
        record.accuse("node2", &[liar.clone(), liar.clone()]);
        let expected = Violation::Equivocation { node: "node2".to_owned(), validator: liar };
        assert_eq!(record.violations().iter().collect::<Vec<_>>(), [&expected]);
        assert_eq!(
            expected.to_string(),
            "node2 has proof that 0xab signed two things that exclude each other"
        );
    }

    #[test]
    fn throughput_and_pauses_go_by_when_a_block_was_first_seen() {
        let mut record = Record::default();
        let at = Duration::from_secs;
        record.observe("a", block(1, 1, &[1]), at(1));
        record.observe("a", block(2, 2, &[2, 3]), at(2));
        record.observe("b", block(2, 2, &[2, 3]), at(9));
        record.observe("a", block(3, 3, &[4]), at(5));
        assert_eq!(record.included_between(at(1), at(5)), 3);
        assert_eq!((record.longest_pause(), record.height()), (at(3), 3));
    }
}
