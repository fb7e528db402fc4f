//! Committing a decided block: one synced record, then the rows behind it.
//!
//! ```text
//! record + certificate + head --fsync--> head published --> rows + applied, unsynced --> off the list
//!        (decide)                        every read sees it       (write_pending_rows)
//! ```
//! A stop anywhere leaves either the old head, or the new one with rows that the next start writes.

use std::sync::Arc;

use quorate_types::{CommitCertificate, ExecutedBlock, Height};

use crate::{
    Head, StorageError, Store, TrieUpdate,
    apply::write_rows,
    codec,
    columns::{Column, Durability, height_key},
    ledger::Pending,
    store::put_record,
};

impl Store {
    /// Makes a decided block the head. When this returns, the block survives a power cut and every
    /// read shows it. `update` is what [`Store::root_after`] gave for its changes.
    ///
    /// Consensus and sync may both bring a block: the second one changes nothing.
    ///
    /// # Errors
    /// [`StorageError::Conflict`] when the height holds another block; [`StorageError::NotNext`],
    /// [`StorageError::WrongParent`], [`StorageError::Mismatch`] or [`StorageError::StaleUpdate`] when
    /// the block cannot follow the head; nothing is written then. A write that fails is fatal (see
    /// [`StorageError::is_fatal`]): nothing is known of the disk until the folder is opened again.
    #[expect(clippy::needless_pass_by_value, reason = "the update is used up")]
    pub fn commit(
        &self,
        block: &ExecutedBlock,
        certificate: &CommitCertificate,
        update: TrieUpdate,
    ) -> Result<(), StorageError> {
        let _turn = self.committing.lock();
        self.decide(block, certificate, &update)?;
        self.write_pending_rows()
    }

    /// The first half: the record on disk, the block as the head. The caller holds the turn.
    pub(crate) fn decide(
        &self,
        block: &ExecutedBlock,
        certificate: &CommitCertificate,
        update: &TrieUpdate,
    ) -> Result<(), StorageError> {
        let height = block.block.height();
        if self.is_committed(block)? {
            tracing::debug!(%height, "committed already");
            return Ok(());
        }
        check_belongs(block, certificate, update)?;
        update.check_applies(self.ledger.published().trie.root())?;
        let mut batch = self.ledger.database.batch();
        put_record(&mut batch, block);
        batch.put(Column::Certificates, height_key(height), codec::encode_certificate(certificate));
        let (changes, undo) = (Arc::clone(&block.changes), Arc::clone(update.undo()));
        let transactions = block.block.transactions();
        let pending = Pending::new((height, block.hash()), transactions, &block.receipts, changes, undo);
        batch.write("writing a block record", Durability::Synced)?;
        self.ledger.publish_decided(Arc::new(head_of(block)), update, &Arc::new(pending));
        Ok(())
    }

    /// The second half: the rows of every decided block that lacks them, oldest first. The caller
    /// holds the turn.
    pub(crate) fn write_pending_rows(&self) -> Result<(), StorageError> {
        for block in &self.ledger.published().pending {
            self.ledger.begin_applying(block.height);
            write_rows(&self.ledger.database, block)?;
            self.ledger.publish_applied(block.height);
        }
        Ok(())
    }

    /// Whether this very block is committed; an error when it neither is nor can be the next one.
    fn is_committed(&self, block: &ExecutedBlock) -> Result<bool, StorageError> {
        let (height, hash) = (block.block.height(), block.hash());
        let head = self.head();
        if height <= head.height {
            let committed = self.ledger.hash(height)?;
            if committed != hash {
                return Err(StorageError::Conflict { height, committed, offered: hash });
            }
            return Ok(true);
        }
        if height != head.height.next() {
            return Err(StorageError::NotNext { height, head: head.height });
        }
        let found = block.block.header().parent_hash;
        if found != head.hash {
            return Err(StorageError::WrongParent { height, expected: head.hash, found });
        }
        Ok(false)
    }
}

fn check_belongs(
    executed: &ExecutedBlock,
    certificate: &CommitCertificate,
    update: &TrieUpdate,
) -> Result<(), StorageError> {
    let (header, height, hash) = (executed.block.header(), executed.block.height(), executed.hash());
    let transactions = executed.block.transactions().len();
    let what = if (certificate.height(), certificate.block_hash()) != (height, hash) {
        "the certificate of another block"
    } else if update.root() != header.state_root {
        "a trie update that leads to another state root"
    } else if header.extra_data[..] != executed.next_validators.hash()[..] {
        "a validator set that its extraData does not bind"
    } else if executed.senders.len() != transactions || executed.receipts.len() != transactions {
        "other than one sender and one receipt for each transaction"
    } else {
        return Ok(());
    };
    Err(StorageError::Mismatch { height, hash, what })
}

fn head_of(executed: &ExecutedBlock) -> Head {
    Head {
        height: Height(executed.block.header().number),
        hash: executed.hash(),
        header: executed.block.header().clone(),
        next_validators: Arc::clone(&executed.next_validators),
        clock_ms: executed.clock_ms,
    }
}
