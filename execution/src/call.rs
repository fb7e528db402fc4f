//! Calls that change nothing: `eth_call`, and the single runs of an estimate.

use std::time::Duration;

use alloy_eips::{
    eip2930::AccessList,
    eip7702::{RecoveredAuthorization, SignedAuthorization},
};
use quorate_types::{Address, Bytes, Header, Log, U256};
use revm::{
    Database, DatabaseRef, InspectEvm, Inspector,
    context::TxEnv,
    context_interface::{
        either::Either,
        result::{EVMError, ExecutionResult, InvalidTransaction, ResultAndState},
    },
    inspector::NoOpInspector,
    interpreter::interpreter::EthInterpreter,
    primitives::{KECCAK_EMPTY, TxKind},
    state::AccountInfo,
};

use crate::{
    CallError, Executor, Fault, Overrides, Unfit,
    deadline::Deadline,
    executor::{Vm, VmContext},
    revert::{halt_message, revert_message},
    run::fault,
    transaction::recover_authorities,
};

/// What one call may cost this node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CallLimits {
    /// The most gas, however much is asked for. Bounds memory too: it is what memory is paid with.
    pub gas: u64,
    /// The longest run; all runs of an estimate together.
    pub time: Duration,
}

impl Default for CallLimits {
    /// geth's: 50 M gas and 5 seconds.
    fn default() -> Self {
        Self { gas: 50_000_000, time: Duration::from_secs(5) }
    }
}

/// What a call offers per gas, in wei.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CallFee {
    /// Nothing: no balance is needed for gas, and the block's base fee reads as 0.
    #[default]
    Free,
    /// One price (types 0 and 1).
    Price(u128),
    /// EIP-1559's two fields.
    Dynamic {
        /// The most in all.
        max_fee: u128,
        /// The most for the proposer.
        max_priority_fee: u128,
    },
}

impl CallFee {
    /// The most that one gas may cost.
    pub(crate) const fn highest(self) -> u128 {
        match self {
            Self::Free => 0,
            Self::Price(price) => price,
            Self::Dynamic { max_fee, .. } => max_fee,
        }
    }

    pub(crate) const fn tip(self) -> Option<u128> {
        match self {
            Self::Dynamic { max_priority_fee, .. } => Some(max_priority_fee),
            Self::Free | Self::Price(_) => None,
        }
    }
}

/// A call as RPC takes it. There is no nonce: calls do not check it, and the address of a created
/// contract follows from the state's.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CallRequest {
    /// Who calls; any address, also a contract's.
    pub from: Address,
    /// Who is called; `None` creates a contract.
    pub to: Option<Address>,
    /// The gas it may use; [`CallLimits::gas`] when `None`, and at most that.
    pub gas: Option<u64>,
    /// What it offers per gas.
    pub fee: CallFee,
    /// Wei sent along.
    pub value: U256,
    /// Call data, or init code.
    pub data: Bytes,
    /// EIP-2930's.
    pub access_list: AccessList,
    /// EIP-7702's.
    pub authorization_list: Vec<SignedAuthorization>,
}

/// How a call ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CallStatus {
    /// It returned.
    Success,
    /// It reverted: the output says why.
    Reverted,
    /// It used up its gas or broke a rule of the EVM; in geth's words.
    Halted(String),
}

/// What a call gave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallOutcome {
    /// How it ended.
    pub status: CallStatus,
    /// What it returned, or the data of its revert; the code of a created contract.
    pub output: Bytes,
    /// What a transaction would have been charged for.
    pub gas_used: u64,
    /// The logs it would have left.
    pub logs: Vec<Log>,
}

impl CallOutcome {
    /// The error message in geth's words; `None` for success.
    #[must_use]
    pub fn error(&self) -> Option<String> {
        match &self.status {
            CallStatus::Success => None,
            CallStatus::Reverted => Some(revert_message(&self.output)),
            CallStatus::Halted(reason) => Some(reason.clone()),
        }
    }
}

impl From<ExecutionResult> for CallOutcome {
    fn from(result: ExecutionResult) -> Self {
        let gas_used = result.gas().tx_gas_used();
        let output = result.output().cloned().unwrap_or_default();
        match result {
            ExecutionResult::Success { logs, .. } => {
                Self { status: CallStatus::Success, output, gas_used, logs }
            }
            ExecutionResult::Revert { .. } => {
                Self { status: CallStatus::Reverted, output, gas_used, logs: Vec::new() }
            }
            ExecutionResult::Halt { reason, .. } => {
                Self { status: CallStatus::Halted(halt_message(&reason)), output, gas_used, logs: Vec::new() }
            }
        }
    }
}

impl CallRequest {
    /// EIP-7702: authorizations come with a target.
    pub(crate) fn check(&self) -> Result<(), Unfit> {
        if self.to.is_none() && !self.authorization_list.is_empty() {
            let reason = "EIP-7702 transaction cannot be used to create contract";
            return Err(Unfit::Never(reason.to_owned()));
        }
        Ok(())
    }

    /// The [checked](Self::check) request as revm takes it, with nonce 0.
    pub(crate) fn tx_env(
        &self,
        gas: u64,
        chain_id: u64,
        access_list: AccessList,
        authorities: Vec<RecoveredAuthorization>,
    ) -> TxEnv {
        let mut tx = TxEnv {
            caller: self.from,
            gas_limit: gas,
            gas_price: self.fee.highest(),
            gas_priority_fee: self.fee.tip(),
            kind: self.to.map_or(TxKind::Create, TxKind::Call),
            value: self.value,
            data: self.data.clone(),
            chain_id: Some(chain_id),
            access_list,
            authorization_list: authorities.into_iter().map(Either::Right).collect(),
            ..TxEnv::default()
        };
        tx.derive_tx_type().expect("authorizations come with a target: the request is checked");
        tx
    }
}

impl Executor {
    /// `eth_call` in the block that `header` heads, on `db`, the state to ask, both with `overrides`.
    /// With the header of [`Executor::unsealed`] it is the pending block's.
    ///
    /// Like geth, it checks neither nonce nor the block's gas limit nor EIP-7825's cap, lets
    /// contracts call (EIP-3607), and takes a free call's base fee as 0.
    ///
    /// # Errors
    /// When the overrides contradict themselves, the call cannot start, runs too long, or this node
    /// fails. A revert is an outcome.
    pub fn call<DB: DatabaseRef>(
        &self,
        header: &Header,
        db: DB,
        request: &CallRequest,
        overrides: &Overrides,
    ) -> Result<CallOutcome, CallError> {
        let watched = (NoOpInspector, self.call_deadline());
        let mut trial = Trial::new(self, header, db, request, overrides, watched)?;
        Ok(trial.run(self.call_gas(request))?.result.into())
    }

    pub(crate) fn call_deadline(&self) -> Deadline {
        Deadline::after(self.call_limits.time)
    }

    /// The gas that a call may use.
    pub(crate) fn call_gas(&self, request: &CallRequest) -> u64 {
        request.gas.unwrap_or(u64::MAX).min(self.call_limits.gas)
    }
}

/// One request that can be run again and again from the same state with other gas.
pub(crate) struct Trial<'a, DB: DatabaseRef, INSP = NoOpInspector> {
    pub(crate) vm: Vm<DB, (INSP, Deadline)>,
    request: &'a CallRequest,
    /// The request's at first.
    pub(crate) access_list: AccessList,
    authorities: Vec<RecoveredAuthorization>,
    chain_id: u64,
}

impl<'a, DB: DatabaseRef, INSP> Trial<'a, DB, INSP>
where
    INSP: Inspector<VmContext<DB>, EthInterpreter>,
{
    pub(crate) fn new(
        executor: &Executor,
        header: &Header,
        db: DB,
        request: &'a CallRequest,
        overrides: &Overrides,
        watched: (INSP, Deadline),
    ) -> Result<Self, CallError> {
        request.check()?;
        let mut vm = executor.call_vm(header, db, overrides, watched)?;
        if request.fee.highest() == 0 {
            vm.ctx.block.basefee = 0;
        }
        Ok(Self {
            vm,
            request,
            access_list: request.access_list.clone(),
            authorities: recover_authorities(&request.authorization_list),
            chain_id: executor.config.chain_id,
        })
    }

    /// Runs it once; nothing is kept of what it writes.
    pub(crate) fn run(&mut self, gas: u64) -> Result<ResultAndState, CallError> {
        let (access_list, authorities) = (self.access_list.clone(), self.authorities.clone());
        let tx = self.request.tx_env(gas, self.chain_id, access_list, authorities);
        self.vm.inspect_tx(tx).map_err(|error| self.explain(error))
    }

    /// The account of `address` before the call.
    pub(crate) fn account(&mut self, address: Address) -> Result<AccountInfo, CallError> {
        let account = self.vm.ctx.journaled_state.database.basic(address).map_err(Fault::state)?;
        Ok(account.unwrap_or(AccountInfo { code: None, ..AccountInfo::default() }))
    }

    /// Whether the call can only move value: no data, and nobody's code at its target.
    pub(crate) fn is_plain_transfer(&mut self) -> Result<bool, CallError> {
        match self.request.to {
            Some(to) if self.request.data.is_empty() => Ok(self.account(to)?.code_hash == KECCAK_EMPTY),
            _ => Ok(false),
        }
    }

    fn explain(&self, error: EVMError<DB::Error, InvalidTransaction>) -> CallError {
        let deadline = &self.vm.inspector.1;
        if deadline.has_passed() {
            return CallError::Timeout(deadline.limit());
        }
        match error {
            EVMError::Transaction(invalid) => {
                let context = &self.vm.ctx;
                Unfit::explain(invalid, &context.tx, context.block.basefee).into()
            }
            other => fault(&other).into(),
        }
    }
}
