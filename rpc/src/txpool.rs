//! The `txpool` namespace: what waits.

use std::collections::BTreeMap;

use alloy_rpc_types_txpool::{
    TxpoolContent, TxpoolContentFrom, TxpoolInspect, TxpoolInspectSummary, TxpoolStatus,
};
use jsonrpsee::{
    core::{RpcResult, async_trait},
    proc_macros::rpc,
};
use quorate_txpool::Content;
use quorate_types::{Address, Transaction};

use crate::{
    convert::{self, TransactionView},
    eth::{Eth, Prefixed},
};

#[rpc(server, namespace = "txpool")]
pub(crate) trait TxpoolApi {
    #[method(name = "status")]
    fn status(&self) -> RpcResult<TxpoolStatus>;
    #[method(name = "content")]
    async fn content(&self) -> RpcResult<TxpoolContent<TransactionView>>;
    #[method(name = "contentFrom")]
    async fn content_from(&self, sender: Prefixed<Address>) -> RpcResult<TxpoolContentFrom<TransactionView>>;
    #[method(name = "inspect")]
    async fn inspect(&self) -> RpcResult<TxpoolInspect>;
}

/// The namespace, few of whose answers are made at a time.
pub(crate) struct Txpool(pub(crate) Eth);

/// The transactions of one sender by their nonces.
type ByNonce = BTreeMap<u64, Transaction>;

/// Each transaction of a sender as `show` makes it, under its nonce.
fn shown<T>(waiting: ByNonce, show: impl Fn(&Transaction) -> T) -> BTreeMap<String, T> {
    waiting.iter().map(|(nonce, transaction)| (nonce.to_string(), show(transaction))).collect()
}

fn by_sender<T>(
    senders: BTreeMap<Address, ByNonce>,
    show: impl Fn(&Transaction) -> T,
) -> BTreeMap<Address, BTreeMap<String, T>> {
    senders.into_iter().map(|(sender, waiting)| (sender, shown(waiting, &show))).collect()
}

#[async_trait]
impl TxpoolApiServer for Txpool {
    fn status(&self) -> RpcResult<TxpoolStatus> {
        let status = self.0.backend.pool.lock().status();
        Ok(TxpoolStatus { pending: status.pending as u64, queued: status.queued as u64 })
    }

    async fn content(&self) -> RpcResult<TxpoolContent<TransactionView>> {
        self.0
            .heavy(|eth| {
                let Content { pending, queued } = eth.pool_content();
                let (pending, queued) =
                    (by_sender(pending, convert::pending), by_sender(queued, convert::pending));
                Ok(TxpoolContent { pending, queued })
            })
            .await
    }

    async fn content_from(
        &self,
        Prefixed(sender): Prefixed<Address>,
    ) -> RpcResult<TxpoolContentFrom<TransactionView>> {
        self.0
            .heavy(move |eth| {
                let content = eth.backend.pool.lock().content_of(sender);
                let of_sender = |mut part: BTreeMap<Address, ByNonce>| {
                    shown(part.remove(&sender).unwrap_or_default(), convert::pending)
                };
                Ok(TxpoolContentFrom {
                    pending: of_sender(content.pending),
                    queued: of_sender(content.queued),
                })
            })
            .await
    }

    async fn inspect(&self) -> RpcResult<TxpoolInspect> {
        self.0
            .heavy(|eth| {
                let summary =
                    |transaction: &Transaction| TxpoolInspectSummary::from_tx(transaction.envelope().clone());
                let Content { pending, queued } = eth.pool_content();
                Ok(TxpoolInspect { pending: by_sender(pending, summary), queued: by_sender(queued, summary) })
            })
            .await
    }
}

impl Eth {
    /// A copy: what is made of it must not hold the pool up.
    fn pool_content(&self) -> Content {
        self.backend.pool.lock().content()
    }
}
