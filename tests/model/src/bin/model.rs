//! `model`: checks the protocol's rules in all states within bounds, and prints the run that breaks one.

use std::process::ExitCode;

use clap::{Parser, ValueEnum};
use quorate_model::{Heights, MAX_VIEWS, Must, Mutant, Order, Report, Verdict, Views};

/// Checks the protocol's core exhaustively within bounds, and fails when a rule does not hold.
#[derive(Parser)]
#[command(name = "model", version)]
struct Arguments {
    /// Views within one height.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u8).range(2..=i64::from(MAX_VIEWS)))]
    views: u8,
    /// The order of statements of different views that is looked at.
    #[arg(long, value_enum, default_value_t = Order::Any, conflicts_with = "mutant")]
    order: Order,
    /// Heights of a chain whose validators lose their logs.
    #[arg(long, default_value_t = 6, value_parser = clap::value_parser!(u8).range(4..=32))]
    heights: u8,
    /// How many logs are lost, one after the other.
    #[arg(long, default_value_t = 1)]
    losses: u8,
    /// Leaves a rule out; only the model that it belongs to is checked then.
    #[arg(long, value_enum)]
    mutant: Option<Mutant>,
    /// Prints for each thing that must be possible how it comes about.
    #[arg(long)]
    examples: bool,
    /// The form of the report.
    #[arg(short, long, value_enum, default_value_t = Format::Text)]
    output: Format,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    Text,
    Json,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let mutant = arguments.mutant;
    let views = Views { count: arguments.views, order: arguments.order, mutant };
    let heights = Heights { last: arguments.heights, losses: arguments.losses, mutant };
    let reports = match mutant {
        None => vec![views.check(), heights.check()],
        Some(mutant) if mutant.is_about_heights() => vec![heights.check()],
        Some(_) => vec![views.check()],
    };
    match arguments.output {
        Format::Text => reports.iter().for_each(|report| print_text(report, arguments.examples)),
        Format::Json => match serde_json::to_string_pretty(&reports) {
            Ok(text) => println!("{text}"),
            Err(error) => eprintln!("cannot write the report as JSON: {error}"),
        },
    }
    if reports.iter().all(Report::holds) { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn print_text(report: &Report, examples: bool) {
    let end = if report.exhausted { "all" } else { "stopped at a broken rule:" };
    println!(
        "{} ({}): {end} {} states, {} of them different, up to {} in a run, {:.1} s",
        report.model, report.bounds, report.states, report.unique_states, report.depth, report.seconds,
    );
    for verdict in &report.verdicts {
        println!("  {:<12} {}", word(verdict, report.exhausted), verdict.property);
        if examples || (verdict.must == Must::Always && !verdict.holds) {
            verdict.path.iter().for_each(|step| println!("      {step}"));
        }
    }
}

const fn word(verdict: &Verdict, exhausted: bool) -> &'static str {
    match (verdict.must, verdict.holds) {
        (Must::Always, true) if exhausted => "holds",
        (Must::Always, true) => "not broken",
        (Must::Always, false) => "BROKEN",
        (Must::Sometimes, true) => "possible",
        (Must::Sometimes, false) if exhausted => "IMPOSSIBLE",
        (Must::Sometimes, false) => "not seen",
    }
}
