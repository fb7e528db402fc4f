//! `simulate`: runs seeds, and says how to replay what failed.

use std::{
    ops::Range,
    process::ExitCode,
    sync::{
        Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use clap::{Parser, ValueEnum};
use quorate_simulator::{Keys, Outcome, Scenario, Setup, run};
use serde::Serialize;

/// Runs simulated clusters, one for each seed, and fails when one of them breaks a rule of the protocol.
#[derive(Parser)]
#[command(name = "simulate", version)]
struct Arguments {
    /// The seeds, A..B without B.
    #[arg(long, default_value = "0..100", value_parser = parse_range)]
    seeds: Range<u64>,
    /// Validators.
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u8).range(1..=64))]
    nodes: u8,
    /// Liars among them; by default as many as the scenario likes, and never more than are tolerated.
    #[arg(long)]
    byzantine: Option<u8>,
    /// One of harsh, calm, crash, partition, restart-all, wiped, liar.
    #[arg(long, default_value_t = Scenario::Harsh)]
    scenario: Scenario,
    /// Signs with ed25519 instead of a fast keyed hash.
    #[arg(long)]
    real_keys: bool,
    /// Prints what happened, step by step.
    #[arg(long, visible_alias = "replay")]
    trace: bool,
    /// How many seeds run at once; by default one for each processor.
    #[arg(long)]
    jobs: Option<usize>,
    /// The form of the report.
    #[arg(short, long, value_enum, default_value_t = Format::Text)]
    output: Format,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    Text,
    Json,
}

#[derive(Serialize)]
struct Report {
    scenario: &'static str,
    nodes: u8,
    seeds: String,
    passed: usize,
    failed: Vec<Failure>,
    blocks: u64,
    steps: u64,
    virtual_seconds: f64,
    longest_recovery_seconds: f64,
    longest_recovery_seed: Option<u64>,
    elapsed_seconds: f64,
}

#[derive(Serialize)]
struct Failure {
    seed: u64,
    violation: String,
    replay: String,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let started = Instant::now();
    let outcomes = run_all(&arguments);
    if arguments.trace {
        for line in outcomes.iter().flat_map(|outcome| &outcome.trace) {
            eprintln!("{line}");
        }
    }
    let report = report(&arguments, &outcomes, started.elapsed());
    match arguments.output {
        Format::Text => print_text(&report),
        Format::Json => match serde_json::to_string_pretty(&report) {
            Ok(text) => println!("{text}"),
            Err(error) => eprintln!("cannot write the report as JSON: {error}"),
        },
    }
    if report.failed.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn run_all(arguments: &Arguments) -> Vec<Outcome> {
    let setup = Setup {
        nodes: usize::from(arguments.nodes),
        byzantine: arguments.byzantine.map(usize::from),
        scenario: arguments.scenario,
        keys: if arguments.real_keys { Keys::Real } else { Keys::Hashed },
        trace: arguments.trace,
    };
    let processors = || std::thread::available_parallelism().map_or(1, usize::from);
    let jobs = arguments.jobs.unwrap_or_else(processors).max(1);
    let next = AtomicU64::new(arguments.seeds.start);
    let outcomes = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..jobs {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= arguments.seeds.end {
                        return;
                    }
                    let outcome = run(seed, &setup);
                    outcomes.lock().expect("no thread panics while it holds the list").push(outcome);
                }
            });
        }
    });
    let mut outcomes = outcomes.into_inner().expect("no thread panics while it holds the list");
    outcomes.sort_by_key(|outcome| outcome.seed);
    outcomes
}

fn report(arguments: &Arguments, outcomes: &[Outcome], elapsed: Duration) -> Report {
    let failed: Vec<Failure> = outcomes
        .iter()
        .filter_map(|outcome| {
            let violation = outcome.violation.as_ref()?.to_string();
            Some(Failure { seed: outcome.seed, violation, replay: replay(arguments, outcome.seed) })
        })
        .collect();
    let slowest = outcomes.iter().max_by_key(|outcome| outcome.recovery);
    Report {
        scenario: arguments.scenario.name(),
        nodes: arguments.nodes,
        seeds: format!("{}..{}", arguments.seeds.start, arguments.seeds.end),
        passed: outcomes.len() - failed.len(),
        failed,
        blocks: outcomes.iter().map(|outcome| outcome.blocks.0).sum(),
        steps: outcomes.iter().map(|outcome| outcome.steps).sum(),
        virtual_seconds: outcomes.iter().map(|outcome| outcome.time.as_secs_f64()).sum(),
        longest_recovery_seconds: slowest.map_or(0.0, |outcome| outcome.recovery.as_secs_f64()),
        longest_recovery_seed: slowest.map(|outcome| outcome.seed),
        elapsed_seconds: elapsed.as_secs_f64(),
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
    command + " --trace"
}

fn print_text(report: &Report) {
    for failure in &report.failed {
        println!("seed {} failed {}\n  replay: {}", failure.seed, failure.violation, failure.replay);
    }
    let seed = report.longest_recovery_seed.map_or(String::new(), |seed| format!(" (seed {seed})"));
    println!(
        "{}: {} of {} seeds passed with {} nodes: {} blocks, {} steps, {:.0} s of virtual time in {:.1} s; longest recovery {:.1} s{seed}",
        report.scenario,
        report.passed,
        report.passed + report.failed.len(),
        report.nodes,
        report.blocks,
        report.steps,
        report.virtual_seconds,
        report.elapsed_seconds,
        report.longest_recovery_seconds,
    );
}

fn parse_range(text: &str) -> Result<Range<u64>, String> {
    let (from, to) = text.split_once("..").ok_or("expected A..B, as in 0..100")?;
    let number = |text: &str| text.parse().map_err(|_| format!("`{text}` is not a seed"));
    let range = number(from)?..number(to)?;
    if range.is_empty() { Err(format!("there is no seed in {text}")) } else { Ok(range) }
}
