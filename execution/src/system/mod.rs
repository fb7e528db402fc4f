//! The consensus contract at `0x1003`, native code behind an Ethereum address.
//!
//! ```text
//! CALL --> SystemContracts --other addresses--> Ethereum's precompiles, or the EVM
//!               | 0x1003
//!               v  selector -> gas -> who calls -> records from the journal
//!          Nodes (pure): the change, or a Refusal --> revert with its reason
//!               | slots that differ, an event
//!               v
//!          the journal: a revert further out takes all of it back
//! ```
//! ## Gas
//! Fixed, of the contract itself, whatever the outcome; a call's own costs come on top.
//!
//! | call | gas |
//! |---|---|
//! | `getAdministrator` | 4,700 |
//! | `getNodes` | 4,700, and 4,200 for each known node |
//! | a change | 100,000, and 4,200 for each known node |
//! | anything else | 4,700 |
//!
//! Storage prices of Ethereum are what these follow: 2,100 for a slot read, 20,000 for one filled, 2,900 more for one that
//! changes or is emptied. A change reads all nodes, since each rule is about all of them. Of what it writes, a new node is
//! the dearest (the length changes, two slots are filled) and the removal of one from the middle the most: five slots, the
//! length, two for the last node that moves into the gap, two that are emptied.
//!
//! Input of more than 1,024 bytes is refused before anything of it is copied or decoded, so that the flat prices hold.

pub(crate) mod abi;
mod nodes;
mod places;
mod refusal;

use abi::IConsensus::{self, IConsensusCalls};
use alloy_sol_types::{SolCall as _, SolEvent as _, SolInterface as _};
use quorate_types::{
    ADMINISTRATOR_SLOT, Address, B256, Bytes, Log, U256, VALIDATORS_ADDRESS, Validator, ValidatorSetError,
    hex, read_record_count, read_records, validator_slots,
};
use revm::{
    context_interface::{Cfg, ContextTr, JournalTr},
    handler::{EthPrecompiles, PrecompileProvider},
    interpreter::{CallInputs, Gas, InstructionResult, InterpreterResult},
    primitives::{AddressSet, I256, hardfork::SpecId},
};

use nodes::{Change, Nodes};
use places::Places;
use refusal::Refusal;

/// What looking at the contract costs: an account and a slot, both cold.
const BASE_GAS: u64 = 4_700;
/// What each known node costs whoever reads them all: two cold slots.
const NODE_GAS: u64 = 4_200;
/// What a change costs besides reading: at most five slots written, an event, a key checked. At Ethereum's prices a new
/// node's slots come to 42,900 and a removed one's to 14,500; the rest is for the event and the key.
const CHANGE_GAS: u64 = 100_000;
/// The longest input that is looked at. The longest sound call has 196 bytes (`addSealer` with a node id that begins with
/// 0x); copying and decoding more would be work that nobody paid for.
const MAX_INPUT_BYTES: usize = 1024;

/// Ethereum's precompiled contracts and this chain's own.
#[derive(Clone, Debug)]
pub(crate) struct SystemContracts {
    ethereum: EthPrecompiles,
    places: Places,
}

impl SystemContracts {
    pub(crate) fn new(spec: SpecId) -> Self {
        Self { ethereum: EthPrecompiles::new(spec), places: Places::default() }
    }

    /// Whether a precompiled contract of Ethereum belongs at `address`, moved or not.
    pub(crate) fn is_precompile(&self, address: Address) -> bool {
        self.ethereum.contains(&address)
    }

    /// Lets the precompiled contract of `source` answer at `target`, and no other that was moved there before.
    pub(crate) fn place(&mut self, source: Address, target: Address) {
        self.places.place(source, target);
    }

    /// Lets what the state holds at `address` run, and no native code.
    pub(crate) fn remove(&mut self, address: Address) {
        self.places.remove(address);
    }
}

impl<CTX: ContextTr<Cfg: Cfg<Spec = SpecId>>> PrecompileProvider<CTX> for SystemContracts {
    type Output = InterpreterResult;

    fn set_spec(&mut self, spec: SpecId) -> bool {
        PrecompileProvider::<CTX>::set_spec(&mut self.ethereum, spec)
    }

    fn run(&mut self, context: &mut CTX, inputs: &CallInputs) -> Result<Option<InterpreterResult>, String> {
        let Some(source) = self.places.source(inputs.bytecode_address) else {
            return Ok(None);
        };
        if source != inputs.bytecode_address {
            let moved = CallInputs { bytecode_address: source, ..inputs.clone() };
            return self.ethereum.run(context, &moved);
        }
        if source != VALIDATORS_ADDRESS {
            return self.ethereum.run(context, inputs);
        }
        let gas = Gas::new_with_regular_gas_and_reservoir(inputs.gas_limit, inputs.reservoir);
        let mut call = Call { context, inputs, gas };
        let outcome = call.answer();
        Ok(Some(call.ended(outcome)?))
    }

    /// Ethereum's alone: the contract is an account like any other, cold at first.
    fn warm_addresses(&self) -> &AddressSet {
        self.ethereum.warm_addresses()
    }
}

/// How a call ends when it does not return.
enum Ended {
    Refused(Refusal),
    OutOfGas,
    /// A change asked for inside of a static call.
    Static,
    /// This node's state cannot be read.
    Fault(String),
}

impl From<Refusal> for Ended {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl From<ValidatorSetError> for Ended {
    /// Without its words: those of another crate are no part of consensus.
    fn from(_: ValidatorSetError) -> Self {
        Self::Refused(Refusal::State)
    }
}

/// One call of the contract.
struct Call<'a, CTX> {
    context: &'a mut CTX,
    inputs: &'a CallInputs,
    gas: Gas,
}

impl<CTX: ContextTr> Call<'_, CTX> {
    fn answer(&mut self) -> Result<Bytes, Ended> {
        self.charge(BASE_GAS)?;
        if self.inputs.target_address != VALIDATORS_ADDRESS {
            return Err(Refusal::Misuse.into());
        }
        if !self.inputs.call_value().is_zero() {
            return Err(Refusal::Value.into());
        }
        // A change's gas is charged later, and who calls is asked later still.
        if self.inputs.input.len() > MAX_INPUT_BYTES {
            return Err(Refusal::TooLong.into());
        }
        let data = self.inputs.input.bytes(self.context);
        match decode(&data)? {
            IConsensusCalls::getAdministrator(_) => {
                let administrator = self.administrator()?;
                Ok(IConsensus::getAdministratorCall::abi_encode_returns(&administrator).into())
            }
            IConsensusCalls::getNodes(_) => {
                let nodes = self.nodes()?.0.into_iter().map(node).collect();
                Ok(IConsensus::getNodesCall::abi_encode_returns(&nodes).into())
            }
            IConsensusCalls::addSealer(it) => {
                self.change(|nodes, administrator| nodes.add_sealer(&it.nodeID, it.weight, administrator))
            }
            IConsensusCalls::addObserver(it) => {
                self.change(|nodes, administrator| nodes.add_observer(&it.nodeID, administrator))
            }
            IConsensusCalls::remove(it) => self.change(|nodes, _| nodes.remove(&it.nodeID)),
            IConsensusCalls::setWeight(it) => self.change(|nodes, _| nodes.set_weight(&it.nodeID, it.weight)),
        }
    }

    /// A change for the administrator alone, whose address it is given: the fees of a new node go there.
    fn change(
        &mut self,
        change: impl FnOnce(&mut Nodes, Address) -> Result<Change, Refusal>,
    ) -> Result<Bytes, Ended> {
        if self.inputs.is_static {
            return Err(Ended::Static);
        }
        // The rest of it was charged already.
        self.charge(CHANGE_GAS - BASE_GAS)?;
        let (administrator, caller) = (self.administrator()?, self.inputs.caller);
        if administrator.is_zero() {
            return Err(Refusal::NoAdministrator.into());
        }
        if caller != administrator {
            return Err(Refusal::NotAdministrator { administrator, caller }.into());
        }
        let mut nodes = self.nodes()?;
        let before = nodes.clone();
        let done = change(&mut nodes, administrator)?;
        self.store(&before, &nodes)?;
        self.context.journal_mut().log(event(done));
        Ok(IConsensus::addSealerCall::abi_encode_returns(&I256::ZERO).into())
    }

    fn charge(&mut self, cost: u64) -> Result<(), Ended> {
        if self.gas.record_regular_cost(cost) { Ok(()) } else { Err(Ended::OutOfGas) }
    }

    fn slot(&mut self, slot: U256) -> Result<U256, Ended> {
        let loaded = self.context.journal_mut().sload(VALIDATORS_ADDRESS, slot);
        loaded.map(|it| it.data).map_err(|error| Ended::Fault(error.to_string()))
    }

    fn administrator(&mut self) -> Result<Address, Ended> {
        Ok(Address::from_word(B256::from(self.slot(ADMINISTRATOR_SLOT)?)))
    }

    fn nodes(&mut self) -> Result<Nodes, Ended> {
        let known = read_record_count(|slot| self.slot(slot))?;
        self.charge(NODE_GAS.saturating_mul(known as u64))?;
        Ok(Nodes(read_records(|slot| self.slot(slot))?))
    }

    /// Writes the slots that differ.
    fn store(&mut self, before: &Nodes, after: &Nodes) -> Result<(), Ended> {
        // Both begin with the same slots in the same order; the longer one goes on.
        let (before, after) = (validator_slots(&before.0), validator_slots(&after.0));
        let gone = before.iter().skip(after.len()).map(|(slot, _)| (*slot, U256::ZERO));
        let kept = after.iter().enumerate().filter(|(at, it)| before.get(*at) != Some(*it));
        for (slot, value) in kept.map(|(_, it)| *it).chain(gone) {
            let stored = self.context.journal_mut().sstore(VALIDATORS_ADDRESS, slot, value);
            stored.map_err(|error| Ended::Fault(error.to_string()))?;
        }
        Ok(())
    }

    fn ended(self, outcome: Result<Bytes, Ended>) -> Result<InterpreterResult, String> {
        let mut gas = self.gas;
        let (result, output) = match outcome {
            Ok(output) => (InstructionResult::Return, output),
            Err(Ended::Refused(why)) => (InstructionResult::Revert, why.output()),
            Err(Ended::OutOfGas) => (InstructionResult::PrecompileOOG, Bytes::new()),
            Err(Ended::Static) => (InstructionResult::StateChangeDuringStaticCall, Bytes::new()),
            Err(Ended::Fault(what)) => return Err(what),
        };
        if !result.is_ok_or_revert() {
            gas.spend_all();
        }
        Ok(InterpreterResult::new(result, output, gas))
    }
}

fn decode(data: &[u8]) -> Result<IConsensusCalls, Refusal> {
    let selector = data.first_chunk::<4>();
    if !selector.is_some_and(|it| IConsensusCalls::valid_selector(*it)) {
        return Err(Refusal::Method(hex::encode_prefixed(&data[..data.len().min(4)])));
    }
    IConsensusCalls::abi_decode_validate(data).map_err(|_| Refusal::Arguments)
}

fn node(it: Validator) -> IConsensus::Node {
    IConsensus::Node { id: it.key.0.into(), weight: it.weight, feeRecipient: it.fee_recipient }
}

fn event(change: Change) -> Log {
    let data = match change {
        Change::SealerAdded { id, weight } => {
            IConsensus::SealerAdded { node: id.0.into(), weight }.encode_log_data()
        }
        Change::ObserverAdded { id } => IConsensus::ObserverAdded { node: id.0.into() }.encode_log_data(),
        Change::Removed { id } => IConsensus::NodeRemoved { node: id.0.into() }.encode_log_data(),
        Change::WeightSet { id, before, weight } => {
            IConsensus::WeightSet { node: id.0.into(), before, weight }.encode_log_data()
        }
    };
    Log { address: VALIDATORS_ADDRESS, data }
}
