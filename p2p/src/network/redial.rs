//! Dialing the configured peers, for ever.
//!
//! ```text
//! waiting --time, name resolved--> dialing --established--> linked --connection lost--> waiting
//!    ^                                |
//!    `------- failed: back-off -------'        back-off starts anew after a valid greeting only
//! ```

use std::{io, net::SocketAddr, time::Duration};

use backon::{BackoffBuilder, ExponentialBackoff, ExponentialBuilder};
use libp2p::swarm::ConnectionId;
use quorate_types::NodeId;
use tokio::{task::JoinSet, time::sleep};

use crate::{
    PeerAddress,
    limits::{REDIAL_MAX, REDIAL_MIN, SECOND_DIALER_DELAY},
};

/// The configured peers and where each stands.
pub(super) struct Redials {
    targets: Vec<Target>,
    timers: JoinSet<Due>,
    seed: u64,
}

/// A target whose time has come, with what its name resolves to now.
pub(super) struct Due {
    pub(super) index: usize,
    pub(super) addresses: io::Result<Vec<SocketAddr>>,
}

struct Target {
    address: PeerAddress,
    /// Who answered last, where the configuration does not say who should.
    learned: Option<NodeId>,
    state: State,
    backoff: ExponentialBackoff,
    attempts: usize,
    last_failure: String,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Waiting,
    Dialing(ConnectionId),
    Linked(NodeId),
    /// The address is this node's own.
    Own,
}

impl Redials {
    /// Starts with all of them.
    pub(super) fn new(own: NodeId, addresses: Vec<PeerAddress>) -> Self {
        let seed = u64::from_le_bytes(std::array::from_fn(|byte| own.0[byte]));
        let mut redials = Self { targets: Vec::new(), timers: JoinSet::new(), seed };
        for (index, address) in addresses.into_iter().enumerate() {
            let first = first_delay(own, address.node);
            let state = if first.is_some() { State::Waiting } else { State::Own };
            let backoff = backoff(redials.next_seed());
            let last_failure = String::new();
            redials.targets.push(Target {
                address,
                learned: None,
                state,
                backoff,
                attempts: 0,
                last_failure,
            });
            if let Some(delay) = first {
                redials.schedule(index, delay);
            }
        }
        redials
    }

    /// The next target whose time has come; pending while there is none. Cancel-safe.
    pub(super) async fn due(&mut self) -> Due {
        match self.timers.join_next().await {
            Some(Ok(due)) => due,
            // Timers neither panic nor are they aborted; without any there is nothing to wait for.
            Some(Err(_)) | None => std::future::pending().await,
        }
    }

    pub(super) fn address(&self, index: usize) -> &PeerAddress {
        &self.targets[index].address
    }

    /// Who is expected at a target, by configuration or experience.
    pub(super) fn expected(&self, index: usize) -> Option<NodeId> {
        self.targets[index].address.node.or(self.targets[index].learned)
    }

    /// Which of several addresses it is the turn of.
    pub(super) fn turn(&self, index: usize) -> usize {
        self.targets[index].attempts
    }

    pub(super) fn dialing(&mut self, index: usize, connection: ConnectionId) {
        self.targets[index].state = State::Dialing(connection);
    }

    pub(super) fn linked(&mut self, index: usize, node: NodeId) {
        self.targets[index].state = State::Linked(node);
    }

    /// The target that a connection was dialed for.
    pub(super) fn dialed_by(&self, connection: ConnectionId) -> Option<usize> {
        self.targets.iter().position(|target| target.state == State::Dialing(connection))
    }

    /// A dial came through.
    pub(super) fn established(&mut self, connection: ConnectionId, node: NodeId) {
        if let Some(index) = self.dialed_by(connection) {
            self.targets[index].learned = Some(node);
            self.linked(index, node);
        }
    }

    /// Tries a target again later. True when it failed for another reason than the last time, so that
    /// the log says each reason once.
    pub(super) fn failed(&mut self, index: usize, reason: &str) -> bool {
        let target = &mut self.targets[index];
        target.state = State::Waiting;
        target.attempts += 1;
        // A back-off without a limit of attempts always has a next delay.
        let delay = target.backoff.next().unwrap_or(REDIAL_MAX);
        let news = target.last_failure != reason;
        reason.clone_into(&mut target.last_failure);
        self.schedule(index, delay);
        news
    }

    /// The target turned out to be this node itself.
    pub(super) fn is_own(&mut self, index: usize) {
        self.targets[index].state = State::Own;
    }

    /// The peer has greeted: whatever was wrong before is over.
    pub(super) fn greeted(&mut self, node: NodeId) {
        for index in self.linked_to(node) {
            let fresh = backoff(self.next_seed());
            let target = &mut self.targets[index];
            target.backoff = fresh;
            target.last_failure.clear();
        }
    }

    /// The last connection to a peer is gone.
    pub(super) fn lost(&mut self, node: NodeId) {
        for index in self.linked_to(node) {
            self.failed(index, "the connection was lost");
        }
    }

    fn linked_to(&self, node: NodeId) -> Vec<usize> {
        let linked = |index: &usize| self.targets[*index].state == State::Linked(node);
        (0..self.targets.len()).filter(linked).collect()
    }

    fn schedule(&mut self, index: usize, delay: Duration) {
        let address = self.targets[index].address.clone();
        self.timers.spawn(async move {
            sleep(delay).await;
            Due { index, addresses: address.resolve().await }
        });
    }

    /// Each node, target and back-off has a jitter of its own: nodes that lost each other at the same
    /// moment do not meet again in step. A linear congruential step is random enough for that.
    const fn next_seed(&mut self) -> u64 {
        self.seed = self.seed.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(1);
        self.seed
    }
}

/// How long to wait before the first dial; `None` for this node itself. The lower key dials first, so
/// that two nodes that start together do not dial each other at once.
fn first_delay(own: NodeId, node: Option<NodeId>) -> Option<Duration> {
    match node {
        Some(node) if node == own => None,
        Some(node) if node > own => Some(Duration::ZERO),
        Some(_) => Some(SECOND_DIALER_DELAY),
        None => Some(REDIAL_MIN),
    }
}

fn backoff(seed: u64) -> ExponentialBackoff {
    ExponentialBuilder::new()
        .with_min_delay(REDIAL_MIN)
        .with_max_delay(REDIAL_MAX)
        .without_max_times()
        .with_jitter()
        .with_jitter_seed(seed)
        .build()
}

#[cfg(test)]
mod tests {
    use quorate_types::NodeKey;

    use super::*;

    fn id(seed: u8) -> NodeId {
        NodeKey::from_seed([seed; 32]).id()
    }

    #[test]
    fn the_back_off_goes_from_a_quarter_second_to_fifteen_and_never_gives_up() {
        let delays: Vec<_> = backoff(1).take(10_000).collect();
        assert_eq!(delays.len(), 10_000);
        assert!((REDIAL_MIN..=2 * REDIAL_MIN).contains(&delays[0]), "{:?}", delays[0]);
        assert!(delays[20..].iter().all(|delay| (REDIAL_MAX..=Duration::from_secs(15)).contains(delay)));
        assert_ne!(delays[20], delays[21], "jitter");
        assert_ne!(delays, backoff(2).take(10_000).collect::<Vec<_>>(), "a jitter of its own");
    }

    #[tokio::test]
    async fn only_a_greeting_starts_the_back_off_anew() {
        let node = id(2);
        let address = PeerAddress { host: "127.0.0.1".into(), port: 1, node: Some(node) };
        let mut redials = Redials::new(id(1), vec![address]);
        for _ in 0..20 {
            // A connection that breaks before the greeting: what a refused dialer sees.
            redials.linked(0, node);
            redials.lost(node);
        }
        assert!(redials.targets[0].backoff.next() >= Some(REDIAL_MAX), "still backing off");
        redials.linked(0, node);
        redials.greeted(node);
        assert!(redials.targets[0].backoff.next() <= Some(2 * REDIAL_MIN), "at once again");
    }

    #[test]
    fn the_lower_key_dials_first_and_nobody_dials_itself() {
        let (low, high) = (id(1).min(id(2)), id(1).max(id(2)));
        assert_eq!(first_delay(low, Some(high)), Some(Duration::ZERO));
        assert_eq!(first_delay(high, Some(low)), Some(SECOND_DIALER_DELAY));
        assert_eq!(first_delay(low, Some(low)), None);
    }
}
