//! Filters that are polled. One is a place in the chain and what to look for from there on: nothing is kept for it.

use std::{
    collections::HashMap,
    sync::Arc,
    time::{Duration, Instant},
};

use alloy_eips::BlockNumberOrTag;
use alloy_rpc_types_eth::{Filter, FilterBlockOption, Log};
use jsonrpsee::{
    core::{RpcResult, async_trait},
    proc_macros::rpc,
};
use parking_lot::Mutex;
use quorate_types::{B256, Height};
use serde::Serialize;
use tokio::sync::broadcast::{Receiver, error::TryRecvError};

use super::{Eth, params::FilterParam};
use crate::{
    convert::{self, TransactionView},
    criteria::{Room, to_filter},
    error::RpcError,
    feed::logs_from,
    ids::HexIds,
};

/// geth's: a filter that nobody polls for so long is gone.
const IDLE: Duration = Duration::from_secs(5 * 60);
/// Filters at a time, of all clients.
const MAX_FILTERS: usize = 10_000;

#[rpc(server, namespace = "eth")]
pub(crate) trait FiltersApi {
    #[method(name = "newFilter")]
    fn new_filter(&self, filter: FilterParam) -> RpcResult<String>;
    #[method(name = "newBlockFilter")]
    fn new_block_filter(&self) -> RpcResult<String>;
    #[method(name = "newPendingTransactionFilter")]
    fn new_pending_filter(&self, full: Option<bool>) -> RpcResult<String>;
    #[method(name = "getFilterChanges")]
    async fn filter_changes(&self, id: String) -> RpcResult<Changes>;
    #[method(name = "getFilterLogs")]
    async fn filter_logs(&self, id: String) -> RpcResult<Vec<Log>>;
    #[method(name = "uninstallFilter")]
    fn uninstall_filter(&self, id: String) -> RpcResult<bool>;
}

/// What is new since the last poll.
#[derive(Clone, Debug, Serialize)]
#[serde(untagged)]
pub(crate) enum Changes {
    Logs(Vec<Log>),
    /// Of blocks, or of transactions.
    Hashes(Vec<B256>),
    Transactions(Vec<TransactionView>),
}

/// One filter, and when it was last asked for.
struct Installed {
    filter: Arc<PolledFilter>,
    polled: Instant,
}

struct PolledFilter {
    /// What a filter for logs looks for; others have none.
    asked: Option<(FilterParam, Room)>,
    /// Held while a poll reads: who polls meanwhile is told to wait.
    place: Mutex<Place>,
}

impl PolledFilter {
    fn criteria(&self) -> Result<&FilterParam, RpcError> {
        self.asked.as_ref().map(|(asked, _)| asked).ok_or_else(unknown)
    }
}

/// Up to where it was polled.
enum Place {
    Logs { next: Height, last: Height },
    Blocks { next: Height },
    Pending { admitted: Receiver<B256>, full: bool },
}

/// All filters by id.
#[derive(Default)]
pub(super) struct Filters(Mutex<HashMap<String, Installed>>);

impl Filters {
    fn install(&self, asked: Option<(FilterParam, Room)>, place: Place) -> Result<String, RpcError> {
        let mut all = self.0.lock();
        let now = Instant::now();
        all.retain(|_, filter| now.duration_since(filter.polled) < IDLE);
        if all.len() >= MAX_FILTERS {
            let what =
                format!("{MAX_FILTERS} filters are installed, which is all that are allowed; try later");
            return Err(RpcError::Limit(what));
        }
        let id = HexIds::draw();
        let filter = Arc::new(PolledFilter { asked, place: Mutex::new(place) });
        all.insert(id.clone(), Installed { filter, polled: now });
        Ok(id)
    }

    fn find(&self, id: &str) -> Result<Arc<PolledFilter>, RpcError> {
        let (mut all, now) = (self.0.lock(), Instant::now());
        let live = all.get_mut(id).filter(|filter| now.duration_since(filter.polled) < IDLE);
        let installed = live.ok_or_else(unknown)?;
        installed.polled = now;
        Ok(installed.filter.clone())
    }

    fn uninstall(&self, id: &str) -> bool {
        self.0.lock().remove(id).is_some()
    }

    /// The blocks above `head` are gone, and others may come.
    fn rewind(&self, head: Height) {
        let all: Vec<_> = self.0.lock().values().map(|it| it.filter.clone()).collect();
        for filter in all {
            match &mut *filter.place.lock() {
                Place::Logs { next, .. } | Place::Blocks { next } => *next = head.next().min(*next),
                Place::Pending { .. } => {}
            }
        }
    }
}

fn unknown() -> RpcError {
    RpcError::Refused("filter not found".to_owned())
}

#[async_trait]
impl FiltersApiServer for Eth {
    fn new_filter(&self, filter: FilterParam) -> RpcResult<String> {
        let after_head = self.backend.store.head().height.next();
        let (from, to) = self.live_range(&filter.filter)?;
        let room = self.criteria.room_for(&filter)?;
        let place = Place::Logs { next: from.max(after_head), last: to };
        Ok(self.filters.install(Some((filter, room)), place)?)
    }

    fn new_block_filter(&self) -> RpcResult<String> {
        let next = self.backend.store.head().height.next();
        Ok(self.filters.install(None, Place::Blocks { next })?)
    }

    fn new_pending_filter(&self, full: Option<bool>) -> RpcResult<String> {
        let admitted = self.backend.admitted.subscribe();
        Ok(self.filters.install(None, Place::Pending { admitted, full: full.unwrap_or(false) })?)
    }

    async fn filter_changes(&self, id: String) -> RpcResult<Changes> {
        let filter = self.filters.find(&id)?;
        self.heavy(move |eth| eth.poll(&filter)).await
    }

    /// All logs that it asks for, also those before it was installed.
    async fn filter_logs(&self, id: String) -> RpcResult<Vec<Log>> {
        let filter = self.filters.find(&id)?;
        self.heavy(move |eth| eth.find_logs(filter.criteria()?)).await
    }

    fn uninstall_filter(&self, id: String) -> RpcResult<bool> {
        Ok(self.filters.uninstall(&id))
    }
}

impl Eth {
    /// The heights of which a filter reports logs, by geth's rules: what ends before it begins, or at a block that is
    /// decided already, would never report any.
    fn live_range(&self, filter: &Filter) -> Result<(Height, Height), RpcError> {
        let (from, to) = match filter.block_option {
            FilterBlockOption::AtBlockHash(_) => (None, None),
            FilterBlockOption::Range { from_block, to_block } => (from_block, to_block),
        };
        let number = |tag: Option<BlockNumberOrTag>| match tag.unwrap_or_default() {
            BlockNumberOrTag::Number(number) => Ok(Some(Height(number))),
            BlockNumberOrTag::Earliest => Ok(Some(Height::ZERO)),
            BlockNumberOrTag::Pending => {
                Err(RpcError::InvalidParams("pending logs are not supported".to_owned()))
            }
            BlockNumberOrTag::Latest | BlockNumberOrTag::Safe | BlockNumberOrTag::Finalized => Ok(None),
        };
        match (number(from)?, number(to)?) {
            (from, None) => Ok((from.unwrap_or(Height::ZERO), Height(u64::MAX))),
            (Some(from), Some(to)) if from <= to => Ok((from, to)),
            (_, Some(_)) => Err(RpcError::InvalidParams("invalid block range params".to_owned())),
        }
    }

    /// For a development chain that took blocks back.
    pub(crate) fn rewind_filters(&self) {
        self.filters.rewind(self.backend.store.head().height);
    }

    /// What came since the last poll, as much of it as one answer holds; the next poll goes on behind it.
    fn poll(&self, filter: &PolledFilter) -> Result<Changes, RpcError> {
        let Some(mut place) = filter.place.try_lock() else {
            return Err(RpcError::Limit("this filter is being polled already".to_owned()));
        };
        let head = self.backend.store.head().height;
        match &mut *place {
            Place::Logs { next, last } => {
                let last = head.min(*last);
                if *next > last {
                    return Ok(Changes::Logs(Vec::new()));
                }
                let wanted = to_filter(filter.criteria()?, *next, last);
                let (found, behind) = logs_from(&self.backend.store, &wanted, *next, last, self.limits)?;
                *next = behind;
                Ok(Changes::Logs(found.into_iter().map(convert::found_log).collect()))
            }
            Place::Blocks { next } => {
                let behind = head.next().min(Height(next.0 + self.limits.max_log_blocks));
                let hash = |height| self.backend.store.hash_of(Height(height)).transpose();
                let hashes = (next.0..behind.0).filter_map(hash).collect::<Result<_, _>>()?;
                *next = behind.max(*next);
                Ok(Changes::Hashes(hashes))
            }
            Place::Pending { admitted, full } => {
                let hashes = drain(admitted);
                if !*full {
                    return Ok(Changes::Hashes(hashes));
                }
                let waiting = hashes.into_iter().filter_map(|hash| self.backend.pending_transaction(hash));
                Ok(Changes::Transactions(waiting.collect()))
            }
        }
    }
}

/// What came into the pool, as far back as it is remembered.
fn drain(admitted: &mut Receiver<B256>) -> Vec<B256> {
    let mut hashes = Vec::new();
    loop {
        match admitted.try_recv() {
            Ok(hash) => hashes.push(hash),
            Err(TryRecvError::Lagged(_)) => {}
            Err(TryRecvError::Empty | TryRecvError::Closed) => return hashes,
        }
    }
}
