//! Taking blocks back, for a chain that one process plays alone. A decided block is final everywhere else.

use std::sync::Arc;

use quorate_types::Height;

use crate::{
    Head, StorageError, Store,
    apply::erase_rows,
    codec::{self, HeaderRecord},
    columns::{Batch, Column, Durability, height_key},
    ledger::record,
    store::{pending_from_record, put_head},
};

/// The parts of a block record.
const RECORD: [Column; 5] =
    [Column::Headers, Column::Bodies, Column::Receipts, Column::Changes, Column::Certificates];

impl Store {
    /// Makes the block at `height` the head again, as if none had come after it. What is read at that height and below is
    /// right meanwhile; who still reads above it may find nothing there.
    ///
    /// # Errors
    /// [`StorageError::UnknownHeight`] above the head, [`StorageError::Final`] on a chain that several validators decide; or
    /// when the database fails or is damaged.
    pub fn rewind(&self, height: Height) -> Result<(), StorageError> {
        let _turn = self.committing.lock();
        let published = self.ledger.published();
        let head = &published.head;
        if head.next_validators.len() > 1 {
            return Err(StorageError::Final { head: head.height, validators: head.next_validators.len() });
        }
        let next_validators = Arc::new(self.view_at(height)?.validators()?);
        let database = &self.ledger.database;
        let mut batch = database.batch();
        let mut trie = published.trie.clone();
        for above in (height.next().0..=head.height.0).rev().map(Height) {
            let block = pending_from_record(database, above)?;
            trie = trie.with(&block.undo);
            erase_rows(&mut batch, &block);
            erase_record(&mut batch, above);
        }
        let HeaderRecord { header, hash, clock_ms } =
            record(database, Column::Headers, height, codec::decode_header)?;
        if trie.root() != header.state_root {
            let (expected, found) = (header.state_root, trie.root());
            return Err(StorageError::StateDamaged { height, expected, found });
        }
        put_head(&mut batch, height, hash);
        // Nobody may look for a block above whose rows are going.
        self.ledger.publish_rewound(Head { height, hash, header, next_validators, clock_ms }, trie);
        batch.write("taking blocks back", Durability::Synced)?;
        self.blocks.clear();
        Ok(())
    }
}

fn erase_record(batch: &mut Batch<'_>, height: Height) {
    RECORD.into_iter().for_each(|column| batch.delete(column, height_key(height)));
}
