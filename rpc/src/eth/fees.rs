//! `eth_feeHistory`.

use alloy_consensus::Transaction as _;
use alloy_eips::BlockNumberOrTag;
use alloy_rpc_types_eth::FeeHistory;
use quorate_storage::StoredBlock;
use quorate_types::{Height, UnrecoveredTransaction};

use super::Eth;
use crate::error::RpcError;

/// geth's bound on the blocks of one answer.
const MAX_BLOCKS: u64 = 1024;
/// geth's bound on the percentiles of one question.
const MAX_PERCENTILES: usize = 100;

impl Eth {
    pub(super) fn read_fee_history(
        &self,
        count: u64,
        newest: BlockNumberOrTag,
        percentiles: Option<&[f64]>,
    ) -> Result<FeeHistory, RpcError> {
        let percentiles = percentiles.filter(|percentiles| !percentiles.is_empty());
        if let Some(percentiles) = percentiles {
            check_percentiles(percentiles)?;
        }
        let newest = self.backend.resolve(Some(newest.into()))?;
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
        for height in oldest..=newest.0 {
            let header = self.backend.store.header(Height(height))?.ok_or(RpcError::UnknownBlock)?;
            history.base_fee_per_gas.push(u128::from(header.base_fee_per_gas.unwrap_or(0)));
            history.gas_used_ratio.push(ratio(header.gas_used, header.gas_limit));
            history.base_fee_per_blob_gas.push(0);
            history.blob_gas_used_ratio.push(0.0);
            if let (Some(rewards), Some(percentiles)) = (&mut history.reward, percentiles) {
                let block = self.backend.store.block(Height(height))?.ok_or(RpcError::UnknownBlock)?;
                rewards.push(self.rewards(&block, percentiles)?);
            }
        }
        let last = self.backend.store.header(newest)?.ok_or(RpcError::UnknownBlock)?;
        history.base_fee_per_gas.push(u128::from(self.backend.chain.base_fee.next(&last)));
        history.base_fee_per_blob_gas.push(0);
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
            let threshold = ratio(gas_before, 100) * percentile;
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
    if percentiles.is_sorted() { Ok(()) } else { invalid("they must not decrease".to_owned()) }
}

#[expect(clippy::cast_precision_loss, reason = "a ratio for people; gas stays far below 2^53")]
fn ratio(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}
