//! The `txpool` namespace: what waits.

use std::collections::BTreeMap;

use alloy_rpc_types_txpool::{
    TxpoolContent, TxpoolContentFrom, TxpoolInspect, TxpoolInspectSummary, TxpoolStatus,
};
use jsonrpsee::{core::RpcResult, proc_macros::rpc};
use quorate_txpool::Content;
use quorate_types::{Address, Transaction};

use crate::{
    Backend,
    convert::{self, TransactionView},
};

#[rpc(server, namespace = "txpool")]
pub(crate) trait TxpoolApi {
    #[method(name = "status")]
    fn status(&self) -> RpcResult<TxpoolStatus>;
    #[method(name = "content", blocking)]
    fn content(&self) -> RpcResult<TxpoolContent<TransactionView>>;
    #[method(name = "contentFrom", blocking)]
    fn content_from(&self, sender: Address) -> RpcResult<TxpoolContentFrom<TransactionView>>;
    #[method(name = "inspect", blocking)]
    fn inspect(&self) -> RpcResult<TxpoolInspect>;
}

/// The namespace over a backend.
pub(crate) struct Txpool(pub(crate) Backend);

/// The transactions of one sender by their nonces.
type ByNonce = BTreeMap<u64, Transaction>;

impl Txpool {
    /// A copy: what is made of it must not hold the pool up.
    fn all(&self) -> Content {
        self.0.pool.lock().content()
    }
}

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

impl TxpoolApiServer for Txpool {
    fn status(&self) -> RpcResult<TxpoolStatus> {
        let status = self.0.pool.lock().status();
        Ok(TxpoolStatus { pending: status.pending as u64, queued: status.queued as u64 })
    }

    fn content(&self) -> RpcResult<TxpoolContent<TransactionView>> {
        let base_fee = self.0.next_base_fee();
        let view = |transaction: &Transaction| convert::pending(transaction, base_fee);
        let Content { pending, queued } = self.all();
        Ok(TxpoolContent { pending: by_sender(pending, view), queued: by_sender(queued, view) })
    }

    fn content_from(&self, sender: Address) -> RpcResult<TxpoolContentFrom<TransactionView>> {
        let base_fee = self.0.next_base_fee();
        let view = |transaction: &Transaction| convert::pending(transaction, base_fee);
        let content = self.0.pool.lock().content_of(sender);
        let of_sender =
            |mut part: BTreeMap<Address, ByNonce>| shown(part.remove(&sender).unwrap_or_default(), view);
        Ok(TxpoolContentFrom { pending: of_sender(content.pending), queued: of_sender(content.queued) })
    }

    fn inspect(&self) -> RpcResult<TxpoolInspect> {
        let summary =
            |transaction: &Transaction| TxpoolInspectSummary::from_tx(transaction.envelope().clone());
        let Content { pending, queued } = self.all();
        Ok(TxpoolInspect { pending: by_sender(pending, summary), queued: by_sender(queued, summary) })
    }
}
