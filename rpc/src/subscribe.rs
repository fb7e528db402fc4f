//! `eth_subscribe` over WebSocket: new heads and logs, in order and without gaps. A reader that falls behind is cut
//! off: what it missed it can read by height.

use std::sync::Arc;

use alloy_rpc_types_eth::{Filter, pubsub::SubscriptionKind};
use jsonrpsee::{
    RpcModule, SubscriptionMessage, SubscriptionSink,
    core::{RegisterMethodError, SubscriptionError},
    types::{ErrorObjectOwned, params::ParamsSequence},
};
use quorate_storage::LogFilter;
use quorate_types::{ExecutedBlock, Height};
use serde::Serialize;
use tokio::sync::broadcast::{Receiver, error::RecvError};

use crate::{
    Backend, convert,
    error::RpcError,
    eth::{FilterParam, check_size, to_filter},
};

/// What a subscriber wants of each block.
enum Wanted {
    Heads,
    Logs(Box<LogFilter>),
}

impl Wanted {
    fn parse(mut params: ParamsSequence<'_>) -> Result<Self, RpcError> {
        let malformed = |error: ErrorObjectOwned| RpcError::InvalidParams(error.to_string());
        match params.next::<SubscriptionKind>().map_err(malformed)? {
            SubscriptionKind::NewHeads => Ok(Self::Heads),
            SubscriptionKind::Logs => {
                let filter = params.optional_next::<FilterParam>().map_err(malformed)?;
                Self::logs(&filter.unwrap_or_default().0)
            }
            _ => Err(RpcError::InvalidParams("no such subscription: there are newHeads and logs".to_owned())),
        }
    }

    fn logs(filter: &Filter) -> Result<Self, RpcError> {
        check_size(filter)?;
        Ok(Self::Logs(Box::new(to_filter(filter, Height::ZERO, Height(u64::MAX)))))
    }

    fn messages(&self, block: &ExecutedBlock) -> Result<Vec<SubscriptionMessage>, RpcError> {
        match self {
            Self::Heads => Ok(vec![message(&convert::header(block.block.header(), block.hash()))?]),
            Self::Logs(filter) => convert::logs_of(block, filter).iter().map(message).collect(),
        }
    }
}

fn message<T: Serialize>(value: &T) -> Result<SubscriptionMessage, RpcError> {
    let encoded =
        serde_json::value::to_raw_value(value).map_err(|error| RpcError::Internal(error.to_string()))?;
    Ok(SubscriptionMessage::from(encoded))
}

/// The subscription methods.
pub(crate) fn module(backend: Backend) -> Result<RpcModule<Backend>, RegisterMethodError> {
    let mut module = RpcModule::new(backend);
    module.register_subscription(
        "eth_subscribe",
        "eth_subscription",
        "eth_unsubscribe",
        |params, pending, backend, _| async move {
            let wanted = match Wanted::parse(params.sequence()) {
                Ok(wanted) => wanted,
                Err(error) => {
                    pending.reject(ErrorObjectOwned::from(error)).await;
                    return Ok(());
                }
            };
            // Subscribed before it is announced, so that no block falls in between.
            let blocks = backend.committed.subscribe();
            let sink = pending.accept().await?;
            follow(&sink, blocks, &wanted).await
        },
    )?;
    Ok(module)
}

async fn follow(
    sink: &SubscriptionSink,
    mut blocks: Receiver<Arc<ExecutedBlock>>,
    wanted: &Wanted,
) -> Result<(), SubscriptionError> {
    loop {
        let block = tokio::select! {
            () = sink.closed() => return Ok(()),
            block = blocks.recv() => match block {
                Ok(block) => block,
                Err(RecvError::Closed) => return Ok(()),
                Err(RecvError::Lagged(missed)) => {
                    return Err(format!("too slow: {missed} blocks were missed; read them by number and subscribe again").into());
                }
            },
        };
        for message in wanted.messages(&block).map_err(|error| error.to_string())? {
            if sink.send(message).await.is_err() {
                return Ok(());
            }
        }
    }
}
