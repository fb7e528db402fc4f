//! What clients follow logs by, and how much of it the node remembers for all of them.

use std::sync::Arc;

use alloy_rpc_types_eth::Filter;
use quorate_storage::LogFilter;
use quorate_types::Height;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::{error::RpcError, eth::FilterParam};

/// geth's bound on the addresses, and on the topics in one place, of a filter.
const MAX_VALUES: usize = 1000;
/// Addresses and topics of all filters and subscriptions together, about 100 bytes each.
const MAX_REMEMBERED: usize = 500_000;

/// The room for what is remembered.
#[derive(Clone, Debug)]
pub(crate) struct Criteria(Arc<Semaphore>);

impl Default for Criteria {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(MAX_REMEMBERED)))
    }
}

/// The room of one filter or subscription, as long as it lives.
#[derive(Debug)]
pub(crate) struct Room {
    _taken: OwnedSemaphorePermit,
}

impl Criteria {
    /// Room to keep what a client asks for.
    ///
    /// # Errors
    /// When it is too large by itself, or all that is kept is.
    pub(crate) fn room_for(&self, asked: &FilterParam) -> Result<Room, RpcError> {
        check_size(&asked.filter)?;
        let topics = asked.filter.topics.iter().map(|topic| topic.len());
        let values: usize = topics.chain([asked.filter.address.len()]).sum();
        // One without any takes memory as well.
        let values = u32::try_from(values + 1).unwrap_or(u32::MAX);
        let full = |_| {
            let what = "the node follows as many addresses and topics as it can remember: try again later";
            RpcError::Limit(what.to_owned())
        };
        Ok(Room { _taken: self.0.clone().try_acquire_many_owned(values).map_err(full)? })
    }
}

/// A filter costs work for each of its values and blocks, so it may not be large.
///
/// # Errors
/// When it names more addresses, or more topics in one place, than [`MAX_VALUES`].
pub(crate) fn check_size(filter: &Filter) -> Result<(), RpcError> {
    let largest = filter.topics.iter().map(|topic| topic.len()).chain([filter.address.len()]).max();
    match largest {
        Some(count) if count > MAX_VALUES => {
            let what = "exceed max addresses or topics per search position";
            Err(RpcError::InvalidParams(format!("{what}: {count}, {MAX_VALUES} are allowed")))
        }
        _ => Ok(()),
    }
}

/// A client's filter over a range of heights as storage takes it.
pub(crate) fn to_filter(asked: &FilterParam, from: Height, to: Height) -> LogFilter {
    let topics = asked.filter.topics.clone().map(|topic| topic.into_iter().collect());
    let addresses = asked.filter.address.iter().copied().collect();
    LogFilter { from, to, addresses, topics, least_topics: asked.places }
}

#[cfg(test)]
mod tests {
    use quorate_types::{Address, B256};

    use super::*;

    fn asking(addresses: usize) -> FilterParam {
        let address = |number: usize| Address::left_padding_from(&number.to_be_bytes());
        let filter = Filter::new().address((0..addresses).map(address).collect::<Vec<_>>());
        FilterParam { filter, places: 0 }
    }

    /// Given as much remembered as there is room for, then more is refused until some of it goes.
    #[test]
    fn what_is_remembered_is_bounded() {
        let criteria = Criteria::default();
        let mut kept = Vec::new();
        while let Ok(one) = criteria.room_for(&asking(MAX_VALUES)) {
            kept.push(one);
        }
        assert_eq!(kept.len(), MAX_REMEMBERED / (MAX_VALUES + 1));
        assert!(matches!(criteria.room_for(&asking(MAX_VALUES)), Err(RpcError::Limit(_))));
        kept.pop();
        criteria.room_for(&asking(MAX_VALUES)).expect("there is room again");
        let large = criteria.room_for(&asking(MAX_VALUES + 1)).expect_err("too large by itself");
        assert!(large.to_string().starts_with("exceed max addresses or topics per search position"));
    }

    /// A place that is named wants to be filled, also when anything may stand there: geth leaves out logs that are shorter.
    #[test]
    fn places_that_allow_anything_must_be_filled() {
        let text = format!(r#"{{"topics":["{}",null,[],null]}}"#, B256::ZERO);
        let asked: FilterParam = serde_json::from_str(&text).expect("a filter");
        let filter = to_filter(&asked, Height::ZERO, Height(9));
        assert_eq!((filter.least_topics, filter.topics[0].len()), (4, 1));
        let none: FilterParam = serde_json::from_str(r#"{"topics":null}"#).expect("a filter");
        assert_eq!(to_filter(&none, Height::ZERO, Height(9)).least_topics, 0);
    }
}
