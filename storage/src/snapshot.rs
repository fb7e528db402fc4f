//! Rows as they stood at one instant.

use rocksdb::{DBPinnableSlice, DBRawIterator, Direction, IteratorMode, ReadOptions};

use crate::{
    StorageError,
    columns::{Column, Database},
};

/// A key and its value.
pub(crate) type Row = (Box<[u8]>, Box<[u8]>);
/// A row where the database has it.
pub(crate) type RowRef<'a> = (&'a [u8], &'a [u8]);

/// All columns as of one instant, whatever is written since. It keeps RocksDB from dropping what was
/// overwritten, so it is made for one answer and not kept.
pub(crate) struct Snapshot<'a> {
    database: &'a Database,
    rows: rocksdb::Snapshot<'a>,
}

impl<'a> Snapshot<'a> {
    pub(crate) const fn new(database: &'a Database, rows: rocksdb::Snapshot<'a>) -> Self {
        Self { database, rows }
    }

    pub(crate) fn get(
        &self,
        column: Column,
        key: impl AsRef<[u8]>,
    ) -> Result<Option<DBPinnableSlice<'_>>, StorageError> {
        let row = self.rows.get_pinned_cf(self.database.handle(column), key);
        row.map_err(|error| self.database.error("reading", error))
    }

    /// The rows with `from <= key < end`, in order.
    pub(crate) fn range(
        &self,
        column: Column,
        from: &[u8],
        end: Vec<u8>,
    ) -> impl Iterator<Item = Result<Row, StorageError>> {
        let mode = IteratorMode::From(from, Direction::Forward);
        let handle = self.database.handle(column);
        self.database.rows(self.rows.iterator_cf_opt(handle, upper_bound(end), mode))
    }

    /// For leaps over the rows of a column below `end`.
    pub(crate) fn cursor(&self, column: Column, end: Vec<u8>) -> Cursor<'_> {
        let rows = self.rows.raw_iterator_cf_opt(self.database.handle(column), upper_bound(end));
        Cursor { database: self.database, rows }
    }
}

/// A place among the rows of a column.
pub(crate) struct Cursor<'a> {
    database: &'a Database,
    rows: DBRawIterator<'a>,
}

impl Cursor<'_> {
    /// Goes to the first row at or after `from`.
    pub(crate) fn seek(&mut self, from: &[u8]) -> Result<Option<RowRef<'_>>, StorageError> {
        self.rows.seek(from);
        self.rows.status().map_err(|error| self.database.error("reading", error))?;
        Ok(self.rows.item())
    }
}

/// For reading the rows below `end`.
pub(crate) fn upper_bound(end: Vec<u8>) -> ReadOptions {
    let mut options = ReadOptions::default();
    options.set_iterate_upper_bound(end);
    options
}
