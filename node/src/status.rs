//! What the node says about itself, twice a second.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use parking_lot::Mutex;
use quorate_consensus::Input;
use quorate_p2p::{NetworkHandle, PeerInfo};
use quorate_rpc::{ConsensusState, NodeStatus, SyncRange, ValidatorState};
use quorate_storage::Store;
use quorate_txpool::Pool;
use quorate_types::{Height, NodeId, ValidatorSet};
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

use crate::{
    clock,
    driver::{Current, Event},
    labels::Labels,
    metrics,
    over_quota::OverQuota,
    sharing::{MAX_OFFERED, Sharing},
    standing,
    watch::{Alarms, OBSERVER},
};

/// How often the status is made anew.
const INTERVAL: Duration = Duration::from_millis(500);
/// A height that has had something to decide for this long is stalled: undisturbed ones take less than a second, and one
/// dead leader two.
const STALLED_AFTER: Duration = Duration::from_secs(10);
/// How often the log repeats why the node is not ready, or what it waits for.
const REPEAT_AFTER: Duration = Duration::from_secs(10);
/// A node further behind than this is not ready.
const MAX_LAG_BLOCKS: u64 = 16;
/// Executable transactions older than this are offered to the peers again.
const OVERDUE_MS: u64 = 3_000;

/// What the status is made of.
pub(crate) struct Monitor {
    pub(crate) me: NodeId,
    pub(crate) store: Arc<Store>,
    pub(crate) pool: Arc<Mutex<Pool>>,
    pub(crate) network: NetworkHandle,
    pub(crate) sharing: Sharing,
    pub(crate) current: watch::Receiver<Current>,
    pub(crate) consensus: watch::Receiver<ConsensusState>,
    pub(crate) syncing: watch::Receiver<Option<SyncRange>>,
    pub(crate) alarms: Alarms,
    pub(crate) min_free_bytes: u64,
    pub(crate) labels: Labels,
    pub(crate) status: watch::Sender<NodeStatus>,
    pub(crate) replica: mpsc::Sender<Event>,
}

impl Monitor {
    pub(crate) async fn run(self, cancel: CancellationToken) {
        let (mut said, mut over_quota) = (Said::default(), OverQuota::default());
        let mut beat = tokio::time::interval(INTERVAL);
        let mut had_room = true;
        loop {
            tokio::select! {
                () = cancel.cancelled() => {
                    self.status.send_modify(|status| {
                        status.status = "unhealthy";
                        status.ready = false;
                        status.reasons = vec!["stopping".to_owned()];
                    });
                    return;
                }
                _ = beat.tick() => {
                    self.refresh(&mut said);
                    for it in over_quota.look(&self.network.peers()) {
                        metrics::over_quota(&self.labels.of(&it.peer), it.frames, it.others);
                    }
                    let has_room = self.shortage().is_none();
                    if has_room != had_room {
                        had_room = has_room;
                        // Sent again with the next change only: the queue of the driver is read for ever.
                        let _ = self.replica.send(Event::Input(Input::DiskRoom(has_room))).await;
                    }
                    self.tend_pool();
                    let work = self.pool.lock().has_work();
                    // Said at each beat, so that no lost or overtaken word leaves a transaction waiting.
                    let _ = self.replica.send(Event::Input(Input::Work(work))).await;
                }
            }
        }
    }

    fn refresh(&self, said: &mut Said) {
        let status = self.status();
        said.say(&status);
        let counts = self.pool.lock().status();
        metrics::pool(counts.pending, counts.queued);
        metrics::status(&status, &self.consensus.borrow());
        self.status.send_if_modified(|known| {
            let changed = *known != status;
            *known = status;
            changed
        });
    }

    fn status(&self) -> NodeStatus {
        let head = self.store.head();
        let peers = self.network.peers();
        let validators = self.current.borrow().validators.clone();
        let lag = self.agreed_height(&validators).0.saturating_sub(head.height.0);
        let quorum = self.reaches_quorum(&peers, &validators);
        let reasons = self.reasons(lag, quorum);
        NodeStatus {
            status: if reasons.is_empty() { "healthy" } else { "unhealthy" },
            node_id: Some(self.me),
            height: head.height,
            lag,
            peers: peers.len(),
            connected: peers.iter().map(|peer| peer.id).collect(),
            quorum,
            ready: reasons.is_empty(),
            reasons,
            syncing: *self.syncing.borrow(),
        }
    }

    /// Whether this node and those that it is linked with, or hears through others, weigh a quorum: in a ring or a star
    /// most are not neighbours.
    fn reaches_quorum(&self, peers: &[PeerInfo], set: &ValidatorSet) -> bool {
        let consensus = self.consensus.borrow();
        let is_heard = |it: &&ValidatorState| standing::is_heard(it.height, it.last_seen_ms);
        let heard = consensus.validators.iter().filter(is_heard).map(|it| &it.id);
        let linked = peers.iter().map(|peer| &peer.id);
        set.weight_of_all(linked.chain(heard).chain([&self.me])) >= set.quorum()
    }

    /// The height that validators with an honest one among them have reached: one liar's boast is none.
    fn agreed_height(&self, set: &ValidatorSet) -> Height {
        let consensus = self.consensus.borrow();
        let mut heads: Vec<_> =
            consensus.validators.iter().filter_map(|it| Some((it.height?.previous()?, it.weight))).collect();
        heads.sort_unstable_by_key(|(head, _)| std::cmp::Reverse(*head));
        let mut weight = 0;
        let reached = heads.into_iter().find(|(_, it)| {
            weight += it;
            weight >= set.honest()
        });
        reached.map_or(Height::ZERO, |(head, _)| head)
    }

    fn reasons(&self, lag: u64, quorum: bool) -> Vec<String> {
        let mut reasons = Vec::new();
        if lag > MAX_LAG_BLOCKS {
            reasons.push(format!("{lag} blocks behind"));
        }
        if !quorum {
            reasons.push("no quorum of validators, neither connected nor heard through others".to_owned());
        }
        let consensus = self.consensus.borrow();
        if let Some(why) = consensus.abstaining.as_ref().filter(|why| *why != OBSERVER) {
            reasons.push(why.clone());
        }
        reasons.extend(self.shortage());
        reasons.extend(self.alarms.own());
        reasons.extend(stall(&consensus));
        reasons
    }

    /// Why the disk does not do: below the limit a write could fail halfway, which is final.
    fn shortage(&self) -> Option<String> {
        match self.store.free_bytes() {
            Ok(free) if free < self.min_free_bytes => {
                Some(format!("disk low: {free} bytes free, {} needed", self.min_free_bytes))
            }
            Ok(_) => None,
            Err(error) => Some(format!("disk: {error}")),
        }
    }

    /// Drops what waited too long for a nonce, and offers again what should long be in a block: peers may lack it.
    fn tend_pool(&self) {
        let now_ms = clock::now_ms();
        let overdue = {
            let mut pool = self.pool.lock();
            pool.expire(now_ms);
            pool.to_offer(MAX_OFFERED, OVERDUE_MS, now_ms)
        };
        self.sharing.offer(overdue);
    }
}

/// What a chain that does not go on waits for.
fn stall(consensus: &ConsensusState) -> Option<String> {
    let waiting = Duration::from_millis(consensus.waiting_ms?);
    (waiting >= STALLED_AFTER).then(|| {
        let ConsensusState { height, waiting_for, .. } = consensus;
        format!("height {height} has not been decided for {} s: {waiting_for}", waiting.as_secs())
    })
}

/// What the log was told last: at once when there is something new, and else at a bounded rate, since the seconds in a
/// reason change all the time.
#[derive(Default)]
struct Said {
    reasons: usize,
    at: Option<Instant>,
}

impl Said {
    fn say(&mut self, status: &NodeStatus) {
        let count = status.reasons.len();
        let due = count != self.reasons || self.at.is_none_or(|at| at.elapsed() >= REPEAT_AFTER);
        if count > 0 && due {
            tracing::warn!(height = %status.height, reasons = ?status.reasons, "not ready");
            self.at = Some(Instant::now());
        } else if count == 0 && self.reasons > 0 {
            tracing::info!(height = %status.height, "ready again");
        }
        self.reasons = count;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn waiting(ms: Option<u64>) -> ConsensusState {
        let waiting_for = "waiting for 1 more of 3 prevotes: node2 has not been heard for 34 s".to_owned();
        ConsensusState { height: Height(7), waiting_ms: ms, waiting_for, ..ConsensusState::default() }
    }

    #[test]
    fn a_stall_is_a_reason_in_words() {
        assert_eq!(stall(&waiting(None)), None, "a chain at rest");
        assert_eq!(stall(&waiting(Some(9_999))), None, "a slow height");
        assert_eq!(
            stall(&waiting(Some(34_500))).as_deref(),
            Some(
                "height 7 has not been decided for 34 s: waiting for 1 more of 3 prevotes: node2 has not been heard \
                 for 34 s"
            )
        );
    }
}
