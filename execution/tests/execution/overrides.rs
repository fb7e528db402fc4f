//! Calls on a state and in a block that never were.

use std::collections::BTreeMap;

use alloy_sol_types::SolCall;
use hex_literal::hex;
use quorate_execution::{
    AccountOverride, BlockOverrides, CallError, CallFee, CallOutcome, CallRequest, CallStatus, IConsensus,
    Overrides,
};
use quorate_types::{Address, B256, BaseFee, Bytes, Fork, U256, VALIDATORS_ADDRESS};

use crate::chain::{Account, Chain, ETHER, created};

const CONTRACT: Address = Address::repeat_byte(0xc0);
const BOB: Address = Address::repeat_byte(0xb0);
const SHA256: Address = precompile(2);
const IDENTITY: Address = precompile(4);
/// Returns slots 0 and 1.
const TWO_SLOTS: [u8; 14] = hex!("5f 54 5f 52 6001 54 6020 52 6040 5f f3");
/// Returns 42.
const FORTY_TWO: [u8; 8] = hex!("602a 5f 52 6020 5f f3");

const fn precompile(last: u8) -> Address {
    Address::with_last_byte(last)
}

/// A chain where `CONTRACT` has this code, 10 in slot 0 and 11 in slot 1.
fn chain(code: &[u8]) -> Chain {
    let code = Bytes::copy_from_slice(code);
    Chain::with(Fork::Osaka, |genesis| {
        let contract = genesis.alloc.entry(CONTRACT).or_default();
        contract.code = Some(code);
        let slot = |slot: u8, value: u8| (B256::with_last_byte(slot), B256::with_last_byte(value));
        contract.storage = Some(BTreeMap::from([slot(0, 10), slot(1, 11)]));
        genesis.config.base_fee = BaseFee::Constant { wei: 100 };
    })
}

fn to(address: Address) -> CallRequest {
    CallRequest { from: Account::new(1).address(), to: Some(address), ..CallRequest::default() }
}

fn accounts<const N: usize>(list: [(Address, AccountOverride); N]) -> Overrides {
    Overrides { accounts: BTreeMap::from(list), ..Overrides::default() }
}

fn run(chain: &Chain, request: &CallRequest, overrides: &Overrides) -> Result<CallOutcome, CallError> {
    chain.executor.call(&chain.head, &chain.state, request, overrides)
}

/// What a call returned, in words.
fn words(chain: &Chain, request: &CallRequest, overrides: &Overrides) -> Vec<U256> {
    let outcome = run(chain, request, overrides).expect("runs");
    assert_eq!(outcome.status, CallStatus::Success);
    outcome.output.chunks(32).map(U256::from_be_slice).collect()
}

fn slots<const N: usize>(list: [(u64, u64); N]) -> Option<BTreeMap<U256, U256>> {
    Some(list.into_iter().map(|(slot, value)| (U256::from(slot), U256::from(value))).collect())
}

fn numbers<const N: usize>(list: [u64; N]) -> Vec<U256> {
    list.into_iter().map(U256::from).collect()
}

#[test]
fn state_replaces_the_storage_and_state_diff_adds_to_it() {
    let chain = chain(&TWO_SLOTS);
    let with = |it: AccountOverride| words(&chain, &to(CONTRACT), &accounts([(CONTRACT, it)]));
    assert_eq!(with(AccountOverride::default()), numbers([10, 11]));
    assert_eq!(with(AccountOverride { state_diff: slots([(1, 7)]), ..Default::default() }), numbers([10, 7]));
    assert_eq!(with(AccountOverride { state: slots([(1, 7)]), ..Default::default() }), numbers([0, 7]));
    assert_eq!(with(AccountOverride { state: slots([]), ..Default::default() }), numbers([0, 0]));

    let both = AccountOverride { state: slots([]), state_diff: slots([]), ..Default::default() };
    let error = run(&chain, &to(CONTRACT), &accounts([(CONTRACT, both)])).expect_err("one or the other");
    let text = format!("account {CONTRACT} has both 'state' and 'stateDiff'");
    assert_eq!(error.to_string(), text);
    assert!(text.starts_with("account 0xC0C0c0c0"), "checksummed, as geth writes it: {text}");
}

/// What is overridden is what the transaction began with: writing it again is no change, and cheap (EIP-2200).
#[test]
fn an_overridden_slot_had_its_value_before_the_call() {
    // SSTORE(0, 7)
    let chain = chain(&hex!("6007 5f 55 00"));
    let gas = |value| {
        let it = AccountOverride { state_diff: slots([(0, value)]), ..Default::default() };
        run(&chain, &to(CONTRACT), &accounts([(CONTRACT, it)])).expect("runs").gas_used
    };
    assert_eq!(gas(8) - gas(7), 2_800, "a change of a clean slot, less a slot that is only looked at");
    assert_eq!(gas(0) - gas(8), 17_100, "a slot that was empty");
}

#[test]
fn code_stands_where_none_was_and_goes_where_some_was() {
    let chain = chain(&TWO_SLOTS);
    let with = |address, code: &[u8]| {
        let it = AccountOverride { code: Some(Bytes::copy_from_slice(code)), ..Default::default() };
        run(&chain, &to(address), &accounts([(address, it)])).expect("runs")
    };
    assert_eq!(with(BOB, &FORTY_TWO).output, Bytes::from(U256::from(42).to_be_bytes::<32>()));
    assert_eq!(with(CONTRACT, &[]).output, Bytes::new());
    let delegation = [&hex!("ef0100")[..], CONTRACT.as_slice()].concat();
    assert_eq!(with(BOB, &delegation).output, Bytes::from([0; 64]), "the contract's code on bob's storage");
    assert_eq!(with(BOB, &delegation[..22]).error().as_deref(), Some("invalid opcode"), "no delegation");
}

#[test]
fn balance_and_nonce_are_those_of_a_sender_too() {
    // Returns SELFBALANCE, and the address that CREATE gives.
    let chain = chain(&hex!("47 5f 52 5f 5f 5f f0 6020 52 6040 5f f3"));
    let it = AccountOverride { balance: Some(U256::from(5)), nonce: Some(41), ..Default::default() };
    let overrides = accounts([(CONTRACT, it)]);
    let found = words(&chain, &to(CONTRACT), &overrides);
    let address = Address::from_word(B256::from(found[1]));
    assert_eq!((found[0], address), (U256::from(5), created(CONTRACT, 41)));

    let poor = CallRequest { from: BOB, value: U256::from(ETHER), ..to(CONTRACT) };
    let rich = AccountOverride { balance: Some(U256::from(ETHER)), ..Default::default() };
    let rich = accounts([(BOB, rich)]);
    assert!(run(&chain, &poor, &Overrides::default()).is_err());
    assert_eq!(words(&chain, &poor, &rich)[0], U256::from(ETHER));
    assert!(chain.executor.estimate(&chain.head, &chain.state, &poor, &Overrides::default()).is_err());
    assert!(chain.executor.estimate(&chain.head, &chain.state, &poor, &rich).is_ok());
}

#[test]
fn any_override_at_its_address_removes_a_precompiled_contract() {
    let chain = chain(&TWO_SLOTS);
    let request = CallRequest { data: Bytes::from_static(b"hello"), ..to(IDENTITY) };
    let with = |it| run(&chain, &request, &accounts([(IDENTITY, it)])).expect("runs").output;
    assert_eq!(run(&chain, &request, &Overrides::default()).expect("runs").output, request.data);
    assert_eq!(with(AccountOverride::default()), Bytes::new());
    let code = AccountOverride { code: Some(FORTY_TWO.into()), ..Default::default() };
    assert_eq!(with(code), Bytes::from(U256::from(42).to_be_bytes::<32>()));
}

#[test]
fn a_precompiled_contract_answers_where_it_was_moved_to() {
    let chain = chain(&TWO_SLOTS);
    let moved = |target| AccountOverride { move_precompile_to: Some(target), ..Default::default() };
    let call = |address, overrides: &Overrides| {
        let request = CallRequest { data: Bytes::from_static(b"hello"), ..to(address) };
        run(&chain, &request, overrides).map(|outcome| outcome.output)
    };
    // Its code, or another precompiled contract, is covered up there.
    for target in [BOB, CONTRACT, SHA256] {
        let overrides = accounts([(IDENTITY, moved(target))]);
        assert_eq!(call(target, &overrides).expect("runs"), Bytes::from_static(b"hello"), "at {target}");
        assert_eq!(call(IDENTITY, &overrides).expect("runs"), Bytes::new(), "no longer at its own");
    }
    let error = |overrides| call(BOB, &overrides).expect_err("contradicts itself").to_string();
    assert_eq!(error(accounts([(BOB, moved(CONTRACT))])), format!("account {BOB} is not a precompile"));
    let own = AccountOverride::default();
    assert_eq!(
        error(accounts([(IDENTITY, moved(BOB)), (BOB, own)])),
        format!("account {BOB} is already overridden")
    );
    let both = accounts([(SHA256, moved(BOB)), (IDENTITY, moved(BOB))]);
    assert_eq!(call(BOB, &both).expect("runs"), Bytes::from_static(b"hello"), "the last of two");
}

#[test]
fn the_consensus_contract_is_overridden_like_an_account() {
    let chain = chain(&TWO_SLOTS);
    let request =
        CallRequest { data: IConsensus::getNodesCall {}.abi_encode().into(), ..to(VALIDATORS_ADDRESS) };
    let nodes = |it| {
        let outcome = run(&chain, &request, &accounts([(VALIDATORS_ADDRESS, it)])).expect("runs");
        IConsensus::getNodesCall::abi_decode_returns(&outcome.output).map(|nodes| nodes.len())
    };
    let rich = AccountOverride { balance: Some(U256::from(1)), ..Default::default() };
    assert_eq!(nodes(rich), Ok(4), "it still answers");
    assert_eq!(
        nodes(AccountOverride { state: slots([]), ..Default::default() }),
        Ok(0),
        "from other storage"
    );
    let code = AccountOverride { code: Some(FORTY_TWO.into()), ..Default::default() };
    let overrides = accounts([(VALIDATORS_ADDRESS, code)]);
    assert_eq!(words(&chain, &request, &overrides), numbers([42]), "other code runs in its place");
    let moved = AccountOverride { move_precompile_to: Some(BOB), ..Default::default() };
    let error = run(&chain, &request, &accounts([(VALIDATORS_ADDRESS, moved)])).expect_err("no precompile");
    assert_eq!(error.to_string(), format!("account {VALIDATORS_ADDRESS} is not a precompile"));
}

#[test]
fn every_field_of_the_block_can_be_another() {
    // Returns NUMBER, TIMESTAMP, GASLIMIT, COINBASE, PREVRANDAO, BASEFEE, BLOBBASEFEE.
    let code = hex!("43 5f 52 42 6020 52 45 6040 52 41 6060 52 44 6080 52 48 60a0 52 4a 60c0 52 60e0 5f f3");
    let chain = chain(&code);
    let block = BlockOverrides {
        number: Some(1_000),
        difficulty: Some(U256::from(1)),
        time: Some(2_000),
        gas_limit: Some(3_000),
        fee_recipient: Some(precompile(0x40)),
        prev_randao: Some(B256::with_last_byte(5)),
        base_fee_per_gas: Some(60),
        blob_base_fee: Some(7),
    };
    let overrides = Overrides { block, ..Overrides::default() };
    let priced = CallRequest { fee: CallFee::Price(60), ..to(CONTRACT) };
    assert_eq!(words(&chain, &priced, &overrides), numbers([1_000, 2_000, 3_000, 0x40, 5, 60, 7]));
    assert_eq!(words(&chain, &to(CONTRACT), &overrides)[5], U256::ZERO, "a free call has no base fee");
    assert!(run(&chain, &priced, &Overrides::default()).is_err(), "the block's own is 100");

    let header = &chain.head;
    let own = [
        U256::from(header.number),
        U256::from(header.timestamp),
        U256::from(header.gas_limit),
        U256::from_be_slice(header.beneficiary.as_slice()),
        U256::from_be_bytes(header.mix_hash.0),
        U256::ZERO,
        U256::from(1),
    ];
    assert_eq!(words(&chain, &to(CONTRACT), &Overrides::default()), own);
}

#[test]
fn the_overridden_height_chooses_the_fork() {
    // Returns CLZ(1), which is Osaka's.
    let code = Bytes::from(hex!("6001 1e 5f 52 6020 5f f3"));
    let chain = Chain::with(Fork::Cancun, |genesis| {
        genesis.alloc.entry(CONTRACT).or_default().code = Some(code);
        genesis.config.forks.insert(Fork::Osaka, 1_000);
    });
    let at = |number| {
        let block = BlockOverrides { number: Some(number), ..BlockOverrides::default() };
        run(&chain, &to(CONTRACT), &Overrides { block, ..Overrides::default() }).expect("runs").status
    };
    assert_eq!(at(1_000), CallStatus::Success);
    assert_eq!(at(999), CallStatus::Halted("invalid opcode".to_owned()));
}

/// Given a call whose block has a number far above the head, then blocks that do not exist have no hash, and the call runs all the
/// same: geth says 0.
#[test]
fn blocks_that_do_not_exist_have_no_hash() {
    // Returns BLOCKHASH of what it is asked for.
    let chain = chain(&hex!("5f 35 40 5f 52 6020 5f f3"));
    let head = chain.head.number;
    let block = BlockOverrides { number: Some(head + 10), ..BlockOverrides::default() };
    let overrides = Overrides { block, ..Overrides::default() };
    let ask = |number: u64| {
        let data = Bytes::from(U256::from(number).to_be_bytes::<32>());
        words(&chain, &CallRequest { data, ..to(CONTRACT) }, &overrides)
    };
    for above in [head, head + 1, head + 9, head + 10, head + 11] {
        assert_eq!(ask(above), numbers([0]), "block {above}");
    }
}
