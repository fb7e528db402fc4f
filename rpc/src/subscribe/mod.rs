//! Subscriptions over WebSocket: new heads and logs, in order and without gaps, transactions as they come into the pool,
//! and the state of a sync. Who does not read is cut off; who is only slow is waited for.

mod resumable;

use std::{sync::Arc, time::Duration};

use alloy_rpc_types_eth::SyncInfo;
use jsonrpsee::{
    PendingSubscriptionSink, RpcModule, SubscriptionMessage, SubscriptionSink,
    core::{RegisterMethodError, SubscriptionError},
    types::{ErrorObjectOwned, Params, params::ParamsSequence},
};
use quorate_storage::LogFilter;
use quorate_types::{B256, Height};
use serde::Serialize;
use tokio::sync::broadcast::{Receiver, error::RecvError};

use crate::{
    Backend, RpcLimits, SyncRange, convert,
    criteria::{Criteria, Room, to_filter},
    error::RpcError,
    eth::FilterParam,
    feed::Feed,
    turns::Turns,
};

/// A client that takes nothing for so long is cut off.
const MAX_STALL: Duration = Duration::from_secs(30);

/// What the subscription methods work with.
#[derive(Clone)]
pub(crate) struct Subscriptions {
    backend: Backend,
    limits: RpcLimits,
    turns: Turns,
    criteria: Criteria,
}

/// What a subscriber wants, with what has to begin before it is told that it has it.
enum Wanted {
    Heads(Feed),
    Logs(Feed, Followed),
    Pending(Receiver<B256>, bool),
    Syncing,
}

/// Which logs a subscription reports, and the room that it takes up to know them.
pub(crate) struct Followed {
    filter: Arc<LogFilter>,
    _room: Room,
}

/// A sync under way, in geth's form.
#[derive(Serialize)]
struct Syncing {
    syncing: bool,
    status: SyncInfo,
}

/// The subscription methods of all namespaces.
pub(crate) fn module(
    backend: Backend,
    limits: RpcLimits,
    turns: Turns,
    criteria: Criteria,
) -> Result<RpcModule<Subscriptions>, RegisterMethodError> {
    let mut module = RpcModule::new(Subscriptions { backend, limits, turns, criteria });
    module.register_subscription(
        "eth_subscribe",
        "eth_subscription",
        "eth_unsubscribe",
        |params, pending, context, _| serve(params, pending, context),
    )?;
    resumable::register(&mut module)?;
    Ok(module)
}

async fn serve(
    params: Params<'static>,
    pending: PendingSubscriptionSink,
    context: Arc<Subscriptions>,
) -> Result<(), SubscriptionError> {
    // It begins before it is announced, so that nothing falls in between.
    let wanted = match context.wanted(params.sequence()) {
        Ok(wanted) => wanted,
        Err(error) => {
            pending.reject(ErrorObjectOwned::from(error)).await;
            return Ok(());
        }
    };
    let sink = pending.accept().await?;
    tokio::select! {
        () = sink.closed() => Ok(()),
        ended = context.follow(&sink, wanted) => ended,
    }
}

impl Subscriptions {
    fn wanted(&self, mut params: ParamsSequence<'_>) -> Result<Wanted, RpcError> {
        match params.next::<&str>().map_err(malformed)? {
            "newHeads" => Ok(Wanted::Heads(Feed::live(&self.backend, &self.turns))),
            "logs" => {
                let filter = params.optional_next::<FilterParam>().map_err(malformed)?;
                let followed = self.followed(&filter.unwrap_or_default())?;
                Ok(Wanted::Logs(Feed::live(&self.backend, &self.turns), followed))
            }
            "newPendingTransactions" => {
                let full = params.optional_next::<bool>().map_err(malformed)?;
                Ok(Wanted::Pending(self.backend.admitted.subscribe(), full.unwrap_or(false)))
            }
            "syncing" => Ok(Wanted::Syncing),
            other => Err(RpcError::NoSubscription { kind: other.to_owned(), namespace: "eth" }),
        }
    }

    /// A client's filter over the whole chain: the feed says from where.
    fn followed(&self, asked: &FilterParam) -> Result<Followed, RpcError> {
        let room = self.criteria.room_for(asked)?;
        Ok(Followed { filter: Arc::new(to_filter(asked, Height::ZERO, Height(u64::MAX))), _room: room })
    }

    async fn follow(&self, sink: &SubscriptionSink, wanted: Wanted) -> Result<(), SubscriptionError> {
        match wanted {
            Wanted::Heads(mut feed) => loop {
                let (header, hash) = feed.header().await.map_err(|error| error.to_string())?;
                push(sink, &convert::header(&header, hash)).await?;
            },
            Wanted::Logs(mut feed, followed) => loop {
                let found =
                    feed.logs(&followed.filter, self.limits).await.map_err(|error| error.to_string())?;
                for log in found {
                    push(sink, &convert::found_log(log)).await?;
                }
            },
            Wanted::Pending(admitted, full) => self.follow_pool(sink, admitted, full).await,
            Wanted::Syncing => self.follow_sync(sink).await,
        }
    }

    async fn follow_pool(
        &self,
        sink: &SubscriptionSink,
        mut admitted: Receiver<B256>,
        full: bool,
    ) -> Result<(), SubscriptionError> {
        loop {
            let hash = match admitted.recv().await {
                Ok(hash) => hash,
                Err(RecvError::Closed) => return Ok(()),
                Err(RecvError::Lagged(missed)) => {
                    return Err(
                        format!("too slow: {missed} transactions were missed; subscribe again").into()
                    );
                }
            };
            if !full {
                push(sink, &hash).await?;
            } else if let Some(transaction) = self.backend.pending_transaction(hash) {
                push(sink, &transaction).await?;
            }
        }
    }

    /// What a sync is about when one begins, and `false` when it is over.
    async fn follow_sync(&self, sink: &SubscriptionSink) -> Result<(), SubscriptionError> {
        let (mut status, mut last) = (self.backend.status.clone(), None);
        loop {
            let now: Option<SyncRange> = status.borrow_and_update().syncing;
            if now.is_some() != last.is_some() {
                match now {
                    Some(range) => {
                        let status = self.backend.sync_info(range);
                        push(sink, &Syncing { syncing: true, status }).await?;
                    }
                    None => push(sink, &false).await?,
                }
                last = now;
            }
            if status.changed().await.is_err() {
                return Ok(());
            }
        }
    }
}

fn malformed(error: ErrorObjectOwned) -> RpcError {
    let reason = error.data().map_or_else(|| error.message().to_owned(), |data| data.get().to_owned());
    RpcError::InvalidParams(format!("invalid argument: {}", reason.trim_matches('"')))
}

/// Hands a client one value, and waits for a slow one only so long.
async fn push<T: Serialize + Sync>(sink: &SubscriptionSink, value: &T) -> Result<(), SubscriptionError> {
    let encoded = serde_json::value::to_raw_value(value).map_err(|error| error.to_string())?;
    let sent = sink.send_timeout(SubscriptionMessage::from(encoded), MAX_STALL).await;
    let seconds = MAX_STALL.as_secs();
    Ok(sent.map_err(|_| format!("cut off: nothing was read for {seconds} s; subscribe again"))?)
}
