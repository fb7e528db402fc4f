//! `quorate_subscribe("logs", {filter, fromBlock, cursor})`: logs from any block on, and live when the head is reached. Each
//! comes with a cursor; who was cut off goes on behind the last one it has. At least once: a log whose cursor was lost comes again.

use std::sync::Arc;

use alloy_eips::BlockNumberOrTag;
use alloy_rpc_types_eth::{FilterBlockOption, Log};
use jsonrpsee::{
    PendingSubscriptionSink, RpcModule, SubscriptionSink,
    core::{RegisterMethodError, SubscriptionError},
    types::{ErrorObjectOwned, Params},
};
use quorate_types::Bytes;
use serde::{Deserialize, Serialize};

use super::{Followed, Subscriptions, malformed, push};
use crate::{convert, cursor::Cursor, error::RpcError, eth::FilterParam, feed::Feed};

/// What a client asks for.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Request {
    #[serde(default)]
    filter: FilterParam,
    /// The first block; the one after the head when there is no cursor either.
    from_block: Option<BlockNumberOrTag>,
    /// What was read before; it wins over `fromBlock`.
    cursor: Option<Bytes>,
}

/// One log, and where to go on behind it.
#[derive(Debug, Serialize)]
struct Event {
    log: Log,
    cursor: Bytes,
}

pub(super) fn register(module: &mut RpcModule<Subscriptions>) -> Result<(), RegisterMethodError> {
    module.register_subscription(
        "quorate_subscribe",
        "quorate_subscription",
        "quorate_unsubscribe",
        |params, pending, context, _| serve(params, pending, context),
    )?;
    Ok(())
}

async fn serve(
    params: Params<'static>,
    pending: PendingSubscriptionSink,
    context: Arc<Subscriptions>,
) -> Result<(), SubscriptionError> {
    let (followed, start) = match context.start(&params) {
        Ok(start) => start,
        Err(error) => {
            pending.reject(ErrorObjectOwned::from(error)).await;
            return Ok(());
        }
    };
    let feed = Feed::from(&context.backend, &context.turns, start.height());
    let sink = pending.accept().await?;
    tokio::select! {
        () = sink.closed() => Ok(()),
        ended = context.replay(&sink, feed, followed, start) => ended,
    }
}

impl Subscriptions {
    fn start(&self, params: &Params<'_>) -> Result<(Followed, Cursor), RpcError> {
        let mut params = params.sequence();
        let kind = params.next::<&str>().map_err(malformed)?;
        if kind != "logs" {
            return Err(RpcError::NoSubscription { kind: kind.to_owned(), namespace: "quorate" });
        }
        let request = params.optional_next::<Request>().map_err(malformed)?.unwrap_or_default();
        if request.filter.filter.block_option != FilterBlockOption::default()
            || request.from_block == Some(BlockNumberOrTag::Pending)
        {
            let what = "where to begin is said by fromBlock, a number or a tag but pending, or by a cursor, beside the filter";
            return Err(RpcError::InvalidParams(what.to_owned()));
        }
        let followed = self.followed(&request.filter)?;
        let start = match (request.cursor, request.from_block) {
            (Some(cursor), _) => Cursor::read(&cursor)?,
            (None, Some(from)) => Cursor::at(self.backend.height_of(from)),
            (None, None) => Cursor::at(self.backend.store.head().height.next()),
        };
        Ok((followed, start))
    }

    async fn replay(
        &self,
        sink: &SubscriptionSink,
        mut feed: Feed,
        followed: Followed,
        start: Cursor,
    ) -> Result<(), SubscriptionError> {
        loop {
            let found = feed.logs(&followed.filter, self.limits).await.map_err(|error| error.to_string())?;
            for log in found.into_iter().filter(|log| start.precedes(log)) {
                let cursor = Cursor::behind(&log).encode();
                push(sink, &Event { log: convert::found_log(log), cursor }).await?;
            }
        }
    }
}
