//! The second half of a commit: the rows that are derived from a block record.
//!
//! Every value comes from the record, none from what the rows held before, so that writing a block's
//! rows twice, or again after a crash, changes nothing.

use quorate_types::{AccountChange, AccountState, Address, Height, U256};

use crate::{
    StorageError, codec,
    columns::{Batch, Column, Database, Durability, height_key, slot_key},
    ledger::{LogKey, Pending},
    undo::put_undo,
};

/// The key under which [`Column::Meta`] holds the height up to which all rows are written.
pub(crate) const APPLIED: &str = "applied";

/// Writes all rows of a block, and that they are written, as one batch behind the record.
pub(crate) fn write_rows(database: &Database, block: &Pending) -> Result<(), StorageError> {
    let mut batch = database.batch();
    for (address, change) in &block.changes.accounts {
        put_account(&mut batch, block.height, *address, change);
        put_slots(&mut batch, block.height, *address, change);
    }
    for (hash, code) in &block.changes.codes {
        batch.put(Column::Codes, hash, code);
    }
    let height = height_key(block.height);
    batch.put(Column::Heights, block.hash, height);
    for (hash, index) in &block.transactions {
        batch.put(Column::Transactions, hash, transaction_row(block.height, *index));
    }
    for key in &block.log_keys {
        batch.put(Column::LogIndex, log_index_key(*key, block.height), []);
    }
    if has_history(block.height) {
        put_undo(&mut batch, block.height, &block.undo);
    }
    batch.put(Column::Meta, APPLIED, height);
    batch.write("writing the rows of a block", Durability::Behind)
}

fn put_account(batch: &mut Batch<'_>, height: Height, address: Address, change: &AccountChange) {
    set_account(batch, address, change.after);
    if has_history(height) && change.before != change.after {
        let key = [address.as_slice(), &height_key(height)].concat();
        batch.put(Column::AccountHistory, key, codec::encode_account(change.before));
    }
}

fn set_account(batch: &mut Batch<'_>, address: Address, account: Option<AccountState>) {
    match account {
        Some(account) => batch.put(Column::Accounts, address, codec::encode_account(Some(account))),
        None => batch.delete(Column::Accounts, address),
    }
}

fn set_slot(batch: &mut Batch<'_>, key: [u8; 52], value: U256) {
    if value.is_zero() {
        batch.delete(Column::Slots, key);
    } else {
        batch.put(Column::Slots, key, codec::encode_word(value));
    }
}

fn put_slots(batch: &mut Batch<'_>, height: Height, address: Address, change: &AccountChange) {
    for (slot, value) in &change.storage {
        let key = slot_key(address, *slot);
        set_slot(batch, key, value.after);
        if has_history(height) && value.before != value.after {
            let key = [&key[..], &height_key(height)].concat();
            batch.put(Column::SlotHistory, key, codec::encode_word(value.before));
        }
    }
}

/// Takes back what [`write_rows`] wrote of a block that is the last one with rows. Code stays: it is found by its hash
/// alone.
pub(crate) fn erase_rows(batch: &mut Batch<'_>, block: &Pending) {
    let height = height_key(block.height);
    for (address, change) in &block.changes.accounts {
        set_account(batch, *address, change.before);
        batch.delete(Column::AccountHistory, [address.as_slice(), &height].concat());
        for (slot, value) in &change.storage {
            let key = slot_key(*address, *slot);
            set_slot(batch, key, value.before);
            batch.delete(Column::SlotHistory, [&key[..], &height].concat());
        }
    }
    batch.delete(Column::Heights, block.hash);
    block.transactions.keys().for_each(|hash| batch.delete(Column::Transactions, hash));
    block.log_keys.iter().for_each(|key| batch.delete(Column::LogIndex, log_index_key(*key, block.height)));
    batch.delete(Column::TrieUndo, height);
    batch.put(Column::Meta, APPLIED, height_key(Height(block.height.0 - 1)));
}

/// Nobody can ask for the state before block 0.
fn has_history(height: Height) -> bool {
    height > Height::ZERO
}

fn transaction_row(height: Height, index: u32) -> [u8; 12] {
    let mut row = [0; 12];
    row[..8].copy_from_slice(&height_key(height));
    row[8..].copy_from_slice(&index.to_be_bytes());
    row
}

/// The key of one block in the log index. One row for each block and value: a bitmap per section of
/// blocks would have to be read before it is written.
pub(crate) fn log_index_key(key: LogKey, height: Height) -> Vec<u8> {
    let (kind, value) = match &key {
        LogKey::Address(address) => (0, address.as_slice()),
        LogKey::Topic(topic) => (1, topic.as_slice()),
    };
    [&[kind], value, &height_key(height)].concat()
}
