//! Merkle proofs: the nodes from a root towards a key.

use alloy_trie::{
    HashBuilder, Nibbles,
    proof::{ProofNodes, ProofRetainer},
};
use quorate_types::Bytes;

/// A node of fewer bytes has no hash: its parent holds it whole (Yellow Paper, appendix D).
const HASHED_NODE_BYTES: usize = 32;

/// A builder that keeps the nodes on the way to each of `targets`.
pub(crate) fn retaining(targets: Vec<Nibbles>) -> HashBuilder {
    HashBuilder::default().with_proof_retainer(ProofRetainer::new(targets))
}

/// The nodes on the way to `target`, the root first. Nodes that their parents hold are left out, as
/// every verifier finds them there (EIP-1186 does not say; go-ethereum's `Trie.Prove` does the same).
pub(crate) fn nodes_towards(nodes: &ProofNodes, target: &Nibbles) -> Vec<Bytes> {
    let towards = nodes.matching_nodes_sorted(target).into_iter();
    towards
        .filter(|(path, node)| path.is_empty() || node.len() >= HASHED_NODE_BYTES)
        .map(|(_, node)| node)
        .collect()
}
