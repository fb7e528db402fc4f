//! A transaction with no chain around it, as Ethereum's state tests have it.

use quorate_types::{Header, Height, Log, StateChanges, Transaction, VALIDATORS_ADDRESS};
use revm::{
    database::{CacheDB, EmptyDB},
    state::{AccountInfo, Bytecode},
};

use crate::{
    Executor, Fault, Unfit,
    executor::{evm_context, vm},
    run::{BlockRun, Stopped},
    transaction::authorities_of,
};

/// What a transaction did.
#[derive(Debug)]
pub struct Alone {
    /// To the state.
    pub changes: StateChanges,
    /// Its logs; none when it reverted.
    pub logs: Vec<Log>,
}

impl Executor {
    /// Runs `transaction` as the only one of the block of `header`, the way that blocks run theirs, on `state`, which are
    /// changes to nothing. What is this chain's own is left out: EIP-2935's call
    /// before each block, and the validators' contract.
    ///
    /// # Errors
    /// Outside, a fault of the EVM; within, why the transaction may not run.
    pub fn run_alone(
        &self,
        header: &Header,
        state: &StateChanges,
        transaction: &Transaction,
    ) -> Result<Result<Alone, Unfit>, Fault> {
        let rules = self.block_rules(Height(header.number));
        let mut vm = vm(evm_context(rules, header, in_memory(state)), ());
        // Ethereum has nothing there, so tests put contracts there.
        vm.precompiles.remove(VALIDATORS_ADDRESS);
        let mut run = BlockRun::new(self, vm);
        match run.execute(transaction, || authorities_of(transaction), header.gas_limit) {
            Ok(()) => {}
            Err(Stopped::Unfit(why)) => return Ok(Err(why)),
            Err(Stopped::Fault(fault)) => return Err(fault),
        }
        let logs = run.receipts.iter().flat_map(|receipt| receipt.logs().to_vec()).collect();
        Ok(Ok(Alone { changes: run.vm.ctx.journaled_state.database.into_changes(), logs }))
    }
}

/// The blocks below have the hashes that state tests expect: of their numbers in decimal digits.
fn in_memory(state: &StateChanges) -> CacheDB<EmptyDB> {
    let mut db = CacheDB::new(EmptyDB::default());
    for (address, change) in &state.accounts {
        let Some(account) = change.after else { continue };
        let code = state.codes.get(&account.code_hash);
        let info = AccountInfo {
            balance: account.balance,
            nonce: account.nonce,
            code_hash: account.code_hash,
            account_id: None,
            // What only begins like a delegation (EIP-7702) is code like any other.
            code: code.map(|code| {
                Bytecode::new_raw_checked(code.clone()).unwrap_or_else(|_| Bytecode::new_legacy(code.clone()))
            }),
        };
        db.insert_account_info(*address, info);
        for (slot, value) in &change.storage {
            let inserted = db.insert_account_storage(*address, *slot, value.after);
            inserted.unwrap_or_else(|never| match never {});
        }
    }
    db
}
