//! `eth_createAccessList`: which accounts and slots a call touches, for EIP-2930's list.

use alloy_eips::eip2930::AccessList;
use quorate_types::{Bytes, Header};
use revm::DatabaseRef;
use revm_inspectors::access_list::AccessListInspector;

use crate::{
    CallError, CallOutcome, CallRequest, CallStatus, Executor, Overrides, call::Trial, revert_message,
};

/// What a call touches, and what it costs with the list of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccessListOutcome {
    /// All that it touched and the request named, sorted; without what is warm anyway: sender, target or created address,
    /// precompiled contracts, authorities (EIP-7702). Of these only slots are listed.
    pub access_list: AccessList,
    /// What a transaction with this list would have been charged for.
    pub gas_used: u64,
    /// Why the call failed, in geth's words, which are for a revert without its reason; the list is what it touched until then.
    pub error: Option<String>,
}

impl Executor {
    /// The access list for `request` in the block that `header` heads, on the state `db`, both with `overrides`.
    ///
    /// The list changes what the call costs, so a call that looks at its gas may take another way: as in geth, it runs again
    /// with each list until a run touches nothing new. [`crate::CallLimits::time`] bounds all runs together. Unlike geth's, a
    /// free call stays free: no fee is filled in, which on a chain without prices an account without ether could not pay.
    ///
    /// # Errors
    /// Those of [`Executor::call`]. A revert or a halt is an outcome.
    pub fn access_list<DB: DatabaseRef>(
        &self,
        header: &Header,
        db: DB,
        request: &CallRequest,
        overrides: &Overrides,
    ) -> Result<AccessListOutcome, CallError> {
        let inspector = AccessListInspector::new(request.access_list.clone());
        let watched = (inspector, self.call_deadline());
        let mut trial = Trial::new(self, header, db, request, overrides, watched)?;
        loop {
            let outcome = CallOutcome::from(trial.run(self.call_gas(request))?.result);
            let access_list = trial.vm.inspector.0.access_list();
            if access_list == trial.access_list {
                let error = match outcome.status {
                    CallStatus::Reverted => Some(revert_message(&Bytes::new())),
                    _ => outcome.error(),
                };
                return Ok(AccessListOutcome { access_list, gas_used: outcome.gas_used, error });
            }
            trial.vm.inspector.0 = AccessListInspector::new(access_list.clone());
            trial.access_list = access_list;
        }
    }
}
