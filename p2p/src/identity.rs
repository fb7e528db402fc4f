//! One key, one identity: node keys as libp2p peer ids and back.

use libp2p::{PeerId, identity};
use quorate_types::NodeId;

/// The libp2p identity of a node; `None` for bytes that are no ed25519 point.
#[must_use]
pub fn peer_id(node: &NodeId) -> Option<PeerId> {
    let key = identity::ed25519::PublicKey::try_from_bytes(&node.0).ok()?;
    Some(identity::PublicKey::from(key).to_peer_id())
}

/// The node behind a libp2p identity: ids of ed25519 keys hold the key itself. `None` for other kinds.
#[must_use]
pub fn node_id(peer: &PeerId) -> Option<NodeId> {
    let key = identity::PublicKey::try_decode_protobuf(peer.as_ref().digest()).ok()?;
    Some(NodeId(key.try_into_ed25519().ok()?.to_bytes()))
}

#[cfg(test)]
mod tests {
    use quorate_types::NodeKey;

    use super::*;

    #[test]
    fn a_node_is_its_peer_id_and_back() {
        let node = NodeKey::from_seed([9; 32]).id();
        let peer = peer_id(&node).expect("a point");
        assert_eq!(node_id(&peer), Some(node));
        assert_eq!(node_id(&PeerId::random()), None, "an id that only hashes a key tells no key");
    }
}
