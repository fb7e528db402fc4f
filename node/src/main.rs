//! The program: see [`quorate_node::cli`].

use std::process::ExitCode;

use quorate_node::{cli, node};

fn main() -> ExitCode {
    cli::main(node::run)
}
