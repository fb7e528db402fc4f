//! `eth_simulateV1`: blocks that never were, with what their calls gave.

use alloy_eips::{BlockId, eip2718::Encodable2718};
use alloy_rpc_types_eth::{
    Block, BlockTransactions, Log, TransactionRequest,
    simulate::{
        SimBlock, SimCallResult, SimulateError as CallFailure, SimulatePayload, SimulatedBlock as BlockResult,
    },
};
use jsonrpsee::{
    core::{RpcResult, async_trait},
    proc_macros::rpc,
};
use quorate_execution::{
    BlockRequest, CallStatus, SimulateError, SimulatedBlock, SimulatedCall, Simulation, Unfit, Unsigned,
    block_rlp_length, revert_message,
};
use quorate_types::{B256, Bytes, Header, U256};

use super::{Eth, overrides};
use crate::{
    convert::{self, TransactionView},
    error::RpcError,
};

type BlockView = BlockResult<Block<TransactionView>>;

#[rpc(server, namespace = "eth")]
pub(crate) trait SimulateApi {
    #[method(name = "simulateV1")]
    async fn simulate(&self, payload: SimulatePayload, block: Option<BlockId>) -> RpcResult<Vec<BlockView>>;
}

#[async_trait]
impl SimulateApiServer for Eth {
    async fn simulate(&self, payload: SimulatePayload, block: Option<BlockId>) -> RpcResult<Vec<BlockView>> {
        let full = payload.return_full_transactions;
        let simulation = self.simulation(payload)?;
        self.large(move |eth| {
            let (state, base) = eth.backend.state_and_header(block)?;
            let blocks = eth.backend.executor.simulate(&base, state, &simulation)?;
            Ok(blocks.into_iter().map(|block| view(block, full)).collect())
        })
        .await
    }
}

impl Eth {
    /// A client's payload as the executor takes it.
    ///
    /// # Errors
    /// Those of its calls and overrides.
    fn simulation(&self, payload: SimulatePayload) -> Result<Simulation, RpcError> {
        let blocks = payload.block_state_calls.into_iter().map(|block| self.block_request(block));
        Ok(Simulation {
            blocks: blocks.collect::<Result<_, _>>()?,
            validation: payload.validation,
            trace_transfers: payload.trace_transfers,
        })
    }

    fn block_request(&self, mut block: SimBlock) -> Result<BlockRequest, RpcError> {
        // A call refuses it; a header has a place for it.
        let beacon_root = block.block_overrides.as_mut().and_then(|block| block.beacon_root.take());
        let unsigned = |call: TransactionRequest| {
            let nonce = call.nonce;
            Ok(Unsigned { request: self.call_request(call)?, nonce })
        };
        Ok(BlockRequest {
            overrides: overrides(block.state_overrides, block.block_overrides)?,
            beacon_root,
            calls: block.calls.into_iter().map(unsigned).collect::<Result<_, RpcError>>()?,
        })
    }
}

/// The block as `eth_getBlockByNumber` shows one, and its calls.
fn view(block: SimulatedBlock, full: bool) -> BlockView {
    let SimulatedBlock { header, hash, transactions, senders, calls } = block;
    let raw: Vec<Bytes> = transactions.iter().map(|it| it.encoded_2718().into()).collect();
    let hashes: Vec<B256> = transactions.iter().map(|it| *it.tx_hash()).collect();
    let calls = call_results(calls, &header, hash, &hashes);
    let transactions = if full {
        let all = transactions.into_iter().zip(senders).enumerate();
        let all = all.map(|(index, (it, sender))| convert::placed(it, sender, (&header, hash), index));
        BlockTransactions::Full(all.collect())
    } else {
        BlockTransactions::Hashes(hashes)
    };
    let mut header_view = convert::header(&header, hash);
    header_view.size = Some(U256::from(block_rlp_length(&header, &raw)));
    let withdrawals = Some(Vec::new().into());
    BlockResult { inner: Block { header: header_view, uncles: Vec::new(), transactions, withdrawals }, calls }
}

/// Logs are numbered through the block.
fn call_results(
    calls: Vec<SimulatedCall>,
    header: &Header,
    hash: B256,
    transactions: &[B256],
) -> Vec<SimCallResult> {
    let mut next_log = 0;
    let mut result = |(index, call): (usize, SimulatedCall)| {
        let error = failure(&call);
        let outcome = call.outcome;
        // What a revert returned stands in its error alone.
        let return_data = if error.is_none() { outcome.output } else { Bytes::new() };
        let logs = outcome.logs.into_iter().map(|inner| {
            let log_index = Some(next_log);
            next_log += 1;
            Log {
                inner,
                block_hash: Some(hash),
                block_number: Some(header.number),
                block_timestamp: Some(header.timestamp),
                transaction_hash: Some(transactions[index]),
                transaction_index: Some(index as u64),
                log_index,
                removed: false,
            }
        });
        SimCallResult {
            logs: logs.collect(),
            return_data,
            gas_used: outcome.gas_used,
            max_used_gas: Some(call.max_gas_used),
            status: error.is_none(),
            error,
        }
    };
    calls.into_iter().enumerate().map(&mut result).collect()
}

fn failure(call: &SimulatedCall) -> Option<CallFailure> {
    match &call.outcome.status {
        CallStatus::Success => None,
        CallStatus::Reverted => Some(CallFailure {
            code: CallFailure::EXECUTION_REVERTED_CODE,
            message: revert_message(&call.outcome.output),
            data: Some(call.outcome.output.clone()),
        }),
        CallStatus::Halted(reason) => Some(CallFailure {
            code: CallFailure::VM_EXECUTION_ERROR_CODE,
            message: reason.clone(),
            data: None,
        }),
    }
}

/// The specification's codes (execution-apis, `eth_simulateV1`), and geth's where it has none.
impl From<SimulateError> for RpcError {
    fn from(error: SimulateError) -> Self {
        let message = error.to_string();
        let code = match error {
            SimulateError::Empty => return Self::InvalidParams(message),
            SimulateError::TooManyBlocks
            | SimulateError::TooManyCallsInBlock { .. }
            | SimulateError::TooManyCalls { .. } => return Self::TooMuch(message),
            SimulateError::TooLarge { .. } => return Self::Limit(message),
            SimulateError::Call(error) => return error.into(),
            SimulateError::BlockGas { .. } => -38015,
            SimulateError::Number { .. } => -38020,
            SimulateError::Time { .. } => -38021,
            SimulateError::Refused { reason, .. } => match code_of(&reason) {
                Some(code) => code,
                None => return Self::InvalidParams(message),
            },
        };
        Self::Simulation { code, message }
    }
}

/// `None` for parameters that contradict each other.
const fn code_of(reason: &Unfit) -> Option<i32> {
    Some(match reason {
        Unfit::NonceTooLow { .. } => -38010,
        Unfit::NonceTooHigh { .. } => -38011,
        Unfit::BelowBaseFee { .. } => -38012,
        Unfit::IntrinsicGas(_) => -38013,
        Unfit::Funds { .. } => -38014,
        Unfit::NoGasLeft { .. } | Unfit::NoBytesLeft { .. } => -38015,
        Unfit::InitCodeSize(_) => -38025,
        Unfit::TipAboveFee(_) => return None,
        Unfit::Never(_) => -32603,
    })
}

#[cfg(test)]
mod tests {
    use jsonrpsee::types::ErrorObjectOwned;
    use quorate_execution::OverrideError;

    use super::*;

    /// Each reason has a code of its own, which is what clients and test suites look at.
    #[test]
    fn refusals_have_the_codes_of_the_specification() {
        let (address, gas) = (quorate_types::Address::ZERO, 7);
        let refused = |reason| SimulateError::Refused { reason, gas };
        for (error, expected) in [
            (SimulateError::Empty, -32602),
            (SimulateError::TooManyBlocks, -38026),
            (SimulateError::TooManyCallsInBlock { count: 5_001 }, -38026),
            (SimulateError::TooManyCalls { count: 10_001 }, -38026),
            (SimulateError::TooLarge { limit: 1 }, -32005),
            (SimulateError::Number { number: 1, previous: 1 }, -38020),
            (SimulateError::Time { time: 1, previous: 1 }, -38021),
            (SimulateError::BlockGas { left: 1, required: 2 }, -38015),
            (refused(Unfit::NonceTooLow { address, tx: 0, state: 1 }), -38010),
            (refused(Unfit::NonceTooHigh { address, tx: 2, state: 1 }), -38011),
            (refused(Unfit::BelowBaseFee { address, max_fee: 0, base_fee: 1 }), -38012),
            (refused(Unfit::IntrinsicGas(String::new())), -38013),
            (refused(Unfit::InitCodeSize(50_000)), -38025),
            (refused(Unfit::TipAboveFee(String::new())), -32602),
            (refused(Unfit::Never(String::new())), -32603),
            (SimulateError::Call(OverrideError::NotPrecompile(address).into()), -32000),
        ] {
            let message = error.to_string();
            let told = ErrorObjectOwned::from(RpcError::from(error));
            assert_eq!((told.code(), told.message()), (expected, message.as_str()));
            assert!(told.data().is_none(), "{message}");
        }
    }
}
