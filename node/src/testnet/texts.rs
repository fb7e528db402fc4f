//! The texts of a network's folder: what to try, and the scripts.

use std::path::Path;

use quorate_types::Genesis;

use super::{accounts::DevelopmentAccount, plan::Plan};

/// What stands beside the accounts.
pub(super) const ACCOUNTS: &str = "# DEV ONLY\n\n\
    The keys in `accounts.json`, and `administrator.key`, which is the first of them, come from a phrase that everybody knows. They are worth nothing outside of\n\
    this network: whatever is sent to them on another chain is lost at once.\n";

/// The folder's README.
pub(super) fn readme(plan: &Plan, genesis: &Genesis, accounts: &[DevelopmentAccount]) -> String {
    let rows: String = plan
        .members
        .iter()
        .map(|member| {
            let config = &member.config;
            let role = if member.validator { "validator" } else { "observer" };
            let (rpc, ops) = (config.rpc.listen[0].port(), config.ops.listen.port());
            format!("| {} | {role} | {rpc} | {ops} | {} |\n", member.name, config.p2p.listen.port())
        })
        .collect();
    let rpc = plan.members[0].config.rpc.listen[0].port();
    let (chain_id, interval) = (genesis.config.chain_id, genesis.config.min_block_interval_ms);
    let empty = match genesis.config.empty_block_interval_ms {
        0 => "no empty blocks".to_owned(),
        interval => format!("an empty one after {interval} ms without work"),
    };
    let keys: String =
        accounts.iter().map(|it| format!("| {} | {} |\n", it.address, it.private_key)).collect();
    let (from, to) = (&accounts[0].private_key, accounts[1].address);
    format!(
        r#"# A Quorate network

Chain id {chain_id}, at least {interval} ms between two blocks, {empty}.

| node | role | clients (JSON-RPC, WebSocket, /health) | operators (/metrics, /readyz) | other nodes |
|---|---|---|---|---|
{rows}
## Run it

```
./start_all.sh     # returns when every node serves
./stop_all.sh      # returns when all have ended
```

Logs are in `<node>/logs/`, data in `<node>/data/`. Each `<node>.toml` explains every key. One node alone:
`quorate --config node0.toml`, where `quorate` is the program that made this folder.

`ca/`, `agency/` and `<node>/node.key` are secrets. Never copy a node's `data/` to a second place and run both:
the vote log in it is what keeps the node from signing twice.

## Try it

```
curl -s -H 'content-type: application/json' http://127.0.0.1:{rpc} \
  -d '{{"jsonrpc":"2.0","id":1,"method":"eth_blockNumber","params":[]}}'
curl -s http://127.0.0.1:{rpc}/health
cast send --rpc-url http://127.0.0.1:{rpc} --private-key {from} {to} --value 1ether
```

The first account below is the administrator, who alone may change who votes:

```
quorate validators list --rpc http://127.0.0.1:{rpc}
quorate validators add NODE_ID --rpc http://127.0.0.1:{rpc} --key accounts/administrator.key
```

Accounts with 10,000 ether each. DEV ONLY: everybody knows their keys.

| address | private key |
|---|---|
{keys}"#
    )
}

/// A script that has the program at `binary` act on the folder that the script stands in.
pub(super) fn script(verb: &str, binary: &Path) -> String {
    // In single quotes everything is itself but the quote.
    let binary = binary.display().to_string().replace('\'', r"'\''");
    let what = if verb == "up" { "Starts every node that is not running." } else { "Stops every node." };
    format!(
        "#!/usr/bin/env bash\n# {what}\nset -euo pipefail\nbinary='{binary}'\n\
         exec \"${{NODE_BINARY:-$binary}}\" testnet {verb} \"$(cd \"$(dirname \"${{BASH_SOURCE[0]}}\")\" && pwd)\" \"$@\"\n"
    )
}
