//! Access lists: what a call touches, at a fixpoint.

use alloy_consensus::TxEip2930;
use alloy_eips::eip2930::{AccessList, AccessListItem};
use hex_literal::hex;
use quorate_execution::{AccessListOutcome, AccountOverride, CallError, CallFee, CallRequest, Overrides};
use quorate_types::{Address, B256, Bytes, Fork, U256};
use revm::primitives::TxKind;

use crate::chain::{Account, CHAIN_ID, Chain, created, gas_of_each};

const CONTRACT: Address = Address::repeat_byte(0xc0);
const OTHER: Address = Address::repeat_byte(0xb0);

/// A chain with code at two addresses.
fn chain(code: &[u8], other: &[u8]) -> Chain {
    Chain::with(Fork::Osaka, |genesis| {
        genesis.alloc.entry(CONTRACT).or_default().code = Some(Bytes::copy_from_slice(code));
        genesis.alloc.entry(OTHER).or_default().code = Some(Bytes::copy_from_slice(other));
    })
}

fn request() -> CallRequest {
    CallRequest { from: Account::new(1).address(), to: Some(CONTRACT), ..CallRequest::default() }
}

fn create(chain: &Chain, request: &CallRequest) -> Result<AccessListOutcome, CallError> {
    chain.executor.access_list(&chain.head, &chain.state, request, &Overrides::default())
}

fn item<const N: usize>(address: Address, slots: [u8; N]) -> AccessListItem {
    AccessListItem { address, storage_keys: slots.into_iter().map(B256::with_last_byte).collect() }
}

/// PUSH20 OTHER, GAS, and a call without data or value.
fn call_other() -> Vec<u8> {
    [&hex!("5f 5f 5f 5f 5f 73")[..], OTHER.as_slice(), &hex!("5a f1")].concat()
}

/// What geth leaves out costs nothing anyway: sender, target, precompiled contracts.
#[test]
fn a_list_names_what_was_touched_and_was_not_warm_before() {
    // Looks at slot 2, at the balances of the sender and of contract 4, calls the other, which writes slot 5.
    let looks = [&hex!("6002 54 33 31 6004 31")[..], &call_other(), &hex!("00")].concat();
    let mut chain = chain(&looks, &hex!("6001 6005 55 00"));
    let outcome = create(&chain, &request()).expect("runs");
    assert_eq!(outcome.error, None);
    assert_eq!(outcome.access_list, AccessList(vec![item(OTHER, [5]), item(CONTRACT, [2])]));

    // The gas is what a transaction with this list is charged for.
    let mut alice = Account::new(1);
    let transaction = alice.sign(TxEip2930 {
        chain_id: CHAIN_ID,
        gas_limit: 100_000,
        to: TxKind::Call(CONTRACT),
        access_list: outcome.access_list,
        ..TxEip2930::default()
    });
    assert_eq!(gas_of_each(&chain.run(&[transaction])), [outcome.gas_used]);
}

/// With the list of its first run this contract has gas left to look further.
#[test]
fn a_call_runs_again_until_its_list_is_complete() {
    // SLOAD(1); the gas since the start decides whether slot 2 is looked at: a warm SLOAD costs 100, a cold one 2,100.
    let chain = chain(&hex!("5a 6001 54 50 5a 90 03 6103e8 11 6010 57 00 5b 6002 54 00"), &[]);
    let outcome = create(&chain, &request()).expect("runs");
    assert_eq!(outcome.access_list, AccessList(vec![item(CONTRACT, [1, 2])]));
}

#[test]
fn what_the_request_lists_stays_listed_once() {
    let chain = chain(&hex!("6002 54 00"), &[]);
    let list = AccessList(vec![item(OTHER, [9, 7]), item(CONTRACT, [2]), item(OTHER, [7])]);
    let request = CallRequest { access_list: list, ..request() };
    let outcome = create(&chain, &request).expect("runs");
    assert_eq!(outcome.access_list, AccessList(vec![item(OTHER, [7, 9]), item(CONTRACT, [2])]));
}

#[test]
fn a_created_contract_is_left_out_but_not_its_slots() {
    let chain = chain(&[], &[]);
    let alice = Account::new(1).address();
    // SLOAD(3), BALANCE of itself, no code returned.
    let request = CallRequest { to: None, data: hex!("6003 54 30 31 5f 5f f3").into(), ..request() };
    let outcome = create(&chain, &request).expect("runs");
    assert_eq!(outcome.access_list, AccessList(vec![item(created(alice, 0), [3])]));
    let plain = CallRequest { data: hex!("30 31 5f 5f f3").into(), ..request };
    assert_eq!(create(&chain, &plain).expect("runs").access_list, AccessList::default());
}

#[test]
fn a_call_that_fails_has_a_list_and_an_error() {
    let chain = chain(&hex!("6002 54 5f 5f fd"), &[]);
    let outcome = create(&chain, &request()).expect("runs");
    assert_eq!(outcome.error.as_deref(), Some("execution reverted"));
    assert_eq!(outcome.access_list, AccessList(vec![item(CONTRACT, [2])]));
}

/// geth fills in the fees of a transaction; here an account without ether can ask for a list.
#[test]
fn a_list_is_free_unless_a_price_is_named_and_sees_the_overrides() {
    let chain = chain(&hex!("6002 54 00"), &[]);
    let poor = CallRequest { from: OTHER, ..request() };
    assert!(create(&chain, &poor).is_ok());
    let priced = CallRequest { fee: CallFee::Price(1), gas: Some(50_000), ..poor };
    let error = create(&chain, &priced).expect_err("no ether").to_string();
    assert!(error.starts_with("insufficient funds"), "{error}");
    let rich = AccountOverride { balance: Some(U256::from(50_000)), ..AccountOverride::default() };
    let overrides = Overrides { accounts: [(OTHER, rich)].into(), ..Overrides::default() };
    assert!(chain.executor.access_list(&chain.head, &chain.state, &priced, &overrides).is_ok());
}
