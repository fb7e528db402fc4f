//! What binds a node's files to one node on one chain.

use quorate_types::{Domain, NodeId, keccak256};

/// Tells this hash from any other that the project makes.
const TAG: &[u8] = b"quorate vote log 1";

/// The identity that a vote log is made and opened with: a log of another node, or of another chain,
/// says nothing about what this node has signed here.
#[must_use]
pub fn vote_log_identity(domain: &Domain, node: &NodeId) -> [u8; 32] {
    let chain_id = domain.chain_id.to_be_bytes();
    keccak256([TAG, &chain_id, domain.genesis_hash.as_slice(), &node.0].concat()).0
}

#[cfg(test)]
mod tests {
    use quorate_types::B256;

    use super::*;

    #[test]
    fn each_node_has_another_identity_on_each_chain() {
        let domain = Domain { chain_id: 1, genesis_hash: B256::ZERO };
        let of = |chain_id, hash: u8, node: u8| {
            let domain = Domain { chain_id, genesis_hash: B256::repeat_byte(hash) };
            vote_log_identity(&domain, &NodeId([node; 32]))
        };
        assert_eq!(of(1, 0, 7), vote_log_identity(&domain, &NodeId([7; 32])));
        assert!([of(2, 0, 7), of(1, 1, 7), of(1, 0, 8)].iter().all(|other| *other != of(1, 0, 7)));
    }
}
