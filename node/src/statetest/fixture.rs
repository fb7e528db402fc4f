//! The files of state tests.

use std::{collections::BTreeMap, fs, path::Path};

use alloy_genesis::GenesisAccount;
use eyre::WrapErr as _;
use quorate_types::{
    AccountChange, AccountState, Address, B256, Fork, Header, SlotChange, StateChanges, U256, keccak256,
};
use serde::Deserialize;
use serde_json::{Map, Value};

use super::Case;

/// What tests without a base fee expect.
const DEFAULT_BASE_FEE: U256 = U256::from_limbs([10, 0, 0, 0]);

/// The tests of a file, by name.
#[derive(Debug, Deserialize)]
#[serde(transparent)]
pub struct Suite(BTreeMap<String, Test>);

/// A state, and what one transaction in different forms does to it in each fork.
#[derive(Debug, Deserialize)]
pub(super) struct Test {
    env: Env,
    pre: BTreeMap<Address, GenesisAccount>,
    /// Transactions of all forms: lists of data, gas limits, values and access lists.
    pub(super) transaction: Map<String, Value>,
    post: BTreeMap<String, Vec<Expected>>,
}

/// The surroundings of the transaction.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Env {
    current_coinbase: Address,
    current_gas_limit: U256,
    current_number: U256,
    current_timestamp: U256,
    current_base_fee: Option<U256>,
    current_random: Option<B256>,
    current_beacon_root: Option<B256>,
}

/// What one form of the transaction does.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Expected {
    /// The root of the state after it.
    pub(super) hash: B256,
    /// keccak256 of its logs' RLP.
    pub(super) logs: B256,
    pub(super) indexes: Indexes,
    /// Why it may not run at all.
    pub(super) expect_exception: Option<String>,
}

/// Which form it is.
#[derive(Clone, Copy, Debug, Deserialize)]
pub(super) struct Indexes {
    pub(super) data: usize,
    pub(super) gas: usize,
    pub(super) value: usize,
}

impl Suite {
    /// The tests of a file.
    ///
    /// # Errors
    /// When it cannot be read, or is no file of state tests.
    pub fn read(file: &Path) -> eyre::Result<Self> {
        let named = || format!("{} is no file of state tests", file.display());
        let text = fs::read(file).wrap_err_with(|| format!("cannot read {}", file.display()))?;
        serde_json::from_slice(&text).wrap_err_with(named)
    }

    /// The cases of the forks that this chain has.
    pub fn cases(&self) -> impl Iterator<Item = Case<'_>> {
        self.expected().filter_map(|(name, test, fork_name, expected)| {
            let fork = fork_of(fork_name)?;
            Some(Case { name, test, fork_name, fork, expected })
        })
    }

    /// How many there are of others.
    #[must_use]
    pub fn cases_of_other_forks(&self) -> u64 {
        self.expected().filter(|(_, _, fork, _)| fork_of(fork).is_none()).map(|_| 1).sum()
    }

    fn expected(&self) -> impl Iterator<Item = (&str, &Test, &str, &Expected)> {
        self.0.iter().flat_map(|(name, test)| {
            let forks = test.post.iter();
            forks.flat_map(move |(fork, all)| {
                all.iter().map(move |it| (name.as_str(), test, fork.as_str(), it))
            })
        })
    }
}

fn fork_of(name: &str) -> Option<Fork> {
    match name {
        "Cancun" => Some(Fork::Cancun),
        "Prague" => Some(Fork::Prague),
        "Osaka" => Some(Fork::Osaka),
        _ => None,
    }
}

impl Test {
    /// The block that the transaction is in.
    pub(super) fn header(&self) -> Header {
        let env = &self.env;
        let number: u64 = env.current_number.saturating_to();
        Header {
            // The hashes of other blocks are those of their numbers too: see `Executor::run_alone`.
            parent_hash: keccak256(number.saturating_sub(1).to_string()),
            beneficiary: env.current_coinbase,
            number,
            gas_limit: env.current_gas_limit.saturating_to(),
            timestamp: env.current_timestamp.saturating_to(),
            mix_hash: env.current_random.unwrap_or_default(),
            base_fee_per_gas: Some(env.current_base_fee.unwrap_or(DEFAULT_BASE_FEE).saturating_to()),
            parent_beacon_block_root: env.current_beacon_root,
            ..Header::default()
        }
    }

    /// The state before the transaction, as changes to nothing. Unlike a genesis file's, accounts with nothing in them are there:
    /// tests have them, to see them go.
    pub(super) fn state(&self) -> StateChanges {
        let mut state = StateChanges::default();
        for (address, account) in &self.pre {
            let mut after = AccountState { balance: account.balance, ..AccountState::default() };
            after.nonce = account.nonce.unwrap_or_default();
            if let Some(code) = account.code.as_ref().filter(|code| !code.is_empty()) {
                after.code_hash = keccak256(code);
                state.codes.insert(after.code_hash, code.clone());
            }
            let slots = account.storage.iter().flatten().filter(|(_, value)| !value.is_zero());
            let slots = slots.map(|(slot, value)| {
                ((*slot).into(), SlotChange { before: U256::ZERO, after: (*value).into() })
            });
            let change = AccountChange { before: None, after: Some(after), storage: slots.collect() };
            state.accounts.insert(*address, change);
        }
        state
    }
}
