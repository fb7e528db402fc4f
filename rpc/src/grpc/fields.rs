//! What clients send, read and checked.

use alloy_eips::BlockId;
use alloy_rpc_types_eth::Filter;
use bytes::Bytes;
use quorate_types::{Address, B256, U256};

use super::v1;
use crate::{error::RpcError, eth::FilterParam};

/// Places for topics in a log.
const MAX_PLACES: usize = 4;

fn invalid(what: String) -> RpcError {
    RpcError::InvalidParams(what)
}

/// An address.
pub(super) fn address(bytes: &[u8]) -> Result<Address, RpcError> {
    Address::try_from(bytes).map_err(|_| invalid(format!("an address has 20 bytes, not {}", bytes.len())))
}

/// An address, where none is one as well: absent or empty.
pub(super) fn optional_address(bytes: Option<&Bytes>) -> Result<Option<Address>, RpcError> {
    bytes.filter(|it| !it.is_empty()).map(|it| address(it)).transpose()
}

/// A hash, or a topic.
pub(super) fn hash(bytes: &[u8]) -> Result<B256, RpcError> {
    B256::try_from(bytes).map_err(|_| invalid(format!("a hash has 32 bytes, not {}", bytes.len())))
}

/// A number of up to 256 bits.
pub(super) fn number(bytes: &[u8]) -> Result<U256, RpcError> {
    let read = U256::try_from_be_slice(bytes);
    read.ok_or_else(|| invalid(format!("a number has at most 32 bytes, not {}", bytes.len())))
}

/// Slots, of which there may be `most`.
pub(super) fn slots(slots: &[Bytes], most: usize) -> Result<Vec<U256>, RpcError> {
    if slots.len() > most {
        return Err(invalid(format!("too many slots: {}, {most} are allowed", slots.len())));
    }
    slots.iter().map(|slot| number(slot)).collect()
}

/// A block; the head when none is named.
pub(super) fn block(block: Option<v1::BlockId>) -> Result<BlockId, RpcError> {
    Ok(match block.and_then(|it| it.block) {
        None => BlockId::latest(),
        Some(v1::block_id::Block::Height(height)) => BlockId::number(height),
        Some(v1::block_id::Block::Hash(bytes)) => BlockId::hash(hash(&bytes)?),
    })
}

/// A filter for logs; `criteria` bounds its size.
pub(super) fn filter(asked: Option<v1::LogFilter>) -> Result<FilterParam, RpcError> {
    let asked = asked.unwrap_or_default();
    let places = asked.topics.len();
    if places > MAX_PLACES {
        return Err(invalid(format!("a log has {MAX_PLACES} topics at most, and the filter names {places}")));
    }
    let addresses: Vec<_> = asked.addresses.iter().map(|it| address(it)).collect::<Result<_, _>>()?;
    let mut filter = Filter::new().address(addresses);
    for (place, topic) in filter.topics.iter_mut().zip(&asked.topics) {
        let any_of: Vec<_> = topic.any_of.iter().map(|it| hash(it)).collect::<Result<_, _>>()?;
        *place = any_of.into();
    }
    Ok(FilterParam { filter, places })
}

#[cfg(test)]
mod tests {
    use quorate_types::Height;

    use super::*;
    use crate::criteria::to_filter;

    #[test]
    fn numbers_may_be_short_and_never_long() {
        assert_eq!(number(&[]).expect("zero"), U256::ZERO);
        assert_eq!(number(&[1, 0]).expect("a number"), U256::from(256));
        assert_eq!(number(&[0xff; 32]).expect("a number"), U256::MAX);
        assert!(matches!(number(&[0; 33]), Err(RpcError::InvalidParams(_))));
        assert!(slots(&[Bytes::new(), Bytes::new()], 1).is_err(), "two are too many");
    }

    /// Given a filter that names two places, the second for anything, then only logs with two topics pass it.
    #[test]
    fn places_that_allow_anything_must_be_filled() {
        let topics = [vec![Bytes::from_static(&[7; 32])], vec![]].map(|any_of| v1::TopicFilter { any_of });
        let asked = v1::LogFilter { addresses: vec![Bytes::from_static(&[9; 20])], topics: topics.to_vec() };
        let read = to_filter(&filter(Some(asked)).expect("a filter"), Height::ZERO, Height(1));
        assert_eq!(read.addresses, [Address::repeat_byte(9)]);
        assert_eq!(read.topics[0], [B256::repeat_byte(7)]);
        assert_eq!((read.topics[1].len(), read.least_topics), (0, 2));
        let none = to_filter(&filter(None).expect("a filter"), Height::ZERO, Height(1));
        assert_eq!((none.addresses.len(), none.least_topics), (0, 0));
        let five = v1::LogFilter { addresses: vec![], topics: vec![v1::TopicFilter::default(); 5] };
        assert!(filter(Some(five)).is_err());
    }
}
