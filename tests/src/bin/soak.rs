//! `soak`: random faults on real networks for as long as one likes, or one scenario from a file.
//!
//! `make soak MINUTES=n [SEED=s]`; `tests/README.md` tells more.

use std::{
    path::PathBuf,
    process::ExitCode,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use clap::Parser;
use quorate_tests::perturb::{Ending, Scenario, Skipped, Summary, draw, run};

/// One network lives this long; then comes another, of another shape.
const CHAPTER: Duration = Duration::from_secs(300);
/// The shortest that makes sense; the length of a soak is cut into chapters above it.
const SHORT_CHAPTER: Duration = Duration::from_secs(60);

/// Breaks real networks at random, and judges what is left.
#[derive(Debug, Parser)]
struct Options {
    /// For how long.
    #[arg(long, default_value_t = 10)]
    minutes: u64,
    /// What the faults are drawn from; the time of day without it.
    #[arg(long)]
    seed: Option<u64>,
    /// Runs these files instead, one after another.
    #[arg(long, value_name = "FILE", num_args = 1..)]
    scenario: Vec<PathBuf>,
    /// Prints the scenarios that would run, and runs nothing.
    #[arg(long)]
    show: bool,
}

/// What all runs together have seen.
#[derive(Default)]
struct Total {
    runs: u64,
    steps: usize,
    blocks: u64,
    transactions: u64,
    longest_pause: Duration,
    failed: Vec<PathBuf>,
    skipped: u64,
}

#[tokio::main]
async fn main() -> ExitCode {
    let options = Options::parse();
    let mut total = Total::default();
    let done = async {
        if options.scenario.is_empty() {
            soak(&options, &mut total).await
        } else {
            files(&options, &mut total).await
        }
    };
    tokio::select! {
        code = done => return code,
        // Dropping the run ends its nodes.
        _ = tokio::signal::ctrl_c() => println!("interrupted"),
    }
    ExitCode::FAILURE
}

async fn files(options: &Options, total: &mut Total) -> ExitCode {
    for file in &options.scenario {
        match Scenario::read(file) {
            Ok(scenario) if options.show => println!("{}", scenario.to_toml()),
            Ok(scenario) => total.run(&file.display().to_string(), &scenario).await,
            Err(error) => {
                eprintln!("{}: {error}", file.display());
                return ExitCode::from(2);
            }
        }
    }
    if options.show { ExitCode::SUCCESS } else { total.verdict() }
}

async fn soak(options: &Options, total: &mut Total) -> ExitCode {
    let of_the_day = || SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs());
    let seed = options.seed.unwrap_or_else(of_the_day);
    let length = Duration::from_secs(60 * options.minutes);
    let chapter = (length / 3).clamp(SHORT_CHAPTER, CHAPTER);
    println!(
        "seed {seed}, {} minutes; again: make soak MINUTES={} SEED={seed}",
        options.minutes, options.minutes
    );
    let began = Instant::now();
    // The plan of a chapter depends on its number and on what was asked for, never on how fast the machine is.
    for number in 0.. {
        if began.elapsed() >= length {
            break;
        }
        let scenario = draw(seed.wrapping_add(number), chapter);
        if options.show {
            println!("{}", scenario.to_toml());
            return ExitCode::SUCCESS;
        }
        let name = format!("chapter {number}, {}, {:?}", scenario.about, scenario.topology);
        total.run(&name, &scenario).await;
    }
    total.verdict()
}

impl Total {
    async fn run(&mut self, name: &str, scenario: &Scenario) {
        println!("== {name}: {} steps", scenario.steps.len());
        self.runs += 1;
        self.steps += scenario.steps.len();
        match run(scenario, &|line| println!("{line}")).await {
            Ending::Passed(Summary { blocks, transactions, accepted, longest_pause }) => {
                self.blocks += blocks;
                self.transactions += transactions;
                self.longest_pause = self.longest_pause.max(longest_pause);
                println!(
                    "== clean: {blocks} blocks, {transactions} transactions each once ({accepted} acknowledged), longest pause {longest_pause:.1?}"
                );
            }
            Ending::Skipped(Skipped(why)) => {
                self.skipped += 1;
                println!("== skipped: {why}");
            }
            Ending::Failed { violations, folder } => {
                violations.iter().for_each(|violation| println!("== VIOLATION: {violation}"));
                println!("== all of it is in {}; again: soak --scenario {0}/scenario.toml", folder.display());
                self.failed.push(folder);
            }
        }
    }

    fn verdict(&self) -> ExitCode {
        let Self { runs, steps, blocks, transactions, longest_pause, failed, skipped } = self;
        println!(
            "{runs} networks, {steps} steps, {blocks} blocks, {transactions} transactions, longest pause {longest_pause:.1?}, {skipped} skipped, {} failed",
            failed.len()
        );
        if failed.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
    }
}
