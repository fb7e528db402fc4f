//! `eth_estimateGas`: the least gas limit with which a call succeeds, found as geth finds it.

use quorate_types::{Header, U256};
use revm::{
    DatabaseRef,
    context_interface::result::{ExecutionResult, HaltReason},
    inspector::NoOpInspector,
};

use crate::{CallError, CallRequest, Executor, Overrides, Unfit, call::Trial, revert::halt_message};

/// The gas of a plain transfer, and the least that any transaction can do with.
const TRANSFER_GAS: u64 = 21_000;
/// What a call that sends value gives its target for free: the limit must cover it, though it is
/// not used.
const CALL_STIPEND: u64 = 2_300;
/// The search ends when it is this close, in thousandths: a wallet adds more than that anyway.
const TOLERANCE_PER_MILLE: u128 = 15;

impl Executor {
    /// The gas limit that `request` needs in the block that `header` heads, on the state `db`, both
    /// with `overrides`; above the true least by 1.5 % at most.
    ///
    /// # Errors
    /// Those of [`Executor::call`], and a call that fails whatever its gas.
    pub fn estimate<DB: DatabaseRef>(
        &self,
        header: &Header,
        db: DB,
        request: &CallRequest,
        overrides: &Overrides,
    ) -> Result<u64, CallError> {
        let watched = (NoOpInspector, self.call_deadline());
        let mut trial = Trial::new(self, header, db, request, overrides, watched)?;
        let allowance = self.allowance(header, &mut trial, request)?;
        if trial.is_plain_transfer()? && allowance >= TRANSFER_GAS && succeeds(&mut trial, TRANSFER_GAS)? {
            return Ok(TRANSFER_GAS);
        }
        let (used, peak) = run_at_most(&mut trial, allowance)?;
        let mut search = Search { fails: used.saturating_sub(1), succeeds: allowance };
        // Usually exact: what was used before refunds, and the 64th that each call holds back.
        search.try_gas(&mut trial, (peak + CALL_STIPEND) * 64 / 63)?;
        while !search.is_close() {
            let middle = search.next();
            search.try_gas(&mut trial, middle)?;
        }
        Ok(search.succeeds)
    }

    /// The most gas that a transaction like this could have.
    fn allowance<DB: DatabaseRef>(
        &self,
        header: &Header,
        trial: &mut Trial<'_, DB>,
        request: &CallRequest,
    ) -> Result<u64, CallError> {
        let asked = request.gas.filter(|gas| *gas >= TRANSFER_GAS).unwrap_or(header.gas_limit);
        let most = asked.min(self.config.transaction_gas_cap).min(self.call_limits.gas);
        let price = request.fee.highest();
        if price == 0 {
            return Ok(most);
        }
        let balance = trial.account(request.from)?.balance;
        let available = balance.checked_sub(request.value).filter(|rest| !rest.is_zero());
        let available = available.ok_or(CallError::FundsForTransfer)?;
        Ok((available / U256::from(price)).saturating_to::<u64>().min(most))
    }
}

/// The first run, with all the gas there may be: if that fails, more precision is no help.
/// Gives the gas used and, before refunds, the most that was in use.
fn run_at_most<DB: DatabaseRef>(trial: &mut Trial<'_, DB>, gas: u64) -> Result<(u64, u64), CallError> {
    let result = match trial.run(gas) {
        Err(CallError::Unfit(reason)) if is_too_little_gas(&reason) => {
            return Err(CallError::GasAboveAllowance(gas));
        }
        ended => ended?.result,
    };
    match result {
        ExecutionResult::Success { gas, .. } => {
            Ok((gas.tx_gas_used(), gas.total_gas_spent().max(gas.floor_gas())))
        }
        ExecutionResult::Revert { output, .. } => Err(CallError::Reverted(output)),
        ExecutionResult::Halt { reason: HaltReason::OutOfGas(_), .. } => {
            Err(CallError::GasAboveAllowance(gas))
        }
        ExecutionResult::Halt { reason, .. } => Err(CallError::Halted(halt_message(&reason))),
    }
}

/// Whether the call succeeds with this much gas.
fn succeeds<DB: DatabaseRef>(trial: &mut Trial<'_, DB>, gas: u64) -> Result<bool, CallError> {
    match trial.run(gas) {
        Ok(ended) => Ok(ended.result.is_success()),
        Err(CallError::Unfit(reason)) if is_too_little_gas(&reason) => Ok(false),
        Err(error) => Err(error),
    }
}

/// Not even the gas that a transaction costs before it runs.
fn is_too_little_gas(reason: &Unfit) -> bool {
    matches!(reason, Unfit::IntrinsicGas(_))
}

/// A bisection: it halves the distance, so it ends after 64 steps at the very most.
struct Search {
    fails: u64,
    succeeds: u64,
}

impl Search {
    fn try_gas<DB: DatabaseRef>(&mut self, trial: &mut Trial<'_, DB>, gas: u64) -> Result<(), CallError> {
        if gas >= self.succeeds {
            return Ok(());
        }
        if succeeds(trial, gas)? {
            self.succeeds = gas;
        } else {
            self.fails = gas;
        }
        Ok(())
    }

    fn is_close(&self) -> bool {
        let distance = self.succeeds.saturating_sub(self.fails);
        let tolerated = u128::from(self.succeeds) * TOLERANCE_PER_MILLE;
        distance <= 1 || u128::from(distance) * 1000 < tolerated
    }

    /// The middle, but not above twice what fails: most calls need little more than they use.
    fn next(&self) -> u64 {
        let middle = self.fails + (self.succeeds - self.fails) / 2;
        middle.min(self.fails.saturating_mul(2)).max(self.fails + 1)
    }
}
