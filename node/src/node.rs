//! The daemon: makes every task and every bounded channel, top to bottom, and ends them all.
//!
//! ```text
//! network --frames--> gate --Event--> driver (own thread) --effects--> network, chain, bodies
//!         --batches-> ingress <-- submissions -- rpc          |
//!         --requests> library                          chain (own thread) --head--> rpc subscriptions
//!         --heads---> sync task <------ behind -------- driver
//! ```

mod assemble;
mod disk;
mod listen;
mod network_events;
mod shared;

use std::{
    process::ExitCode,
    thread::JoinHandle,
    time::{Duration, Instant},
};

use eyre::WrapErr as _;

use crate::{config::NodeConfig, exit::Exit, logging, open_files, stop::Stop};

/// How long what still runs may take when all tasks have ended; the promise to an operator is 5 seconds for all.
const LAST_TIMEOUT: Duration = Duration::from_secs(1);
/// How often a thread that should end is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(5);

/// What the operator says about the vote log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VoteLogTrust {
    /// Judge by what is found: a missing or damaged log makes the node abstain.
    AsFound,
    /// It holds all that this key ever signed above the head, whatever it looks like.
    Complete,
}

/// Runs the node until it is told to stop, or must.
///
/// # Errors
/// When it cannot start: configuration, files, ports, data.
pub fn run(config: NodeConfig, trust: VoteLogTrust) -> eyre::Result<ExitCode> {
    logging::install(&config.log)?;
    open_files::raise_limit();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .wrap_err("cannot start the runtime")?;
    let stop = Stop::default();
    let result = runtime.block_on(async {
        // Before anything is opened, so that no signal finds a node that would break off.
        stop.on_signals().wrap_err("cannot watch SIGTERM and SIGINT")?;
        let Some(node) = assemble::Node::start(config, trust, stop.clone()).await? else { return Ok(None) };
        stop.token().cancelled().await;
        Ok::<_, eyre::Report>(Some(node.end().await))
    });
    // What still runs reads only; it must not hold up the end.
    runtime.shutdown_timeout(LAST_TIMEOUT);
    if let Some(chain) = result? {
        wait_for_database(chain);
    }
    let exit = stop.exit();
    if exit == Exit::Success {
        tracing::info!("stopped");
    }
    Ok(exit.into())
}

/// Waits for the chain thread, which closes the database when the last that could ask it something is gone. Were it at that
/// while the process ends, RocksDB would use what is destroyed already, and abort. So it would when it cleans up after a
/// thread that used it: such a thread is joined, not only finished.
fn wait_for_database(chain: JoinHandle<()>) {
    let deadline = Instant::now() + LAST_TIMEOUT;
    while !chain.is_finished() && Instant::now() < deadline {
        std::thread::sleep(LOOK_EVERY);
    }
    if chain.is_finished() && chain.join().is_err() {
        tracing::error!("the chain thread ended badly");
    }
}
