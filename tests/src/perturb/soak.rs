//! Scenarios drawn from a seed.
//!
//! A scenario is made of rounds: one or two faults begin, time passes, they end in their own order, and the chain must go
//! on before the next round. No more than F validators ever lose their data at a time, or sign nothing because they have
//! lost it; everything else may hit anyone, also all at once.

use std::time::Duration;

use rand::{Rng as _, SeedableRng as _, seq::SliceRandom as _};
use rand_chacha::ChaCha8Rng;

use super::{
    scenario::{Scenario, Step},
    topology::{Links, Topology},
};

const VALIDATORS: usize = 4;
const QUORUM: usize = 3;
/// All of them, and the observer.
const NODES: usize = VALIDATORS + 1;
/// What a round takes beside the time that it lets pass: nodes start, dial, catch up.
const RECOVERY: Duration = Duration::from_secs(4);
/// After the faults of a round a block comes within this time.
const PROGRESS: Duration = Duration::from_secs(30);

/// The scenario of a seed, of about this length.
#[must_use]
pub fn draw(seed: u64, length: Duration) -> Scenario {
    let mut dice = Dice(ChaCha8Rng::seed_from_u64(seed));
    let topologies = [Topology::Full, Topology::Ring, Topology::Star];
    let topology = topologies[dice.0.random_range(0..topologies.len())];
    let (mut steps, mut planned) = (Vec::new(), Duration::ZERO);
    while planned < length {
        let lasting = dice.millis(300, 6000);
        planned += lasting + RECOVERY;
        steps.extend(dice.round(topology, lasting));
        steps.push(Step::NextBlock(PROGRESS));
        steps.push(Step::Ready((0..NODES).collect()));
    }
    Scenario {
        about: format!("drawn from seed {seed}"),
        validators: VALIDATORS,
        topology,
        wallets: 4,
        cold: false,
        small_disk: None,
        steps,
    }
}

/// A validator without its data votes again only when it hears a quorum of others over connections of its own (R21); who
/// has none is a matter for the operator. The observer has no vote to lose.
fn who_can_lose_its_data(topology: Topology) -> Vec<usize> {
    let pairs = topology.pairs(NODES);
    let heard =
        |node: usize| (0..VALIDATORS).filter(|it| pairs.contains(&(node.min(*it), node.max(*it)))).count();
    (0..NODES).filter(|node| *node >= VALIDATORS || heard(*node) >= QUORUM).collect()
}

/// What begins a fault, and what ends it.
struct Fault {
    begin: Vec<Step>,
    end: Vec<Step>,
}

struct Dice(ChaCha8Rng);

impl Dice {
    fn millis(&mut self, least: u64, most: u64) -> Duration {
        Duration::from_millis(self.0.random_range(least..=most))
    }

    /// Some nodes, mostly few.
    fn nodes(&mut self) -> Vec<usize> {
        let mut nodes: Vec<_> = (0..NODES).collect();
        nodes.shuffle(&mut self.0);
        let count = [1, 1, 1, 2, 2, 3, NODES][self.0.random_range(0..7)];
        nodes.truncate(count);
        nodes
    }

    fn links(&mut self, topology: Topology) -> Vec<Links> {
        let pairs: Vec<_> = topology.pairs(NODES).into_iter().collect();
        let (a, b) = pairs[self.0.random_range(0..pairs.len())];
        let text = match self.0.random_range(0..5) {
            0 => format!("{a}>{b}"),
            1 => format!("{b}>{a}"),
            2 => format!("{b}-*"),
            3 => "*".to_owned(),
            _ => format!("{a}-{b}"),
        };
        vec![text.parse().expect("links of the topology")]
    }

    fn round(&mut self, topology: Topology, lasting: Duration) -> Vec<Step> {
        let wait = |time| Step::Wait(time);
        match self.0.random_range(0..10) {
            0 => vec![Step::RollingRestart((0..NODES).collect())],
            1 => {
                let node = self.0.random_range(0..NODES);
                let every = self.millis(300, 2500);
                vec![Step::CrashLoop { node, every }, wait(2 * lasting), Step::Calm {}]
            }
            2 => {
                let losers = who_can_lose_its_data(topology);
                let lost = vec![losers[self.0.random_range(0..losers.len())]];
                let begin = vec![Step::Kill(lost.clone()), Step::Wipe(lost.clone()), wait(lasting)];
                begin.into_iter().chain([Step::Start(lost)]).collect()
            }
            3..6 => {
                let Fault { begin, end } = self.fault(topology);
                begin.into_iter().chain([wait(lasting)]).chain(end).collect()
            }
            _ => self.two_faults(topology, lasting),
        }
    }

    /// A fault of processes and one of links, which overlap.
    fn two_faults(&mut self, topology: Topology, lasting: Duration) -> Vec<Step> {
        let (one, other) = (self.process_fault(), self.link_fault(topology));
        let (first, second) = if self.0.random_bool(0.5) { (one, other) } else { (other, one) };
        let (third, last) =
            if self.0.random_bool(0.5) { (first.end, second.end) } else { (second.end, first.end) };
        let wait = || vec![Step::Wait(lasting / 3)];
        [first.begin, wait(), second.begin, wait(), third, wait(), last].concat()
    }

    fn fault(&mut self, topology: Topology) -> Fault {
        if self.0.random_bool(0.6) { self.process_fault() } else { self.link_fault(topology) }
    }

    fn process_fault(&mut self) -> Fault {
        let nodes = self.nodes();
        let (begin, end) = match self.0.random_range(0..4) {
            0 => (Step::Terminate(nodes.clone()), Step::Start(nodes)),
            1 => (Step::Pause(nodes.clone()), Step::Resume(nodes)),
            _ => (Step::Kill(nodes.clone()), Step::Start(nodes)),
        };
        Fault { begin: vec![begin], end: vec![end] }
    }

    fn link_fault(&mut self, topology: Topology) -> Fault {
        let links = self.links(topology);
        let begin = if self.0.random_bool(0.3) {
            Step::Delay { links: links.clone(), by: self.millis(10, 400) }
        } else {
            Step::Cut(links.clone())
        };
        Fault { begin: vec![begin], end: vec![Step::Heal(links)] }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_is_one_scenario_and_every_scenario_is_sound() {
        let length = Duration::from_secs(60);
        assert_eq!(draw(7, length), draw(7, length));
        assert_ne!(draw(7, length), draw(8, length));
        for seed in 0..300 {
            let drawn = draw(seed, length);
            assert!(drawn.steps.len() > 10, "seed {seed}");
            let read: Scenario = drawn.to_toml().parse().expect("it checks");
            assert_eq!(read, drawn, "seed {seed}");
        }
    }
}
