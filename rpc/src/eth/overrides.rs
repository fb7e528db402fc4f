//! Clients' overrides as the executor takes them.

use alloy_rpc_types_eth::{
    BlockOverrides as BlockParam,
    state::{AccountOverride as AccountParam, StateOverride as StateParam},
};
use quorate_execution::{AccountOverride, BlockOverrides, Overrides};
use quorate_types::{B256, U256};

use crate::error::RpcError;

/// What a call finds changed.
///
/// # Errors
/// When something is asked for that a call has no use for, or a number is larger than any chain's.
pub(crate) fn overrides(state: Option<StateParam>, block: Option<BlockParam>) -> Result<Overrides, RpcError> {
    let accounts = state.unwrap_or_default().into_iter();
    Ok(Overrides {
        accounts: accounts.map(|(address, account)| (address, account_override(account))).collect(),
        block: block.map_or_else(|| Ok(BlockOverrides::default()), block_overrides)?,
    })
}

fn account_override(account: AccountParam) -> AccountOverride {
    let slots = |slots: alloy_primitives::map::B256HashMap<B256>| {
        slots.into_iter().map(|(slot, value)| (slot.into(), value.into())).collect()
    };
    AccountOverride {
        nonce: account.nonce,
        code: account.code,
        balance: account.balance,
        state: account.state.map(slots),
        state_diff: account.state_diff.map(slots),
        move_precompile_to: account.move_precompile_to,
    }
}

fn block_overrides(block: BlockParam) -> Result<BlockOverrides, RpcError> {
    if block.beacon_root.is_some() {
        return refused("beaconRoot", "is not supported for this RPC");
    }
    if block.block_hash.is_some() {
        return refused("blockHash", "is not supported for this RPC");
    }
    Ok(BlockOverrides {
        number: within("number", block.number)?,
        difficulty: block.difficulty,
        time: block.time,
        gas_limit: block.gas_limit,
        fee_recipient: block.coinbase,
        prev_randao: block.random,
        base_fee_per_gas: within("baseFeePerGas", block.base_fee)?,
        blob_base_fee: within("blobBaseFee", block.blob_base_fee)?,
    })
}

fn within<T: TryFrom<U256>>(name: &str, value: Option<U256>) -> Result<Option<T>, RpcError> {
    let Some(value) = value else { return Ok(None) };
    match T::try_from(value) {
        Ok(value) => Ok(Some(value)),
        Err(_) => refused(name, "is larger than any chain's"),
    }
}

fn refused<T>(name: &str, why: &str) -> Result<T, RpcError> {
    Err(RpcError::InvalidParams(format!("block override \"{name}\" {why}")))
}
