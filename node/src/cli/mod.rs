//! # The command line
//!
//! Noun, then verb: `testnet up`, `config check`. Each command is a function of its own file that
//! returns an exit code or an error; this file only parses and dispatches.

mod bench;
mod config;
mod consensus;
mod dev;
mod evm;
mod genesis;
mod health;
mod keys;
mod output;
mod testnet;
mod validators;
mod verify;

use std::{path::PathBuf, process::ExitCode};

use clap::{Args, CommandFactory as _, Parser, Subcommand};
pub use output::Format;

use crate::{
    client::{Client, DEFAULT_URL},
    config::{NodeConfig, Overrides, load},
    exit::{Exit, Failure, exit_of},
    node::VoteLogTrust,
};

/// What runs a node until it is told to stop: the daemon's own function, or a test's.
pub type Daemon = fn(NodeConfig, VoteLogTrust) -> eyre::Result<ExitCode>;

/// A PBFT consortium-chain node.
#[derive(Debug, Parser)]
#[command(
    name = "node",
    version,
    about,
    subcommand_negates_reqs = true,
    args_conflicts_with_subcommands = false
)]
struct Cli {
    /// How answers are printed.
    #[arg(short, long, global = true, value_enum, default_value_t)]
    output: Format,
    #[command(flatten)]
    run: RunArgs,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Args)]
struct RunArgs {
    /// The node's configuration file.
    #[arg(long, value_name = "FILE", required = true)]
    config: Option<PathBuf>,
    /// Overrides a key of the file, such as rpc.listen=127.0.0.1:20200; may be repeated.
    #[arg(long = "set", value_name = "KEY=VALUE")]
    overrides: Vec<String>,
    /// Vote at once although the vote log is missing or damaged. Only when this node's key has certainly signed nothing
    /// that the log lacks: two different votes of one key can fork the chain.
    #[arg(long)]
    trust_vote_log: bool,
}

/// Which node to ask.
#[derive(Debug, Args)]
struct NodeArgs {
    /// The node's address for clients.
    #[arg(long, value_name = "URL", env = "NODE_RPC_URL", default_value = DEFAULT_URL)]
    rpc: String,
}

impl NodeArgs {
    fn client(&self) -> Result<Client, Failure> {
        Client::new(&self.rpc)
    }
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Runs a node; the same as `node --config FILE`.
    Run(RunArgs),
    /// Makes and runs a network on this machine.
    #[command(subcommand)]
    Testnet(testnet::Command),
    /// Checks and shows configuration files.
    #[command(subcommand)]
    Config(config::Command),
    /// Shows genesis files.
    #[command(subcommand)]
    Genesis(genesis::Command),
    /// Shows what the validators agree on, and who is where.
    #[command(subcommand)]
    Consensus(consensus::Command),
    /// Shows and changes who votes.
    #[command(subcommand)]
    Validators(validators::Command),
    /// Checks the head that a node shows from the genesis file on, without trust in that node; exits 8 when it is not proven.
    Verify(verify::VerifyArgs),
    /// Runs a chain of its own for development: blocks at once, funded and unlocked accounts, control of time.
    Dev(dev::DevArgs),
    /// Sends signed transactions to a network and tells how many it commits, how soon, and at which cost; exits 6 when one that
    /// was accepted is lost or double.
    Bench(bench::BenchArgs),
    /// Runs the EVM without a chain.
    #[command(subcommand)]
    Evm(evm::Command),
    /// Exits 0 when the node is well, 5 when it is not, 4 when it does not answer.
    Health(NodeArgs),
    /// Prints the completion script of a shell.
    Completions {
        /// Which shell.
        shell: clap_complete::Shell,
    },
}

/// Parses the command line of this process, does what it says, and returns how it ended. `daemon` runs
/// a node.
#[must_use]
pub fn main(daemon: Daemon) -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            let shown = error.print();
            let help = !error.use_stderr() && shown.is_ok();
            return if help { Exit::Success } else { Exit::Usage }.into();
        }
    };
    match dispatch(cli, daemon) {
        Ok(code) => code,
        Err(error) => {
            // `{:#}` has the causes behind the message, on one line.
            eprintln!("error: {error:#}");
            exit_of(&error).into()
        }
    }
}

fn dispatch(cli: Cli, daemon: Daemon) -> eyre::Result<ExitCode> {
    let format = cli.output;
    let Some(command) = cli.command else {
        return run(&cli.run, daemon);
    };
    match command {
        Command::Run(args) => return run(&args, daemon),
        Command::Testnet(command) => testnet::run(&command, format)?,
        Command::Config(command) => config::run(&command, format)?,
        Command::Genesis(command) => genesis::run(&command, format)?,
        Command::Consensus(command) => consensus::run(&command, format)?,
        Command::Validators(command) => validators::run(&command, format)?,
        Command::Verify(args) => verify::run(&args, format)?,
        Command::Dev(args) => return Ok(dev::run(&args, format)?.into()),
        Command::Bench(args) => return Ok(bench::run(&args, format)?.into()),
        Command::Evm(command) => return Ok(evm::run(&command)?.into()),
        Command::Health(node) => return Ok(health::run(&node.client()?, format)?.into()),
        Command::Completions { shell } => {
            clap_complete::generate(shell, &mut Cli::command(), program_name(), &mut std::io::stdout());
        }
    }
    Ok(Exit::Success.into())
}

fn run(args: &RunArgs, daemon: Daemon) -> eyre::Result<ExitCode> {
    let file = args.config.as_deref().ok_or_else(|| Failure::new(Exit::Usage, "--config FILE is missing"))?;
    let trust = if args.trust_vote_log { VoteLogTrust::Complete } else { VoteLogTrust::AsFound };
    daemon(load(file, &Overrides::from_process(&args.overrides))?.config, trust)
}

/// `node`, or `quorate` where it is installed as that.
fn program_name() -> String {
    let path = std::env::args_os().next().map(PathBuf::from).unwrap_or_default();
    path.file_name().map_or_else(|| "node".to_owned(), |name| name.to_string_lossy().into_owned())
}

/// Runs the questions that a command puts to nodes.
fn block_on<T>(questions: impl Future<Output = T>) -> eyre::Result<T> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    Ok(runtime.block_on(questions))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Cli, clap::Error> {
        Cli::try_parse_from(line.split(' '))
    }

    #[test]
    fn the_definition_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn the_daemon_is_run_by_either_form() {
        let short = parse("node --config node0.toml --set rpc.max_batch=1").expect("parses");
        assert!(short.command.is_none());
        assert_eq!(short.run.overrides, ["rpc.max_batch=1"]);
        let long = parse("node run --config node0.toml").expect("parses");
        assert!(matches!(long.command, Some(Command::Run(RunArgs { config: Some(_), .. }))));
        assert!(parse("node").is_err() && parse("node run").is_err());
    }

    #[test]
    fn the_output_format_may_stand_anywhere() {
        for line in ["node -o json testnet status net", "node testnet status net -o json"] {
            assert_eq!(parse(line).expect("parses").output, Format::Json);
        }
    }

    #[test]
    fn a_node_is_run_with_what_its_file_and_the_flags_say() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("node.toml");
        std::fs::write(&file, "pool.per_sender = 7").expect("written");
        let line = format!("node --config {} --set pool.max_transactions=8 --trust-vote-log", file.display());
        let daemon: Daemon = |config, trust| {
            assert_eq!(trust, VoteLogTrust::Complete);
            assert_eq!((config.pool.per_sender, config.pool.max_transactions), (7, 8));
            Ok(Exit::Unhealthy.into())
        };
        let code = dispatch(parse(&line).expect("parses"), daemon).expect("the daemon's own answer");
        assert_eq!(code, ExitCode::from(5));
    }

    #[test]
    fn a_wrong_file_ends_with_the_code_of_configuration() {
        let cli = parse("node --config /nowhere/node.toml").expect("parses");
        let error = dispatch(cli, |_, _| unreachable!("there is nothing to run")).expect_err("no file");
        assert_eq!(exit_of(&error), Exit::Configuration);
    }
}
