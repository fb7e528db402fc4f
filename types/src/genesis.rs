//! The genesis file: everything that all nodes must agree on before the first block.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use alloy_consensus::{EMPTY_OMMER_ROOT_HASH, Header};
use alloy_genesis::GenesisAccount;
use alloy_primitives::{Address, B256, Bytes, U256, bytes, keccak256};
use alloy_trie::{TrieAccount, root};
use serde::{Deserialize, Serialize};

use crate::{
    ADMINISTRATOR_SLOT, AccountChange, AccountState, Block, Domain, EMPTY_REQUESTS_HASH, EMPTY_ROOT,
    HISTORY_STORAGE_ADDRESS, Height, MAX_VALIDATORS, NodeId, SlotChange, StateChanges, VALIDATORS_ADDRESS,
    Validator, ValidatorSet, ValidatorSetError, validator_slots,
};

/// The byte of code that system accounts carry (INVALID), with nonce 1: EIP-161 would clear them
/// otherwise, and Solidity callers would see no contract.
const SYSTEM_CODE: Bytes = bytes!("fe");
/// What block explorers expect a chain id to stay below, so that EIP-155's `v` fits 64 bits.
pub const MAX_CHAIN_ID: u64 = (1 << 63) - 37;
/// A transfer's gas: a block must hold at least one.
const MIN_GAS_LIMIT: u64 = 21_000;

/// The execution rules of a range of heights. Named in the file, never taken from a library's default.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Fork {
    /// Cancun.
    Cancun,
    /// Prague.
    Prague,
    /// Osaka.
    Osaka,
}

/// How a block's base fee follows from its parent's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase", rename_all_fields = "camelCase", tag = "rule")]
pub enum BaseFee {
    /// The same for ever.
    Constant {
        /// Wei per gas.
        wei: u64,
    },
    /// EIP-1559 with Ethereum's elasticity 2 and denominator 8.
    Eip1559 {
        /// Wei per gas in block 0.
        initial_wei: u64,
    },
}

impl BaseFee {
    /// The base fee of block 0.
    #[must_use]
    pub const fn initial(&self) -> u64 {
        match self {
            Self::Constant { wei } => *wei,
            Self::Eip1559 { initial_wei } => *initial_wei,
        }
    }

    /// The base fee of the block after `parent`.
    #[must_use]
    pub fn next(&self, parent: &Header) -> u64 {
        match self {
            Self::Constant { wei } => *wei,
            Self::Eip1559 { .. } => parent
                .next_block_base_fee(alloy_eips::eip1559::BaseFeeParams::ethereum())
                .unwrap_or_else(|| self.initial()),
        }
    }
}

/// The agreed settings of a chain. Block 0's `mixHash` is the hash of their JSON, so nodes that
/// differ in any of them have different genesis hashes and refuse each other.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ChainConfig {
    /// The EIP-155 chain id.
    pub chain_id: u64,
    /// The height from which each fork's rules hold; one of them from 0.
    pub forks: BTreeMap<Fork, u64>,
    /// The least time between two blocks, milliseconds.
    #[serde(default = "default_min_block_interval_ms")]
    pub min_block_interval_ms: u64,
    /// After how long without transactions an empty block is due, milliseconds; 0: never.
    #[serde(default)]
    pub empty_block_interval_ms: u64,
    /// The timer of view 0, milliseconds; it doubles with each view, up to 64 times this.
    #[serde(default = "default_base_timeout_ms")]
    pub base_timeout_ms: u64,
    /// The gas that a block may use.
    #[serde(default = "default_gas_limit")]
    pub gas_limit: u64,
    /// The gas that one transaction may ask for (EIP-7825).
    #[serde(default = "default_transaction_gas_cap")]
    pub transaction_gas_cap: u64,
    /// The base fee's rule.
    #[serde(default = "default_base_fee")]
    pub base_fee: BaseFee,
    /// The tip that `eth_maxPriorityFeePerGas` suggests, wei per gas.
    #[serde(default = "default_suggested_tip")]
    pub suggested_tip_wei: u64,
    /// Who alone may change the validator set, by calling the contract at [`VALIDATORS_ADDRESS`]; left out: nobody, the
    /// set stays as it is. It may be a contract's address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub administrator: Option<Address>,
}

const fn default_min_block_interval_ms() -> u64 {
    50
}
const fn default_base_timeout_ms() -> u64 {
    1000
}
const fn default_gas_limit() -> u64 {
    300_000_000
}
const fn default_transaction_gas_cap() -> u64 {
    1 << 24
}
const fn default_base_fee() -> BaseFee {
    BaseFee::Constant { wei: 0 }
}
const fn default_suggested_tip() -> u64 {
    1_000_000_000
}

impl ChainConfig {
    /// A new chain's settings: Osaka from the first block, all else at its default.
    #[must_use]
    pub fn new(chain_id: u64) -> Self {
        Self {
            chain_id,
            forks: BTreeMap::from([(Fork::Osaka, 0)]),
            min_block_interval_ms: default_min_block_interval_ms(),
            empty_block_interval_ms: 0,
            base_timeout_ms: default_base_timeout_ms(),
            gas_limit: default_gas_limit(),
            transaction_gas_cap: default_transaction_gas_cap(),
            base_fee: default_base_fee(),
            suggested_tip_wei: default_suggested_tip(),
            administrator: None,
        }
    }

    /// The rules that hold at `height`.
    #[must_use]
    pub fn fork_at(&self, height: Height) -> Fork {
        let active = self.forks.iter().filter(|(_, from)| **from <= height.0).map(|(fork, _)| *fork).max();
        active.expect("a checked genesis has a fork from height 0")
    }

    /// The least time between two blocks.
    #[must_use]
    pub const fn min_block_interval(&self) -> Duration {
        Duration::from_millis(self.min_block_interval_ms)
    }

    /// When an empty block is due; `None`: never.
    #[must_use]
    pub fn empty_block_interval(&self) -> Option<Duration> {
        (self.empty_block_interval_ms > 0).then(|| Duration::from_millis(self.empty_block_interval_ms))
    }

    /// The timer of view 0.
    #[must_use]
    pub const fn base_timeout(&self) -> Duration {
        Duration::from_millis(self.base_timeout_ms)
    }

    fn check(&self) -> Result<(), GenesisError> {
        let invalid = |what: &str| Err(GenesisError::Invalid(what.to_owned()));
        if self.chain_id == 0 || self.chain_id > MAX_CHAIN_ID {
            return invalid("config.chainId must be between 1 and 2^63 - 37");
        }
        if !self.forks.values().any(|from| *from == 0) {
            return invalid("config.forks names no fork from height 0, for example {\"osaka\": 0}");
        }
        if !self.forks.values().is_sorted() {
            return invalid("config.forks lets a later fork begin before an earlier one");
        }
        if self.base_timeout_ms == 0 {
            return invalid("config.baseTimeoutMs must be at least 1");
        }
        if self.gas_limit < MIN_GAS_LIMIT || self.transaction_gas_cap < MIN_GAS_LIMIT {
            return invalid("config.gasLimit and config.transactionGasCap must be at least 21000");
        }
        if self.administrator == Some(Address::ZERO) {
            return invalid(
                "config.administrator is address 0, which nobody signs for; leave it out if nobody shall change the validators",
            );
        }
        Ok(())
    }
}

/// A validator as the genesis file names it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct GenesisValidator {
    /// Its node key.
    pub key: NodeId,
    /// Its weight; 0 makes it a known observer.
    #[serde(default = "one")]
    pub weight: u64,
    /// Who earns its fees. Named always: fees must not end where nobody can spend them.
    pub fee_recipient: Address,
}

const fn one() -> u64 {
    1
}

/// The genesis file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Genesis {
    /// The agreed settings.
    pub config: ChainConfig,
    /// Block 0's time, seconds since the Unix epoch.
    pub timestamp: u64,
    /// Who votes on block 1.
    pub validators: Vec<GenesisValidator>,
    /// The accounts of block 0, in geth's form.
    #[serde(default)]
    pub alloc: BTreeMap<Address, GenesisAccount>,
}

/// Why a genesis file makes no chain.
#[derive(Debug, thiserror::Error)]
pub enum GenesisError {
    /// Not JSON, or not of this shape.
    #[error("genesis: {0}")]
    Json(#[from] serde_json::Error),
    /// A value out of bounds.
    #[error("genesis: {0}")]
    Invalid(String),
    /// No sound set of validators.
    #[error("genesis: validators: {0}")]
    Validators(#[from] ValidatorSetError),
}

impl Genesis {
    /// Reads and checks the file's text.
    ///
    /// # Errors
    /// Where and why the text is no genesis.
    pub fn from_json(text: &str) -> Result<Self, GenesisError> {
        let genesis: Self = serde_json::from_str(text)?;
        genesis.config.check()?;
        genesis.validator_set()?;
        genesis.check_records()?;
        let reserved = [VALIDATORS_ADDRESS, HISTORY_STORAGE_ADDRESS];
        match reserved.iter().find(|address| genesis.alloc.contains_key(*address)) {
            Some(address) => {
                Err(GenesisError::Invalid(format!("alloc names {address}, which is a system account")))
            }
            None => Ok(genesis),
        }
    }

    /// The file's text, for people to read.
    ///
    /// # Errors
    /// When a value has no JSON form, which none of these lacks.
    pub fn to_json(&self) -> Result<String, GenesisError> {
        Ok(serde_json::to_string_pretty(self)?)
    }

    /// Who votes on block 1.
    ///
    /// # Errors
    /// When the validators are no sound set.
    pub fn validator_set(&self) -> Result<ValidatorSet, ValidatorSetError> {
        ValidatorSet::new(self.records().into_iter().filter(|record| record.weight > 0))
    }

    /// Observers are no part of the set, but the contract keeps them by the same bounds.
    fn check_records(&self) -> Result<(), ValidatorSetError> {
        if self.validators.len() > MAX_VALIDATORS {
            return Err(ValidatorSetError::TooMany(self.validators.len()));
        }
        let mut seen = BTreeSet::new();
        for GenesisValidator { key, .. } in &self.validators {
            if !key.is_sound() {
                return Err(ValidatorSetError::UnsoundKey(*key));
            }
            if !seen.insert(key) {
                return Err(ValidatorSetError::Duplicate(*key));
            }
        }
        Ok(())
    }

    fn records(&self) -> Vec<Validator> {
        let record = |it: &GenesisValidator| Validator {
            key: it.key,
            weight: it.weight,
            fee_recipient: it.fee_recipient,
        };
        self.validators.iter().map(record).collect()
    }

    /// The state of block 0, as changes to nothing.
    #[must_use]
    pub fn state(&self) -> StateChanges {
        let mut changes = StateChanges::default();
        for (address, account) in &self.alloc {
            let storage =
                account.storage.iter().flatten().map(|(slot, value)| ((*slot).into(), (*value).into()));
            insert(
                &mut changes,
                *address,
                account.nonce.unwrap_or(0),
                account.balance,
                account.code.as_ref(),
                storage,
            );
        }
        let mut slots = validator_slots(&self.records());
        let administrator = self.config.administrator.unwrap_or_default();
        slots.push((ADMINISTRATOR_SLOT, administrator.into_word().into()));
        insert(&mut changes, VALIDATORS_ADDRESS, 1, U256::ZERO, Some(&SYSTEM_CODE), slots);
        let history = &alloy_eips::eip2935::HISTORY_STORAGE_CODE;
        insert(&mut changes, HISTORY_STORAGE_ADDRESS, 1, U256::ZERO, Some(history), []);
        changes
    }

    /// Block 0. Its `extraData` binds the set of block 1, its `mixHash` the chain's settings.
    ///
    /// # Errors
    /// When the validators are no sound set.
    pub fn block(&self) -> Result<Block, GenesisError> {
        let settings = serde_json::to_vec(&self.config)?;
        let fork = self.config.fork_at(Height::ZERO);
        let header = Header {
            ommers_hash: EMPTY_OMMER_ROOT_HASH,
            state_root: state_root(&self.state()),
            transactions_root: EMPTY_ROOT,
            receipts_root: EMPTY_ROOT,
            gas_limit: self.config.gas_limit,
            timestamp: self.timestamp,
            extra_data: self.validator_set()?.hash().into(),
            mix_hash: keccak256(settings),
            base_fee_per_gas: Some(self.config.base_fee.initial()),
            withdrawals_root: Some(EMPTY_ROOT),
            blob_gas_used: Some(0),
            excess_blob_gas: Some(0),
            parent_beacon_block_root: Some(B256::ZERO),
            requests_hash: (fork >= Fork::Prague).then_some(EMPTY_REQUESTS_HASH),
            ..Header::default()
        };
        Ok(Block::new(header, Vec::new()))
    }

    /// What signatures on this chain cover.
    ///
    /// # Errors
    /// Those of [`Genesis::block`].
    pub fn domain(&self) -> Result<Domain, GenesisError> {
        Ok(Domain { chain_id: self.config.chain_id, genesis_hash: self.block()?.hash() })
    }
}

fn insert(
    changes: &mut StateChanges,
    address: Address,
    nonce: u64,
    balance: U256,
    code: Option<&Bytes>,
    storage: impl IntoIterator<Item = (U256, U256)>,
) {
    let mut account = AccountState { nonce, balance, ..AccountState::default() };
    if let Some(code) = code.filter(|code| !code.is_empty()) {
        account.code_hash = keccak256(code);
        changes.codes.insert(account.code_hash, code.clone());
    }
    let set = storage.into_iter().filter(|(_, value)| !value.is_zero());
    let storage: BTreeMap<_, _> =
        set.map(|(slot, after)| (slot, SlotChange { before: U256::ZERO, after })).collect();
    // EIP-161: an account with nothing in it does not exist.
    if !account.is_empty() || !storage.is_empty() {
        changes.accounts.insert(address, AccountChange { before: None, after: Some(account), storage });
    }
}

fn state_root(changes: &StateChanges) -> B256 {
    root::state_root_unhashed(changes.accounts.iter().filter_map(|(address, change)| {
        let account = change.after?;
        let slots = change.storage.iter().map(|(slot, value)| (B256::from(*slot), value.after));
        let storage_root = root::storage_root_unhashed(slots);
        let AccountState { nonce, balance, code_hash } = account;
        Some((*address, TrieAccount { nonce, balance, storage_root, code_hash }))
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::NodeKey;

    fn genesis() -> Genesis {
        let validator = |seed: u8| GenesisValidator {
            key: NodeKey::from_seed([seed; 32]).id(),
            weight: 1,
            fee_recipient: Address::repeat_byte(0xaa),
        };
        Genesis {
            config: ChainConfig::new(20200),
            timestamp: 1_700_000_000,
            validators: (1..=4).map(validator).collect(),
            alloc: BTreeMap::new(),
        }
    }

    #[test]
    fn the_file_survives_its_json_and_keeps_its_hash() {
        let genesis = genesis();
        let again = Genesis::from_json(&genesis.to_json().expect("it encodes")).expect("it decodes");
        assert_eq!(again, genesis);
        assert_eq!(again.domain().expect("sound"), genesis.domain().expect("sound"));
    }

    #[test]
    fn every_setting_is_bound_by_the_hash() {
        let (one, mut other) = (genesis(), genesis());
        other.config.base_timeout_ms += 1;
        assert_ne!(one.domain().expect("sound"), other.domain().expect("sound"));
    }

    #[test]
    fn the_administrator_is_bound_by_the_hash_and_stands_in_the_contract() {
        let (without, mut with) = (genesis(), genesis());
        let slot = |genesis: &Genesis| {
            let storage = &genesis.state().accounts[&VALIDATORS_ADDRESS].storage;
            storage.get(&ADMINISTRATOR_SLOT).map(|it| it.after)
        };
        with.config.administrator = Some(Address::repeat_byte(0xad));
        assert_eq!(slot(&without), None);
        assert_eq!(slot(&with), Some(Address::repeat_byte(0xad).into_word().into()));
        assert_ne!(without.domain().expect("sound"), with.domain().expect("sound"));
        assert!(!without.to_json().expect("encodes").contains("administrator"), "and no old genesis changes");
    }

    #[test]
    fn gethas_alloc_is_taken_with_decimal_and_hex_balances() {
        let mut value: serde_json::Value =
            serde_json::from_str(&genesis().to_json().expect("encodes")).expect("json");
        value["alloc"] = serde_json::json!({
            "0x00000000000000000000000000000000000000aa": { "balance": "1000" },
            "00000000000000000000000000000000000000bb": { "balance": "0x3e8", "nonce": "0x2" },
        });
        let state = Genesis::from_json(&value.to_string()).expect("geth's form").state();
        let balances: Vec<_> =
            state.accounts.values().filter_map(|it| it.after).map(|it| it.balance).collect();
        assert_eq!(balances.iter().filter(|balance| **balance == U256::from(1000)).count(), 2);
    }

    #[test]
    fn mistakes_are_named() {
        let broken = |edit: fn(&mut serde_json::Value)| {
            let mut value = serde_json::from_str(&genesis().to_json().expect("encodes")).expect("json");
            edit(&mut value);
            Genesis::from_json(&value.to_string()).expect_err("it is broken").to_string()
        };
        assert!(broken(|it| it["config"]["chainID"] = 5.into()).contains("unknown field `chainID`"));
        assert!(
            broken(|it| it["config"]["forks"] = serde_json::json!({"prague": 5})).contains("from height 0")
        );
        assert!(broken(|it| it["validators"] = serde_json::json!([])).contains("at least one member"));
        let nobody =
            |it: &mut serde_json::Value| it["config"]["administrator"] = Address::ZERO.to_string().into();
        assert!(broken(nobody).contains("config.administrator is address 0"));
        let twice = |it: &mut serde_json::Value| {
            let mut observer = it["validators"][0].clone();
            observer["weight"] = 0.into();
            it["validators"].as_array_mut().expect("a list").push(observer);
        };
        assert!(broken(twice).contains("listed twice"), "as a validator and as an observer");
        let system = |it: &mut serde_json::Value| {
            it["alloc"][VALIDATORS_ADDRESS.to_string()] = serde_json::json!({"balance": "1"})
        };
        assert!(broken(system).contains("system account"));
    }

    /// The bound set is read back from the state that block 0 commits to.
    #[test]
    fn block_0_binds_the_set_that_its_state_holds() {
        let genesis = genesis();
        let state = genesis.state();
        let storage = &state.accounts[&VALIDATORS_ADDRESS].storage;
        let set = crate::read_validators::<ValidatorSetError>(|slot| {
            Ok(storage.get(&slot).map(|it| it.after).unwrap_or_default())
        })
        .expect("a sound set");
        let block = genesis.block().expect("sound");
        assert_eq!(block.header().extra_data, Bytes::from(set.hash()));
    }
}
