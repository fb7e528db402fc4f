//! A Merkle-Patricia trie in memory that never changes: a change gives another trie, which shares every node that is the same.

use std::{collections::BTreeMap, sync::Arc};

use alloy_rlp::Encodable;
use alloy_trie::{EMPTY_ROOT_HASH, Nibbles};
use quorate_types::{B256, Bytes, keccak256};

use super::node::{Child, Children, Encoder, Leaf, Node};

/// A node of fewer bytes has no hash: its parent holds it whole (Yellow Paper, appendix D).
const HASHED_NODE_BYTES: usize = 32;

/// A trie over hashed keys. A copy costs one reference, and can be hashed or kept by anybody.
///
/// A change costs the nodes on the ways to the keys that it names, whatever else there is: about 3 µs for each key among
/// 100,000, 4 among a million, when a thousand change at once.
#[derive(Clone, Debug)]
pub(crate) struct MerkleTrie<V> {
    top: Option<Child<V>>,
    len: usize,
}

impl<V> Default for MerkleTrie<V> {
    fn default() -> Self {
        Self { top: None, len: 0 }
    }
}

/// What is to stand under a key.
struct Change<V> {
    key: Nibbles,
    leaf: Option<Arc<Leaf<V>>>,
}

impl<V: Encodable + Clone> MerkleTrie<V> {
    /// A trie of these values, each under a key of its own.
    pub(crate) fn of(mut values: Vec<(B256, V)>) -> Self {
        values.sort_unstable_by_key(|(key, _)| *key);
        let len = values.len();
        let leaves: Vec<_> = values.into_iter().map(|(key, value)| Arc::new(Leaf { key, value })).collect();
        let keyed: Vec<_> = leaves.iter().map(|leaf| (Nibbles::unpack(leaf.key), leaf)).collect();
        let mut encoder = Encoder::default();
        let top = over(&keyed, &mut encoder).map(|node| node.at(0, &mut encoder));
        Self { top, len }
    }

    pub(crate) fn root(&self) -> B256 {
        match &self.top {
            None => EMPTY_ROOT_HASH,
            Some(Child { reference, .. }) if reference.is_hash() => B256::from_slice(&reference[1..]),
            Some(Child { reference, .. }) => keccak256(reference),
        }
    }

    /// How many values there are.
    pub(crate) const fn len(&self) -> usize {
        self.len
    }

    pub(crate) fn get(&self, key: &B256) -> Option<&V> {
        let path = Nibbles::unpack(key);
        let mut node = &self.top.as_ref()?.node;
        loop {
            match node {
                Node::Leaf(leaf) => return (leaf.key == *key).then_some(&leaf.value),
                Node::Branch(branch) => node = &branch.child(path.get(branch.path.len())?)?.node,
            }
        }
    }

    /// This trie with some values set or removed.
    pub(crate) fn with(&self, changes: &BTreeMap<B256, Option<V>>) -> Self {
        let mut len = self.len;
        let mut named = Vec::with_capacity(changes.len());
        for (key, value) in changes {
            match (self.get(key).is_some(), value.is_some()) {
                (false, false) => continue,
                (false, true) => len += 1,
                (true, false) => len -= 1,
                (true, true) => {}
            }
            let leaf = value.clone().map(|value| Arc::new(Leaf { key: *key, value }));
            named.push(Change { key: Nibbles::unpack(key), leaf });
        }
        Self { top: changed(self.top.as_ref(), 0, &named, &mut Encoder::default()), len }
    }

    /// The nodes from the root towards `key`: they end in its leaf, or show that there is none. Nodes that their parents hold are
    /// left out, as every verifier finds them there (EIP-1186 does not say; go-ethereum's `Trie.Prove` does the same).
    pub(crate) fn prove(&self, key: &B256) -> Vec<Bytes> {
        let path = Nibbles::unpack(key);
        let (mut proof, mut encoder, mut depth) = (Vec::new(), Encoder::default(), 0);
        let mut next = self.top.as_ref();
        while let Some(child) = next {
            proof.extend(encoder.bytes(&child.node, depth));
            next = match &child.node {
                Node::Branch(branch) if path.starts_with(&branch.path) => {
                    depth = branch.path.len() + 1;
                    path.get(branch.path.len()).and_then(|nibble| branch.child(nibble))
                }
                Node::Branch(_) => {
                    // The extension alone shows that the ways part.
                    proof.pop();
                    None
                }
                Node::Leaf(_) => None,
            };
        }
        let is_own = |(place, node): &(usize, Bytes)| *place == 0 || node.len() >= HASHED_NODE_BYTES;
        proof.into_iter().enumerate().filter(is_own).map(|(_, node)| node).collect()
    }
}

/// What stands below `depth` nibbles after `changes`. These are sorted and begin with the same nibbles up to there; what they
/// remove is there.
fn changed<V: Encodable + Clone>(
    before: Option<&Child<V>>,
    depth: usize,
    changes: &[Change<V>],
    encoder: &mut Encoder,
) -> Option<Child<V>> {
    let ([first, ..], [.., last]) = (changes, changes) else { return before.cloned() };
    let node = match before.map(|child| &child.node) {
        None => over(&named(changes), encoder),
        Some(Node::Leaf(leaf)) => {
            let mut leaves = named(changes);
            let own = Nibbles::unpack(leaf.key);
            if let Err(place) = changes.binary_search_by_key(&own, |it| it.key) {
                let lower = changes[..place].iter().filter(|it| it.leaf.is_some()).count();
                leaves.insert(lower, (own, leaf));
            }
            over(&leaves, encoder)
        }
        Some(Node::Branch(branch)) => {
            let shared = |change: &Change<V>| branch.path.common_prefix_length(&change.key);
            let parting = shared(first).min(shared(last));
            let mut children: Children<V> = Default::default();
            if parting == branch.path.len() {
                for nibble in 0..16 {
                    children[usize::from(nibble)] = branch.child(nibble).cloned();
                }
            } else {
                let own = usize::from(branch.path.get(parting).expect("the branch is deeper"));
                children[own] = Some(Node::Branch(Arc::clone(branch)).at(parting + 1, encoder));
            }
            for part in changes.chunk_by(|one, next| one.key.get(parting) == next.key.get(parting)) {
                let child =
                    &mut children[usize::from(part[0].key.get(parting).expect("keys part before their end"))];
                *child = changed(child.as_ref(), parting + 1, part, encoder);
            }
            Node::above(branch.path.slice(..parting), children, encoder)
        }
    };
    node.map(|node| node.at(depth, encoder))
}

type Keyed<'a, V> = (Nibbles, &'a Arc<Leaf<V>>);

fn named<V>(changes: &[Change<V>]) -> Vec<Keyed<'_, V>> {
    changes.iter().filter_map(|it| Some((it.key, it.leaf.as_ref()?))).collect()
}

/// The node over sorted leaves.
fn over<V: Encodable>(leaves: &[Keyed<'_, V>], encoder: &mut Encoder) -> Option<Node<V>> {
    let ([(first, leaf), ..], [.., (last, _)]) = (leaves, leaves) else { return None };
    if leaves.len() == 1 {
        return Some(Node::Leaf(Arc::clone(leaf)));
    }
    let parting = first.common_prefix_length(last);
    let mut children: Children<V> = Default::default();
    for part in leaves.chunk_by(|(one, _), (next, _)| one.get(parting) == next.get(parting)) {
        let nibble = part[0].0.get(parting).expect("keys part before their end");
        children[usize::from(nibble)] = over(part, encoder).map(|node| node.at(parting + 1, encoder));
    }
    Node::above(first.slice(..parting), children, encoder)
}
