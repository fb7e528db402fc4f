//! One case: a transaction is signed, run, and what it did compared.

use alloy_consensus::SignableTransaction as _;
use alloy_eips::Encodable2718 as _;
use alloy_rpc_types_eth::TransactionRequest;
use alloy_signer::SignerSync as _;
use alloy_signer_local::PrivateKeySigner;
use eyre::{OptionExt as _, WrapErr as _, eyre};
use quorate_execution::{Alone, Executor};
use quorate_storage::TrieUpdate;
use quorate_types::{B256, ChainConfig, Fork, Transaction, TxKind, keccak256};
use serde::Serialize;
use serde_json::Value;

use super::fixture::{Expected, Test};

/// The chain that all tests are for.
const CHAIN_ID: u64 = 1;
/// What a transaction has one of, and a test a list: the list's name, which of the three indexes chooses, the one's name.
const CHOICES: [(&str, Choice, &str); 4] = [
    ("data", Choice::Data, "input"),
    ("accessLists", Choice::Data, "accessList"),
    ("gasLimit", Choice::Gas, "gas"),
    ("value", Choice::Value, "value"),
];

#[derive(Clone, Copy, Debug)]
enum Choice {
    Data,
    Gas,
    Value,
}

/// A transaction, and what it should do.
#[derive(Debug)]
pub struct Case<'a> {
    pub(super) name: &'a str,
    pub(super) test: &'a Test,
    pub(super) fork_name: &'a str,
    pub(super) fork: Fork,
    pub(super) expected: &'a Expected,
}

/// What a transaction did, and whether that was right.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Verdict<'a> {
    /// The test's name.
    pub test: &'a str,
    /// The fork's name.
    pub fork: &'a str,
    /// Which of the test's data it had.
    pub d: usize,
    /// Which of its gas limits.
    pub g: usize,
    /// Which of its values.
    pub v: usize,
    /// The state's root afterwards: the one before, when the transaction was refused.
    pub state_root: B256,
    /// keccak256 of the logs' RLP.
    pub logs_root: B256,
    /// Whether both are what they should be, and a transaction was refused only where it should be.
    pub pass: bool,
    /// Why it was not executed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// What the fields of a verdict are made of.
struct Ran {
    state_root: B256,
    logs_root: B256,
    error: Option<String>,
}

impl<'a> Case<'a> {
    /// Runs it. A defect of this program is a failed case, so that the others are still run.
    #[must_use]
    pub fn run(&self) -> Verdict<'a> {
        let Expected { hash, logs, indexes, expect_exception } = self.expected;
        let ran = self.execute();
        let as_expected = ran.as_ref().is_ok_and(|ran| {
            (ran.state_root, ran.logs_root, ran.error.is_some()) == (*hash, *logs, expect_exception.is_some())
        });
        let ran = ran.unwrap_or_else(|defect| Ran {
            state_root: B256::ZERO,
            logs_root: B256::ZERO,
            error: Some(format!("{defect:#}")),
        });
        Verdict {
            test: self.name,
            fork: self.fork_name,
            d: indexes.data,
            g: indexes.gas,
            v: indexes.value,
            state_root: ran.state_root,
            logs_root: ran.logs_root,
            pass: as_expected,
            error: ran.error,
        }
    }

    fn execute(&self) -> eyre::Result<Ran> {
        let state = self.test.state();
        let before = TrieUpdate::from_nothing(&state).wrap_err("the state before")?;
        let refused = |why: String| Ran {
            state_root: before.root(),
            logs_root: keccak256(alloy_rlp::encode(Vec::<quorate_types::Log>::new())),
            error: Some(why),
        };
        let transaction = match self.transaction() {
            Ok(transaction) => transaction,
            Err(why) => return Ok(refused(format!("{why:#}"))),
        };
        let executor = Executor::new(rules(self.fork));
        match executor.run_alone(&self.test.header(), &state, &transaction)? {
            Err(unfit) => Ok(refused(unfit.to_string())),
            Ok(Alone { changes, logs }) => {
                let after = before.then(&changes).wrap_err("the state afterwards")?;
                let logs_root = keccak256(alloy_rlp::encode(logs));
                Ok(Ran { state_root: after.root(), logs_root, error: None })
            }
        }
    }

    /// The case's form of the transaction, signed. What no bytes can hold is refused here.
    fn transaction(&self) -> eyre::Result<Transaction> {
        let mut fields = self.test.transaction.clone();
        for (list, choice, field) in CHOICES {
            let Some(Value::Array(mut list)) = fields.remove(list) else { continue };
            let place = self.place(choice);
            if place >= list.len() {
                // A test without access lists for all of its data.
                continue;
            }
            fields.insert(field.to_owned(), list.swap_remove(place));
        }
        let key: B256 = serde_json::from_value(fields.remove("secretKey").unwrap_or_default())
            .wrap_err("it has no key to be signed with")?;
        // How a creation is written.
        fields.retain(|_, value| !matches!(value.as_str(), Some("")));
        let mut request: TransactionRequest = serde_json::from_value(fields.into())?;
        if request.blob_versioned_hashes.is_some() || request.max_fee_per_blob_gas.is_some() {
            return Err(eyre!("transaction type not supported: type 3 (blobs)"));
        }
        request.to.get_or_insert(TxKind::Create);
        request.chain_id.get_or_insert(CHAIN_ID);
        let typed = request.build_typed_tx().ok().ok_or_eyre("its fields fit no type of transaction")?;
        let signature = PrivateKeySigner::from_bytes(&key)?.sign_hash_sync(&typed.signature_hash())?;
        let raw = typed.into_envelope(signature).encoded_2718();
        Ok(Transaction::decode(raw.into(), CHAIN_ID)?)
    }

    fn place(&self, choice: Choice) -> usize {
        let indexes = self.expected.indexes;
        match choice {
            Choice::Data => indexes.data,
            Choice::Gas => indexes.gas,
            Choice::Value => indexes.value,
        }
    }
}

/// Ethereum's, where this chain's are stricter: its bound on a transaction's gas holds at every fork, Ethereum's from Osaka on.
fn rules(fork: Fork) -> ChainConfig {
    let mut config = ChainConfig::new(CHAIN_ID);
    config.forks = [(fork, 0)].into();
    if fork < Fork::Osaka {
        config.transaction_gas_cap = u64::MAX;
    }
    config
}
