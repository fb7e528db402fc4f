//! `verify`: the head that a node shows, and an account in it, checked from the genesis file on. The node that is asked need not be
//! trusted: what it cannot prove is not shown.

use std::path::PathBuf;

use alloy_rlp::Decodable as _;
use alloy_rpc_types_eth::EIP1186AccountProofResponse;
use clap::Args;
use eyre::WrapErr as _;
use jsonrpsee::{core::params::ArrayParams, rpc_params};
use quorate_light::{AccountAnswer, Follower, LightError};
use quorate_types::{
    AccountState, Address, B256, Bytes, CommitCertificate, Genesis, Header, Height, NodeId, Validator,
    ValidatorSet,
};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Value, json};

use super::{Format, NodeArgs, block_on, genesis, output};
use crate::{
    client::{Client, number},
    exit::{Exit, Failure},
};

#[derive(Debug, Args)]
pub(super) struct VerifyArgs {
    #[command(flatten)]
    node: NodeArgs,
    /// The genesis file: all that is trusted.
    #[arg(long, value_name = "FILE", default_value = "genesis.json")]
    genesis: PathBuf,
    /// An account whose balance and nonce are proven as well.
    #[arg(long, value_name = "ADDRESS")]
    account: Option<Address>,
}

/// A head that a quorum of the right validators decided.
#[derive(Debug)]
struct Verified {
    height: Height,
    hash: B256,
    state_root: B256,
    /// How often the validators changed up to it.
    changes: u64,
    /// Who votes on the height after the last change.
    validators: usize,
    /// The account that was asked for; `None` within it when it is proven that there is none.
    account: Option<(Address, Option<AccountState>)>,
}

/// A change of the validators as `quorate_getValidatorChanges` gives it.
#[derive(Debug, Deserialize)]
struct Change {
    header: Bytes,
    certificate: Bytes,
    next: Members,
}

#[derive(Debug, Deserialize)]
struct Members {
    validators: Vec<Member>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Member {
    id: NodeId,
    weight: u64,
    fee_recipient: Address,
}

/// What is read of `quorate_getCertificate`.
#[derive(Debug, Deserialize)]
struct Certificate {
    encoded: Bytes,
}

/// A node whose answers are believed only when they are proven.
struct Stranger<'a>(&'a Client);

pub(super) fn run(args: &VerifyArgs, format: Format) -> eyre::Result<()> {
    let genesis = genesis::read(&args.genesis)?;
    let client = args.node.client()?;
    let verified = block_on(Stranger(&client).verify(&genesis, args.account))?;
    let verified = verified.wrap_err_with(|| format!("nothing is verified of what {} says", client.url()))?;
    match format {
        Format::Json => output::print_json(&verified.json()),
        Format::Text => verified.print(),
    }
    Ok(())
}

impl Stranger<'_> {
    async fn verify(&self, genesis: &Genesis, account: Option<Address>) -> Result<Verified, Failure> {
        let mut follower = Follower::new(genesis).map_err(refuted)?;
        let head = number(&self.0.call("eth_blockNumber").await?);
        let height = Height(head.ok_or_else(|| malformed("eth_blockNumber", "it is no number"))?);
        let changes = self.follow(&mut follower, height).await?;
        let header = self.header(height).await?;
        let hash = if height == Height::ZERO {
            // Nobody signs block 0: it follows from the genesis file.
            (header.hash_slow() == follower.hash()).then_some(follower.hash()).ok_or_else(|| {
                refuted(LightError::OtherBlock { certified: follower.hash(), found: header.hash_slow() })
            })?
        } else {
            let method = "quorate_getCertificate";
            let answer: Certificate = self.ask(method, rpc_params![hex(height)]).await?;
            let certificate = decode_certificate(answer.encoded)?;
            follower.verify(&header, &certificate).map_err(refuted)?
        };
        let state_root = header.state_root;
        let account = match account {
            Some(address) => Some((address, self.account(address, height, state_root).await?)),
            None => None,
        };
        Ok(Verified { height, hash, state_root, changes, validators: follower.validators().len(), account })
    }

    /// Goes from set to set, up to the last one that was agreed on below `height`; how many there were.
    async fn follow(&self, follower: &mut Follower, height: Height) -> Result<u64, Failure> {
        let method = "quorate_getValidatorChanges";
        let mut count = 0;
        loop {
            let from = rpc_params![hex(follower.height().next())];
            let changes: Vec<Change> = self.ask(method, from).await?;
            if changes.is_empty() {
                return Ok(count);
            }
            for change in changes {
                let header = decode_header(&change.header)?;
                if Height(header.number) >= height {
                    return Ok(count);
                }
                let certificate = decode_certificate(change.certificate)?;
                let members = change.next.validators.into_iter();
                let members = members.map(|it| Validator {
                    key: it.id,
                    weight: it.weight,
                    fee_recipient: it.fee_recipient,
                });
                let set = ValidatorSet::new(members).map_err(|error| refuted(error.into()))?;
                follower.follow(&header, &certificate, Some(set)).map_err(refuted)?;
                count += 1;
            }
        }
    }

    async fn header(&self, height: Height) -> Result<Header, Failure> {
        let bytes: Bytes = self.ask("debug_getRawHeader", rpc_params![hex(height)]).await?;
        decode_header(&bytes)
    }

    /// The account in the state of a header that is verified.
    async fn account(
        &self,
        address: Address,
        height: Height,
        state_root: B256,
    ) -> Result<Option<AccountState>, Failure> {
        let keys: [B256; 0] = [];
        let params = rpc_params![address, keys, hex(height)];
        let answer: EIP1186AccountProofResponse = self.ask("eth_getProof", params).await?;
        if answer.address != address {
            return Err(refuted(LightError::OtherAccount { expected: address, found: answer.address }));
        }
        let answer = AccountAnswer {
            address,
            nonce: answer.nonce,
            balance: answer.balance,
            code_hash: answer.code_hash,
            storage_root: answer.storage_hash,
            proof: answer.account_proof,
            slots: Vec::new(),
        };
        answer.verify(state_root).map_err(refuted)
    }

    async fn ask<T: DeserializeOwned>(&self, method: &str, params: ArrayParams) -> Result<T, Failure> {
        let answer: Value = self.0.call_with(method, params).await?;
        serde_json::from_value(answer).map_err(|error| malformed(method, &error.to_string()))
    }
}

fn hex(height: Height) -> String {
    format!("{:#x}", height.0)
}

fn decode_header(bytes: &Bytes) -> Result<Header, Failure> {
    Header::decode(&mut &bytes[..]).map_err(|error| malformed("a header", &error.to_string()))
}

fn decode_certificate(bytes: Bytes) -> Result<CommitCertificate, Failure> {
    quorate_proto::decode_certificate(bytes.into())
        .map_err(|error| malformed("a certificate", &error.to_string()))
}

fn refuted(error: LightError) -> Failure {
    Failure::new(Exit::Corrupt, error.to_string())
}

fn malformed(what: &str, why: &str) -> Failure {
    Failure::new(Exit::Corrupt, format!("the answer to {what} cannot be read: {why}"))
}

impl Verified {
    fn json(&self) -> Value {
        let account = self.account.map(|(address, state)| {
            let AccountState { nonce, balance, .. } = state.unwrap_or_default();
            json!({ "address": address, "exists": state.is_some(), "balance": balance, "nonce": nonce })
        });
        json!({
            "height": self.height,
            "hash": self.hash,
            "stateRoot": self.state_root,
            "validatorChanges": self.changes,
            "validators": self.validators,
            "account": account,
        })
    }

    fn print(&self) {
        let changes = format!("{} after {} changes", self.validators, self.changes);
        let mut rows = vec![
            ("verified height", self.height.to_string()),
            ("hash", self.hash.to_string()),
            ("state root", self.state_root.to_string()),
            ("validators", changes),
        ];
        if let Some((address, state)) = self.account {
            rows.push(("account", address.to_string()));
            match state {
                None => rows.push(("balance", "0 wei: there is no such account".to_owned())),
                Some(state) => {
                    rows.push(("balance", format!("{} wei", state.balance)));
                    rows.push(("nonce", state.nonce.to_string()));
                }
            }
        }
        output::print_pairs(rows);
    }
}
