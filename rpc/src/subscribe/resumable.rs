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
use quorate_storage::FoundLog;
use quorate_types::{Bytes, Height};
use serde::{Deserialize, Serialize};

use super::{Followed, Subscriptions, malformed, push};
use crate::{convert, error::RpcError, eth::FilterParam, feed::Feed};

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

/// A place between two logs: a block, and how many of its logs are behind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Cursor {
    height: Height,
    logs: u32,
}

impl Cursor {
    /// Behind a log.
    const fn behind(log: &FoundLog) -> Self {
        Self { height: log.height, logs: log.log_index.saturating_add(1) }
    }

    /// Whether a log comes after it.
    fn precedes(self, log: &FoundLog) -> bool {
        (log.height, log.log_index) >= (self.height, self.logs)
    }

    /// Twelve bytes: the height and the count, big-endian, so that cursors sort as what they stand for.
    fn encode(self) -> Bytes {
        [&self.height.0.to_be_bytes()[..], &self.logs.to_be_bytes()[..]].concat().into()
    }

    fn decode(bytes: &[u8]) -> Option<Self> {
        let (height, logs) = bytes.split_first_chunk::<8>()?;
        let logs = <[u8; 4]>::try_from(logs).ok()?;
        Some(Self { height: Height(u64::from_be_bytes(*height)), logs: u32::from_be_bytes(logs) })
    }
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
    let feed = Feed::from(&context.backend, &context.turns, start.height);
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
            (Some(cursor), _) => Cursor::decode(&cursor)
                .ok_or_else(|| RpcError::InvalidParams("the cursor is none of this method's".to_owned()))?,
            (None, Some(from)) => Cursor { height: self.backend.height_of(from), logs: 0 },
            (None, None) => Cursor { height: self.backend.store.head().height.next(), logs: 0 },
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_reads_back_and_sorts_as_its_place() {
        let cursors = [(1, 5), (1, 256), (2, 0), (256, 1)]
            .map(|(height, logs)| Cursor { height: Height(height), logs });
        for cursor in cursors {
            assert_eq!(Cursor::decode(&cursor.encode()), Some(cursor));
        }
        assert!(cursors.map(Cursor::encode).is_sorted());
        assert_eq!(Cursor::decode(&[0; 11]), None);
        assert_eq!(Cursor::decode(&[0; 13]), None);
    }
}
