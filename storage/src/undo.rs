//! What turns the trie of the head back into that of an older height: the accounts before each block.

use alloy_rlp::{Decodable, RlpDecodable, RlpEncodable};
use alloy_trie::TrieAccount;
use quorate_types::{B256, Bytes, Height, StateChanges, keccak256};

use crate::{
    StorageError, codec,
    columns::{Batch, Column, Database, damaged, height_key},
    slots::{Deadline, SlotsAt},
    snapshot::Snapshot,
    trie::{TrieChanges, trie_account, trie_of},
};

/// How many blocks below the head the state can still be proven, in blocks: that many undo rows are
/// kept, each of some 100 bytes for every account that its block changed.
pub const PROOF_WINDOW: u64 = 1024;

#[derive(RlpEncodable, RlpDecodable)]
struct UndoRow {
    key: B256,
    /// As the trie has it; empty when there was no account.
    account: Bytes,
}

/// Writes what undoes a block, and drops what nobody needs from then on.
pub(crate) fn put_undo(batch: &mut Batch<'_>, height: Height, undo: &TrieChanges) {
    let row = |(key, account): (&B256, &Option<TrieAccount>)| UndoRow {
        key: *key,
        account: account.map(alloy_rlp::encode).unwrap_or_default().into(),
    };
    let rows: Vec<_> = undo.iter().map(row).collect();
    batch.put(Column::TrieUndo, height_key(height), alloy_rlp::encode(rows));
    if let Some(dropped) = height.0.checked_sub(PROOF_WINDOW) {
        batch.delete(Column::TrieUndo, height_key(Height(dropped)));
    }
}

/// What undoes a block; `None` when the row is dropped already, or was never written because an older
/// version of the node applied the block.
pub(crate) fn undo_of(rows: &Snapshot<'_>, height: Height) -> Result<Option<TrieChanges>, StorageError> {
    let key = height_key(height);
    let Some(row) = rows.get(Column::TrieUndo, key)? else { return Ok(None) };
    decode(&row).map(Some).map_err(|why| damaged(Column::TrieUndo, &key, why))
}

fn decode(row: &[u8]) -> Result<TrieChanges, codec::Malformed> {
    let account = |UndoRow { key, account }: UndoRow| {
        let mut bytes = &account[..];
        let account = if bytes.is_empty() { None } else { Some(TrieAccount::decode(&mut bytes)?) };
        if bytes.is_empty() { Ok((key, account)) } else { Err(codec::Malformed::UnexpectedLength) }
    };
    alloy_rlp::decode_exact::<Vec<UndoRow>>(row)?.into_iter().map(account).collect()
}

/// What undoes a block whose rows a stop left out: its record has no storage roots, so these are hashed
/// from the rows below it.
pub(crate) fn undo_from_rows(
    database: &Database,
    height: Height,
    changes: &StateChanges,
) -> Result<TrieChanges, StorageError> {
    let Some(below) = height.0.checked_sub(1) else { return Ok(TrieChanges::new()) };
    // The rows of this block and of later ones may be there all the same.
    let slots =
        SlotsAt { rows: database.snapshot(), pending: Vec::new(), height: Height(below), overtaken: true };
    let mut undo = TrieChanges::new();
    for (address, change) in &changes.accounts {
        let account = match change.before {
            Some(account) => {
                let slots = slots.of(*address, usize::MAX, Deadline::NONE)?;
                Some(trie_account(account, trie_of(slots, Deadline::NONE)?.root()))
            }
            None => None,
        };
        undo.insert(keccak256(address), account);
    }
    Ok(undo)
}
