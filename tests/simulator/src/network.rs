//! Links that lose, delay, double and reorder packets, and that can be cut one direction at a time.

use std::time::Duration;

use rand::Rng;
use rand_chacha::ChaCha8Rng;

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

/// All links between the nodes.
#[derive(Debug)]
pub(crate) struct Network {
    pub(crate) weather: Weather,
    cut: Vec<Vec<bool>>,
}

impl Network {
    pub(crate) fn new(nodes: usize, weather: Weather) -> Self {
        Self { weather, cut: vec![vec![false; nodes]; nodes] }
    }

    /// When the copies of a packet sent now arrive: none, one or two.
    pub(crate) fn delays(&self, rng: &mut ChaCha8Rng, from: usize, to: usize) -> [Option<Duration>; 2] {
        let weather = &self.weather;
        if self.cut[from][to] || (weather.loss > 0.0 && rng.random_bool(weather.loss)) {
            return [None, None];
        }
        let mut way = || {
            let late = weather.late > 0.0 && rng.random_bool(weather.late);
            let most = if late { weather.delay_max * LATE_FACTOR } else { weather.delay_max };
            between(rng, weather.delay_min, most)
        };
        let first = way();
        let second = way();
        let doubled = weather.doubled > 0.0 && rng.random_bool(weather.doubled);
        [Some(first), doubled.then_some(second)]
    }

    pub(crate) fn is_cut(&self, from: usize, to: usize) -> bool {
        self.cut[from][to]
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

    pub(crate) fn mend(&mut self) {
        self.cut.iter_mut().flatten().for_each(|cut| *cut = false);
    }
}

/// A time between two, both possible.
pub(crate) fn between(rng: &mut ChaCha8Rng, least: Duration, most: Duration) -> Duration {
    let micros = |it: Duration| u64::try_from(it.as_micros()).unwrap_or(u64::MAX);
    Duration::from_micros(rng.random_range(micros(least)..=micros(most.max(least))))
}
