//! Merkle proofs: the nodes from a root towards a key.

use std::collections::BTreeMap;

use alloy_trie::{
    HashBuilder, Nibbles,
    proof::{ProofNodes, ProofRetainer},
};
use quorate_types::{B256, Bytes, U256, keccak256};

use crate::{StorageError, slots::Deadline};

/// A node of fewer bytes has no hash: its parent holds it whole (Yellow Paper, appendix D).
const HASHED_NODE_BYTES: usize = 32;

/// The nodes from a root towards a key, the root first.
pub(crate) type Path = Vec<Bytes>;

/// A builder that keeps the nodes on the way to each of `targets`.
pub(crate) fn retaining(targets: Vec<Nibbles>) -> HashBuilder {
    HashBuilder::default().with_proof_retainer(ProofRetainer::new(targets))
}

/// The nodes on the way to `target`, the root first. Nodes that their parents hold are left out, as
/// every verifier finds them there (EIP-1186 does not say; go-ethereum's `Trie.Prove` does the same).
pub(crate) fn nodes_towards(nodes: &ProofNodes, target: &Nibbles) -> Path {
    let towards = (0..=target.len()).filter_map(|depth| Some((depth, nodes.get(&target.slice(..depth))?)));
    let listed = towards.filter(|(depth, node)| *depth == 0 || node.len() >= HASHED_NODE_BYTES);
    listed.map(|(_, node)| node.clone()).collect()
}

/// The root of a storage with these values, none of which is zero, and for each of `wanted` the nodes
/// towards it.
pub(crate) fn prove_slots(
    slots: &BTreeMap<U256, U256>,
    wanted: &[U256],
    deadline: Deadline,
) -> Result<(B256, Vec<Path>), StorageError> {
    let key = |slot: &U256| keccak256(slot.to_be_bytes::<32>());
    let mut leaves = Vec::with_capacity(slots.len());
    for (slot, value) in slots {
        deadline.check()?;
        leaves.push((key(slot), value));
    }
    leaves.sort_unstable_by_key(|(key, _)| *key);
    let targets: Vec<_> = wanted.iter().map(|slot| Nibbles::unpack(key(slot))).collect();
    let mut builder = retaining(targets.clone());
    for (key, value) in leaves {
        deadline.check()?;
        builder.add_leaf(Nibbles::unpack(key), &alloy_rlp::encode_fixed_size(value));
    }
    let root = builder.root();
    let nodes = builder.take_proof_nodes();
    Ok((root, targets.iter().map(|target| nodes_towards(&nodes, target)).collect()))
}
