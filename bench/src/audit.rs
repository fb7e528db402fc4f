//! Whether what was accepted is in the chain, once, and whether all nodes have the same one.

use std::collections::BTreeSet;

use jsonrpsee::rpc_params;
use quorate_types::{B256, U64};
use serde::Deserialize;

use crate::{
    BenchError, Plan, funding::Node, ledger::Ledger, report::Audit, watcher::SeenBlock, workload::Workload,
};

#[derive(Deserialize)]
struct Named {
    hash: B256,
}

pub(crate) async fn run(
    plan: &Plan,
    workload: &Workload,
    ledger: &Ledger,
    blocks: &[SeenBlock],
) -> Result<Audit, BenchError> {
    let mut audit = Audit {
        missing: ledger.accepted().saturating_sub(ledger.committed()),
        twice: ledger.seen_twice(),
        ..Audit::default()
    };
    let urls: BTreeSet<_> = plan.endpoints.iter().chain([&plan.watched]).collect();
    for url in urls {
        let node = Node::at(url)?;
        for block in blocks {
            let number = block.number;
            let named: Option<Named> = node.ask("eth_getBlockByNumber", rpc_params![number, false]).await?;
            audit.compared += 1;
            // A node that is behind has no other block.
            audit.other_hashes += usize::from(named.is_some_and(|named| named.hash != block.hash));
        }
        for (sender, sent) in workload.senders.iter().zip(&workload.nonces) {
            let nonce: U64 = node.ask("eth_getTransactionCount", rpc_params![sender, "latest"]).await?;
            audit.other_nonces += usize::from(nonce.to::<u64>() != *sent);
        }
    }
    // Of what was refused no nonce tells.
    if ledger.committed() < ledger.len() {
        audit.other_nonces = 0;
    }
    Ok(audit)
}
