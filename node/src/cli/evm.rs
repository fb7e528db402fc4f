//! `evm`: the EVM of this chain, without a chain.

use std::path::PathBuf;

use clap::Subcommand;

use super::output;
use crate::{
    exit::Exit,
    statetest::{Suite, Verdict},
};

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Runs Ethereum's state tests (GeneralStateTests), and prints a line of JSON for each case; exits 1 when one fails.
    Statetest {
        /// Files of such tests.
        #[arg(required = true, value_name = "FILE")]
        files: Vec<PathBuf>,
    },
}

pub(super) fn run(command: &Command) -> eyre::Result<Exit> {
    let Command::Statetest { files } = command;
    let (mut passed, mut failed, mut left_out) = (0_u64, 0_u64, 0_u64);
    for file in files {
        let suite = Suite::read(file)?;
        left_out += suite.cases_of_other_forks();
        for case in suite.cases() {
            let verdict: Verdict<'_> = case.run();
            *if verdict.pass { &mut passed } else { &mut failed } += 1;
            output::print(serde_json::to_string(&verdict)?);
        }
    }
    eprintln!("{passed} passed, {failed} failed, {left_out} of forks that this chain does not have");
    Ok(if failed == 0 { Exit::Success } else { Exit::Other })
}
