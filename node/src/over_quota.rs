//! What peers send beyond their quota, as a sum over all their connections: the network counts for each one anew.

use std::{collections::HashMap, time::SystemTime};

use quorate_p2p::PeerInfo;
use quorate_types::NodeId;

/// One connection's counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Counted {
    since: SystemTime,
    frames: u64,
    others: u64,
}

/// What was counted when it was last looked at, for those connected then.
#[derive(Debug, Default)]
pub(crate) struct OverQuota(HashMap<NodeId, Counted>);

/// What has come in addition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Excess {
    pub(crate) peer: NodeId,
    /// Consensus frames and batches of transactions that had to wait.
    pub(crate) frames: u64,
    /// Requests and greetings that were passed over.
    pub(crate) others: u64,
}

impl OverQuota {
    /// Looks at the connected peers; who has sent too much since the last look. Of a connection that ended in between, the
    /// rest is not known.
    pub(crate) fn look(&mut self, peers: &[PeerInfo]) -> Vec<Excess> {
        let counted = |peer: &PeerInfo| {
            let PeerInfo { connected_since: since, frames_held_up: frames, over_quota: others, .. } = *peer;
            (peer.id, Counted { since, frames, others })
        };
        let now: HashMap<_, _> = peers.iter().map(counted).collect();
        let before = std::mem::replace(&mut self.0, now);
        let news = self.0.iter().map(|(peer, now)| {
            let before = before.get(peer).filter(|before| before.since == now.since);
            let (frames, others) = before.map_or((0, 0), |it| (it.frames, it.others));
            let frames = now.frames.saturating_sub(frames);
            Excess { peer: *peer, frames, others: now.others.saturating_sub(others) }
        });
        news.filter(|it| it.frames > 0 || it.others > 0).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use quorate_proto::Hello;
    use quorate_types::{B256, Height};

    use super::*;

    const PEER: NodeId = NodeId([7; 32]);

    fn peer(connection: u64, frames_held_up: u64, over_quota: u64) -> PeerInfo {
        let hello = Hello {
            protocol_version: 1,
            chain_id: 1,
            genesis_hash: B256::ZERO,
            height: Height::ZERO,
            head_hash: B256::ZERO,
            agent: String::new(),
        };
        PeerInfo {
            id: PEER,
            address: String::new(),
            dialed: false,
            validator: false,
            hello,
            connected_since: SystemTime::UNIX_EPOCH + Duration::from_secs(connection),
            last_frame: None,
            round_trip: None,
            frames_in: 0,
            bytes_in: 0,
            frames_out: 0,
            bytes_out: 0,
            frames_dropped: 0,
            over_quota,
            frames_held_up,
        }
    }

    /// faults.md, flood: given a peer that connects anew after each burst, then all of its bursts are in the sum.
    #[test]
    fn flood_by_a_reconnecting_peer_adds_up() {
        let mut looks = OverQuota::default();
        let mut sum = [0, 0];
        let seen =
            [vec![peer(1, 5, 0)], vec![peer(1, 8, 1)], vec![peer(2, 3, 1)], vec![], vec![peer(3, 3, 1)]];
        for peers in seen {
            for Excess { peer, frames, others } in looks.look(&peers) {
                assert_eq!(peer, PEER);
                sum = [sum[0] + frames, sum[1] + others];
            }
        }
        assert_eq!(sum, [8 + 3 + 3, 1 + 1 + 1]);
        assert_eq!(looks.look(&[peer(3, 3, 1)]), [], "nothing new");
    }
}
