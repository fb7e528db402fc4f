//! What gas costs: the base fee, suggestions, and `eth_feeHistory`.

use std::time::Instant;

use alloy_consensus::Transaction as _;
use alloy_eips::BlockNumberOrTag;
use alloy_rpc_types_eth::FeeHistory;
use jsonrpsee::{
    core::{RpcResult, async_trait},
    proc_macros::rpc,
};
use quorate_storage::{StorageError, StoredBlock};
use quorate_types::{Height, U64, U256, UnrecoveredTransaction};

use super::Eth;
use crate::error::RpcError;

/// geth's bound on the blocks of one answer.
const MAX_BLOCKS: u64 = 1024;
/// geth's bound on the percentiles of one question.
const MAX_PERCENTILES: usize = 100;
/// What the EVM's BLOBBASEFEE gives where nobody sends blobs: the least there is (EIP-4844).
const BLOB_BASE_FEE: u128 = 1;

#[rpc(server, namespace = "eth")]
pub(crate) trait FeesApi {
    #[method(name = "gasPrice")]
    fn gas_price(&self) -> RpcResult<U256>;
    #[method(name = "maxPriorityFeePerGas")]
    fn max_priority_fee_per_gas(&self) -> RpcResult<U256>;
    #[method(name = "baseFee")]
    fn base_fee(&self) -> RpcResult<U256>;
    #[method(name = "blobBaseFee")]
    fn blob_base_fee(&self) -> RpcResult<U256>;
    #[method(name = "feeHistory")]
    async fn fee_history(
        &self,
        count: U64,
        newest: BlockNumberOrTag,
        percentiles: Option<Vec<f64>>,
    ) -> RpcResult<FeeHistory>;
}

#[async_trait]
impl FeesApiServer for Eth {
    fn gas_price(&self) -> RpcResult<U256> {
        Ok(U256::from(self.backend.next_base_fee()) + U256::from(self.suggested_tip()))
    }

    fn max_priority_fee_per_gas(&self) -> RpcResult<U256> {
        Ok(U256::from(self.suggested_tip()))
    }

    /// The next block's.
    fn base_fee(&self) -> RpcResult<U256> {
        Ok(U256::from(self.backend.next_base_fee()))
    }

    fn blob_base_fee(&self) -> RpcResult<U256> {
        Ok(U256::from(BLOB_BASE_FEE))
    }

    async fn fee_history(
        &self,
        count: U64,
        newest: BlockNumberOrTag,
        percentiles: Option<Vec<f64>>,
    ) -> RpcResult<FeeHistory> {
        self.heavy(move |eth| eth.read_fee_history(count.saturating_to(), newest, percentiles.as_deref()))
            .await
    }
}

impl Eth {
    /// The genesis file's, and 1 where that says 0: wallets take a suggestion of nothing for none, and wait for ever.
    pub(crate) fn suggested_tip(&self) -> u64 {
        self.backend.chain.suggested_tip_wei.max(1)
    }

    fn read_fee_history(
        &self,
        count: u64,
        newest: BlockNumberOrTag,
        percentiles: Option<&[f64]>,
    ) -> Result<FeeHistory, RpcError> {
        let percentiles = percentiles.filter(|percentiles| !percentiles.is_empty());
        if let Some(percentiles) = percentiles {
            check_percentiles(percentiles)?;
        }
        let (newest, head) = (self.backend.height_of(newest), self.backend.store.head().height);
        if newest > head {
            let what = format!("request beyond head block: requested {newest}, head {head}");
            return Err(RpcError::Refused(what));
        }
        let count = count.min(MAX_BLOCKS).min(newest.0 + 1);
        if count == 0 {
            return Ok(FeeHistory::default());
        }
        let oldest = newest.0 + 1 - count;
        let mut history = FeeHistory {
            oldest_block: oldest,
            reward: percentiles.map(|_| Vec::new()),
            ..FeeHistory::default()
        };
        let began = Instant::now();
        for height in oldest..=newest.0 {
            if began.elapsed() > self.limits.call_timeout {
                return Err(StorageError::TimeLimit { limit: self.limits.call_timeout }.into());
            }
            let header = self.backend.store.header(Height(height))?.ok_or(RpcError::UnknownBlock)?;
            history.base_fee_per_gas.push(u128::from(header.base_fee_per_gas.unwrap_or(0)));
            history.gas_used_ratio.push(ratio(header.gas_used, header.gas_limit));
            history.base_fee_per_blob_gas.push(BLOB_BASE_FEE);
            history.blob_gas_used_ratio.push(0.0);
            if let (Some(rewards), Some(percentiles)) = (&mut history.reward, percentiles) {
                let block = self.backend.store.block(Height(height))?.ok_or(RpcError::UnknownBlock)?;
                rewards.push(self.rewards(&block, percentiles)?);
            }
        }
        let last = self.backend.store.header(newest)?.ok_or(RpcError::UnknownBlock)?;
        history.base_fee_per_gas.push(u128::from(self.backend.chain.base_fee.next(&last)));
        history.base_fee_per_blob_gas.push(BLOB_BASE_FEE);
        Ok(history)
    }

    /// The tips at the percentiles of the gas used, as geth weighs them; 0 for an empty block.
    fn rewards(&self, block: &StoredBlock, percentiles: &[f64]) -> Result<Vec<u128>, RpcError> {
        let base_fee = block.block.header().base_fee_per_gas.unwrap_or(0);
        let mut tips = Vec::with_capacity(block.receipts.len());
        let mut gas_before = 0;
        for (raw, receipt) in block.block.transactions().iter().zip(&block.receipts) {
            let transaction = UnrecoveredTransaction::decode(raw.clone(), self.backend.chain.chain_id)
                .map_err(|error| RpcError::Internal(error.to_string()))?;
            let tip = transaction.envelope().effective_tip_per_gas(base_fee).unwrap_or(0);
            let gas = receipt.cumulative_gas_used();
            tips.push((tip, gas - gas_before));
            gas_before = gas;
        }
        tips.sort_unstable();
        let at = |percentile: &f64| {
            let threshold = (ratio(gas_before, 100) * percentile).floor();
            let mut passed = 0;
            let found = tips.iter().find(|(_, gas)| {
                passed += gas;
                ratio(passed, 1) >= threshold
            });
            found.or(tips.last()).map_or(0, |(tip, _)| *tip)
        };
        Ok(percentiles.iter().map(at).collect())
    }
}

fn check_percentiles(percentiles: &[f64]) -> Result<(), RpcError> {
    let invalid = |what: String| Err(RpcError::InvalidParams(format!("invalid reward percentile: {what}")));
    if percentiles.len() > MAX_PERCENTILES {
        return invalid(format!("over the query limit {MAX_PERCENTILES}"));
    }
    if let Some(bad) = percentiles.iter().find(|it| !(0.0..=100.0).contains(*it)) {
        return invalid(bad.to_string());
    }
    let rise = percentiles.is_sorted_by(|low, high| low < high);
    if rise { Ok(()) } else { invalid("they must rise".to_owned()) }
}

#[expect(clippy::cast_precision_loss, reason = "a ratio for people; gas stays far below 2^53")]
fn ratio(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}
