//! Which block a parameter names. `latest`, `safe` and `finalized` are the same block: a decided block is final.

use std::{
    sync::Arc,
    time::{SystemTime, UNIX_EPOCH},
};

use alloy_eips::{BlockId, BlockNumberOrTag};
use alloy_rpc_types_eth::SyncInfo;
use quorate_storage::{StateView, StoredBlock};
use quorate_types::{Address, B256, Header, Height, U256};

use crate::{
    Backend, SyncRange,
    convert::{self, TransactionView},
    error::RpcError,
};

impl Backend {
    /// The base fee of the block after the head.
    pub(crate) fn next_base_fee(&self) -> u64 {
        self.chain.base_fee.next(&self.store.head().header)
    }

    /// What the header of the next block would be now, as far as that is known before it is proposed.
    pub(crate) fn pending_header(&self) -> Header {
        self.header_after(&self.store.head().header)
    }

    fn header_after(&self, head: &Header) -> Header {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        self.executor.unsealed(head, now, Address::ZERO)
    }

    /// A transaction that waits in the pool, as clients read it.
    pub(crate) fn pending_transaction(&self, hash: B256) -> Option<TransactionView> {
        let transaction = self.pool.lock().get(hash).cloned()?;
        Some(convert::pending(&transaction))
    }

    /// What a sync is about.
    pub(crate) fn sync_info(&self, range: SyncRange) -> SyncInfo {
        SyncInfo {
            starting_block: U256::from(range.starting.0),
            current_block: U256::from(self.store.head().height.0),
            highest_block: U256::from(range.highest.0),
            ..SyncInfo::default()
        }
    }

    /// The height that a number or tag names. `pending` reads the state of the head, on which it is built.
    pub(crate) fn height_of(&self, tag: BlockNumberOrTag) -> Height {
        match tag {
            BlockNumberOrTag::Number(number) => Height(number),
            BlockNumberOrTag::Earliest => Height::ZERO,
            BlockNumberOrTag::Latest
            | BlockNumberOrTag::Safe
            | BlockNumberOrTag::Finalized
            | BlockNumberOrTag::Pending => self.store.head().height,
        }
    }

    /// The height that an EIP-1898 parameter names; the head without one.
    pub(crate) fn resolve(&self, block: Option<BlockId>) -> Result<Height, RpcError> {
        match block.unwrap_or_default() {
            BlockId::Hash(hash) => self.store.height_of(hash.block_hash)?.ok_or(RpcError::UnknownHash),
            BlockId::Number(tag) => {
                let (height, head) = (self.height_of(tag), self.store.head().height);
                if height > head { Err(RpcError::AboveHead { height, head }) } else { Ok(height) }
            }
        }
    }

    /// The state that a parameter names.
    pub(crate) fn state(&self, block: Option<BlockId>) -> Result<StateView, RpcError> {
        Ok(self.store.view_at(self.resolve(block)?)?)
    }

    /// A state with the header of the block that calls on it run in: its own, and for `pending` the next one's.
    pub(crate) fn state_and_header(&self, block: Option<BlockId>) -> Result<(StateView, Header), RpcError> {
        if block.is_some_and(|block| block.is_pending()) {
            let head = self.store.head();
            return Ok((self.store.view_at(head.height)?, self.header_after(&head.header)));
        }
        let height = self.resolve(block)?;
        let header = self.store.header(height)?.ok_or(RpcError::UnknownBlock)?;
        Ok((self.store.view_at(height)?, header))
    }

    /// A decided block; `None` for one that does not exist yet, as clients expect.
    pub(crate) fn block(&self, tag: BlockNumberOrTag) -> Result<Option<Arc<StoredBlock>>, RpcError> {
        Ok(match tag {
            BlockNumberOrTag::Pending => None,
            other => self.store.block(self.height_of(other))?,
        })
    }
}
