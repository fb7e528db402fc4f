//! Calls and estimates: geth's semantics, and that nothing they do is ever seen again.

use std::time::{Duration, Instant};

use hex_literal::hex;
use quorate_execution::{CallError, CallFee, CallLimits, CallOutcome, CallRequest, CallStatus, Overrides};
use quorate_types::{Address, BaseFee, Bytes, Fork, U256};
use revm::primitives::TxKind;

use crate::chain::{Account, Chain, ETHER, created, deployer, gas_of_each};

const BOB: Address = Address::repeat_byte(0xb0);
/// JUMPDEST, PUSH0, JUMP.
const LOOP: [u8; 3] = hex!("5b 5f 56");
/// Adds one to slot 0 and returns the new value.
const COUNTER: [u8; 15] = hex!("5f 54 6001 01 80 5f 55 5f 52 6020 5f f3 00");

struct Deployed {
    chain: Chain,
    alice: Account,
    contract: Address,
}

/// A chain with `code` at an address, deployed by the first account.
fn deployed(code: &[u8]) -> Deployed {
    let mut chain = Chain::new(Fork::Osaka);
    let mut alice = Account::new(1);
    let contract = created(alice.address(), 0);
    let block = chain.run(&[alice.send(TxKind::Create, 0, 1_000_000, deployer(code))]);
    assert!(block.receipts[0].status());
    Deployed { chain, alice, contract }
}

impl Deployed {
    fn request(&self) -> CallRequest {
        CallRequest { from: self.alice.address(), to: Some(self.contract), ..CallRequest::default() }
    }

    fn call(&self, request: &CallRequest) -> Result<CallOutcome, CallError> {
        self.chain.executor.call(&self.chain.head, &self.chain.state, request, &Overrides::default())
    }

    fn estimate(&self, request: &CallRequest) -> Result<u64, CallError> {
        self.chain.executor.estimate(&self.chain.head, &self.chain.state, request, &Overrides::default())
    }
}

/// Fault call-changes-execution (FISCO BCOS #5528): a cached call changed what consensus executed.
#[test]
fn call_changes_execution_never() {
    let mut it = deployed(&COUNTER);
    let request = it.request();
    for _ in 0..3 {
        let outcome = it.call(&request).expect("runs");
        assert_eq!(outcome.status, CallStatus::Success);
        assert_eq!(U256::from_be_slice(&outcome.output), U256::from(1), "each call starts anew");
    }
    it.estimate(&request).expect("runs");
    let transaction = it.alice.send(TxKind::Call(it.contract), 0, 100_000, Bytes::new());
    it.chain.run(&[transaction]);
    assert_eq!(it.chain.state.slot(it.contract, 0), U256::from(1));
    assert_eq!(U256::from_be_slice(&it.call(&request).expect("runs").output), U256::from(2));
}

#[test]
fn a_call_needs_no_money_no_nonce_and_no_key() {
    let it = deployed(&COUNTER);
    for from in [Address::repeat_byte(0x99), it.contract, Address::ZERO] {
        let outcome = it.call(&CallRequest { from, ..it.request() }).expect("runs");
        assert_eq!(outcome.status, CallStatus::Success, "from {from}");
    }
    let poor = CallRequest { from: BOB, value: U256::from(1), ..it.request() };
    let error = it.call(&poor).expect_err("value must be there").to_string();
    assert!(error.starts_with("insufficient funds for gas * price + value: address"), "{error}");
}

#[test]
fn a_call_with_a_price_is_held_to_it() {
    let edit = |genesis: &mut quorate_types::Genesis| {
        genesis.config.base_fee = BaseFee::Constant { wei: 100 };
    };
    let chain = Chain::with(Fork::Osaka, edit);
    let call = |from: Address, fee| {
        let request = CallRequest { from, to: Some(BOB), fee, gas: Some(21_000), ..CallRequest::default() };
        chain.executor.call(&chain.head, &chain.state, &request, &Overrides::default())
    };
    let rich = Account::new(1).address();
    assert!(call(BOB, CallFee::Free).is_ok(), "a free call ignores the base fee");
    assert!(call(rich, CallFee::Price(100)).is_ok());
    let error = call(rich, CallFee::Price(99)).expect_err("below the base fee").to_string();
    assert!(error.starts_with("max fee per gas less than block base fee"), "{error}");
    let error = call(BOB, CallFee::Price(100)).expect_err("no funds").to_string();
    assert!(error.ends_with("have 0 want 2100000"), "{error}");
    let fee = CallFee::Dynamic { max_fee: 200, max_priority_fee: 201 };
    let error = call(rich, fee).expect_err("tip above the most").to_string();
    assert!(error.starts_with("max priority fee per gas higher than max fee per gas"), "{error}");
}

/// BASEFEE reads 0 in a free call and the block's otherwise, as in geth.
#[test]
fn the_base_fee_of_a_free_call_is_zero() {
    let code = Bytes::from(hex!("48 5f 52 6020 5f f3"));
    let edit = |genesis: &mut quorate_types::Genesis| {
        genesis.config.base_fee = BaseFee::Constant { wei: 100 };
        genesis.alloc.entry(BOB).or_default().code = Some(code);
    };
    let chain = Chain::with(Fork::Osaka, edit);
    let base_fee = |fee| {
        let from = Account::new(1).address();
        let request = CallRequest { from, to: Some(BOB), fee, ..CallRequest::default() };
        let outcome =
            chain.executor.call(&chain.head, &chain.state, &request, &Overrides::default()).expect("runs");
        U256::from_be_slice(&outcome.output)
    };
    assert_eq!([base_fee(CallFee::Free), base_fee(CallFee::Price(150))], [U256::ZERO, U256::from(100)]);
}

#[test]
fn reverts_and_halts_are_outcomes() {
    // Returns the call data as the data of a revert.
    let it = deployed(&hex!("36 5f 5f 37 36 5f fd"));
    let reason = hex!(
        "08c379a0"
        "0000000000000000000000000000000000000000000000000000000000000020"
        "0000000000000000000000000000000000000000000000000000000000000004"
        "6e6f706500000000000000000000000000000000000000000000000000000000"
    );
    let request = CallRequest { data: reason.into(), ..it.request() };
    let outcome = it.call(&request).expect("runs");
    assert_eq!((&outcome.status, &outcome.output[..]), (&CallStatus::Reverted, &reason[..]));
    assert_eq!(outcome.error().as_deref(), Some("execution reverted: nope"));
    let error = it.estimate(&request).expect_err("it always reverts");
    assert_eq!(error.to_string(), "execution reverted: nope");
    assert!(matches!(error, CallError::Reverted(data) if data[..] == reason[..]));

    let invalid = deployed(&hex!("fe"));
    let outcome = invalid.call(&invalid.request()).expect("runs");
    assert_eq!(outcome.error().as_deref(), Some("invalid opcode: INVALID"));
    let error = invalid.estimate(&invalid.request()).expect_err("it always halts");
    assert!(matches!(error, CallError::Halted(_)), "{error}");
}

#[test]
fn an_endless_loop_is_ended_by_gas() {
    let mut it = deployed(&LOOP);
    // Time enough for a machine that is busy and code that is not optimised.
    let limits = CallLimits { time: Duration::from_secs(120), ..CallLimits::default() };
    it.chain.executor = it.chain.executor.clone().with_call_limits(limits);
    let outcome = it.call(&it.request()).expect("runs");
    assert_eq!(outcome.error().as_deref(), Some("out of gas"));
    assert_eq!(outcome.gas_used, 50_000_000, "the cap, although the request names none");
    let greedy = CallRequest { gas: Some(u64::MAX), ..it.request() };
    assert_eq!(it.call(&greedy).expect("runs").gas_used, 50_000_000);
    let modest = CallRequest { gas: Some(100_000), ..it.request() };
    assert_eq!(it.call(&modest).expect("runs").gas_used, 100_000);
    let error = it.estimate(&it.request()).expect_err("it never ends");
    // EIP-7825 bounds what a transaction could have, below the cap of calls.
    assert_eq!(error.to_string(), "gas required exceeds allowance (16777216)");
}

#[test]
fn an_endless_loop_is_ended_by_time() {
    // Calls itself for ever, so that inner frames must end as well as the outer one.
    let recursion = hex!("5b 5f 5f 5f 5f 5f 30 5a f1 50 5f 56");
    for code in [&LOOP[..], &recursion[..]] {
        let mut it = deployed(code);
        let time = Duration::from_millis(50);
        let limits = CallLimits { gas: u64::MAX, time };
        it.chain.executor = it.chain.executor.clone().with_call_limits(limits);
        let started = Instant::now();
        let error = it.call(&it.request()).expect_err("it never ends");
        assert!(matches!(error, CallError::Timeout(limit) if limit == time), "{error}");
        assert_eq!(error.to_string(), "execution aborted (timeout = 50ms)");
        // Generous: what matters is that 2^64 gas would take centuries.
        assert!(started.elapsed() < Duration::from_secs(5));
    }
}

#[test]
fn a_contract_can_be_created_in_a_call() {
    let it = deployed(&COUNTER);
    let request = CallRequest { to: None, data: deployer(&LOOP), ..it.request() };
    let outcome = it.call(&request).expect("runs");
    assert_eq!((outcome.status, outcome.output), (CallStatus::Success, Bytes::from(LOOP)));
    let authorization = it.alice.authorize(BOB, 0);
    let both = CallRequest { authorization_list: vec![authorization], ..request };
    assert!(it.call(&both).expect_err("EIP-7702 needs a target").to_string().contains("EIP-7702"));
}

#[test]
fn a_plain_transfer_is_estimated_at_21000() {
    let it = deployed(&COUNTER);
    let request = CallRequest { to: Some(BOB), value: U256::from(ETHER), ..it.request() };
    assert_eq!(it.estimate(&request).expect("runs"), 21_000);
    let poor = CallRequest { from: BOB, fee: CallFee::Price(1), ..request.clone() };
    assert_eq!(it.estimate(&poor).expect_err("no funds").to_string(), "insufficient funds for transfer");
    let unpriced = CallRequest { from: BOB, ..request };
    assert!(
        it.estimate(&unpriced).expect_err("no funds").to_string().starts_with("insufficient funds for gas")
    );
}

/// What an estimate says must suffice, and be close to what is used.
#[test]
fn a_transaction_with_the_estimated_gas_succeeds() {
    let cases: [(&[u8], CallRequest); 4] = [
        (&COUNTER, CallRequest::default()),
        // Clears slot 0 again: the refund comes after the gas was needed.
        (&hex!("6001 5f 55 5f 5f 55 00"), CallRequest::default()),
        // Sends one wei on: the stipend must be covered.
        (&hex!("5f 5f 5f 5f 6001 60b0 5a f1 00"), CallRequest { value: U256::from(5), ..Default::default() }),
        // Calls the identity contract with 63/64 of what is left, and reverts when that fails.
        (&hex!("5f 5f 6180005f 6004 5a fa 6010 57 5f 5f fd 5b 00"), CallRequest::default()),
    ];
    for (code, request) in cases {
        let mut it = deployed(code);
        let request = CallRequest { from: it.alice.address(), to: Some(it.contract), ..request };
        let estimate = it.estimate(&request).expect("it can succeed");
        let value = request.value.to::<u128>();
        let sent = it.alice.send(TxKind::Call(it.contract), value, estimate, Bytes::new());
        let block = it.chain.run(&[sent]);
        assert!(block.receipts[0].status(), "{code:02x?} with {estimate}");
        let used = gas_of_each(&block)[0];
        assert!(used <= estimate && estimate < used + used / 2, "{used} used, {estimate} estimated");
    }
}

#[test]
fn an_estimate_is_bounded_by_what_the_sender_can_pay() {
    let it = deployed(&COUNTER);
    let balance = it.chain.state.balance(it.alice.address());
    let price = (balance / U256::from(30_000)).to::<u128>();
    let request = CallRequest { fee: CallFee::Price(price), ..it.request() };
    assert_eq!(
        it.estimate(&request).expect_err("the first write costs more").to_string(),
        "gas required exceeds allowance (30000)"
    );
    let cheap = CallRequest { fee: CallFee::Price(1), ..it.request() };
    assert_eq!(it.estimate(&cheap).expect("runs"), it.estimate(&it.request()).expect("runs"));
}

/// A pending call runs in the block after the head.
#[test]
fn a_call_on_the_pending_block_sees_its_number_and_its_parent() {
    // Returns NUMBER and BLOCKHASH(NUMBER - 1).
    let it = deployed(&hex!("43 5f 52 6001 43 03 40 6020 52 6040 5f f3"));
    let pending = it.chain.executor.unsealed(&it.chain.head, 0, BOB);
    let outcome = it
        .chain
        .executor
        .call(&pending, &it.chain.state, &it.request(), &Overrides::default())
        .expect("runs");
    assert_eq!(U256::from_be_slice(&outcome.output[..32]), U256::from(it.chain.head.number + 1));
    assert_eq!(outcome.output[32..], it.chain.head.hash_slow()[..]);
}
