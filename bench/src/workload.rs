//! What is sent: senders with ether, contracts, and all transactions signed before the first is due.

use alloy_consensus::{SignableTransaction as _, TxEip1559, TxEnvelope};
use alloy_eips::Encodable2718 as _;
use alloy_signer::SignerSync as _;
use alloy_signer_local::PrivateKeySigner;
use alloy_sol_types::{SolCall as _, sol};
use bytes::Bytes;
use quorate_types::{Address, B256, TxKind, U256, hex};
use rayon::prelude::*;

use crate::{BenchError, Plan, clients::Share, funding::Funder};

sol! {
    function mint(address[] accounts, uint256 value);
    function transfer(address to, uint256 value) returns (bool);
    function fill(uint256 count);
}

/// Who gets what is sent. Nobody has its key.
const SINK: Address = Address::repeat_byte(0x5b);
/// Slots that a transaction of the profile `storage` fills.
const FILLED_SLOTS: u64 = 5;
/// Accounts of one call of `mint`: at 22,500 gas for each it stays below EIP-7825's cap.
const MINTED_AT_ONCE: usize = 200;
/// Compiled from `contracts/Load.sol`.
const TOKEN: &str = include_str!("../contracts/Token.hex");
const STORAGE: &str = include_str!("../contracts/Storage.hex");

/// What transactions do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Profile {
    /// Ether from one account to another.
    Transfer,
    /// Tokens: two balances and an event.
    Erc20,
    /// Five slots that were empty.
    Storage,
    /// Of ten, seven transfers, two of tokens, one of storage.
    Mixed,
}

impl Profile {
    /// Its name on the command line.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Transfer => "transfer",
            Self::Erc20 => "erc20",
            Self::Storage => "storage",
            Self::Mixed => "mixed",
        }
    }

    /// What the transaction of this number does.
    const fn of(self, number: usize) -> Self {
        match (self, number % 10) {
            (Self::Mixed, 0..=6) => Self::Transfer,
            (Self::Mixed, 7 | 8) => Self::Erc20,
            (Self::Mixed, _) => Self::Storage,
            (one, _) => one,
        }
    }

    const fn gas_limit(self) -> u64 {
        match self {
            Self::Transfer => 21_000,
            Self::Erc20 => 80_000,
            Self::Storage | Self::Mixed => 200_000,
        }
    }
}

/// A transaction before it is signed.
struct Unsigned {
    sender: usize,
    nonce: u64,
    kind: Profile,
}

/// All that is sent, by number.
pub(crate) struct Workload {
    pub(crate) senders: Vec<Address>,
    /// How many transactions of each sender there are.
    pub(crate) nonces: Vec<u64>,
    signed: Vec<(B256, Bytes)>,
}

impl Workload {
    pub(crate) fn hashes(&self) -> impl Iterator<Item = B256> {
        self.signed.iter().map(|(hash, _)| *hash)
    }

    /// What each client sends. A sender's transactions are all one client's, in the order of their nonces.
    pub(crate) fn shares(&self, clients: usize) -> Vec<Share> {
        let mut shares: Vec<Share> = (0..clients).map(|_| Vec::new()).collect();
        for (number, (_, raw)) in self.signed.iter().enumerate() {
            shares[number % clients].push((number, raw.clone()));
        }
        shares
    }
}

/// Who sends what: clients take turns, and so do the senders of each.
fn ordered(plan: &Plan) -> (Vec<Unsigned>, Vec<u64>) {
    let mut nonces = vec![0; plan.senders];
    let of_client = |client: usize| (plan.senders - client).div_ceil(plan.clients);
    let one = |number: usize| {
        let (client, round) = (number % plan.clients, number / plan.clients);
        let sender = client + plan.clients * (round % of_client(client));
        let nonce = nonces[sender];
        nonces[sender] += 1;
        Unsigned { sender, nonce, kind: plan.profile.of(number) }
    };
    let unsigned = (0..plan.transactions).map(one).collect();
    (unsigned, nonces)
}

/// Makes the senders, pays them, deploys what they call, and signs.
pub(crate) async fn prepare(plan: &Plan) -> Result<Workload, BenchError> {
    let (unsigned, nonces) = ordered(plan);
    let signers: Vec<_> = (0..plan.senders).map(|_| PrivateKeySigner::random()).collect();
    let senders: Vec<_> = signers.iter().map(PrivateKeySigner::address).collect();
    let mut funder = Funder::of(plan).await?;
    let most = nonces.iter().max().copied().unwrap_or_default();
    funder.pay(&senders, most, plan.profile.gas_limit()).await?;
    let token = funder.deploy(TOKEN).await?;
    let storage = funder.deploy(STORAGE).await?;
    for part in senders.chunks(MINTED_AT_ONCE) {
        let mint = mintCall { accounts: part.to_vec(), value: U256::from(most) };
        funder.call(token, mint.abi_encode().into(), 100_000 + 25_000 * part.len() as u64).await?;
    }
    funder.settle(&senders).await?;
    let draft = TxEip1559 {
        chain_id: funder.chain_id,
        max_fee_per_gas: funder.max_fee,
        max_priority_fee_per_gas: funder.tip,
        ..TxEip1559::default()
    };
    let sign = move || {
        let sign = |it: &Unsigned| signed(&signers[it.sender], filled(it, &draft, token, storage));
        unsigned.par_iter().map(sign).collect::<Result<Vec<_>, _>>()
    };
    let signed =
        tokio::task::spawn_blocking(sign).await.map_err(|error| BenchError::Preparing(error.to_string()))?;
    Ok(Workload { senders, nonces, signed: signed? })
}

fn filled(it: &Unsigned, draft: &TxEip1559, token: Address, storage: Address) -> TxEip1559 {
    let one = U256::from(1);
    let (to, value, input) = match it.kind {
        Profile::Transfer | Profile::Mixed => (SINK, one, Vec::new()),
        Profile::Erc20 => (token, U256::ZERO, transferCall { to: SINK, value: one }.abi_encode()),
        Profile::Storage => (storage, U256::ZERO, fillCall { count: U256::from(FILLED_SLOTS) }.abi_encode()),
    };
    TxEip1559 {
        nonce: it.nonce,
        gas_limit: it.kind.gas_limit(),
        to: TxKind::Call(to),
        value,
        input: input.into(),
        ..draft.clone()
    }
}

/// A transaction's hash and bytes.
pub(crate) fn signed(signer: &PrivateKeySigner, transaction: TxEip1559) -> Result<(B256, Bytes), BenchError> {
    let signature = signer.sign_hash_sync(&transaction.signature_hash());
    let signature = signature.map_err(|error| BenchError::Preparing(error.to_string()))?;
    let envelope = TxEnvelope::from(transaction.into_signed(signature));
    Ok((*envelope.tx_hash(), envelope.encoded_2718().into()))
}

/// The code of a contract, from its file.
pub(crate) fn code_of(text: &str) -> Result<quorate_types::Bytes, BenchError> {
    hex::decode(text.trim()).map(Into::into).map_err(|error| BenchError::Preparing(error.to_string()))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::Transport;

    fn plan(clients: usize, senders: usize, transactions: usize) -> Plan {
        Plan {
            endpoints: vec!["http://127.0.0.1:1".to_owned()],
            watched: "http://127.0.0.1:1".to_owned(),
            metrics: Vec::new(),
            profile: Profile::Mixed,
            transport: Transport::Http,
            rate: None,
            transactions,
            clients,
            senders,
            batch: 1,
            funder: PrivateKeySigner::random(),
            patience: Duration::ZERO,
        }
    }

    /// Given senders that cannot be dealt out evenly, then each has all its transactions at one client, with nonces that rise by one
    /// in the order in which that sends them, and none stands idle.
    #[test]
    fn a_senders_nonces_rise_at_one_client() {
        let plan = plan(3, 8, 100);
        let (unsigned, nonces) = ordered(&plan);
        let mut next = vec![0; plan.senders];
        for client in 0..plan.clients {
            for it in unsigned.iter().skip(client).step_by(plan.clients) {
                assert_eq!((it.sender % plan.clients, it.nonce), (client, next[it.sender]));
                next[it.sender] += 1;
            }
        }
        assert_eq!(next, nonces);
        assert!(nonces.iter().all(|count| (11..=17).contains(count)), "{nonces:?}");
        let kinds = |kind| unsigned.iter().filter(|it| it.kind == kind).count();
        assert_eq!([Profile::Transfer, Profile::Erc20, Profile::Storage].map(kinds), [70, 20, 10]);
    }

    #[test]
    fn a_plan_without_a_sender_for_each_client_is_none() {
        assert!(plan(3, 8, 100).check().is_ok());
        for impossible in [plan(0, 8, 100), plan(9, 8, 100), plan(3, 8, 7)] {
            assert!(matches!(impossible.check(), Err(BenchError::Plan(_))));
        }
        assert!(Plan { rate: Some(0.0), ..plan(1, 1, 1) }.check().is_err());
    }
}
