//! Why a transaction does not enter the pool, in geth's words where geth has words: clients match on them.

use quorate_types::U256;

/// Why the pool refuses a transaction.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PoolError {
    /// This very transaction is in the pool.
    #[error("already known")]
    AlreadyKnown,
    /// More bytes than this node takes.
    #[error("oversized data: transaction size {size}, limit {limit}")]
    Oversized {
        /// Its raw bytes.
        size: usize,
        /// The pool's bound.
        limit: usize,
    },
    /// Its type belongs to a later fork.
    #[error("transaction type not supported: type {kind} rejected, chain not yet in {fork}")]
    TypeNotActive {
        /// The EIP-2718 type.
        kind: u8,
        /// The fork that brings it.
        fork: &'static str,
    },
    /// EIP-3860.
    #[error("max initcode size exceeded: code size {size} limit {limit}")]
    InitcodeTooLarge {
        /// Bytes of initcode.
        size: usize,
        /// The chain's bound.
        limit: usize,
    },
    /// EIP-7825, with the chain's cap.
    #[error("transaction gas limit too high (cap: {cap}, tx: {gas})")]
    GasAboveCap {
        /// The chain's cap.
        cap: u64,
        /// The transaction's gas limit.
        gas: u64,
    },
    /// No block could hold it.
    #[error("exceeds block gas limit")]
    GasAboveBlock,
    /// It offers a tip that its own fee cap forbids.
    #[error(
        "max priority fee per gas higher than max fee per gas: maxPriorityFeePerGas: {tip}, maxFeePerGas: {cap}"
    )]
    TipAboveFeeCap {
        /// Wei per gas.
        tip: u128,
        /// Wei per gas.
        cap: u128,
    },
    /// The base fee of this chain never falls to what it offers.
    #[error("max fee per gas less than block base fee: maxFeePerGas: {cap}, baseFee: {base_fee}")]
    FeeCapTooLow {
        /// Wei per gas.
        cap: u128,
        /// Wei per gas.
        base_fee: u64,
    },
    /// EIP-2681.
    #[error("nonce has max value")]
    NonceMax,
    /// It cannot even start.
    #[error("intrinsic gas too low: gas {gas}, minimum needed {needed}")]
    IntrinsicGas {
        /// The transaction's gas limit.
        gas: u64,
        /// What it needs before its first instruction.
        needed: u64,
    },
    /// EIP-7623.
    #[error("insufficient gas for floor data gas cost: gas {gas}, minimum needed {needed}")]
    FloorGas {
        /// The transaction's gas limit.
        gas: u64,
        /// The floor that its data sets.
        needed: u64,
    },
    /// EIP-7702.
    #[error("set code tx must have at least one authorization tuple")]
    NoAuthorizations,
    /// Its nonce was used.
    #[error("nonce too low: next nonce {next}, tx nonce {nonce}")]
    NonceTooLow {
        /// The account's.
        next: u64,
        /// The transaction's.
        nonce: u64,
    },
    /// Too far ahead of its account to be worth holding.
    #[error(
        "nonce too high: tx nonce {nonce}, next nonce {next}, at most {gap} ahead; send the nonces between first"
    )]
    NonceTooHigh {
        /// The account's.
        next: u64,
        /// The transaction's.
        nonce: u64,
        /// The pool's bound.
        gap: u64,
    },
    /// The balance does not cover this transaction alone.
    #[error(
        "insufficient funds for gas * price + value: balance {balance}, tx cost {cost}, overshot {}",
        .cost.saturating_sub(*.balance)
    )]
    InsufficientFunds {
        /// Wei.
        balance: U256,
        /// Wei, at the highest price.
        cost: U256,
    },
    /// The balance does not cover it beside those of the sender that wait.
    #[error(
        "insufficient funds for gas * price + value: balance {balance}, queued cost {queued}, tx cost {cost}, overshot {}",
        .queued.saturating_add(*.cost).saturating_sub(*.balance)
    )]
    Overdraft {
        /// Wei.
        balance: U256,
        /// Wei, of the sender's other transactions.
        queued: U256,
        /// Wei, at the highest price.
        cost: U256,
    },
    /// Its cost is no 256-bit number, so no balance covers it.
    #[error("insufficient funds for gas * price + value: required balance exceeds 256 bits")]
    CostOverflow,
    /// Another transaction has this nonce, and the price is not enough to displace it.
    #[error("replacement transaction underpriced")]
    ReplacementUnderpriced,
    /// The sender has as many waiting as one may.
    #[error("account limit exceeded: pooled {pooled} txs; send on when some are in a block")]
    SenderLimit {
        /// How many wait.
        pooled: usize,
    },
    /// The bounds are reached, and nothing in the pool should go in its stead.
    #[error(
        "txpool is full: {transactions} transactions, {bytes} bytes; try again soon, or offer a higher tip"
    )]
    Full {
        /// In the pool.
        transactions: usize,
        /// In the pool.
        bytes: usize,
    },
}
