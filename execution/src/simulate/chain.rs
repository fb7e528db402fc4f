//! Which blocks there are, and what their headers say before anything runs.

use alloy_consensus::EMPTY_OMMER_ROOT_HASH;
use quorate_types::{B256, EMPTY_REQUESTS_HASH, EMPTY_ROOT, Fork, Header, Height};

use super::{BlockRequest, MAX_SIMULATED_BLOCKS, SimulateError};
use crate::{BlockOverrides, Executor};

/// What a block's time is later than its parent's, when nothing else is said: Ethereum's slot.
const SECONDS_BETWEEN_BLOCKS: u64 = 12;

/// A block in its place.
#[derive(Clone, Copy)]
pub(super) struct Planned<'a> {
    number: u64,
    time: u64,
    /// Without one it fills a gap.
    pub(super) request: Option<&'a BlockRequest>,
}

/// The blocks that `requests` ask for and those between them.
pub(super) fn in_order<'a>(
    base: &Header,
    requests: &'a [BlockRequest],
) -> Result<Vec<Planned<'a>>, SimulateError> {
    let mut last = Planned { number: base.number, time: base.timestamp, request: None };
    let mut planned = Vec::with_capacity(requests.len());
    for request in requests {
        let wanted = &request.overrides.block;
        let number = wanted.number.unwrap_or(last.number.saturating_add(1));
        if number <= last.number {
            return Err(SimulateError::Number { number, previous: last.number });
        }
        if number - base.number > MAX_SIMULATED_BLOCKS {
            return Err(SimulateError::TooManyBlocks);
        }
        while last.number + 1 < number {
            last = Planned { number: last.number + 1, time: after(last.time), request: None };
            planned.push(last);
        }
        let time = wanted.time.unwrap_or(after(last.time));
        if time <= last.time {
            return Err(SimulateError::Time { time, previous: last.time });
        }
        last = Planned { number, time, request: Some(request) };
        planned.push(last);
    }
    Ok(planned)
}

/// At the end of time it stands still, which the order of times then refuses.
const fn after(time: u64) -> u64 {
    time.saturating_add(SECONDS_BETWEEN_BLOCKS)
}

/// The header of a block on `parent` with all that needs no execution.
pub(super) fn header(
    executor: &Executor,
    parent: &Header,
    planned: &Planned<'_>,
    validation: bool,
) -> Header {
    let none = BlockOverrides::default();
    let wanted = planned.request.map_or(&none, |request| &request.overrides.block);
    let prague = executor.config.fork_at(Height(planned.number)) >= Fork::Prague;
    let base_fee = wanted.base_fee_per_gas;
    let base_fee = base_fee.unwrap_or_else(|| if validation { next_base_fee(executor, parent) } else { 0 });
    Header {
        parent_hash: parent.hash_slow(),
        ommers_hash: EMPTY_OMMER_ROOT_HASH,
        beneficiary: wanted.fee_recipient.unwrap_or(parent.beneficiary),
        state_root: B256::ZERO,
        difficulty: wanted.difficulty.unwrap_or_default(),
        number: planned.number,
        gas_limit: wanted.gas_limit.unwrap_or(parent.gas_limit),
        timestamp: planned.time,
        mix_hash: wanted.prev_randao.unwrap_or_default(),
        base_fee_per_gas: Some(base_fee),
        withdrawals_root: Some(EMPTY_ROOT),
        blob_gas_used: Some(0),
        excess_blob_gas: Some(0),
        parent_beacon_block_root: Some(
            planned.request.and_then(|request| request.beacon_root).unwrap_or_default(),
        ),
        requests_hash: prague.then_some(EMPTY_REQUESTS_HASH),
        ..Header::default()
    }
}

/// A fee that was overridden may be so high that one that rises from it fits no header: it stays.
fn next_base_fee(executor: &Executor, parent: &Header) -> u64 {
    match parent.base_fee_per_gas {
        Some(fee) if fee > u64::MAX / 2 => fee,
        _ => executor.config.base_fee.next(parent),
    }
}
