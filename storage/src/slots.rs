//! All slots of an account at one height.

use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{Duration, Instant},
};

use quorate_types::{Address, Height, U256};

use crate::{
    StorageError, codec,
    columns::{Column, damaged, fixed, height_key, slot_key},
    ledger::Pending,
    snapshot::Snapshot,
};

/// When a long read has to give up.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Deadline(Option<(Instant, Duration)>);

impl Deadline {
    /// For what a block waits for.
    pub(crate) const NONE: Self = Self(None);

    /// From now on.
    pub(crate) fn after(limit: Duration) -> Self {
        Self(Some((Instant::now(), limit)))
    }

    pub(crate) fn check(self) -> Result<(), StorageError> {
        match self.0 {
            Some((began, limit)) if began.elapsed() > limit => Err(StorageError::TimeLimit { limit }),
            _ => Ok(()),
        }
    }
}

/// The slots as of one height: flat rows, undone by the history above the height, and over them the
/// blocks that may have no rows yet.
pub(crate) struct SlotsAt<'a> {
    pub rows: Snapshot<'a>,
    /// The blocks up to the height that were pending before the snapshot was taken, oldest first.
    pub pending: Vec<Arc<Pending>>,
    pub height: Height,
    /// Whether the snapshot may have rows of blocks above the height.
    pub overtaken: bool,
}

impl SlotsAt<'_> {
    /// All slots of an account that are not zero. A block writes flat rows and history as one batch,
    /// so a snapshot that shows its values also has those before it.
    ///
    /// The time is that of the account's slots, and of those that it ever had if the height is not the
    /// head's; the memory that of as many, of which there may be `most`.
    pub(crate) fn of(
        &self,
        address: Address,
        most: usize,
        deadline: Deadline,
    ) -> Result<BTreeMap<U256, U256>, StorageError> {
        let mut slots = BTreeMap::new();
        for row in self.rows.range(Column::Slots, address.as_slice(), end_of(address)) {
            let (key, value) = row?;
            deadline.check()?;
            check_count(address, slots.len(), most)?;
            slots.insert(U256::from_be_slice(&key[20..]), decode(Column::Slots, &key, &value)?);
        }
        if self.overtaken {
            self.undo_history(address, &mut slots, most, deadline)?;
        }
        let changed = self.pending.iter().filter_map(|block| block.changes.accounts.get(&address));
        for (slot, value) in changed.flat_map(|change| &change.storage) {
            slots.insert(*slot, value.after);
        }
        slots.retain(|_, value| !value.is_zero());
        Ok(slots)
    }

    /// Sets each slot to the value before the first block above the height that changed it. It leaps
    /// from slot to slot: a slot's history may be as long as the chain.
    fn undo_history(
        &self,
        address: Address,
        slots: &mut BTreeMap<U256, U256>,
        most: usize,
        deadline: Deadline,
    ) -> Result<(), StorageError> {
        let above = |slot| [&slot_key(address, slot)[..], &height_key(self.height.next())].concat();
        let mut cursor = self.rows.cursor(Column::SlotHistory, end_of(address));
        let mut from = above(U256::ZERO);
        while let Some((key, before)) = cursor.seek(&from)? {
            deadline.check()?;
            let parts = fixed::<60>(Column::SlotHistory, key, key)?;
            let slot = U256::from_be_slice(&parts[20..52]);
            if parts[52..] <= height_key(self.height)[..] {
                from = above(slot);
                continue;
            }
            check_count(address, slots.len(), most)?;
            slots.insert(slot, decode(Column::SlotHistory, key, before)?);
            let Some(next) = slot.checked_add(U256::from(1)) else { break };
            from = above(next);
        }
        Ok(())
    }
}

fn check_count(address: Address, count: usize, most: usize) -> Result<(), StorageError> {
    if count < most { Ok(()) } else { Err(StorageError::TooManySlots { address, most }) }
}

/// Behind every key that begins with the address.
pub(crate) fn end_of(address: Address) -> Vec<u8> {
    [address.as_slice(), &[0xff; 41]].concat()
}

fn decode(column: Column, key: &[u8], value: &[u8]) -> Result<U256, StorageError> {
    codec::decode_word(value).map_err(|why| damaged(column, key, why))
}
