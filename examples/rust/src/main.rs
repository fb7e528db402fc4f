//! Deploys a contract, writes it, reads it, and follows its events over restarts of the node.

use std::time::Duration;

use Counter::CounterInstance;
use alloy::{
    primitives::{Address, Bytes, U256},
    providers::{DynProvider, Provider, ProviderBuilder},
    rpc::types::Log,
    signers::local::PrivateKeySigner,
    sol,
};
use backon::{ConstantBuilder, Retryable};
use clap::{Parser, Subcommand};
use eyre::{ensure, eyre};
use jsonrpsee::{
    core::client::{Subscription, SubscriptionClientT},
    rpc_params,
    ws_client::WsClientBuilder,
};
use serde::Deserialize;
use serde_json::{Value, json};

sol!(
    #[sol(rpc)]
    Counter,
    "../contracts/build/Counter.json"
);

#[derive(Parser)]
struct Options {
    #[arg(long, env, default_value = "http://127.0.0.1:20200")]
    rpc_url: String,
    #[arg(long, env, default_value = "ws://127.0.0.1:20200")]
    ws_url: String,
    /// The first account of a testnet.
    #[arg(long, env, default_value = "0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80")]
    private_key: PrivateKeySigner,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Deploys the contract, prints its address.
    Deploy,
    /// Sends a transaction, waits for its block.
    Write { address: Address, number: U256 },
    /// Prints the number.
    Read { address: Address },
    /// Prints each change, from the first on, and connects again when the node goes away.
    Follow { address: Address },
}

#[tokio::main]
async fn main() -> eyre::Result<()> {
    let options = Options::parse();
    let provider =
        ProviderBuilder::new().wallet(options.private_key).connect(&options.rpc_url).await?.erased();
    match options.command {
        Command::Deploy => println!("{}", Counter::deploy(provider, U256::ZERO).await?.address()),
        Command::Write { address, number } => write(&Counter::new(address, provider), number).await?,
        Command::Read { address } => println!("{}", Counter::new(address, provider).number().call().await?),
        Command::Follow { address } => follow(&options.ws_url, address).await?,
    }
    Ok(())
}

async fn write(counter: &CounterInstance<DynProvider>, number: U256) -> eyre::Result<()> {
    // It estimates first: a revert is an error here, with its reason.
    let receipt = counter.set(number).send().await?.get_receipt().await?;
    let (hash, height) = (receipt.transaction_hash, receipt.block_number.unwrap_or_default());
    ensure!(receipt.status(), "{hash} reverted in block {height}");
    println!("block {height} has {hash}");
    Ok(())
}

/// What `quorate_subscribe` sends.
#[derive(Deserialize)]
struct Change {
    log: Log,
    cursor: Bytes,
}

async fn follow(ws_url: &str, address: Address) -> eyre::Result<()> {
    // The cursor behind which it goes on. An application keeps it with what it has made of the event, and so goes on
    // after its own restart too.
    let cursor = std::cell::RefCell::new(None);
    let connected = async || {
        let client = WsClientBuilder::default().build(ws_url).await?;
        let request: Value = match &*cursor.borrow() {
            None => json!({ "filter": { "address": address }, "fromBlock": "earliest" }),
            Some(cursor) => json!({ "filter": { "address": address }, "cursor": cursor }),
        };
        let mut changes: Subscription<Change> = client
            .subscribe("quorate_subscribe", rpc_params!["logs", request], "quorate_unsubscribe")
            .await?;
        while let Some(change) = changes.next().await {
            let change = change?;
            let Counter::Changed { by, number } = change.log.log_decode()?.inner.data;
            println!("{number} by {by}");
            cursor.replace(Some(change.cursor));
        }
        Err(eyre!("the connection is lost"))
    };
    let again = ConstantBuilder::default().with_delay(Duration::from_secs(1)).without_max_times();
    connected.retry(again).notify(|error: &eyre::Report, _| eprintln!("{error:#}; connecting again")).await
}
