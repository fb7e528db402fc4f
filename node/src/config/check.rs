//! What types cannot say: bounds, and values that do not go together.

use std::{fs::File, net::SocketAddr};

use super::{ConfigError, Loaded, NodeConfig};

pub(super) fn check(loaded: &Loaded) -> Result<(), ConfigError> {
    check_limits(loaded)?;
    check_addresses(loaded)?;
    let filter = &loaded.config.log.filter;
    if let Err(error) = tracing_subscriber::EnvFilter::builder().parse(filter) {
        let todo = "write a level such as \"info\", or \"info,quorate_p2p=debug\"";
        return Err(loaded.wrong("log.filter", format!("`{filter}`: {error}"), todo));
    }
    Ok(())
}

/// Checks that the files are there which a node reads before anything else. Where the node runs, that
/// is; a configuration may well be checked elsewhere.
pub(super) fn check_files(loaded: &Loaded) -> Result<(), ConfigError> {
    let NodeConfig { genesis, identity, .. } = &loaded.config;
    let single = [
        ("genesis", genesis),
        ("identity.key", &identity.key),
        ("identity.certificate", &identity.certificate),
        ("identity.ca", &identity.ca),
    ];
    let all = single.into_iter().chain(identity.crls.iter().map(|path| ("identity.crls", path)));
    for (key, path) in all {
        if let Err(error) = File::open(path) {
            let what = format!("{}: {error}", path.display());
            return Err(loaded.wrong(key, what, "name a file that the node may read"));
        }
    }
    Ok(())
}

/// A limit of 0 would refuse everything.
fn check_limits(loaded: &Loaded) -> Result<(), ConfigError> {
    let (rpc, pool) = (&loaded.config.rpc, &loaded.config.pool);
    let limits = [
        ("rpc.max_connections", rpc.max_connections == 0),
        ("rpc.max_body_bytes", rpc.max_body_bytes == 0),
        ("rpc.max_batch", rpc.max_batch == 0),
        ("rpc.batch_timeout", rpc.batch_timeout.is_zero()),
        ("rpc.max_response_bytes", rpc.max_response_bytes == 0),
        ("rpc.max_subscriptions", rpc.max_subscriptions == 0),
        ("rpc.call_gas_cap", rpc.call_gas_cap == 0),
        ("rpc.call_timeout", rpc.call_timeout.is_zero()),
        ("rpc.max_log_results", rpc.max_log_results == 0),
        ("rpc.max_log_blocks", rpc.max_log_blocks == 0),
        ("pool.max_transactions", pool.max_transactions == 0),
        ("pool.max_bytes", pool.max_bytes == 0),
        ("pool.per_sender", pool.per_sender == 0),
    ];
    match limits.iter().find(|(_, zero)| *zero) {
        Some((path, _)) => Err(loaded.wrong(
            path,
            "0 would refuse everything",
            "write a limit of at least 1, or remove the line",
        )),
        None => Ok(()),
    }
}

fn check_addresses(loaded: &Loaded) -> Result<(), ConfigError> {
    let config = &loaded.config;
    if config.rpc.listen.is_empty() {
        return Err(loaded.wrong(
            "rpc.listen",
            "no address",
            "name at least one, such as \"127.0.0.1:20200\"",
        ));
    }
    let rpc = config.rpc.listen.iter().map(|address| ("rpc.listen", *address));
    let all: Vec<_> =
        rpc.chain([("p2p.listen", config.p2p.listen), ("ops.listen", config.ops.listen)]).collect();
    for (index, (path, address)) in all.iter().enumerate() {
        if let Some((other, _)) = all[..index].iter().find(|(_, earlier)| collide(*earlier, *address)) {
            // Blame the one that somebody wrote.
            let blamed = if *loaded.origin(path) == super::Origin::Default { other } else { path };
            let what = format!("{other} and {path} both want port {}", address.port());
            return Err(loaded.wrong(blamed, what, "give each a port of its own"));
        }
    }
    Ok(())
}

/// Whether two listeners would want the same port; port 0 asks the system for any.
fn collide(one: SocketAddr, other: SocketAddr) -> bool {
    let everywhere = one.ip().is_unspecified() || other.ip().is_unspecified();
    one.port() != 0 && one.port() == other.port() && (everywhere || one.ip() == other.ip())
}
