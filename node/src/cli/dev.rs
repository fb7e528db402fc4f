//! `dev`: a chain for unit tests of applications.

use clap::Args;
use serde_json::json;

use super::{Format, output};
use crate::{
    config::LogConfig,
    dev::{self, Options, Running},
    exit::Exit,
    logging,
    testnet::listing,
};

#[derive(Debug, Args)]
pub(super) struct DevArgs {
    /// The port on 127.0.0.1 for JSON-RPC, WebSocket and gRPC.
    #[arg(long, default_value_t = 8545)]
    port: u16,
    /// The EIP-155 chain id.
    #[arg(long, default_value_t = 31337, value_parser = clap::value_parser!(u64).range(1..=quorate_types::MAX_CHAIN_ID))]
    chain_id: u64,
    /// Logs each block.
    #[arg(long)]
    verbose: bool,
}

pub(super) fn run(args: &DevArgs, format: Format) -> eyre::Result<Exit> {
    let filter = if args.verbose { "info" } else { "warn" }.to_owned();
    logging::install(&LogConfig { filter, ..LogConfig::default() })?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let options = Options { port: args.port, chain_id: args.chain_id };
    runtime.block_on(dev::run(options, |running| introduce(running, format)))
}

fn introduce(Running { url, chain_id, accounts }: &Running, format: Format) {
    if format == Format::Json {
        let mut shown = listing(accounts);
        shown["rpc"] = json!(url);
        shown["chainId"] = json!(chain_id);
        return output::print_json(&shown);
    }
    output::print("Accounts, with 10,000 ether each. DEV ONLY: everybody knows these keys.");
    let mut table = output::table(&["", "address", "private key"]);
    for (index, account) in accounts.iter().enumerate() {
        table.add_row([index.to_string(), account.address.to_string(), account.private_key.clone()]);
    }
    output::print(format_args!("{table}\n"));
    output::print(format_args!(
        "A chain of its own at {url}, chain id {chain_id}. It is forgotten when it ends: Ctrl-C"
    ));
}
