//! What came of all seeds.

use std::{fmt, time::Duration};

use quorate_simulator::{Outcome, Tally};
use serde::Serialize;

use crate::Arguments;

/// The summary, as JSON and in words.
#[derive(Serialize)]
pub(crate) struct Report {
    scenario: &'static str,
    nodes: u8,
    /// A..B without B.
    seeds: String,
    passed: usize,
    pub(crate) failures: Vec<Failure>,
    /// Of real time.
    seconds: f64,
    seeds_per_second: f64,
    /// From the end of the faults to the third block after it at the last node, in virtual time.
    longest_recovery_seconds: f64,
    longest_recovery_seed: Option<u64>,
    virtual_seconds: f64,
    blocks: u64,
    steps: u64,
    /// What happened how often in all runs together: a check of what never happened proves nothing.
    counts: Tally,
}

/// A seed that broke a rule.
#[derive(Serialize)]
pub(crate) struct Failure {
    seed: u64,
    violation: String,
    /// The command that shows it step by step.
    replay: String,
}

impl Report {
    pub(crate) fn new(arguments: &Arguments, outcomes: &[Outcome], elapsed: Duration) -> Self {
        let failure = |outcome: &Outcome| {
            let violation = outcome.violation.as_ref()?.to_string();
            Some(Failure { seed: outcome.seed, violation, replay: replay(arguments, outcome.seed) })
        };
        let failures: Vec<Failure> = outcomes.iter().filter_map(failure).collect();
        let slowest = outcomes.iter().max_by_key(|outcome| outcome.recovery);
        let mut counts = Tally::default();
        outcomes.iter().for_each(|outcome| counts.merge(&outcome.tally));
        let ran = u32::try_from(outcomes.len()).unwrap_or(u32::MAX);
        Self {
            scenario: arguments.scenario.name(),
            nodes: arguments.nodes,
            seeds: format!("{}..{}", arguments.seeds.start, arguments.seeds.end),
            passed: outcomes.len() - failures.len(),
            failures,
            seconds: elapsed.as_secs_f64(),
            seeds_per_second: f64::from(ran) / elapsed.as_secs_f64(),
            longest_recovery_seconds: slowest.map_or(0.0, |outcome| outcome.recovery.as_secs_f64()),
            longest_recovery_seed: slowest.map(|outcome| outcome.seed),
            virtual_seconds: outcomes.iter().map(|outcome| outcome.time.as_secs_f64()).sum(),
            blocks: outcomes.iter().map(|outcome| outcome.blocks.0).sum(),
            steps: outcomes.iter().map(|outcome| outcome.steps).sum(),
            counts,
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for failure in &self.failures {
            writeln!(f, "seed {} failed {}\n  replay: {}", failure.seed, failure.violation, failure.replay)?;
        }
        for (what, count) in self.counts.iter() {
            writeln!(f, "{count:>10}  {what}")?;
        }
        writeln!(
            f,
            "{}: {} of {} seeds passed with {} nodes: {} blocks, {} steps, {:.0} s of virtual time in {:.1} s, {:.0} seeds a second",
            self.scenario,
            self.passed,
            self.passed + self.failures.len(),
            self.nodes,
            self.blocks,
            self.steps,
            self.virtual_seconds,
            self.seconds,
            self.seeds_per_second,
        )?;
        let seed = self.longest_recovery_seed.map_or(String::new(), |seed| format!(" (seed {seed})"));
        writeln!(f, "longest recovery {:.1} s{seed}", self.longest_recovery_seconds)
    }
}

/// The command that shows one seed again.
fn replay(arguments: &Arguments, seed: u64) -> String {
    let mut command = format!("simulate --seeds {seed}..{}", seed.saturating_add(1));
    command += &format!(" --nodes {} --scenario {}", arguments.nodes, arguments.scenario);
    if let Some(byzantine) = arguments.byzantine {
        command += &format!(" --byzantine {byzantine}");
    }
    if arguments.real_keys {
        command += " --real-keys";
    }
    if let Some(mutant) = arguments.broken() {
        command += &format!(" --mutant {}", mutant.name());
    }
    command + " --trace"
}
