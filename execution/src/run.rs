//! One block's execution, the same for who builds it and who checks it.

use alloy_consensus::{Eip658Value, Receipt, ReceiptWithBloom, TxType, proofs::calculate_receipt_root};
use alloy_eips::eip7702::RecoveredAuthorization;
use alloy_primitives::logs_bloom;
use quorate_types::{
    Address, B256, Bloom, Fork, HISTORY_STORAGE_ADDRESS, Header, Height, Log, ReceiptEnvelope, Roots,
    StateChanges, Transaction, U256, VALIDATORS_ADDRESS, ValidatorSet, ValidatorSetError, read_validators,
};
use revm::{
    Database, DatabaseRef, ExecuteCommitEvm, ExecuteEvm, InspectEvm, Inspector, SystemCallCommitEvm,
    context_interface::result::{EVMError, ExecutionResult, InvalidTransaction, ResultAndState},
    database_interface::DBErrorMarker,
    interpreter::interpreter::EthInterpreter,
};

use crate::{
    Executor, Fault, Unfit,
    executor::{Vm, VmContext, evm_context, vm},
    transaction::{BLOB_TYPE, authorities_of, tx_env},
};

/// A block in the middle of its execution.
pub(crate) struct BlockRun<DB: DatabaseRef, INSP = ()> {
    pub(crate) vm: Vm<DB, INSP>,
    chain_id: u64,
    gas_used: u64,
    pub(crate) bloom: Bloom,
    pub(crate) receipts: Vec<ReceiptEnvelope>,
    pub(crate) senders: Vec<Address>,
}

/// Why a transaction was not executed.
pub(crate) enum Stopped {
    /// It may not run here.
    Unfit(Unfit),
    /// This node cannot tell.
    Fault(Fault),
}

/// All that a block's execution gives.
pub(crate) struct Outcome {
    pub(crate) roots: Roots,
    pub(crate) gas_used: u64,
    pub(crate) bloom: Bloom,
    pub(crate) receipts: Vec<ReceiptEnvelope>,
    pub(crate) senders: Vec<Address>,
    pub(crate) changes: StateChanges,
    pub(crate) next_validators: ValidatorSet,
}

impl<DB: DatabaseRef, INSP> BlockRun<DB, INSP> {
    /// Starts the block of `header` on `db`, the state after its parent.
    pub(crate) fn begin(
        executor: &Executor,
        header: &Header,
        db: DB,
        inspector: INSP,
    ) -> Result<Self, Fault> {
        let height = Height(header.number);
        let vm = vm(evm_context(executor.block_rules(height), header, db), inspector);
        let mut run = Self::new(executor, vm);
        match run.store_parent_hash(executor, header)? {
            Some(refused) if !refused.is_success() => {
                Err(Fault::new("EIP-2935's contract refused the parent's hash", format!("{refused:?}")))
            }
            _ => Ok(run),
        }
    }

    /// A block that has not begun, in an EVM that is set up for it.
    pub(crate) fn new(executor: &Executor, vm: Vm<DB, INSP>) -> Self {
        let (receipts, senders) = (Vec::new(), Vec::new());
        Self { vm, chain_id: executor.config.chain_id, gas_used: 0, bloom: Bloom::ZERO, receipts, senders }
    }

    /// EIP-2935: the parent's hash goes into the history contract before anything else. `None` before Prague.
    pub(crate) fn store_parent_hash(
        &mut self,
        executor: &Executor,
        header: &Header,
    ) -> Result<Option<ExecutionResult>, Fault> {
        if executor.config.fork_at(Height(header.number)) < Fork::Prague {
            return Ok(None);
        }
        let result = self.vm.system_call_commit(HISTORY_STORAGE_ADDRESS, header.parent_hash.into());
        result.map(Some).map_err(|error| fault(&error))
    }

    /// The gas that the transactions so far have used.
    pub(crate) const fn gas_used(&self) -> u64 {
        self.gas_used
    }

    /// How many transactions have run.
    pub(crate) fn len(&self) -> usize {
        self.receipts.len()
    }

    /// Runs one transaction in a block whose transactions may use `gas_limit` together. Its
    /// `authorities` are asked for only if it may run at all: recovering them is expensive.
    pub(crate) fn execute(
        &mut self,
        transaction: &Transaction,
        authorities: impl FnOnce() -> Vec<RecoveredAuthorization>,
        gas_limit: u64,
    ) -> Result<(), Stopped> {
        self.check_standing(transaction, gas_limit).map_err(Stopped::Unfit)?;
        let ended = self.vm.transact(tx_env(transaction, authorities()));
        let ended = ended.map_err(|error| self.stopped(error))?;
        self.keep(transaction, ended);
        Ok(())
    }

    /// Makes what a transaction did part of the block.
    pub(crate) fn keep(&mut self, transaction: &Transaction, ended: ResultAndState) {
        self.keep_as(transaction.envelope().tx_type(), transaction.sender(), ended);
    }

    /// The same for what nobody signed.
    pub(crate) fn keep_as(&mut self, tx_type: TxType, sender: Address, ended: ResultAndState) {
        let ResultAndState { result, state } = ended;
        self.vm.commit(state);
        self.gas_used += result.gas().tx_gas_used();
        let success = result.is_success();
        let logs = if let ExecutionResult::Success { logs, .. } = result { logs } else { Vec::new() };
        let receipt = receipt(tx_type, success, self.gas_used, logs);
        self.bloom.accrue_bloom(receipt.logs_bloom());
        self.receipts.push(receipt);
        self.senders.push(sender);
    }

    /// Runs one transaction under the eyes of the inspector; nothing is part of the block until it is
    /// [kept](Self::keep).
    pub(crate) fn inspect(
        &mut self,
        transaction: &Transaction,
        gas_limit: u64,
    ) -> Result<ResultAndState, Stopped>
    where
        INSP: Inspector<VmContext<DB>, EthInterpreter>,
    {
        self.check_standing(transaction, gas_limit).map_err(Stopped::Unfit)?;
        let ended = self.vm.inspect_tx(tx_env(transaction, authorities_of(transaction)));
        ended.map_err(|error| self.stopped(error))
    }

    /// What revm leaves to its caller.
    fn check_standing(&self, transaction: &Transaction, gas_limit: u64) -> Result<(), Unfit> {
        use alloy_consensus::Transaction as _;
        if transaction.tx_type() == BLOB_TYPE {
            return Err(Unfit::Never("transaction type not supported: type 3 (blobs)".to_owned()));
        }
        if transaction.envelope().chain_id() != Some(self.chain_id) {
            let (have, want) = (transaction.envelope().chain_id(), self.chain_id);
            return Err(Unfit::Never(format!("invalid chain id for signer: have {have:?} want {want}")));
        }
        let (need, left) = (transaction.gas_limit(), gas_limit.saturating_sub(self.gas_used));
        if need > left { Err(Unfit::NoGasLeft { need, left }) } else { Ok(()) }
    }

    fn stopped(&self, error: EVMError<DB::Error, InvalidTransaction>) -> Stopped {
        match error {
            EVMError::Transaction(invalid) => {
                let context = &self.vm.ctx;
                Stopped::Unfit(Unfit::explain(invalid, &context.tx, context.block.basefee))
            }
            other => Stopped::Fault(fault(&other)),
        }
    }

    /// Ends the block; `state_root` gives the root after its changes.
    pub(crate) fn finish<E>(
        mut self,
        state_root: impl FnOnce(&StateChanges) -> Result<B256, E>,
    ) -> Result<Outcome, Fault>
    where
        E: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let overlay = &mut self.vm.ctx.journaled_state.database;
        let next_validators = read_validators(|slot| read_slot(overlay, slot))
            .map_err(|error| Fault::new("the validator set cannot be read from the state", error))?;
        let changes = self.vm.ctx.journaled_state.database.into_changes();
        let state =
            state_root(&changes).map_err(|error| Fault::new("the state root cannot be computed", error))?;
        Ok(Outcome {
            roots: Roots { state, receipts: calculate_receipt_root(&self.receipts) },
            gas_used: self.gas_used,
            bloom: self.bloom,
            receipts: self.receipts,
            senders: self.senders,
            changes,
            next_validators,
        })
    }
}

/// Why the next set cannot be told.
#[derive(Debug, thiserror::Error)]
enum NextSetError {
    #[error("{0}")]
    Unsound(#[from] ValidatorSetError),
    #[error("{0}")]
    State(String),
}

fn read_slot<D: Database>(overlay: &mut D, slot: U256) -> Result<U256, NextSetError> {
    overlay.storage(VALIDATORS_ADDRESS, slot).map_err(|error| NextSetError::State(error.to_string()))
}

/// An error of revm that is not the transaction's.
pub(crate) fn fault<E: DBErrorMarker>(error: &EVMError<E, InvalidTransaction>) -> Fault {
    Fault::new("the EVM or its state failed", error.to_string())
}

fn receipt(tx_type: TxType, success: bool, cumulative_gas_used: u64, logs: Vec<Log>) -> ReceiptEnvelope {
    let logs_bloom = if logs.is_empty() { Bloom::ZERO } else { logs_bloom(&logs) };
    let receipt = Receipt { status: Eip658Value::Eip658(success), cumulative_gas_used, logs };
    let receipt = ReceiptWithBloom { receipt, logs_bloom };
    match tx_type {
        TxType::Legacy => ReceiptEnvelope::Legacy(receipt),
        TxType::Eip2930 => ReceiptEnvelope::Eip2930(receipt),
        TxType::Eip1559 => ReceiptEnvelope::Eip1559(receipt),
        TxType::Eip4844 => ReceiptEnvelope::Eip4844(receipt),
        TxType::Eip7702 => ReceiptEnvelope::Eip7702(receipt),
    }
}
