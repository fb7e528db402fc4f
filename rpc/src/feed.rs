//! Decided blocks one after the other, from any height on and at the reader's own pace. The store is the buffer: a reader that
//! is slow, or was away, costs no memory, and misses nothing.

use std::sync::Arc;

use quorate_storage::{FoundLog, LogFilter, StorageError, Store};
use quorate_types::{B256, Header, Height};
use tokio::sync::watch;

use crate::{Backend, RpcLimits, error::RpcError};

/// A place in the chain from which a reader goes on.
pub(crate) struct Feed {
    store: Arc<Store>,
    head: watch::Receiver<Height>,
    next: Height,
}

impl Feed {
    /// From the block after the head on.
    pub(crate) fn live(backend: &Backend) -> Self {
        Self::from(backend, backend.store.head().height.next())
    }

    /// From `next` on, whether it is decided or not.
    pub(crate) fn from(backend: &Backend, next: Height) -> Self {
        Self { store: backend.store.clone(), head: backend.head.clone(), next }
    }

    /// The next block's header and hash, as soon as it is decided.
    ///
    /// # Errors
    /// When the node stops, or its disk fails.
    pub(crate) async fn header(&mut self) -> Result<(Header, B256), RpcError> {
        let height = self.next;
        self.reached().await?;
        let found = self.read(move |store| Ok(store.header(height)?.zip(store.hash_of(height)?))).await?;
        self.next = height.next();
        found.ok_or(RpcError::UnknownBlock)
    }

    /// The logs that pass `filter` of the next blocks that are decided, one at the least: perhaps none.
    ///
    /// # Errors
    /// See [`Feed::header`].
    pub(crate) async fn logs(
        &mut self,
        filter: &Arc<LogFilter>,
        limits: RpcLimits,
    ) -> Result<Vec<FoundLog>, RpcError> {
        let head = self.reached().await?;
        let (next, filter) = (self.next, filter.clone());
        let (found, next) = self.read(move |store| logs_from(store, &filter, next, head, limits)).await?;
        self.next = next;
        Ok(found)
    }

    /// Waits until the next block is decided; tells the head then.
    async fn reached(&mut self) -> Result<Height, RpcError> {
        let stopping = |_| RpcError::Internal("the node is stopping".to_owned());
        let next = self.next;
        Ok(*self.head.wait_for(|head| *head >= next).await.map_err(stopping)?)
    }

    async fn read<T: Send + 'static>(
        &self,
        read: impl FnOnce(&Store) -> Result<T, RpcError> + Send + 'static,
    ) -> Result<T, RpcError> {
        let store = self.store.clone();
        let done = tokio::task::spawn_blocking(move || read(&store)).await;
        done.map_err(|error| RpcError::Internal(error.to_string()))?
    }
}

/// The logs from `next` to `last` that pass `filter`, as many blocks of them as one answer may span and hold; and from where to go on. The
/// logs of one block are never parted, however many they are: its gas bounds them.
///
/// # Errors
/// When the disk fails.
pub(crate) fn logs_from(
    store: &Store,
    filter: &LogFilter,
    next: Height,
    last: Height,
    limits: RpcLimits,
) -> Result<(Vec<FoundLog>, Height), RpcError> {
    let mut to = last.min(Height(next.0.saturating_add(limits.max_log_blocks.saturating_sub(1))));
    loop {
        let most = if to == next { usize::MAX } else { limits.max_log_results as usize };
        let part = LogFilter { from: next, to, ..filter.clone() };
        match store.logs(&part, most) {
            Err(StorageError::TooManyLogs { reached, .. }) => {
                to = reached.previous().unwrap_or(next).max(next);
            }
            found => return Ok((found?, to.next())),
        }
    }
}
