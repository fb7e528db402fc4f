//! `simulate`: runs seeds, and says how to replay what failed.

mod report;

use std::{
    ops::Range,
    process::ExitCode,
    sync::{
        Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::Instant,
};

use clap::{Parser, ValueEnum};
use quorate_simulator::{Keys, Mutant, Outcome, Scenario, Setup, run};
use report::Report;

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
    /// One of harsh, calm, crash, partition, restart-all, wiped, liar, torn-log, clock-skew, slow-execution, set-change,
    /// twins, empty-blocks.
    #[arg(long, default_value_t = Scenario::Harsh)]
    scenario: Scenario,
    /// Signs with ed25519, sends wire bytes and writes the bytes of vote logs in every seed; by default in one of a
    /// hundred, and a fast keyed hash in the others.
    #[arg(long)]
    real_keys: bool,
    /// Breaks a rule in every replica, and stops at the first seed that shows it: `--mutant list` names them.
    #[arg(long, value_parser = parse_mutant)]
    mutant: Option<Mutants>,
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

/// What `--mutant` asks for.
#[derive(Clone, Copy)]
enum Mutants {
    List,
    One(Mutant),
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    Text,
    Json,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    if matches!(arguments.mutant, Some(Mutants::List)) {
        Mutant::all().for_each(|it| println!("{:28} breaks {}", it.name(), it.rules()));
        return ExitCode::SUCCESS;
    }
    let started = Instant::now();
    let outcomes = run_all(&arguments);
    if arguments.trace {
        for line in outcomes.iter().flat_map(|outcome| &outcome.trace) {
            eprintln!("{line}");
        }
    }
    let report = Report::new(&arguments, &outcomes, started.elapsed());
    match arguments.output {
        Format::Text => print!("{report}"),
        Format::Json => match serde_json::to_string_pretty(&report) {
            Ok(text) => println!("{text}"),
            Err(error) => eprintln!("cannot write the report as JSON: {error}"),
        },
    }
    // A mutant that nobody notices is the failure.
    if report.failures.is_empty() == arguments.broken().is_none() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

fn run_all(arguments: &Arguments) -> Vec<Outcome> {
    let setup = Setup {
        nodes: usize::from(arguments.nodes),
        byzantine: arguments.byzantine.map(usize::from),
        scenario: arguments.scenario,
        keys: arguments.real_keys.then_some(Keys::Real),
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
                    let outcome = match arguments.broken() {
                        Some(mutant) => mutant.infect(|| run(seed, &setup)),
                        None => run(seed, &setup),
                    };
                    if arguments.broken().is_some() && outcome.violation.is_some() {
                        next.store(arguments.seeds.end, Ordering::Relaxed);
                    }
                    outcomes.lock().expect("no thread panics while it holds the list").push(outcome);
                }
            });
        }
    });
    let mut outcomes = outcomes.into_inner().expect("no thread panics while it holds the list");
    outcomes.sort_by_key(|outcome| outcome.seed);
    outcomes
}

impl Arguments {
    /// The rule that is broken.
    pub(crate) const fn broken(&self) -> Option<Mutant> {
        match self.mutant {
            Some(Mutants::One(mutant)) => Some(mutant),
            Some(Mutants::List) | None => None,
        }
    }
}

fn parse_mutant(name: &str) -> Result<Mutants, String> {
    match Mutant::named(name) {
        Some(mutant) => Ok(Mutants::One(mutant)),
        None if name == "list" => Ok(Mutants::List),
        None => Err(format!("there is no mutant `{name}`: `--mutant list` names them")),
    }
}

fn parse_range(text: &str) -> Result<Range<u64>, String> {
    let (from, to) = text.split_once("..").ok_or("expected A..B, as in 0..100")?;
    let number = |text: &str| text.parse().map_err(|_| format!("`{text}` is not a seed"));
    let range = number(from)?..number(to)?;
    if range.is_empty() { Err(format!("there is no seed in {text}")) } else { Ok(range) }
}
