//! The bounds of a pool, and the block that it chooses for.

use quorate_types::Height;

/// Transactions that a sender keeps in a full pool against newcomers that pay no more (geth's
/// account slots): enough for an interactive account, little beside 50,000.
pub const FAIR_SHARE: usize = 16;

/// Some ten blocks of transfers at the default gas limit of 300 M, hence seconds of work.
const MAX_TRANSACTIONS: usize = 50_000;
/// Of raw bytes; decoded forms about double it. 5 KiB for each of 50,000.
const MAX_BYTES: usize = 256 << 20;
/// What a gateway sends in a second or two from one account.
const MAX_PER_SENDER: usize = 1_024;
/// Beside [`MAX_PER_SENDER`]: what lies further ahead could not be held anyway.
const MAX_NONCE_GAP: u64 = 1_024;
/// geth's: less would make sending a replacement around again cheap.
const PRICE_BUMP_PERCENT: u8 = 10;
/// geth's: four slots of 32 KiB, above any contract's code (EIP-3860 allows 48 KiB).
const MAX_TRANSACTION_BYTES: usize = 128 << 10;
/// geth's: three hours.
const QUEUED_LIFETIME_MS: u64 = 3 * 3_600 * 1_000;

/// What one node is willing to hold. It never decides what may stand in a block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PoolConfig {
    /// Transactions in all.
    pub max_transactions: usize,
    /// Raw bytes of all transactions.
    pub max_bytes: usize,
    /// Transactions of one sender.
    pub max_per_sender: usize,
    /// How far a nonce may be ahead of its account's.
    pub max_nonce_gap: u64,
    /// How much more a replacement must offer on both fee fields, per cent; 1 wei at least.
    pub price_bump_percent: u8,
    /// Raw bytes of one transaction.
    pub max_transaction_bytes: usize,
    /// How long a transaction may wait without being ready, milliseconds.
    pub queued_lifetime_ms: u64,
}

impl Default for PoolConfig {
    fn default() -> Self {
        Self {
            max_transactions: MAX_TRANSACTIONS,
            max_bytes: MAX_BYTES,
            max_per_sender: MAX_PER_SENDER,
            max_nonce_gap: MAX_NONCE_GAP,
            price_bump_percent: PRICE_BUMP_PERCENT,
            max_transaction_bytes: MAX_TRANSACTION_BYTES,
            queued_lifetime_ms: QUEUED_LIFETIME_MS,
        }
    }
}

impl PoolConfig {
    /// The least fee that replaces `fee`; both are wei per gas.
    pub(crate) fn bumped(&self, fee: u128) -> u128 {
        let percent = u128::from(self.price_bump_percent);
        // fee * percent / 100 rounded down, without the overflow of the product.
        let bump = (fee / 100).saturating_mul(percent).saturating_add(fee % 100 * percent / 100);
        fee.saturating_add(bump.max(1))
    }
}

/// The block that would follow the head: what "executable" refers to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NextBlock {
    /// Its height, which names the fork.
    pub height: Height,
    /// Its base fee, wei per gas.
    pub base_fee: u64,
}
