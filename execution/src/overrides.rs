//! Calls on a state and in a block that never were: the two sets of overrides that `eth_call` and its kin take. Meanings
//! and messages are geth's (`internal/ethapi/override`).

use std::collections::BTreeMap;

use quorate_types::{Address, B256, Bytes, Header, Height, U256, VALIDATORS_ADDRESS, keccak256};
use revm::{
    DatabaseRef, context::BlockEnv, context_interface::block::BlobExcessGasAndPrice, state::Bytecode,
};

use crate::{
    CallError, Executor, Fault,
    executor::{Vm, evm_context, vm},
    overlay::Overlay,
    system::SystemContracts,
};

/// What a call finds changed; by default nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Overrides {
    /// Of the state, by account.
    pub accounts: BTreeMap<Address, AccountOverride>,
    /// Of the block that the call runs in.
    pub block: BlockOverrides,
}

/// What is put in the place of an account's fields: as if a transaction before the call had done it.
///
/// At a precompiled contract's address any override, even an empty one, removes the precompiled contract. The consensus
/// contract at `0x1003` is an account like any other in this: other storage is another list of nodes, and only other code
/// removes it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AccountOverride {
    /// Its nonce.
    pub nonce: Option<u64>,
    /// Its code, run as it is, without init code; empty removes it.
    pub code: Option<Bytes>,
    /// Its balance in wei.
    pub balance: Option<U256>,
    /// All of its storage: slots that are not here read 0. Not together with `state_diff`.
    pub state: Option<BTreeMap<U256, U256>>,
    /// Some of its storage: other slots keep their value.
    pub state_diff: Option<BTreeMap<U256, U256>>,
    /// Where the precompiled contract of this address answers instead. It stays warm at its own address alone. Of two that move
    /// to one address the one of the higher address answers there (in geth, that of the random order of its map).
    pub move_precompile_to: Option<Address>,
}

/// What is put in the place of a header's fields.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BlockOverrides {
    /// The height; it chooses the fork too. Hashes of blocks are still those of the real chain.
    pub number: Option<u64>,
    /// Without effect after the merge, where the opcode reads `prev_randao`.
    pub difficulty: Option<U256>,
    /// Seconds since the Unix epoch.
    pub time: Option<u64>,
    /// What GASLIMIT reads; it bounds no call.
    pub gas_limit: Option<u64>,
    /// What COINBASE reads, and who gets the tips.
    pub fee_recipient: Option<Address>,
    /// What PREVRANDAO reads.
    pub prev_randao: Option<B256>,
    /// Wei per gas. A free call reads 0 whatever stands here.
    pub base_fee_per_gas: Option<u64>,
    /// What BLOBBASEFEE reads.
    pub blob_base_fee: Option<u128>,
}

/// Why overrides contradict themselves. Worded like geth.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OverrideError {
    /// All of an account's storage and some of it.
    #[error("account {0} has both 'state' and 'stateDiff'")]
    StateAndDiff(Address),
    /// No precompiled contract of the block's fork stands there, so none can move.
    #[error("account {0} is not a precompile")]
    NotPrecompile(Address),
    /// A precompiled contract would move to an account that is overridden itself.
    #[error("account {0} is already overridden")]
    AlreadyOverridden(Address),
}

impl BlockOverrides {
    fn apply(&self, block: &mut BlockEnv) {
        block.number = self.number.map_or(block.number, U256::from);
        block.difficulty = self.difficulty.unwrap_or(block.difficulty);
        block.timestamp = self.time.map_or(block.timestamp, U256::from);
        block.gas_limit = self.gas_limit.unwrap_or(block.gas_limit);
        block.beneficiary = self.fee_recipient.unwrap_or(block.beneficiary);
        block.prevrandao = self.prev_randao.or(block.prevrandao);
        block.basefee = self.base_fee_per_gas.unwrap_or(block.basefee);
        self.apply_blob_base_fee(block);
    }

    /// The one field that no header holds.
    pub(crate) fn apply_blob_base_fee(&self, block: &mut BlockEnv) {
        if let Some(blob_gasprice) = self.blob_base_fee {
            block.blob_excess_gas_and_price =
                Some(BlobExcessGasAndPrice { excess_blob_gas: 0, blob_gasprice });
        }
    }
}

impl Executor {
    /// An EVM for calls in `header`'s block over `db`, both with `overrides`.
    pub(crate) fn call_vm<DB: DatabaseRef, INSP>(
        &self,
        header: &Header,
        db: DB,
        overrides: &Overrides,
        inspector: INSP,
    ) -> Result<Vm<DB, INSP>, CallError> {
        let height = Height(overrides.block.number.unwrap_or(header.number));
        let mut context = evm_context(self.call_rules(height), header, db);
        overrides.block.apply(&mut context.block);
        let mut vm = vm(context, inspector);
        override_accounts(&overrides.accounts, &mut vm)?;
        Ok(vm)
    }
}

/// Puts `accounts` in the place of what `vm` finds.
pub(crate) fn override_accounts<DB: DatabaseRef, INSP>(
    accounts: &BTreeMap<Address, AccountOverride>,
    vm: &mut Vm<DB, INSP>,
) -> Result<(), CallError> {
    move_precompiles(accounts, &mut vm.precompiles)?;
    for (address, account) in accounts {
        let overlay = &mut vm.ctx.journaled_state.database;
        account.apply(*address, overlay).map_err(Fault::state)?;
    }
    Ok(())
}

/// Checks all accounts before any is changed. The order of addresses decides which error is told, and what answers
/// where two contracts move to; geth's is its map's.
fn move_precompiles(
    accounts: &BTreeMap<Address, AccountOverride>,
    contracts: &mut SystemContracts,
) -> Result<(), OverrideError> {
    for (&address, account) in accounts {
        if account.state.is_some() && account.state_diff.is_some() {
            return Err(OverrideError::StateAndDiff(address));
        }
        if let Some(target) = account.move_precompile_to {
            if !contracts.is_precompile(address) {
                return Err(OverrideError::NotPrecompile(address));
            }
            if accounts.contains_key(&target) {
                return Err(OverrideError::AlreadyOverridden(target));
            }
            contracts.place(address, target);
        }
        let replaced = address == VALIDATORS_ADDRESS && account.code.is_some();
        if replaced || contracts.is_precompile(address) {
            contracts.remove(address);
        }
    }
    Ok(())
}

impl AccountOverride {
    fn apply<DB: DatabaseRef>(&self, address: Address, overlay: &mut Overlay<DB>) -> Result<(), DB::Error> {
        let mut account = overlay.account(address)?;
        account.nonce = self.nonce.unwrap_or(account.nonce);
        account.balance = self.balance.unwrap_or(account.balance);
        if let Some(code) = &self.code {
            account.code_hash = keccak256(code);
            overlay.add_code(account.code_hash, bytecode(code));
        }
        overlay.set_account(address, account)?;
        if self.state.is_some() {
            overlay.clear_storage(address)?;
        }
        for (slot, value) in self.state.iter().chain(&self.state_diff).flatten() {
            overlay.set_slot(address, *slot, *value)?;
        }
        Ok(())
    }
}

/// A delegation (EIP-7702) if it is one; whatever else it is, it is code, which may halt when it runs.
fn bytecode(code: &Bytes) -> Bytecode {
    Bytecode::new_raw_checked(code.clone()).unwrap_or_else(|_| Bytecode::new_legacy(code.clone()))
}
