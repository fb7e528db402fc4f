//! The program: see [`quorate_node::cli`].

use std::process::ExitCode;

use quorate_node::{cli, config::NodeConfig};

fn main() -> ExitCode {
    cli::main(daemon)
}

/// Where the daemon is joined in.
fn daemon(_: NodeConfig) -> eyre::Result<ExitCode> {
    eyre::bail!("this build has no daemon")
}
