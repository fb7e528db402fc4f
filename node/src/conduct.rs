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
use quorate_p2p::{MAX_PEERS, NetworkHandle};
use quorate_types::NodeId;
use tokio::sync::watch;

use crate::{driver::Current, labels::Labels, metrics};

/// Over this time a peer's frames are added up.
const WINDOW: Duration = Duration::from_secs(10);
/// Frames that no honest node sends, in one window: a hundred are no accident.
const MAX_INVALID: u32 = 100;
/// Frames that came to nothing, in one window, for each validator. What is late or comes twice is part of every day, since
/// all pass on what they hear: each neighbour brings two votes of each validator a height, and at 20 heights a second
/// that is 400. Three times that leaves room for what is sent again; see also [`USELESS_SHARE`].
const MAX_USELESS_PER_VALIDATOR: usize = 1_250;
/// The same of a set that is smaller than this counts as of this many.
const MIN_VALIDATORS: usize = 4;
/// A peer floods when it sends this many useless frames for each useful one.
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
        }
    }
}

/// What a window's frames say of their sender.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    Nothing,
    /// It sends much that is of no use: said once for a window.
    Floods {
        useless: u32,
    },
    /// It sends what no honest node sends.
    Lies {
        invalid: u32,
    },
}

/// One peer's frames in the present window.
#[derive(Debug)]
struct Window {
    began: Instant,
    useful: u32,
    useless: u32,
    invalid: u32,
    named: bool,
}

impl Window {
    const fn new(now: Instant) -> Self {
        Self { began: now, useful: 0, useless: 0, invalid: 0, named: false }
    }

    fn count(&mut self, outcome: Outcome, most_useless: u32, now: Instant) -> Verdict {
        if now.duration_since(self.began) >= WINDOW {
            *self = Self::new(now);
        }
        match outcome {
            Outcome::Accepted => self.useful += 1,
            Outcome::Duplicate | Outcome::Late | Outcome::Far => self.useless += 1,
            Outcome::Malformed | Outcome::Unverified | Outcome::ForgedBlock => self.invalid += 1,
        }
        if self.invalid >= MAX_INVALID {
            let invalid = self.invalid;
            *self = Self::new(now);
            return Verdict::Lies { invalid };
        }
        let floods = self.useless >= most_useless && self.useless / USELESS_SHARE >= self.useful;
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

    /// Counts a frame, and does what its sender has earned with it.
    pub(crate) fn count(&self, from: NodeId, outcome: Outcome) {
        metrics::frame(outcome.name());
        let now = Instant::now();
        let most_useless = most_useless(self.current.borrow().validators.members().len());
        let verdict = {
            let mut windows = self.windows.lock();
            window_of(&mut windows, from, now).map(|window| window.count(outcome, most_useless, now))
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
                    peer = %from, name, address, useless, seconds = WINDOW.as_secs(), last = outcome.name(),
                    "a peer floods this node with frames of no use"
                );
            }
            Some(Verdict::Lies { invalid }) => self.part(from, invalid, outcome, &label),
        }
    }

    fn part(&self, from: NodeId, invalid: u32, last: Outcome, label: &str) {
        let (name, address) = self.whereabouts(&from);
        let reason = format!("{invalid} invalid frames, the last {}", last.name());
        if self.network.part(from, reason, PAUSE) {
            metrics::parted(label);
            tracing::warn!(
                peer = %from, name, address, invalid, last = last.name(), pause_s = PAUSE.as_secs(),
                "parted with a peer that keeps sending invalid frames; ask its operator"
            );
        } else {
            tracing::warn!(
                peer = %from, name, address, invalid, last = last.name(),
                "a peer keeps sending invalid frames, and the network is too busy to part with it now; ask its operator"
            );
        }
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
        self.windows.lock().get(from).map_or([0; 3], |it| [it.useful, it.useless, it.invalid])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The bound of four validators.
    const MAX_USELESS: u32 = 5_000;

    fn after(window: &mut Window, count: u32, outcome: Outcome) -> Verdict {
        let now = window.began;
        (0..count)
            .map(|_| window.count(outcome, MAX_USELESS, now))
            .find(|it| *it != Verdict::Nothing)
            .unwrap_or(Verdict::Nothing)
    }

    /// faults.md, flood: what no honest node sends has an end.
    #[test]
    fn flood_of_invalid_frames_ends_the_connection() {
        let mut window = Window::new(Instant::now());
        assert_eq!(after(&mut window, MAX_INVALID - 2, Outcome::Malformed), Verdict::Nothing);
        assert_eq!(after(&mut window, 1, Outcome::ForgedBlock), Verdict::Nothing);
        assert_eq!(after(&mut window, 1, Outcome::Unverified), Verdict::Lies { invalid: MAX_INVALID });
        assert_eq!(after(&mut window, MAX_INVALID - 1, Outcome::Malformed), Verdict::Nothing, "counted anew");
    }

    /// faults.md, flood: useless frames are allowed, and their sender is named, once for a window.
    #[test]
    fn flood_of_useless_frames_is_named_once() {
        let mut window = Window::new(Instant::now());
        let floods = Verdict::Floods { useless: MAX_USELESS };
        assert_eq!(after(&mut window, MAX_USELESS, Outcome::Far), floods);
        assert_eq!(after(&mut window, MAX_USELESS, Outcome::Far), Verdict::Nothing);
        let later = window.began + WINDOW;
        assert_eq!(window.count(Outcome::Far, MAX_USELESS, later), Verdict::Nothing);
        assert_eq!(after(&mut window, MAX_USELESS, Outcome::Late), floods, "and again in the next");
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
                    .all(|_| window.count(Outcome::Malformed, MAX_USELESS, now) == Verdict::Nothing)
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
