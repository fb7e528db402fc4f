//! What can be wrong: with a transaction, with a block, with a call, or with this node.

use std::{cmp::Ordering, error::Error, sync::Arc, time::Duration};

use quorate_types::{Address, B256, Bytes, RejectReason, Roots, StateChanges, U256};
use revm::{context::TxEnv, context_interface::result::InvalidTransaction};

use crate::{OverrideError, revert::revert_message};

/// Why a transaction cannot run now. Worded like geth, which clients match on.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unfit {
    /// The block has less gas left than the transaction asks for.
    #[error("gas limit reached: the transaction asks for {need} gas, {left} of the block's are left")]
    NoGasLeft {
        /// The transaction's gas limit.
        need: u64,
        /// What the transactions before it left.
        left: u64,
    },
    /// The block would become longer than it may be (EIP-7934).
    #[error("block size limit reached: {size} bytes with the transaction, {limit} allowed")]
    NoBytesLeft {
        /// The block's RLP length with the transaction.
        size: usize,
        /// The longest allowed.
        limit: usize,
    },
    /// Its nonce was used before.
    #[error("nonce too low: address {address}, tx: {tx} state: {state}")]
    NonceTooLow {
        /// The sender.
        address: Address,
        /// The transaction's nonce.
        tx: u64,
        /// The sender's next nonce.
        state: u64,
    },
    /// One before it is missing.
    #[error("nonce too high: address {address}, tx: {tx} state: {state}")]
    NonceTooHigh {
        /// The sender.
        address: Address,
        /// The transaction's nonce.
        tx: u64,
        /// The sender's next nonce.
        state: u64,
    },
    /// The sender cannot pay value and gas at the highest price.
    #[error("insufficient funds for gas * price + value: address {address} have {have} want {want}")]
    Funds {
        /// The sender.
        address: Address,
        /// Its balance in wei.
        have: Box<U256>,
        /// What the transaction may cost in wei.
        want: Box<U256>,
    },
    /// Offers less than the block's base fee.
    #[error(
        "max fee per gas less than block base fee: address {address}, maxFeePerGas: {max_fee}, baseFee: {base_fee}"
    )]
    BelowBaseFee {
        /// The sender.
        address: Address,
        /// What it offers, wei per gas.
        max_fee: u128,
        /// What the block asks, wei per gas.
        base_fee: u64,
    },
    /// Asks for less gas than a transaction costs before it runs.
    #[error("{0}")]
    IntrinsicGas(String),
    /// Offers the proposer more than it offers in all.
    #[error("{0}")]
    TipAboveFee(String),
    /// Creates a contract with longer init code than EIP-3860 allows.
    #[error("max initcode size exceeded: code size {0}")]
    InitCodeSize(usize),
    /// Breaks a rule that no later block of this fork lifts.
    #[error("{0}")]
    Never(String),
}

impl Unfit {
    /// Whether no later block can take it either, so that a pool may drop it.
    #[must_use]
    pub const fn is_final(&self) -> bool {
        matches!(
            self,
            Self::NonceTooLow { .. }
                | Self::IntrinsicGas(_)
                | Self::TipAboveFee(_)
                | Self::InitCodeSize(_)
                | Self::Never(_)
        )
    }

    /// revm's verdict on `tx` in geth's words.
    /// Whether `tx` is the nonce that follows for an account whose next one is `state`.
    pub(crate) fn check_nonce(address: Address, tx: u64, state: u64) -> Result<(), Self> {
        match tx.cmp(&state) {
            Ordering::Less => Err(Self::NonceTooLow { address, tx, state }),
            Ordering::Greater => Err(Self::NonceTooHigh { address, tx, state }),
            Ordering::Equal if tx == u64::MAX => Err(Self::Never(nonce_overflow(address, tx))),
            Ordering::Equal => Ok(()),
        }
    }

    pub(crate) fn explain(error: InvalidTransaction, tx: &TxEnv, base_fee: u64) -> Self {
        let address = tx.caller;
        match error {
            InvalidTransaction::NonceTooLow { tx, state } => Self::NonceTooLow { address, tx, state },
            InvalidTransaction::NonceTooHigh { tx, state } => Self::NonceTooHigh { address, tx, state },
            InvalidTransaction::LackOfFundForMaxFee { fee, balance } => {
                Self::Funds { address, have: balance, want: fee }
            }
            InvalidTransaction::GasPriceLessThanBasefee => {
                Self::BelowBaseFee { address, max_fee: tx.gas_price, base_fee }
            }
            InvalidTransaction::CallGasCostMoreThanGasLimit { initial_gas, gas_limit } => {
                Self::IntrinsicGas(format!("intrinsic gas too low: have {gas_limit}, want {initial_gas}"))
            }
            InvalidTransaction::GasFloorMoreThanGasLimit { gas_floor, gas_limit } => Self::IntrinsicGas(
                format!("insufficient gas for floor data gas cost: have {gas_limit}, want {gas_floor}"),
            ),
            InvalidTransaction::PriorityFeeGreaterThanMaxFee => Self::TipAboveFee(format!(
                "max priority fee per gas higher than max fee per gas: address {address}, maxPriorityFeePerGas: {}, maxFeePerGas: {}",
                tx.gas_priority_fee.unwrap_or(0),
                tx.gas_price
            )),
            InvalidTransaction::CreateInitCodeSizeLimit => Self::InitCodeSize(tx.data.len()),
            other => Self::Never(explain_final(&other, tx)),
        }
    }
}

fn nonce_overflow(sender: Address, nonce: u64) -> String {
    format!("nonce has max value: address {sender}, nonce: {nonce}")
}

fn explain_final(error: &InvalidTransaction, tx: &TxEnv) -> String {
    let sender = tx.caller;
    match error {
        InvalidTransaction::TxGasLimitGreaterThanCap { gas_limit, cap } => {
            format!("transaction gas limit too high (cap: {cap}, tx: {gas_limit})")
        }
        InvalidTransaction::CallerGasLimitMoreThanBlock => {
            format!("exceeds block gas limit: the transaction asks for {} gas", tx.gas_limit)
        }
        InvalidTransaction::RejectCallerWithCode => format!("sender not an eoa: address {sender}"),
        InvalidTransaction::EmptyAuthorizationList => {
            format!("EIP-7702 transaction with empty auth list (sender {sender})")
        }
        InvalidTransaction::Eip7702NotSupported => "transaction type not supported: type 4".to_owned(),
        InvalidTransaction::NonceOverflowInTransaction => nonce_overflow(sender, tx.nonce),
        InvalidTransaction::OverflowPaymentInTransaction => {
            "gas limit times price, plus value, is more than any balance".to_owned()
        }
        other => other.to_string(),
    }
}

/// This node failed, not the block: it must neither vote nor refuse.
#[derive(Debug, thiserror::Error)]
#[error("cannot execute: {what}: {source}")]
pub struct Fault {
    what: &'static str,
    source: Box<dyn Error + Send + Sync>,
}

impl Fault {
    pub(crate) fn new(what: &'static str, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self { what, source: source.into() }
    }

    pub(crate) fn state(source: impl Error + Send + Sync + 'static) -> Self {
        Self::new("the state cannot be read", source)
    }
}

/// Executing a block gave other roots here than its header says: the proposer or this node is wrong,
/// and if members of weight F + 1 say so, an operator must look.
#[derive(Debug, thiserror::Error)]
#[error(
    "execution diverges: state root {}, receipts root {} here; {} and {} in the header",
    own.state, own.receipts, theirs.state, theirs.receipts
)]
pub struct Divergence {
    /// What this node computed.
    pub own: Roots,
    /// What the header says.
    pub theirs: Roots,
    /// What the block changes by this node's execution, to find the first account that differs.
    pub changes: Arc<StateChanges>,
}

/// Why a block is not accepted.
#[derive(Debug, thiserror::Error)]
pub enum BlockError {
    /// A header field is not what the rules make it.
    #[error("header field {field} is {have}, must be {want}")]
    Header {
        /// The field by its JSON-RPC name.
        field: &'static str,
        /// What the header says.
        have: String,
        /// What the rules say.
        want: String,
    },
    /// The block's RLP is longer than EIP-7934 allows.
    #[error("the block has {size} bytes, {limit} allowed")]
    Size {
        /// Its RLP length.
        size: usize,
        /// [`crate::MAX_BLOCK_RLP_BYTES`].
        limit: usize,
    },
    /// A transaction may not stand where it stands.
    #[error("transaction {index} ({hash}): {reason}")]
    Transaction {
        /// Its place in the block.
        index: usize,
        /// Its hash.
        hash: B256,
        /// Why.
        reason: Unfit,
    },
    /// Executing it gave other roots here.
    #[error(transparent)]
    Divergence(Box<Divergence>),
    /// This node's own failure.
    #[error(transparent)]
    Fault(#[from] Fault),
}

impl BlockError {
    /// What to tell the others; `None` when this node is at fault and has nothing to say.
    #[must_use]
    pub const fn reject_reason(&self) -> Option<RejectReason> {
        match self {
            Self::Header { .. } => Some(RejectReason::Header),
            Self::Size { .. } | Self::Transaction { .. } => Some(RejectReason::Transaction),
            Self::Divergence(_) => Some(RejectReason::Divergence),
            Self::Fault(_) => None,
        }
    }

    /// This node's own roots, when they are what differs.
    #[must_use]
    pub fn roots(&self) -> Option<Roots> {
        match self {
            Self::Divergence(divergence) => Some(divergence.own),
            _ => None,
        }
    }
}

/// Why a call or an estimate has no answer. Worded like geth.
#[derive(Debug, thiserror::Error)]
pub enum CallError {
    /// Its overrides contradict themselves.
    #[error(transparent)]
    Override(#[from] OverrideError),
    /// It cannot even start.
    #[error("{0}")]
    Unfit(#[from] Unfit),
    /// It ran longer than [`crate::CallLimits::time`].
    #[error("execution aborted (timeout = {0:?})")]
    Timeout(Duration),
    /// An estimate's call reverts however much gas it gets.
    #[error("{}", revert_message(.0))]
    Reverted(Bytes),
    /// An estimate's call halts for another reason than gas.
    #[error("{0}")]
    Halted(String),
    /// An estimate's call runs out of gas at the most it may have.
    #[error("gas required exceeds allowance ({0})")]
    GasAboveAllowance(u64),
    /// The value alone is more than the sender has.
    #[error("insufficient funds for transfer")]
    FundsForTransfer,
    /// This node's own failure.
    #[error(transparent)]
    Fault(#[from] Fault),
}
