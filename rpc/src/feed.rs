//! Decided blocks one after the other, from any height on and at the reader's own pace. The store is the buffer: a reader that
//! is slow, or was away, costs no memory, and misses nothing.

use std::sync::Arc;

use quorate_storage::{FoundLog, LogFilter, LogPage, Store, StoredBlock};
use quorate_types::{B256, Header, Height};
use tokio::sync::watch;

use crate::{
    Backend, RpcLimits,
    error::RpcError,
    turns::{Turns, Weight},
};

/// Blocks that are read like one.
const SHORT_READ: u64 = 16;

/// A place in the chain from which a reader goes on.
pub(crate) struct Feed {
    store: Arc<Store>,
    head: watch::Receiver<Height>,
    next: Height,
    turns: Turns,
}

impl Feed {
    /// From the block after the head on.
    pub(crate) fn live(backend: &Backend, turns: &Turns) -> Self {
        Self::from(backend, turns, backend.store.head().height.next())
    }

    /// From `next` on, whether it is decided or not.
    pub(crate) fn from(backend: &Backend, turns: &Turns, next: Height) -> Self {
        Self { store: backend.store.clone(), head: backend.head.clone(), next, turns: turns.clone() }
    }

    /// The next block's header and hash, as soon as it is decided.
    ///
    /// # Errors
    /// When the node stops, or its disk fails.
    pub(crate) async fn header(&mut self) -> Result<(Header, B256), RpcError> {
        self.reached().await?;
        let height = self.next;
        let read = move |store: &Store| Ok(store.header(height)?.zip(store.hash_of(height)?));
        let found = self.read(Weight::Read, read).await?;
        self.next = height.next();
        found.ok_or(RpcError::UnknownBlock)
    }

    /// The next block, as soon as it is decided.
    ///
    /// # Errors
    /// See [`Feed::header`].
    pub(crate) async fn block(&mut self) -> Result<Arc<StoredBlock>, RpcError> {
        self.reached().await?;
        let height = self.next;
        let found = self.read(Weight::Read, move |store: &Store| Ok(store.block(height)?)).await?;
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
        // Whoever follows the head reads a block or two; whoever comes late, thousands.
        let weight = if head.0 - next.0 < SHORT_READ { Weight::Read } else { Weight::Call };
        let read = move |store: &Store| logs_from(store, &filter, next, head, limits);
        let (found, next) = self.read(weight, read).await?;
        self.next = next;
        Ok(found)
    }

    /// Waits until the next block is decided; tells the head then.
    async fn reached(&mut self) -> Result<Height, RpcError> {
        loop {
            let next = self.next;
            let due = |head: &Height| *head >= next || head.next() < next;
            let head = *self.head.wait_for(due).await.map_err(|_| RpcError::Stopping)?;
            if head >= next {
                return Ok(head);
            }
            // Only a development chain takes blocks back: there, what comes instead is next.
            self.next = head.next();
        }
    }

    async fn read<T: Send + 'static>(
        &self,
        weight: Weight,
        read: impl FnOnce(&Store) -> Result<T, RpcError> + Send + 'static,
    ) -> Result<T, RpcError> {
        let store = self.store.clone();
        self.turns.run_patiently(weight, move || read(&store)).await
    }
}

/// The logs from `next` to `last` that pass `filter`, as many blocks of them as one answer may span and hold; and from where to
/// go on. The logs of one block are never parted.
///
/// # Errors
/// When the disk fails, or is so slow that not even one block is read in time.
pub(crate) fn logs_from(
    store: &Store,
    filter: &LogFilter,
    next: Height,
    last: Height,
    limits: RpcLimits,
) -> Result<(Vec<FoundLog>, Height), RpcError> {
    let to = last.min(Height(next.0.saturating_add(limits.max_log_blocks.saturating_sub(1))));
    let part = LogFilter { from: next, to, ..filter.clone() };
    let LogPage { logs, next } = store.log_page(&part, limits.log_bounds())?;
    Ok((logs, next))
}
