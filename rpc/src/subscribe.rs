//! `eth_subscribe` over WebSocket: new heads and logs, in order and without gaps. A reader that falls behind is cut
//! off: what it missed it can read by height.

use std::sync::Arc;

use alloy_rpc_types_eth::{
    Filter, Log,
    pubsub::{Params as SubscriptionParams, SubscriptionKind},
};
use jsonrpsee::{
    RpcModule, SubscriptionMessage, SubscriptionSink,
    core::{RegisterMethodError, SubscriptionError},
    types::ErrorObjectOwned,
};
use quorate_types::{ExecutedBlock, Height};
use tokio::sync::broadcast::{Receiver, error::RecvError};

use crate::{Backend, convert, error::RpcError, eth::to_filter};

/// What a subscriber wants of each block.
enum Wanted {
    Heads,
    Logs(Box<Filter>),
}

impl Wanted {
    fn parse(kind: SubscriptionKind, params: Option<SubscriptionParams>) -> Result<Self, RpcError> {
        match (kind, params) {
            (SubscriptionKind::NewHeads, None | Some(SubscriptionParams::None)) => Ok(Self::Heads),
            (SubscriptionKind::Logs, None | Some(SubscriptionParams::None)) => Ok(Self::Logs(Box::default())),
            (SubscriptionKind::Logs, Some(SubscriptionParams::Logs(filter))) => Ok(Self::Logs(filter)),
            (SubscriptionKind::NewHeads | SubscriptionKind::Logs, Some(_)) => {
                Err(RpcError::InvalidParams("the parameters do not fit the subscription".to_owned()))
            }
            _ => Err(RpcError::InvalidParams("no such subscription: there are newHeads and logs".to_owned())),
        }
    }

    fn messages(
        &self,
        backend: &Backend,
        block: &ExecutedBlock,
    ) -> Result<Vec<SubscriptionMessage>, RpcError> {
        let encode = |value: &dyn erased::Json| value.message();
        match self {
            Self::Heads => Ok(vec![encode(&convert::header(block.block.header(), block.hash()))?]),
            Self::Logs(filter) => {
                let height = block.block.height();
                logs_of(backend, filter, height)?.iter().map(|log| encode(log)).collect()
            }
        }
    }
}

mod erased {
    use jsonrpsee::SubscriptionMessage;

    use crate::error::RpcError;

    /// Anything with a JSON form.
    pub(super) trait Json {
        fn message(&self) -> Result<SubscriptionMessage, RpcError>;
    }

    impl<T: serde::Serialize> Json for T {
        fn message(&self) -> Result<SubscriptionMessage, RpcError> {
            serde_json::value::to_raw_value(self)
                .map(SubscriptionMessage::from)
                .map_err(|error| RpcError::Internal(error.to_string()))
        }
    }
}

fn logs_of(backend: &Backend, filter: &Filter, height: Height) -> Result<Vec<Log>, RpcError> {
    let found = backend.store.logs(&to_filter(filter, height, height), usize::MAX)?;
    Ok(found.into_iter().map(convert::found_log).collect())
}

/// Adds the subscription methods.
pub(crate) fn register(module: &mut RpcModule<Backend>) -> Result<(), RegisterMethodError> {
    module.register_subscription(
        "eth_subscribe",
        "eth_subscription",
        "eth_unsubscribe",
        |params, pending, backend, _| async move {
            let mut params = params.sequence();
            let parsed = params
                .next::<SubscriptionKind>()
                .and_then(|kind| Ok((kind, params.optional_next::<SubscriptionParams>()?)))
                .map_err(|error| RpcError::InvalidParams(error.to_string()))
                .and_then(|(kind, params)| Wanted::parse(kind, params));
            let wanted = match parsed {
                Ok(wanted) => wanted,
                Err(error) => {
                    pending.reject(ErrorObjectOwned::from(error)).await;
                    return Ok(());
                }
            };
            // Subscribed before it is announced, so that no block falls in between.
            let blocks = backend.committed.subscribe();
            let sink = pending.accept().await?;
            follow(&sink, blocks, &wanted, &backend).await
        },
    )?;
    Ok(())
}

async fn follow(
    sink: &SubscriptionSink,
    mut blocks: Receiver<Arc<ExecutedBlock>>,
    wanted: &Wanted,
    backend: &Backend,
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
        for message in wanted.messages(backend, &block).map_err(|error| error.to_string())? {
            if sink.send(message).await.is_err() {
                return Ok(());
            }
        }
    }
}
