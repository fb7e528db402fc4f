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

use crate::metrics;

/// Over this time a peer's frames are added up.
const WINDOW: Duration = Duration::from_secs(10);
/// Frames that no honest node sends, in one window: a hundred are no accident.
const MAX_INVALID: u32 = 100;
/// Frames that came to nothing, in one window. What is late or comes twice is part of every day, since all pass on what
/// they hear: some hundred a second; see also [`USELESS_SHARE`].
const MAX_USELESS: u32 = 5_000;
/// A peer floods when it sends this many useless frames for each useful one.
const USELESS_SHARE: u32 = 20;
/// How long a peer that was parted with has to stay away; as long as a restart with another version takes.
const PAUSE: Duration = Duration::from_secs(60);
/// Peers that are counted, and may be labels of a metric: all that are connected at a time, and as many that were.
const MAX_COUNTED: usize = 2 * MAX_PEERS;
/// The label of all further ones.
const OTHERS: &str = "others";

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

    fn count(&mut self, outcome: Outcome, now: Instant) -> Verdict {
        if now.duration_since(self.began) >= WINDOW {
            *self = Self::new(now);
        }
        match outcome {
            Outcome::Accepted => self.useful += 1,
            Outcome::Duplicate | Outcome::Late | Outcome::Far => self.useless += 1,
            Outcome::Malformed | Outcome::Unverified => self.invalid += 1,
        }
        if self.invalid >= MAX_INVALID {
            let invalid = self.invalid;
            *self = Self::new(now);
            return Verdict::Lies { invalid };
        }
        let floods = self.useless >= MAX_USELESS && self.useless / USELESS_SHARE >= self.useful;
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
    windows: Arc<Mutex<HashMap<NodeId, Window>>>,
}

impl Conduct {
    pub(crate) fn new(network: NetworkHandle) -> Self {
        Self { network, windows: Arc::default() }
    }

    /// Counts a frame, and does what its sender has earned with it.
    pub(crate) fn count(&self, from: NodeId, outcome: Outcome) {
        metrics::frame(outcome.name());
        let now = Instant::now();
        let verdict = {
            let mut windows = self.windows.lock();
            let known = windows.len() < MAX_COUNTED || windows.contains_key(&from);
            known.then(|| windows.entry(from).or_insert_with(|| Window::new(now)).count(outcome, now))
        };
        if outcome == Outcome::Accepted {
            return;
        }
        let label = if verdict.is_some() { from.to_string() } else { OTHERS.to_owned() };
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
            Some(Verdict::Lies { invalid }) => {
                let (name, address) = self.whereabouts(&from);
                tracing::warn!(
                    peer = %from, name, address, invalid, last = outcome.name(), pause_s = PAUSE.as_secs(),
                    "parted with a peer that keeps sending invalid frames; ask its operator"
                );
                metrics::parted(&label);
                self.network.part(
                    from,
                    format!("{invalid} invalid consensus frames, the last {}", outcome.name()),
                    PAUSE,
                );
            }
        }
    }

    fn whereabouts(&self, id: &NodeId) -> (String, String) {
        let address = self.network.peers().into_iter().find(|peer| peer.id == *id).map(|peer| peer.address);
        (self.network.name_of(id).unwrap_or_default(), address.unwrap_or_else(|| "disconnected".to_owned()))
    }
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

    fn after(window: &mut Window, count: u32, outcome: Outcome) -> Verdict {
        let now = window.began;
        (0..count)
            .map(|_| window.count(outcome, now))
            .find(|it| *it != Verdict::Nothing)
            .unwrap_or(Verdict::Nothing)
    }

    /// faults.md, flood: what no honest node sends has an end.
    #[test]
    fn flood_of_invalid_frames_ends_the_connection() {
        let mut window = Window::new(Instant::now());
        assert_eq!(after(&mut window, MAX_INVALID - 1, Outcome::Malformed), Verdict::Nothing);
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
        assert_eq!(window.count(Outcome::Far, later), Verdict::Nothing);
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
            assert!((1..MAX_INVALID).all(|_| window.count(Outcome::Malformed, now) == Verdict::Nothing));
        }
    }
}
