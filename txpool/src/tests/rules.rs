//! Checks before the sender is known.

use alloy_consensus::{TxEip2930, TxEip7702};
use alloy_eips::{
    eip2930::{AccessList, AccessListItem},
    eip7702::{Authorization, SignedAuthorization},
};

use super::*;

fn refusal(pool: &Pool, transaction: &Transaction) -> String {
    let unrecovered = UnrecoveredTransaction::decode(transaction.raw().clone(), CHAIN_ID).unwrap();
    pool.check(&unrecovered).map_or_else(|error| error.to_string(), |()| "fine".to_owned())
}

fn prague_and_later() -> Pool {
    pool(PoolConfig::default())
}

fn cancun() -> Pool {
    let mut chain = ChainConfig::new(CHAIN_ID);
    chain.forks = BTreeMap::from([(quorate_types::Fork::Cancun, 0), (quorate_types::Fork::Prague, 10)]);
    Pool::new(PoolConfig::default(), chain, next_block(0))
}

/// The least gas with which `make` passes, found by trying the refusal's own number.
fn least_gas(pool: &Pool, make: impl Fn(u64) -> Transaction) -> u64 {
    let refused = refusal(pool, &make(1));
    let needed = refused.rsplit(' ').next().unwrap().parse().unwrap();
    assert_eq!(refusal(pool, &make(needed)), "fine");
    assert_ne!(refusal(pool, &make(needed - 1)), "fine");
    needed
}

#[test]
fn a_transfer_needs_21000() {
    let tx = Wallet::new(1).sign(TxLegacy { gas_limit: 20_999, ..legacy(0) });
    let expected = "intrinsic gas too low: gas 20999, minimum needed 21000";
    assert_eq!(refusal(&prague_and_later(), &tx), expected);
    assert_eq!(refusal(&prague_and_later(), &Wallet::new(1).send(0, 0)), "fine");
}

/// EIP-7623: 40 gas per non-zero byte in all, unless execution costs more.
#[test]
fn data_sets_a_floor_from_prague_on() {
    let wallet = Wallet::new(1);
    let make = |gas| wallet.sign(TxLegacy { gas_limit: gas, input: vec![1; 100].into(), ..legacy(0) });
    assert_eq!(least_gas(&cancun(), make), 21_000 + 100 * 16);
    let expected = "insufficient gas for floor data gas cost: gas 24999, minimum needed 25000";
    assert_eq!(refusal(&prague_and_later(), &make(24_999)), expected);
    assert_eq!(refusal(&prague_and_later(), &make(25_000)), "fine");
}

/// EIP-2, EIP-3860: 32,000 for creating, 2 for each started word of initcode, 4 for each zero byte.
#[test]
fn creation_pays_for_its_initcode_and_bounds_it() {
    let wallet = Wallet::new(1);
    let create = |gas, bytes| TxLegacy {
        gas_limit: gas,
        to: TxKind::Create,
        input: vec![0; bytes].into(),
        ..legacy(0)
    };
    let needed = least_gas(&prague_and_later(), |gas| wallet.sign(create(gas, 33)));
    assert_eq!(needed, 53_000 + 33 * 4 + 2 * 2);
    assert_eq!(refusal(&prague_and_later(), &wallet.sign(create(1_000_000, 49_152))), "fine");
    let expected = "max initcode size exceeded: code size 49153 limit 49152";
    assert_eq!(refusal(&prague_and_later(), &wallet.sign(create(1_000_000, 49_153))), expected);
}

/// EIP-2930: 2,400 for an address, 1,900 for a key.
#[test]
fn access_lists_are_paid_for() {
    let wallet = Wallet::new(1);
    let item = AccessListItem { address: Address::ZERO, storage_keys: vec![B256::ZERO; 2] };
    let make = |gas| {
        wallet.sign(TxEip2930 {
            chain_id: CHAIN_ID,
            gas_limit: gas,
            to: TxKind::Call(Address::ZERO),
            access_list: AccessList(vec![item.clone()]),
            ..TxEip2930::default()
        })
    };
    assert_eq!(least_gas(&prague_and_later(), make), 21_000 + 2_400 + 2 * 1_900);
}

/// EIP-7702: 25,000 for each authorization; at least one; not before Prague.
#[test]
fn authorizations_are_paid_for_and_needed() {
    let wallet = Wallet::new(1);
    let authorization = SignedAuthorization::new_unchecked(
        Authorization { chain_id: U256::ZERO, address: Address::ZERO, nonce: 0 },
        0,
        U256::ONE,
        U256::ONE,
    );
    let make = |gas, count| {
        wallet.sign(TxEip7702 {
            chain_id: CHAIN_ID,
            gas_limit: gas,
            authorization_list: vec![authorization.clone(); count],
            ..TxEip7702::default()
        })
    };
    assert_eq!(least_gas(&prague_and_later(), |gas| make(gas, 2)), 21_000 + 2 * 25_000);
    let none = "set code tx must have at least one authorization tuple";
    assert_eq!(refusal(&prague_and_later(), &make(100_000, 0)), none);
    let early = "transaction type not supported: type 4 rejected, chain not yet in Prague";
    assert_eq!(refusal(&cancun(), &make(100_000, 1)), early);
}

/// EIP-7825 with the chain's cap, and the block's own limit.
#[test]
fn gas_is_capped_for_a_transaction_and_by_the_block() {
    let wallet = Wallet::new(1);
    let make = |gas| wallet.sign(TxLegacy { gas_limit: gas, ..legacy(0) });
    let pool = prague_and_later();
    assert_eq!(refusal(&pool, &make(16_777_216)), "fine");
    let expected = "transaction gas limit too high (cap: 16777216, tx: 16777217)";
    assert_eq!(refusal(&pool, &make(16_777_217)), expected);

    let mut chain = ChainConfig::new(CHAIN_ID);
    chain.gas_limit = 100_000;
    let small_blocks = Pool::new(PoolConfig::default(), chain, next_block(0));
    assert_eq!(refusal(&small_blocks, &make(100_001)), "exceeds block gas limit");
}

#[test]
fn fees_must_make_sense() {
    let wallet = Wallet::new(1);
    let expected =
        "max priority fee per gas higher than max fee per gas: maxPriorityFeePerGas: 2, maxFeePerGas: 1";
    assert_eq!(refusal(&prague_and_later(), &wallet.send_1559(0, 1, 2)), expected);

    // A constant base fee never falls to what this one offers; a moving one may.
    let mut chain = ChainConfig::new(CHAIN_ID);
    chain.base_fee = BaseFee::Constant { wei: 7 };
    let constant = Pool::new(PoolConfig::default(), chain.clone(), next_block(7));
    let expected = "max fee per gas less than block base fee: maxFeePerGas: 6, baseFee: 7";
    assert_eq!(refusal(&constant, &wallet.send(0, 6)), expected);
    assert_eq!(refusal(&constant, &wallet.send(0, 7)), "fine");
    chain.base_fee = BaseFee::Eip1559 { initial_wei: 7 };
    let moving = Pool::new(PoolConfig::default(), chain, next_block(7));
    assert_eq!(refusal(&moving, &wallet.send(0, 6)), "fine");
}

/// EIP-2681.
#[test]
fn the_last_nonce_is_never_used() {
    let wallet = Wallet::new(1);
    assert_eq!(refusal(&prague_and_later(), &wallet.send(u64::MAX, 0)), "nonce has max value");
    assert_eq!(refusal(&prague_and_later(), &wallet.send(u64::MAX - 1, 0)), "fine");
}

#[test]
fn size_is_bounded_before_anything_else_is_looked_at() {
    let pool = prague_and_later();
    let with_input = |bytes| {
        claimed(Address::repeat_byte(0xaa), TxEip1559 { input: vec![1; bytes].into(), ..dynamic(0, 0, 0) })
    };
    let overhead = with_input(100_000).raw().len() - 100_000;
    let largest = with_input(131_072 - overhead);
    assert!(refusal(&pool, &largest).starts_with("intrinsic gas too low"));
    let larger = with_input(131_073 - overhead);
    assert_eq!(refusal(&pool, &larger), "oversized data: transaction size 131073, limit 131072");
}

#[test]
fn what_is_in_the_pool_is_known_before_recovery() {
    let mut pool = prague_and_later();
    let tx = Wallet::new(1).send(0, 0);
    add(&mut pool, &tx).unwrap();
    assert_eq!(refusal(&pool, &tx), "already known");
}

#[test]
fn a_fork_takes_out_what_it_forbids() {
    let mut pool = cancun();
    let wallet = Wallet::new(1);
    let cheap = wallet.sign(TxLegacy { gas_limit: 22_600, input: vec![1; 100].into(), ..legacy(0) });
    add(&mut pool, &cheap).unwrap();
    add(&mut pool, &wallet.send(1, 0)).unwrap();

    let last_of_cancun = NextBlock { height: Height(9), base_fee: 0 };
    assert!(commit_before(&mut pool, last_of_cancun, []).forbidden.is_empty());
    let first_of_prague = NextBlock { height: Height(10), base_fee: 0 };
    assert_eq!(commit_before(&mut pool, first_of_prague, []).forbidden, [cheap.hash()]);
    assert!(!pool.has_work(), "the second waits for nonce 0 to be sent anew");
    assert!(add(&mut pool, &wallet.send(0, 0)).unwrap().executable);
    assert_eq!(best(&pool, 0).len(), 2);
}
