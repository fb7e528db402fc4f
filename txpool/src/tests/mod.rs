//! Stories about the pool, with signed transactions of wallets made from seeds.

mod admission;
mod eviction;
mod faults;
mod order;
mod property;
mod rules;

use std::collections::BTreeMap;

use alloy_consensus::{EthereumTxEnvelope, SignableTransaction, TxEip1559, TxEip4844, TxLegacy};
use alloy_eips::Encodable2718;
use alloy_primitives::TxKind;
use alloy_signer::SignerSync;
use alloy_signer_local::PrivateKeySigner;
use quorate_types::{
    AccountChange, AccountState, Address, B256, BaseFee, ChainConfig, Height, StateChanges, Transaction,
    U256, UnrecoveredTransaction,
};

use crate::{Added, NextBlock, Pool, PoolConfig, PoolError};

pub(super) const CHAIN_ID: u64 = 20_200;
/// Enough for any transaction of these tests.
pub(super) const RICH: u128 = 1 << 100;

pub(super) struct Wallet(PrivateKeySigner);

impl Wallet {
    pub fn new(seed: u8) -> Self {
        Self(PrivateKeySigner::from_bytes(&B256::repeat_byte(seed)).unwrap())
    }

    pub fn address(&self) -> Address {
        self.0.address()
    }

    pub fn sign<T: SignableTransaction<alloy_primitives::Signature>>(&self, tx: T) -> Transaction
    where
        EthereumTxEnvelope<TxEip4844>: From<alloy_consensus::Signed<T>>,
    {
        let signature = self.0.sign_hash_sync(&tx.signature_hash()).unwrap();
        let envelope = EthereumTxEnvelope::from(tx.into_signed(signature));
        Transaction::decode(envelope.encoded_2718().into(), CHAIN_ID).unwrap()
    }

    /// A transfer of nothing with gas price, so cap and tip, `price`.
    pub fn send(&self, nonce: u64, price: u128) -> Transaction {
        self.sign(TxLegacy { gas_price: price, ..legacy(nonce) })
    }

    /// A transfer of nothing with both fee fields.
    pub fn send_1559(&self, nonce: u64, cap: u128, tip: u128) -> Transaction {
        self.sign(dynamic(nonce, cap, tip))
    }

    /// A free transfer of `value` wei, which is all that it may cost.
    pub fn pay(&self, nonce: u64, value: u64) -> Transaction {
        self.sign(TxLegacy { value: U256::from(value), ..legacy(nonce) })
    }

    /// A free transaction of somewhat more than `bytes` bytes.
    pub fn bulky(&self, nonce: u64, price: u128, bytes: usize) -> Transaction {
        self.sign(TxLegacy {
            gas_price: price,
            gas_limit: 5_000_000,
            input: vec![1; bytes].into(),
            ..legacy(nonce)
        })
    }
}

pub(super) fn legacy(nonce: u64) -> TxLegacy {
    TxLegacy {
        chain_id: Some(CHAIN_ID),
        nonce,
        gas_limit: 21_000,
        to: TxKind::Call(Address::repeat_byte(0xee)),
        ..TxLegacy::default()
    }
}

pub(super) fn dynamic(nonce: u64, cap: u128, tip: u128) -> TxEip1559 {
    TxEip1559 {
        chain_id: CHAIN_ID,
        nonce,
        gas_limit: 21_000,
        max_fee_per_gas: cap,
        max_priority_fee_per_gas: tip,
        to: TxKind::Call(Address::repeat_byte(0xee)),
        ..TxEip1559::default()
    }
}

pub(super) fn account(nonce: u64, balance: u128) -> AccountState {
    AccountState { nonce, balance: U256::from(balance), ..AccountState::default() }
}

pub(super) const fn next_block(base_fee: u64) -> NextBlock {
    NextBlock { height: Height(1), base_fee }
}

/// A pool of a chain whose base fee moves, now 0.
pub(super) fn pool(config: PoolConfig) -> Pool {
    let mut chain = ChainConfig::new(CHAIN_ID);
    chain.base_fee = BaseFee::Eip1559 { initial_wei: 0 };
    Pool::new(config, chain, next_block(0))
}

/// A pool that holds at most `max` transactions.
pub(super) fn pool_of(max: usize) -> Pool {
    pool(PoolConfig { max_transactions: max, ..PoolConfig::default() })
}

/// Adds for a rich sender whose account has nonce 0, and checks the pool's books.
pub(super) fn add(pool: &mut Pool, transaction: &Transaction) -> Result<Added, PoolError> {
    add_at(pool, transaction, 0)
}

/// Adds for a rich sender whose account has the nonce `next`.
pub(super) fn add_at(pool: &mut Pool, transaction: &Transaction, next: u64) -> Result<Added, PoolError> {
    let added = pool.add(transaction.clone(), account(next, RICH), 0);
    pool.assert_consistent();
    added
}

/// A block after which these accounts stand like this.
pub(super) fn commit(
    pool: &mut Pool,
    accounts: impl IntoIterator<Item = (Address, AccountState)>,
) -> crate::Departed {
    commit_before(pool, next_block(0), accounts)
}

pub(super) fn commit_before(
    pool: &mut Pool,
    next: NextBlock,
    accounts: impl IntoIterator<Item = (Address, AccountState)>,
) -> crate::Departed {
    let change = |after| AccountChange { after: Some(after), ..AccountChange::default() };
    let accounts: BTreeMap<_, _> =
        accounts.into_iter().map(|(address, after)| (address, change(after))).collect();
    let departed = pool.on_committed(next, &StateChanges { accounts, ..StateChanges::default() });
    pool.assert_consistent();
    departed
}

/// Sender and nonce of what the pool offers, best first.
pub(super) fn best(pool: &Pool, base_fee: u64) -> Vec<(Address, u64)> {
    pool.best(base_fee).map(|transaction| (transaction.sender(), transaction.nonce())).collect()
}

/// One whose sender is given, not recovered: for stories with thousands of senders.
pub(super) fn claimed(sender: Address, tx: TxEip1559) -> Transaction {
    // Any signature will do, but the hash must tell senders apart.
    let r = U256::from_be_slice(sender.as_slice()) + U256::ONE;
    let signature = alloy_primitives::Signature::new(r, U256::ONE, false);
    let envelope = EthereumTxEnvelope::<TxEip4844>::from(tx.into_signed(signature));
    let raw = envelope.encoded_2718().into();
    UnrecoveredTransaction::decode(raw, CHAIN_ID).unwrap().with_sender(sender)
}

pub(super) fn numbered(number: u64) -> Address {
    Address::left_padding_from(&number.to_be_bytes())
}
