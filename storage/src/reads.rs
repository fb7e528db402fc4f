//! Reads for RPC and for peers that sync: blocks, transactions, certificates, accounts.

use std::sync::Arc;

use quick_cache::{Weighter, sync::Cache};
use quorate_types::{
    AccountState, Address, B256, Block, Bytes, CommitCertificate, Header, Height, ReceiptEnvelope,
    StateChanges, U256, ValidatorSet,
};

use crate::{
    StorageError, Store, codec,
    columns::{Column, fixed, height_key},
};

/// A guess at the bytes of a block with few transactions, for the cache's first allocation.
const TYPICAL_BLOCK_BYTES: u64 = 16 << 10;
/// What a decoded receipt costs beside its logs: the bloom filter and the fields.
const RECEIPT_BYTES: u64 = 384;
/// What a decoded log costs beside its data.
const LOG_BYTES: u64 = 256;

/// A committed block with what its execution gave, shared between all who read it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredBlock {
    /// The block.
    pub block: Arc<Block>,
    /// Its hash.
    pub hash: B256,
    /// The transactions' senders in order.
    pub senders: Vec<Address>,
    /// The receipts in order.
    pub receipts: Vec<ReceiptEnvelope>,
    /// When it was built, milliseconds since the Unix epoch by the builder's clock.
    pub clock_ms: u64,
}

/// How the transactions of a block ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Outcomes {
    /// All of them.
    pub transactions: u64,
    /// Those that reverted or ran out of gas.
    pub failed: u64,
}

impl StoredBlock {
    /// About what it takes in memory.
    fn bytes(&self) -> u64 {
        let raw: usize = self.block.transactions().iter().map(|raw| raw.len() + size_of::<Bytes>()).sum();
        let logs = self.receipts.iter().flat_map(|receipt| receipt.logs());
        let logs: u64 = logs.map(|log| LOG_BYTES + log.data.data.len() as u64).sum();
        1024 + raw as u64 + self.receipts.len() as u64 * RECEIPT_BYTES + logs
    }
}

/// Weighs blocks by their bytes in memory, measured once.
#[derive(Clone)]
pub(crate) struct BlockBytes;

impl Weighter<Height, (u64, Arc<StoredBlock>)> for BlockBytes {
    fn weight(&self, _: &Height, (bytes, _): &(u64, Arc<StoredBlock>)) -> u64 {
        *bytes
    }
}

/// The blocks that were read last, with their weight.
pub(crate) type BlockCache = Cache<Height, (u64, Arc<StoredBlock>), BlockBytes>;

pub(crate) fn block_cache(bytes: u64) -> BlockCache {
    let items = usize::try_from(bytes / TYPICAL_BLOCK_BYTES).unwrap_or(usize::MAX);
    Cache::with_weighter(items, bytes, BlockBytes)
}

impl Store {
    /// The header of a block; `None` above the head.
    ///
    /// # Errors
    /// When the database fails or is damaged; so for all reads here.
    pub fn header(&self, height: Height) -> Result<Option<Header>, StorageError> {
        self.at_or_below_head(height, || Ok(self.ledger.header(height)?.header))
    }

    /// The hash of a block; `None` above the head.
    ///
    /// # Errors
    /// See [`Store::header`].
    pub fn hash_of(&self, height: Height) -> Result<Option<B256>, StorageError> {
        self.at_or_below_head(height, || self.ledger.hash(height))
    }

    /// A block with its senders and receipts; `None` above the head. The last ones read are kept
    /// decoded, within [`crate::StoreOptions::cached_blocks_bytes`].
    ///
    /// # Errors
    /// See [`Store::header`].
    pub fn block(&self, height: Height) -> Result<Option<Arc<StoredBlock>>, StorageError> {
        if let Some((_, block)) = self.blocks.get(&height) {
            return Ok(Some(block));
        }
        let block = self.at_or_below_head(height, || self.read_block(height).map(Arc::new))?;
        if let Some(block) = &block {
            self.blocks.insert(height, (block.bytes(), Arc::clone(block)));
        }
        Ok(block)
    }

    /// How many transactions a block has, and how many of them failed; `None` above the head. It reads the receipts alone.
    ///
    /// # Errors
    /// See [`Store::header`].
    pub fn outcomes(&self, height: Height) -> Result<Option<Outcomes>, StorageError> {
        self.at_or_below_head(height, || {
            let receipts = self.ledger.record(Column::Receipts, height, codec::decode_receipts)?;
            let failed = receipts.iter().filter(|receipt| !receipt.status()).count();
            Ok(Outcomes { transactions: receipts.len() as u64, failed: failed as u64 })
        })
    }

    /// What a block changed in the state, with the values before; `None` above the head.
    ///
    /// # Errors
    /// See [`Store::header`].
    pub fn block_changes(&self, height: Height) -> Result<Option<Arc<StateChanges>>, StorageError> {
        let published = self.ledger.published();
        if let Some(block) = published.pending.iter().find(|block| block.height == height) {
            return Ok(Some(Arc::clone(&block.changes)));
        }
        self.at_or_below_head(height, || {
            self.ledger.record(Column::Changes, height, codec::decode_changes).map(Arc::new)
        })
    }

    /// The certificate that decided a block; `None` above the head, and for block 0, which needs none.
    ///
    /// # Errors
    /// See [`Store::header`].
    pub fn certificate(&self, height: Height) -> Result<Option<CommitCertificate>, StorageError> {
        if height == Height::ZERO {
            return Ok(None);
        }
        self.at_or_below_head(height, || {
            self.ledger.record(Column::Certificates, height, codec::decode_certificate)
        })
    }

    /// The height of the block with this hash.
    ///
    /// # Errors
    /// See [`Store::header`].
    pub fn height_of(&self, hash: B256) -> Result<Option<Height>, StorageError> {
        let published = self.ledger.published();
        if let Some(block) = published.pending.iter().find(|block| block.hash == hash) {
            return Ok(Some(block.height));
        }
        let Some(row) = self.ledger.database.get(Column::Heights, hash)? else { return Ok(None) };
        let height = fixed(Column::Heights, hash.as_slice(), &row)?;
        Ok(Some(Height(u64::from_be_bytes(height))))
    }

    /// Where a transaction stands: its block and its place in it.
    ///
    /// # Errors
    /// See [`Store::header`].
    pub fn transaction(&self, hash: B256) -> Result<Option<(Height, u32)>, StorageError> {
        let published = self.ledger.published();
        let found = published.pending.iter().find_map(|it| Some((it.height, *it.transactions.get(&hash)?)));
        if found.is_some() {
            return Ok(found);
        }
        let Some(row) = self.ledger.database.get(Column::Transactions, hash)? else { return Ok(None) };
        let row = fixed::<12>(Column::Transactions, hash.as_slice(), &row)?;
        let (height, index) = row.split_at(8);
        let height = u64::from_be_bytes(fixed(Column::Transactions, hash.as_slice(), height)?);
        let index = u32::from_be_bytes(fixed(Column::Transactions, hash.as_slice(), index)?);
        Ok(Some((Height(height), index)))
    }

    /// An account at the head.
    ///
    /// # Errors
    /// See [`Store::header`].
    pub fn account(&self, address: Address) -> Result<Option<AccountState>, StorageError> {
        self.view(&[]).account(address)
    }

    /// A storage slot at the head.
    ///
    /// # Errors
    /// See [`Store::header`].
    pub fn slot(&self, address: Address, slot: U256) -> Result<U256, StorageError> {
        self.view(&[]).slot(address, slot)
    }

    /// Deployed code by its hash.
    ///
    /// # Errors
    /// [`StorageError::UnknownCode`], and see [`Store::header`].
    pub fn code(&self, hash: B256) -> Result<Bytes, StorageError> {
        self.view(&[]).code(hash)
    }

    /// Who votes on the next height, read from the state at the head.
    ///
    /// # Errors
    /// When the state holds no sound set, and see [`Store::header`].
    pub fn validators(&self) -> Result<ValidatorSet, StorageError> {
        self.view(&[]).validators()
    }

    fn read_block(&self, height: Height) -> Result<StoredBlock, StorageError> {
        let header = self.ledger.header(height)?;
        let body = self.ledger.record(Column::Bodies, height, codec::decode_body)?;
        let receipts = self.ledger.record(Column::Receipts, height, codec::decode_receipts)?;
        let count = body.transactions.len();
        if receipts.len() != count || body.senders.len() != count {
            let what = "not one sender and one receipt for each transaction";
            return Err(crate::columns::damaged(Column::Bodies, &height_key(height), what));
        }
        Ok(StoredBlock {
            block: Arc::new(Block::new(header.header, body.transactions)),
            hash: header.hash,
            senders: body.senders,
            receipts,
            clock_ms: header.clock_ms,
        })
    }

    /// A record may be on disk an instant before its block is the head: nobody reads it until then.
    fn at_or_below_head<T>(
        &self,
        height: Height,
        read: impl FnOnce() -> Result<T, StorageError>,
    ) -> Result<Option<T>, StorageError> {
        if height > self.ledger.published().head.height {
            return Ok(None);
        }
        read().map(Some)
    }
}
