//! `clients`: the SDKs and tools of contract developers against a fresh network, and the examples under a node that is killed.
//!
//! `make test-clients [ONLY="go viem"]`; `tests/clients/README.md` tells more.

use std::{path::Path, process::ExitCode};

use clap::Parser;
use comfy_table::{Table, presets::ASCII_MARKDOWN};
use quorate_tests::{
    clients::{Example, Outcome, Site, compile_contracts, run_suite},
    cluster::Cluster,
};

/// The folders of `tests/clients`, in the order of the table.
const SUITES: [&str; 8] = ["go", "ethers", "viem", "web3py", "hardhat", "foundry", "alloy", "tonic"];

/// Runs clients against a fresh network of four validators, and prints a table of how it went.
#[derive(Debug, Parser)]
struct Options {
    /// Only these: names of folders in `tests/clients`, or `examples/LANGUAGE`.
    only: Vec<String>,
    /// Counts as failed what is skipped for lack of a toolchain.
    #[arg(long, env = "CLIENTS_NO_SKIPS")]
    no_skips: bool,
}

fn main() -> ExitCode {
    let options = Options::parse();
    let wanted = |name: &str| options.only.is_empty() || options.only.iter().any(|it| it == name);
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace");
    let contracts = match compile_contracts(root) {
        Ok(folder) => folder,
        Err(outcome) => {
            eprintln!(
                "{}: the contract of the tests is not compiled, so that all are skipped",
                words(&outcome)
            );
            return if options.no_skips || matches!(outcome, Outcome::Failed(_)) {
                ExitCode::FAILURE
            } else {
                ExitCode::SUCCESS
            };
        }
    };
    let cluster = Cluster::start(4);
    let mut table = Table::new();
    table.load_preset(ASCII_MARKDOWN).set_header(["folder", "client", "result"]);
    let mut good = true;
    let mut tell = |name: &str, version: &str, outcome: &Outcome| {
        good &= match outcome {
            Outcome::Passed => true,
            Outcome::Skipped(_) => !options.no_skips,
            Outcome::Failed(_) => false,
        };
        eprintln!("{name} {version} {}", words(outcome));
        table.add_row([name, version, words(outcome).lines().next().expect("a line")]);
    };
    for (index, name) in SUITES.into_iter().enumerate().filter(|(_, name)| wanted(name)) {
        let (version, outcome) = run_suite(root, name, &Site::new(&cluster, index, &contracts));
        tell(name, &version, &outcome);
    }
    for (index, example) in Example::ALL.iter().enumerate() {
        let name = format!("examples/{}", example.language);
        if wanted(&name) {
            tell(&name, "", &example.run(root, &cluster, &Site::new(&cluster, index, &contracts)));
        }
    }
    println!("{table}");
    if good { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn words(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Passed => "passed".to_owned(),
        Outcome::Skipped(why) => format!("skipped: {why}"),
        Outcome::Failed(why) => format!("failed: {why}"),
    }
}
