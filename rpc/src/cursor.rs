//! Where a reader of logs goes on after a disconnect, over JSON-RPC and gRPC alike.

use quorate_storage::FoundLog;
use quorate_types::{Bytes, Height};

use crate::error::RpcError;

/// A place between two logs: a block, and how many of its logs are behind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Cursor {
    height: Height,
    logs: u32,
}

impl Cursor {
    /// Before a block.
    pub(crate) const fn at(height: Height) -> Self {
        Self { height, logs: 0 }
    }

    /// Behind a log.
    pub(crate) const fn behind(log: &FoundLog) -> Self {
        Self { height: log.height, logs: log.log_index.saturating_add(1) }
    }

    /// Whether a log comes after it.
    pub(crate) fn precedes(self, log: &FoundLog) -> bool {
        (log.height, log.log_index) >= (self.height, self.logs)
    }

    /// Twelve bytes: the height and the count, big-endian, so that cursors sort as what they stand for.
    pub(crate) fn encode(self) -> Bytes {
        [&self.height.0.to_be_bytes()[..], &self.logs.to_be_bytes()[..]].concat().into()
    }

    /// What a client brings back.
    ///
    /// # Errors
    /// When it is nothing that [`Cursor::encode`] gives.
    pub(crate) fn read(bytes: &[u8]) -> Result<Self, RpcError> {
        Self::decode(bytes)
            .ok_or_else(|| RpcError::InvalidParams("the cursor is none of this method's".to_owned()))
    }

    /// The block that it is in, or before.
    pub(crate) const fn height(self) -> Height {
        self.height
    }

    fn decode(bytes: &[u8]) -> Option<Self> {
        let (height, logs) = bytes.split_first_chunk::<8>()?;
        let logs = <[u8; 4]>::try_from(logs).ok()?;
        Some(Self { height: Height(u64::from_be_bytes(*height)), logs: u32::from_be_bytes(logs) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_reads_back_and_sorts_as_its_place() {
        let cursors = [(1, 5), (1, 256), (2, 0), (256, 1)]
            .map(|(height, logs)| Cursor { height: Height(height), logs });
        for cursor in cursors {
            assert_eq!(Cursor::decode(&cursor.encode()), Some(cursor));
        }
        assert!(cursors.map(Cursor::encode).is_sorted());
        assert_eq!(Cursor::decode(&[0; 11]), None);
        assert_eq!(Cursor::decode(&[0; 13]), None);
    }
}
