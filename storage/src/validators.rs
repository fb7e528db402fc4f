//! When the validator set changed: the headers that lead those who read no blocks from set to set.

use std::collections::BTreeSet;

use quorate_types::{Height, VALIDATORS_ADDRESS};

use crate::{
    StorageError, Store,
    columns::{Column, damaged, fixed},
    slots::end_of,
};

impl Store {
    /// The heights from `from` on whose block changed who votes on the next one, at most `most`, the lowest first.
    ///
    /// The time is that of all changes there ever were, not of the chain's length.
    ///
    /// # Errors
    /// When the database fails or is damaged.
    pub fn validator_changes(&self, from: Height, most: usize) -> Result<Vec<Height>, StorageError> {
        // Before the rows, which may be written meanwhile.
        let published = self.ledger.published();
        let pending = published.pending.iter();
        let touching = pending.filter(|block| block.changes.accounts.contains_key(&VALIDATORS_ADDRESS));
        let mut touched: BTreeSet<_> = touching.map(|block| block.height).collect();
        let prefix = VALIDATORS_ADDRESS.as_slice();
        for row in self.ledger.database.range(Column::SlotHistory, prefix, end_of(VALIDATORS_ADDRESS)) {
            let (key, _) = row?;
            let height =
                key.last_chunk::<8>().ok_or_else(|| damaged(Column::SlotHistory, &key, "too short"))?;
            touched.insert(Height(u64::from_be_bytes(fixed(Column::SlotHistory, &key, height)?)));
        }
        let mut changed = Vec::new();
        for height in touched.range(from.max(Height(1))..=published.head.height) {
            if changed.len() == most {
                break;
            }
            let Some(below) = height.previous() else { continue };
            // A set that is another one and back again within a block did not change.
            let bound = |height| Ok::<_, StorageError>(self.ledger.header(height)?.header.extra_data);
            if bound(below)? != bound(*height)? {
                changed.push(*height);
            }
        }
        Ok(changed)
    }
}
