//! How peers behave: what of theirs comes to nothing is counted, who wastes this node's time is named, and who keeps
//! sending what no honest node sends is parted with for a while.
//!
//! Every peer is certified, so an operator can find whom to ask; the log and the metrics have to say whom.

use std::{
    collections::HashMap,
    sync::Arc,
    time::{Duration, Instant},
};

use parking_lot::Mutex;
use quorate_p2p::{CHURN_WINDOW, MAX_PEERS, NetworkHandle};
use quorate_proto::MAX_FRAME_BYTES;
use quorate_types::NodeId;
use tokio::sync::watch;

use crate::{driver::Current, labels::Labels, metrics};

/// Over this time a peer's frames are added up.
const WINDOW: Duration = Duration::from_secs(10);
/// Frames that no honest node sends, in one window: a hundred are no accident.
const MAX_INVALID: u32 = 100;
/// The same in bytes: four of the largest frames, of which a quota lets few through.
const MAX_INVALID_BYTES: u64 = 4 * MAX_FRAME_BYTES as u64;
/// Frames that came to nothing, in one window, for each validator. What is late or comes twice is part of every day, since
/// all pass on what they hear: each neighbour brings two votes of each validator a height, and at 20 heights a second
/// that is 400. Three times that leaves room for what is sent again; see also [`USELESS_SHARE`].
const MAX_USELESS_PER_VALIDATOR: usize = 1_250;
/// The same of a set that is smaller than this counts as of this many.
const MIN_VALIDATORS: usize = 4;
/// The same in bytes: what ten full proposals a second are, and four fifths of what a guest can bring in at its quota.
const MAX_USELESS_BYTES: u64 = 8 * MAX_FRAME_BYTES as u64;
/// A peer floods when it sends this many useless frames, or bytes, for each useful one.
const USELESS_SHARE: u32 = 20;
/// How long a peer that was parted with has to stay away; as long as a restart with another version takes.
const PAUSE: Duration = Duration::from_secs(60);
/// Peers that are counted: all that are connected at a time, and as many that were.
const MAX_COUNTED: usize = 2 * MAX_PEERS;

/// What became of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// The replica gets it.
    Accepted,
    /// It came a moment ago.
    Duplicate,
    /// It is for a height that is decided here, and the peer said so a moment ago.
    Late,
    /// It is for a height that is not reached here, or a status, and the peer said so a moment ago.
    Far,
    /// Its bytes are no message. No honest node sends such.
    Malformed,
    /// A signature, a certificate or a binding in it is wrong. No honest node passes such on.
    Unverified,
    /// An answer to sync with a block that was never decided. No honest node has such.
    ForgedBlock,
    /// What came as a transaction is none of this chain. No honest node passes such on.
    ForgedTransaction,
}

impl Outcome {
    const fn name(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Duplicate => "duplicate",
            Self::Late => "late",
            Self::Far => "far",
            Self::Malformed => "malformed",
            Self::Unverified => "refused",
            Self::ForgedBlock => "forged_block",
            Self::ForgedTransaction => "forged_transaction",
        }
    }
}

/// What a window's frames say of their sender.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    Nothing,
    /// It sends much that is of no use: said once for a window.
    Floods {
        useless: Amount,
    },
    /// It sends what no honest node sends.
    Lies {
        invalid: Amount,
    },
}

/// So many frames, of so many bytes together: small ones waste the work on each, large ones reading and memory.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Amount {
    frames: u32,
    bytes: u64,
}

impl Amount {
    const fn add(&mut self, bytes: usize) {
        self.frames += 1;
        self.bytes += bytes as u64;
    }

    /// Whether this is so many times the other, in frames or in bytes, and at least the least of the same.
    const fn exceeds(&self, least: Self, other: Self, times: u32) -> bool {
        let frames = self.frames >= least.frames && self.frames / times >= other.frames;
        let bytes = self.bytes >= least.bytes && self.bytes / times as u64 >= other.bytes;
        frames || bytes
    }
}

/// One peer's frames in the present window.
#[derive(Debug)]
struct Window {
    began: Instant,
    useful: Amount,
    useless: Amount,
    invalid: Amount,
    named: bool,
}

impl Window {
    fn new(now: Instant) -> Self {
        let [useful, useless, invalid] = Default::default();
        Self { began: now, useful, useless, invalid, named: false }
    }

    fn count(&mut self, outcome: Outcome, bytes: usize, most_useless: u32, now: Instant) -> Verdict {
        if now.duration_since(self.began) >= WINDOW {
            *self = Self::new(now);
        }
        match outcome {
            Outcome::Accepted => self.useful.add(bytes),
            Outcome::Duplicate | Outcome::Late | Outcome::Far => self.useless.add(bytes),
            Outcome::Malformed | Outcome::Unverified | Outcome::ForgedBlock | Outcome::ForgedTransaction => {
                self.invalid.add(bytes)
            }
        }
        if self.invalid.frames >= MAX_INVALID || self.invalid.bytes >= MAX_INVALID_BYTES {
            let invalid = self.invalid;
            *self = Self::new(now);
            return Verdict::Lies { invalid };
        }
        let least = Amount { frames: most_useless, bytes: MAX_USELESS_BYTES };
        let floods = self.useless.exceeds(least, self.useful, USELESS_SHARE);
        if floods && !std::mem::replace(&mut self.named, true) {
            return Verdict::Floods { useless: self.useless };
        }
        Verdict::Nothing
    }
}

/// The books. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Conduct {
    network: NetworkHandle,
    /// How many validators there are.
    current: watch::Receiver<Current>,
    windows: Arc<Mutex<HashMap<NodeId, Window>>>,
    labels: Labels,
}

impl Conduct {
    pub(crate) fn new(network: NetworkHandle, current: watch::Receiver<Current>, labels: Labels) -> Self {
        Self { network, current, windows: Arc::default(), labels }
    }

    /// Counts a frame of so many bytes, and does what its sender has earned with it.
    pub(crate) fn count(&self, from: NodeId, outcome: Outcome, bytes: usize) {
        metrics::frame(outcome.name());
        let now = Instant::now();
        let most_useless = most_useless(self.current.borrow().validators.members().len());
        let verdict = {
            let mut windows = self.windows.lock();
            window_of(&mut windows, from, now).map(|window| window.count(outcome, bytes, most_useless, now))
        };
        if outcome == Outcome::Accepted {
            return;
        }
        let label = self.labels.of(&from);
        metrics::dropped_frame(&label, outcome.name());
        match verdict {
            None | Some(Verdict::Nothing) => {}
            Some(Verdict::Floods { useless }) => {
                let (name, address) = self.whereabouts(&from);
                tracing::warn!(
                    peer = %from, name, address, useless = useless.frames, bytes = useless.bytes, seconds = WINDOW.as_secs(), last = outcome.name(),
                    "a peer floods this node with frames of no use"
                );
            }
            Some(Verdict::Lies { invalid }) => self.part(from, invalid, outcome, &label),
        }
    }

    fn part(&self, from: NodeId, invalid: Amount, last: Outcome, label: &str) {
        let (name, address) = self.whereabouts(&from);
        let Amount { frames, bytes } = invalid;
        let reason = format!("{frames} invalid frames, the last {}", last.name());
        if self.network.part(from, reason, PAUSE) {
            metrics::parted(label);
            tracing::warn!(
                peer = %from, name, address, invalid = frames, bytes, last = last.name(), pause_s = PAUSE.as_secs(),
                "parted with a peer that keeps sending invalid frames; ask its operator"
            );
        } else {
            tracing::warn!(
                peer = %from, name, address, invalid = frames, bytes, last = last.name(),
                "a peer keeps sending invalid frames, and the network is too busy to part with it now; ask its operator"
            );
        }
    }

    /// A peer keeps connecting: the network says so once a window.
    pub(crate) fn count_churn(&self, from: NodeId, address: &str, connections: u32) {
        metrics::churned(&self.labels.of(&from), connections);
        let name = self.network.name_of(&from).unwrap_or_default();
        tracing::warn!(
            peer = %from, name, address, connections, seconds = CHURN_WINDOW.as_secs(),
            "a peer keeps connecting and leaving: a flood of handshakes, or two nodes with one key"
        );
    }

    fn whereabouts(&self, id: &NodeId) -> (String, String) {
        let address = self.network.peers().into_iter().find(|peer| peer.id == *id).map(|peer| peer.address);
        (self.network.name_of(id).unwrap_or_default(), address.unwrap_or_else(|| "disconnected".to_owned()))
    }
}

/// How many useless frames of one peer in a window are too many, when there are so many validators.
fn most_useless(validators: usize) -> u32 {
    u32::try_from(validators.max(MIN_VALIDATORS) * MAX_USELESS_PER_VALIDATOR).unwrap_or(u32::MAX)
}

/// The window of a peer. When the books are full, what is over is forgotten first; `None` when nothing is.
fn window_of(windows: &mut HashMap<NodeId, Window>, from: NodeId, now: Instant) -> Option<&mut Window> {
    if windows.len() >= MAX_COUNTED && !windows.contains_key(&from) {
        windows.retain(|_, it| now.duration_since(it.began) < WINDOW);
    }
    let room = windows.len() < MAX_COUNTED || windows.contains_key(&from);
    room.then(|| windows.entry(from).or_insert_with(|| Window::new(now)))
}

#[cfg(test)]
impl Conduct {
    /// Useful, useless and invalid frames of a peer in its window.
    pub(crate) fn counted(&self, from: &NodeId) -> [u32; 3] {
        self.windows
            .lock()
            .get(from)
            .map_or([0; 3], |it| [it.useful, it.useless, it.invalid].map(|it| it.frames))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// About as much as a vote takes.
    const VOTE: usize = 200;
    /// The bound of four validators.
    const MAX_USELESS: u32 = 5_000;

    fn votes(frames: u32) -> Amount {
        Amount { frames, bytes: u64::from(frames) * VOTE as u64 }
    }

    fn after(window: &mut Window, count: u32, outcome: Outcome) -> Verdict {
        let now = window.began;
        (0..count)
            .map(|_| window.count(outcome, VOTE, MAX_USELESS, now))
            .find(|it| *it != Verdict::Nothing)
            .unwrap_or(Verdict::Nothing)
    }

    /// faults.md, flood: what no honest node sends has an end.
    #[test]
    fn flood_of_invalid_frames_ends_the_connection() {
        let mut window = Window::new(Instant::now());
        assert_eq!(after(&mut window, MAX_INVALID - 2, Outcome::Malformed), Verdict::Nothing);
        assert_eq!(after(&mut window, 1, Outcome::ForgedBlock), Verdict::Nothing);
        assert_eq!(after(&mut window, 1, Outcome::Unverified), Verdict::Lies { invalid: votes(MAX_INVALID) });
        assert_eq!(after(&mut window, MAX_INVALID - 1, Outcome::Malformed), Verdict::Nothing, "counted anew");
    }

    /// faults.md, flood: useless frames are allowed, and their sender is named, once for a window.
    #[test]
    fn flood_of_useless_frames_is_named_once() {
        let mut window = Window::new(Instant::now());
        let floods = Verdict::Floods { useless: votes(MAX_USELESS) };
        assert_eq!(after(&mut window, MAX_USELESS, Outcome::Far), floods);
        assert_eq!(after(&mut window, MAX_USELESS, Outcome::Far), Verdict::Nothing);
        let later = window.began + WINDOW;
        assert_eq!(window.count(Outcome::Far, VOTE, MAX_USELESS, later), Verdict::Nothing);
        assert_eq!(after(&mut window, MAX_USELESS, Outcome::Late), floods, "and again in the next");
    }

    /// faults.md, flood: of the largest frames a guest's quota lets one through each second.
    #[test]
    fn flood_of_largest_frames_is_named_as_well() {
        let send = |outcome, count: u32| {
            let mut window = Window::new(Instant::now());
            let second = |number| window.began + Duration::from_secs(number);
            let moments: Vec<_> = (0..u64::from(count)).map(second).collect();
            let mut verdicts =
                moments.into_iter().map(|now| window.count(outcome, MAX_FRAME_BYTES, MAX_USELESS, now));
            verdicts.find(|it| *it != Verdict::Nothing)
        };
        let largest = |frames: u32| Amount { frames, bytes: u64::from(frames) * MAX_FRAME_BYTES as u64 };
        assert_eq!(send(Outcome::Malformed, 9), Some(Verdict::Lies { invalid: largest(4) }));
        assert_eq!(send(Outcome::Far, 9), Some(Verdict::Floods { useless: largest(8) }));
    }

    /// What all pass on comes from each: a full proposal for each block from one whose votes came later than others'.
    #[test]
    fn relayed_proposals_are_no_flood() {
        let mut window = Window::new(Instant::now());
        let now = window.began;
        assert!(
            (0..90).all(|_| window.count(Outcome::Duplicate, 1 << 20, MAX_USELESS, now) == Verdict::Nothing)
        );
    }

    #[test]
    fn a_busy_neighbour_is_no_flood() {
        let mut window = Window::new(Instant::now());
        after(&mut window, MAX_USELESS, Outcome::Accepted);
        assert_eq!(after(&mut window, MAX_USELESS * 10, Outcome::Duplicate), Verdict::Nothing);
    }

    #[test]
    fn invalid_frames_of_many_days_do_not_add_up() {
        let mut window = Window::new(Instant::now());
        for day in 1..=10 {
            let now = Instant::now() + WINDOW * day;
            assert!(
                (1..MAX_INVALID)
                    .all(|_| window.count(Outcome::Malformed, VOTE, MAX_USELESS, now) == Verdict::Nothing)
            );
        }
    }

    /// Given as many peers as are counted, when their time is over, then a further one is counted in their place.
    #[test]
    fn flood_of_peers_that_left_hides_nobody() {
        let id = |number: usize| {
            let mut bytes = [0; 32];
            bytes[..8].copy_from_slice(&number.to_be_bytes());
            NodeId(bytes)
        };
        let (mut windows, now) = (HashMap::new(), Instant::now());
        assert!((0..MAX_COUNTED).all(|number| window_of(&mut windows, id(number), now).is_some()));
        assert!(window_of(&mut windows, id(MAX_COUNTED), now).is_none(), "all are recent");
        assert!(window_of(&mut windows, id(0), now).is_some());
        assert!(window_of(&mut windows, id(MAX_COUNTED), now + WINDOW).is_some());
        assert_eq!(windows.len(), 1);
    }

    /// Given a set of any size at 20 heights a second, when a neighbour passes on all votes, always as the last, then it is
    /// no flood.
    #[test]
    fn a_neighbour_of_many_validators_is_no_flood() {
        for validators in [1, 4, 12, 100] {
            let relayed = 20 * WINDOW.as_secs() * (2 * validators + 1);
            let most = most_useless(usize::try_from(validators).expect("small"));
            assert!(u64::from(most) > 2 * relayed, "{validators}: {most} and {relayed}");
        }
        assert_eq!(most_useless(4), MAX_USELESS);
    }
}
