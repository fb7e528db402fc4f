//! Links that lose, delay, double and reorder packets, and that can be cut one direction at a time. What they do is counted.

use std::time::Duration;

use rand::Rng;
use rand_chacha::ChaCha8Rng;

use crate::tally::Tally;

/// How the links behave.
#[derive(Clone, Copy, Debug)]
pub struct Weather {
    /// The share of packets that vanish.
    pub loss: f64,
    /// The share of packets that arrive twice.
    pub doubled: f64,
    /// The shortest way.
    pub delay_min: Duration,
    /// The longest way of an ordinary packet.
    pub delay_max: Duration,
    /// The share of packets that take up to ten times as long.
    pub late: f64,
}

impl Weather {
    /// A good local network.
    pub const FAIR: Self = Self {
        loss: 0.0,
        doubled: 0.0,
        delay_min: Duration::from_millis(1),
        delay_max: Duration::from_millis(8),
        late: 0.0,
    };
}

/// How many times longer than `delay_max` a late packet may take.
const LATE_FACTOR: u32 = 10;

/// What became of packets.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Fates {
    lost: u64,
    doubled: u64,
    late: u64,
    overtook: u64,
    /// Sent over a cut link, or under way when it was cut.
    stopped: u64,
}

impl Fates {
    pub(crate) fn count(&self, tally: &mut Tally) {
        tally.add("packets lost", self.lost);
        tally.add("packets doubled", self.doubled);
        tally.add("packets late", self.late);
        tally.add("packets that overtook others", self.overtook);
        tally.add("packets stopped by cuts", self.stopped);
    }
}

/// All links between the nodes.
#[derive(Debug)]
pub(crate) struct Network {
    pub(crate) weather: Weather,
    pub(crate) fates: Fates,
    cut: Vec<Vec<bool>>,
    /// When the last packet of each link arrives, of those sent so far.
    last: Vec<Vec<Duration>>,
}

impl Network {
    pub(crate) fn new(nodes: usize, weather: Weather) -> Self {
        let (cut, last) = (vec![vec![false; nodes]; nodes], vec![vec![Duration::ZERO; nodes]; nodes]);
        Self { weather, fates: Fates::default(), cut, last }
    }

    /// How long the copies of a packet take that is sent now: none, one or two.
    pub(crate) fn delays(
        &mut self,
        rng: &mut ChaCha8Rng,
        (from, to): (usize, usize),
        now: Duration,
    ) -> [Option<Duration>; 2] {
        if self.stops(from, to) {
            return [None, None];
        }
        let weather = self.weather;
        if weather.loss > 0.0 && rng.random_bool(weather.loss) {
            self.fates.lost += 1;
            return [None, None];
        }
        let mut way = || {
            let late = weather.late > 0.0 && rng.random_bool(weather.late);
            let most = if late { weather.delay_max * LATE_FACTOR } else { weather.delay_max };
            (between(rng, weather.delay_min, most), late)
        };
        let (first, late) = way();
        let (second, _) = way();
        let doubled = weather.doubled > 0.0 && rng.random_bool(weather.doubled);
        let last = &mut self.last[from][to];
        self.fates.late += u64::from(late);
        self.fates.doubled += u64::from(doubled);
        self.fates.overtook += u64::from(now + first < *last);
        *last = (*last).max(now + first);
        [Some(first), doubled.then_some(second)]
    }

    /// Whether a cut takes a packet away, where it begins or where it ends.
    pub(crate) fn stops(&mut self, from: usize, to: usize) -> bool {
        let is_cut = self.cut[from][to];
        self.fates.stopped += u64::from(is_cut);
        is_cut
    }

    /// Cuts one direction of a link.
    pub(crate) fn cut(&mut self, from: usize, to: usize) {
        self.cut[from][to] = true;
    }

    /// Cuts every link between nodes on different sides.
    pub(crate) fn partition(&mut self, side: &[bool]) {
        for from in 0..side.len() {
            for to in 0..side.len() {
                self.cut[from][to] |= side[from] != side[to];
            }
        }
    }

    /// Cuts every link to a node on the true side from one on the other: the former are heard, and hear nothing.
    pub(crate) fn deafen(&mut self, deaf: &[bool]) {
        for from in 0..deaf.len() {
            for to in 0..deaf.len() {
                self.cut[from][to] |= deaf[to] && !deaf[from];
            }
        }
    }

    pub(crate) fn mend(&mut self) {
        self.cut.iter_mut().flatten().for_each(|cut| *cut = false);
    }
}

/// A time between two, both possible.
pub(crate) fn between(rng: &mut ChaCha8Rng, least: Duration, most: Duration) -> Duration {
    let micros = |it: Duration| u64::try_from(it.as_micros()).unwrap_or(u64::MAX);
    Duration::from_micros(rng.random_range(micros(least)..=micros(most.max(least))))
}
