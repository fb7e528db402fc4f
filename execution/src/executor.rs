//! The rules of one chain, turned into revm's settings.

use std::collections::BTreeMap;

use quorate_types::{Address, ChainConfig, Fork, Header, Height};
use revm::{
    Context, DatabaseRef, Journal, MainBuilder,
    context::{BlockEnv, CfgEnv, Evm, TxEnv},
    context_interface::block::BlobExcessGasAndPrice,
    handler::{EthFrame, MainnetContext, instructions::EthInstructions},
    interpreter::interpreter::EthInterpreter,
    precompile::{PrecompileSpecId, Precompiles},
    primitives::{U256, eip4844, hardfork::SpecId},
};

use crate::{CallLimits, TraceLimits, overlay::Overlay, system::SystemContracts};

/// The EVM's view of one block or call.
pub(crate) type VmContext<DB> = MainnetContext<Overlay<DB>>;
/// revm with the state of one block or call in it, and this chain's own contracts.
pub(crate) type Vm<DB, INSP = ()> = Evm<
    VmContext<DB>,
    INSP,
    EthInstructions<EthInterpreter, VmContext<DB>>,
    SystemContracts,
    EthFrame<EthInterpreter>,
>;

/// Runs blocks and calls by one chain's settings. Holds no state: share it freely.
#[derive(Clone, Debug)]
pub struct Executor {
    pub(crate) config: ChainConfig,
    pub(crate) call_limits: CallLimits,
    pub(crate) trace_limits: TraceLimits,
}

impl Executor {
    /// For the chain of a checked genesis, with the default limits of calls and traces.
    #[must_use]
    pub fn new(config: ChainConfig) -> Self {
        Self { config, call_limits: CallLimits::default(), trace_limits: TraceLimits::default() }
    }

    /// The same with other limits of calls, which are each node's own affair.
    #[must_use]
    pub const fn with_call_limits(mut self, limits: CallLimits) -> Self {
        self.call_limits = limits;
        self
    }

    /// The same with other limits of traces, each node's own affair too.
    #[must_use]
    pub const fn with_trace_limits(mut self, limits: TraceLimits) -> Self {
        self.trace_limits = limits;
        self
    }

    /// The chain's settings.
    #[must_use]
    pub const fn config(&self) -> &ChainConfig {
        &self.config
    }

    /// Ethereum's precompiled contracts at `height`, by their names in EIP-7910.
    #[must_use]
    pub fn precompiles(&self, height: Height) -> BTreeMap<String, Address> {
        let active = Precompiles::new(PrecompileSpecId::from_spec_id(spec(self.config.fork_at(height))));
        let named = active.inner().values().map(|it| (it.id().name().to_owned(), *it.address()));
        named.collect()
    }

    /// revm's settings for transactions in a block of `height`.
    pub(crate) fn block_rules(&self, height: Height) -> CfgEnv {
        let mut rules = CfgEnv::new_with_spec(spec(self.config.fork_at(height)));
        rules.chain_id = self.config.chain_id;
        rules.tx_gas_limit_cap = Some(self.config.transaction_gas_cap);
        rules
    }

    /// revm's settings for calls: what geth does not ask of them is off.
    pub(crate) fn call_rules(&self, height: Height) -> CfgEnv {
        let mut rules = self.block_rules(height);
        rules.tx_gas_limit_cap = Some(u64::MAX);
        rules.disable_nonce_check = true;
        rules.disable_block_gas_limit = true;
        rules.disable_eip3607 = true;
        rules
    }
}

const fn spec(fork: Fork) -> SpecId {
    match fork {
        Fork::Cancun => SpecId::CANCUN,
        Fork::Prague => SpecId::PRAGUE,
        Fork::Osaka => SpecId::OSAKA,
    }
}

/// What the EVM sees of the block that `header` heads: the one way for blocks and calls alike.
fn block_env(header: &Header) -> BlockEnv {
    BlockEnv {
        number: U256::from(header.number),
        beneficiary: header.beneficiary,
        timestamp: U256::from(header.timestamp),
        gas_limit: header.gas_limit,
        basefee: header.base_fee_per_gas.unwrap_or(0),
        difficulty: header.difficulty,
        prevrandao: Some(header.mix_hash),
        // No blob space: nothing is ever in excess, and BLOBBASEFEE is the least price, 1.
        blob_excess_gas_and_price: Some(BlobExcessGasAndPrice::new(
            0,
            eip4844::BLOB_BASE_FEE_UPDATE_FRACTION_PRAGUE,
        )),
        slot_num: 0,
    }
}

/// The EVM's view of `header`'s block over a fresh overlay of `db`.
pub(crate) fn evm_context<DB: DatabaseRef>(rules: CfgEnv, header: &Header, db: DB) -> VmContext<DB> {
    context_over(rules, header, Overlay::new(db, header))
}

/// The EVM's view of `header`'s block over an overlay that holds what was before it.
pub(crate) fn context_over<DB: DatabaseRef>(
    rules: CfgEnv,
    header: &Header,
    overlay: Overlay<DB>,
) -> VmContext<DB> {
    Context::<BlockEnv, TxEnv, CfgEnv, Overlay<DB>, Journal<Overlay<DB>>, ()>::new(overlay, rules.spec)
        .with_cfg(rules)
        .with_block(block_env(header))
}

/// The one way to an EVM, for blocks and calls alike: the same contracts stand in both.
pub(crate) fn vm<DB: DatabaseRef, INSP>(context: VmContext<DB>, inspector: INSP) -> Vm<DB, INSP> {
    let contracts = SystemContracts::new(context.cfg.spec);
    context.build_mainnet_with_inspector(inspector).with_precompiles(contracts)
}
