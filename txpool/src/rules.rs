//! What a transaction must satisfy whoever sent it: the chain's rules that need no state.

use alloy_consensus::Transaction as Fields;
use alloy_eips::{
    eip7623::{STANDARD_TOKEN_COST, tokens_in_calldata, transaction_floor_cost},
    eip7702::constants::{EIP7702_TX_TYPE_ID, PER_EMPTY_ACCOUNT_COST},
};
use quorate_types::{BaseFee, ChainConfig, Fork};

use crate::{NextBlock, PoolError};

/// EIP-2: what every transaction pays.
const TRANSACTION_GAS: u64 = 21_000;
/// EIP-2: what a creation pays on top.
const CREATE_GAS: u64 = 32_000;
/// EIP-3860: for each 32 bytes of initcode.
const INITCODE_WORD_GAS: u64 = 2;
/// EIP-3860: twice the 24 KiB of EIP-170.
const MAX_INITCODE_BYTES: usize = 2 * 24_576;
/// EIP-2930, for each address.
const ACCESS_LIST_ADDRESS_GAS: u64 = 2_400;
/// EIP-2930, for each storage key.
const ACCESS_LIST_KEY_GAS: u64 = 1_900;

/// The rules of the next block.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rules {
    pub fork: Fork,
    pub base_fee: u64,
    /// Whether a fee cap below the base fee can never be met.
    base_fee_is_constant: bool,
    block_gas_limit: u64,
    transaction_gas_cap: u64,
}

impl Rules {
    pub fn at(chain: &ChainConfig, next: NextBlock) -> Self {
        Self {
            fork: chain.fork_at(next.height),
            base_fee: next.base_fee,
            base_fee_is_constant: matches!(chain.base_fee, BaseFee::Constant { .. }),
            block_gas_limit: chain.gas_limit,
            transaction_gas_cap: chain.transaction_gas_cap,
        }
    }

    /// Size is checked by the caller first: it bounds the work done here.
    pub fn check(&self, tx: &impl Fields) -> Result<(), PoolError> {
        self.check_kind(tx)?;
        self.check_fees(tx)?;
        // EIP-2681: an account whose nonce would become 2^64 - 1 could never send again.
        if tx.nonce() == u64::MAX {
            return Err(PoolError::NonceMax);
        }
        self.check_gas(tx)
    }

    fn check_kind(&self, tx: &impl Fields) -> Result<(), PoolError> {
        if tx.ty() == EIP7702_TX_TYPE_ID {
            if self.fork < Fork::Prague {
                return Err(PoolError::TypeNotActive { kind: tx.ty(), fork: "Prague" });
            }
            if tx.authorization_count().unwrap_or_default() == 0 {
                return Err(PoolError::NoAuthorizations);
            }
        }
        let size = tx.input().len();
        if tx.is_create() && size > MAX_INITCODE_BYTES {
            return Err(PoolError::InitcodeTooLarge { size, limit: MAX_INITCODE_BYTES });
        }
        Ok(())
    }

    fn check_fees(&self, tx: &impl Fields) -> Result<(), PoolError> {
        let (tip, cap) = (tx.priority_fee_or_price(), tx.max_fee_per_gas());
        if tip > cap {
            return Err(PoolError::TipAboveFeeCap { tip, cap });
        }
        if self.base_fee_is_constant && cap < u128::from(self.base_fee) {
            return Err(PoolError::FeeCapTooLow { cap, base_fee: self.base_fee });
        }
        Ok(())
    }

    fn check_gas(&self, tx: &impl Fields) -> Result<(), PoolError> {
        let gas = tx.gas_limit();
        if gas > self.transaction_gas_cap {
            return Err(PoolError::GasAboveCap { cap: self.transaction_gas_cap, gas });
        }
        if gas > self.block_gas_limit {
            return Err(PoolError::GasAboveBlock);
        }
        let tokens = tokens_in_calldata(tx.input());
        let needed = intrinsic_gas(tx, tokens);
        if gas < needed {
            return Err(PoolError::IntrinsicGas { gas, needed });
        }
        let floor = transaction_floor_cost(tokens);
        if self.fork >= Fork::Prague && gas < floor {
            return Err(PoolError::FloorGas { gas, needed: floor });
        }
        Ok(())
    }
}

/// What a transaction pays before its first instruction, by the rules from Shanghai to Osaka.
fn intrinsic_gas(tx: &impl Fields, tokens: u64) -> u64 {
    let mut gas = TRANSACTION_GAS + STANDARD_TOKEN_COST * tokens;
    if tx.is_create() {
        gas += CREATE_GAS + INITCODE_WORD_GAS * tx.input().len().div_ceil(32) as u64;
    }
    if let Some(list) = tx.access_list() {
        gas += ACCESS_LIST_ADDRESS_GAS * list.len() as u64;
        gas += ACCESS_LIST_KEY_GAS * list.storage_keys_count() as u64;
    }
    gas + PER_EMPTY_ACCOUNT_COST * tx.authorization_count().unwrap_or_default()
}
