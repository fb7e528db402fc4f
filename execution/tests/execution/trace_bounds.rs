//! That a replay is what was recorded, that traces end at their bounds, and that they leave nothing behind.

use std::time::{Duration, Instant};

use alloy_rpc_types_trace::geth::TraceResult;
use hex_literal::hex;
use quorate_execution::{CallLimits, CallRequest, Overrides, RecordedBlock, TraceError, TraceLimits};
use quorate_types::{Address, Fork, HISTORY_STORAGE_ADDRESS, Header, StateChanges, TxKind};
use serde_json::{Value, json};

use crate::{
    chain::{Account, Chain, created, deployer, gas_of_each},
    traced::{CONTRACT, OTHER, Traced, call_tracer, chain_with, parse, prestate},
};

/// Adds one to slot 0.
const COUNTER: [u8; 8] = hex!("5f 54 6001 01 5f 55 00");
/// JUMPDEST, PUSH0, JUMP.
const LOOP: [u8; 3] = hex!("5b 5f 56");
const GAS: u64 = 200_000;

/// One transaction of each kind that a block may hold, and some that depend on those before.
fn busy_block() -> Traced {
    let (mut alice, mut carol, bob) = (Account::new(1), Account::new(2), Account::new(77));
    let authorization = bob.authorize(CONTRACT, 0);
    let reverter = created(alice.address(), 0);
    let transactions = vec![
        alice.send(TxKind::Create, 0, GAS, deployer(&hex!("5f 5f fd"))),
        alice.send(TxKind::Call(reverter), 0, GAS, []),
        carol.send(TxKind::Call(CONTRACT), 0, GAS, []),
        alice.send(TxKind::Call(CONTRACT), 0, GAS, []),
        carol.delegate(bob.address(), vec![authorization]),
        carol.send(TxKind::Call(bob.address()), 0, GAS, []),
        carol.transfer_1559(Address::repeat_byte(0x77), 5, 1),
        alice.send(TxKind::Call(OTHER), 0, 50_000, []),
    ];
    Traced::new(chain_with(&COUNTER, &LOOP), transactions)
}

#[test]
fn a_replay_is_what_the_receipts_say() {
    let it = busy_block();
    let statuses: Vec<_> = it.block.receipts.iter().map(|receipt| receipt.status()).collect();
    assert_eq!(statuses, [true, false, true, true, true, true, true, false]);
    let gas = gas_of_each(&it.block);
    for index in 0..it.transactions.len() {
        let steps = it.trace(index, json!({ "disableStack": true, "disableStorage": true }));
        assert_eq!((&steps["gas"], &steps["failed"]), (&json!(gas[index]), &json!(!statuses[index])));
        let call = it.trace(index, call_tracer(Value::Null));
        assert_eq!(call["gasUsed"], format!("{:#x}", gas[index]), "transaction {index}");
        assert_eq!(call.get("error").is_none(), statuses[index]);
    }
}

#[test]
fn a_block_is_traced_as_its_transactions_are_one_by_one() {
    let it = busy_block();
    for options in [json!({ "limit": 9 }), call_tracer(Value::Null), prestate(json!({ "diffMode": true }))] {
        let traces = it.try_block(options.clone()).expect("traces");
        assert_eq!(traces.len(), it.transactions.len());
        for (index, trace) in traces.into_iter().enumerate() {
            let result = it.try_trace(index, options.clone()).expect("a trace");
            let tx_hash = Some(it.transactions[index].hash());
            assert_eq!(trace, TraceResult::Success { result, tx_hash }, "transaction {index}");
        }
    }
}

/// EIP-2935: what the system call at the beginning of the block wrote is there.
#[test]
fn a_replay_begins_with_the_system_call() {
    // Asks the history contract for the block before this one, and returns what it says.
    let code = [
        &hex!("6001 43 03 5f 52 6020 5f 6020 5f 5f 73")[..],
        HISTORY_STORAGE_ADDRESS.as_slice(),
        &hex!("5a f1 50 6020 5f f3"),
    ]
    .concat();
    let mut alice = Account::new(1);
    let chain = chain_with(&code, &[]);
    let parent = chain.head.hash_slow();
    let it = Traced::new(chain, vec![alice.send(TxKind::Call(CONTRACT), 0, GAS, [])]);
    assert_eq!(it.trace(0, json!({}))["returnValue"], json!(parent));
}

#[test]
fn traces_leave_nothing_behind() {
    let it = busy_block();
    let root = |it: &Traced| it.before.root_after(&StateChanges::default());
    let (before, next) = (root(&it), it.chain.build(&[]).block.hash());
    let first = it.try_block(json!({})).expect("traces");
    it.trace(3, prestate(Value::Null));
    assert_eq!((root(&it), it.chain.build(&[]).block.hash()), (before, next));
    assert_eq!(it.try_block(json!({})).expect("traces"), first, "each begins anew");
}

#[test]
fn what_cannot_be_traced_is_refused_in_geths_words() {
    let it = busy_block();
    let error = |options| it.try_trace(0, options).expect_err("refused");
    for name in ["{data: [], step() {}}", "noSuchTracer", "erc7562Tracer"] {
        assert_eq!(error(json!({ "tracer": name })).to_string(), "tracer not found");
        assert!(error(json!({ "tracer": name })).is_invalid_request());
        let inside = json!({ "tracer": "muxTracer", "tracerConfig": { name: {} } });
        assert_eq!(error(inside).to_string(), "tracer not found");
    }
    assert_eq!(error(call_tracer(json!({ "withLog": 7 }))).to_string(), "invalid tracer config");
    let soon = error(json!({ "timeout": "soon" }));
    assert_eq!(soon.to_string(), "time: invalid duration \"soon\"");
    assert!(soon.is_invalid_request());

    let missing = it.try_trace(8, json!({})).expect_err("eight there are");
    assert_eq!(missing.to_string(), "transaction not found");
    assert!(!missing.is_invalid_request());
    let header = Header { number: 0, ..it.header.clone() };
    let genesis = RecordedBlock { header: &header, transactions: &[] };
    let refused = it.chain.executor.trace_block(genesis, &it.before, &parse(json!({})));
    assert_eq!(refused.expect_err("no block before it").to_string(), "genesis is not traceable");
}

/// Another state is this node's fault: no trace is better than one of something else.
#[test]
fn a_state_that_is_not_the_blocks_own_gives_no_trace() {
    let it = busy_block();
    let other = &it.chain.state;
    let executor = &it.chain.executor;
    let after = executor.trace_transaction(it.recorded(), 1, other, &parse(json!({})));
    let error = after.expect_err("its nonce is used").to_string();
    assert!(error.starts_with("cannot execute: a recorded transaction cannot run again: nonce too low"));
    let header = Header { gas_used: 1, ..it.header.clone() };
    let block = RecordedBlock { header: &header, transactions: &it.transactions };
    let traces = executor.trace_block(block, &it.before, &parse(json!({})));
    assert!(matches!(traces, Err(TraceError::Fault(_))), "it used other gas");
}

fn bounded(mut chain: Chain, bytes: u64) -> Chain {
    // Time enough for a machine that is busy and code that is not optimised.
    let limits = TraceLimits { bytes, time: Duration::from_secs(120) };
    chain.executor = chain.executor.with_trace_limits(limits);
    chain
}

/// Traces a call of `CONTRACT` with this gas.
fn trace_call(chain: &Chain, gas: u64, options: Value) -> Result<Value, TraceError> {
    let request = CallRequest { to: Some(CONTRACT), gas: Some(gas), ..CallRequest::default() };
    let none = Overrides::default();
    let trace = chain.executor.trace_call(&chain.head, &chain.state, &request, &none, &parse(options));
    trace.map(|trace| serde_json::to_value(trace).expect("JSON"))
}

fn is_too_large(trace: &Result<Value, TraceError>) -> bool {
    matches!(trace, Err(TraceError::TooLarge))
}

#[test]
fn a_trace_of_too_many_steps_is_none() {
    let chain = bounded(chain_with(&LOOP, &[]), 1 << 20);
    let error = trace_call(&chain, 1_000_000, json!({})).expect_err("some 250,000 steps");
    assert_eq!(
        error.to_string(),
        "trace too large: use a call tracer, disableStorage, disableStack or limit"
    );
    assert!(trace_call(&chain, 1_000_000, json!({ "limit": 100 })).is_ok());
    assert!(trace_call(&chain, 1_000_000, call_tracer(Value::Null)).is_ok());
    assert!(trace_call(&chain, 30_000, json!({})).is_ok(), "some 2,000 steps with little stack");
}

/// What is counted is no less than what is sent, whatever makes a step long.
#[test]
fn stack_memory_storage_and_return_data_count() {
    // A stack of 64 full words, a memory of 2 KiB, 100 slots that are looked at, and return data of 2 KiB; then 200 steps.
    let mut code = hex!("6042 6107e0 52").to_vec();
    code.extend((0..100).flat_map(|slot| [0x60, slot, 0x54, 0x50]));
    code.extend(hex!("610800 5f 610800 5f 6004 5a fa 50"));
    code.extend([0x5f, 0x19].repeat(64));
    code.extend([0x5f, 0x54, 0x50].repeat(70));
    let chain = bounded(chain_with(&code, &[]), u64::MAX);
    for options in [
        json!({ "disableStorage": true }),
        json!({ "disableStack": true }),
        json!({ "disableStack": true, "disableStorage": true, "enableMemory": true }),
        json!({ "disableStack": true, "disableStorage": true, "enableReturnData": true }),
    ] {
        let length =
            trace_call(&chain, 1_000_000, options.clone()).expect("no bound").to_string().len() as u64;
        assert!(is_too_large(&trace_call(
            &bounded(chain_with(&code, &[]), length),
            1_000_000,
            options.clone()
        )));
        let enough = bounded(chain_with(&code, &[]), 3 * length);
        assert!(trace_call(&enough, 1_000_000, options.clone()).is_ok(), "not much more either: {options}");
    }
}

#[test]
fn input_output_logs_and_code_count() {
    // For ever: a call of the other with 64 KiB, a call without data, a log of 16 KiB.
    let call = |length: [u8; 4]| {
        [&[0x5b, 0x5f, 0x5f][..], &length, &[0x5f, 0x5f, 0x73], OTHER.as_slice(), &hex!("5a f1 50 5f 56")]
            .concat()
    };
    let (long, short) = (call(hex!("62010000")), call(hex!("62000000")));
    let log = hex!("5b 614000 5f a0 5f 56").to_vec();
    let returns = hex!("614000 5f f3");
    let flat = json!({ "tracer": "flatCallTracer" });
    // With this gas the calls or logs alone, without what they carry, fit.
    for (code, other, gas, options) in [
        (&long, &[0][..], 100_000, call_tracer(Value::Null)),
        (&long, &[0], 100_000, flat),
        (&short, &returns, 900_000, call_tracer(Value::Null)),
        (&log, &[], 9_000_000, call_tracer(json!({ "withLog": true }))),
    ] {
        let small = bounded(chain_with(code, other), 1 << 20);
        assert!(is_too_large(&trace_call(&small, gas, options)), "{code:02x?}");
        assert!(trace_call(&small, gas, json!({ "tracer": "noopTracer" })).is_ok());
    }
    let small = bounded(chain_with(&short, &[0]), 1 << 20);
    assert!(trace_call(&small, 100_000, call_tracer(Value::Null)).is_ok(), "as many calls of nothing");
    let chain = bounded(chain_with(&[0; 20_000], &[]), 30_000);
    assert!(is_too_large(&trace_call(&chain, 100_000, prestate(Value::Null))), "40,000 digits of code");
    assert!(trace_call(&chain, 100_000, prestate(json!({ "disableCode": true }))).is_ok());
}

#[test]
fn the_traces_of_a_block_share_the_bound() {
    let mut it = busy_block();
    let bytes = 40_000;
    it.chain = bounded(it.chain, bytes);
    let options = || json!({ "disableStack": true, "disableStorage": true, "limit": 30 });
    for index in 0..it.transactions.len() {
        assert!(it.try_trace(index, options()).is_ok(), "30 steps of 256 bytes");
    }
    assert!(it.try_block(json!({ "limit": 1 })).is_ok());
    it.chain = bounded(it.chain, bytes / 4);
    assert!(matches!(it.try_block(options()), Err(TraceError::TooLarge)));
}

#[test]
fn a_trace_ends_when_its_time_is_up() {
    let mut chain = chain_with(&LOOP, &[]);
    let time = Duration::from_millis(50);
    let limits = TraceLimits { time, bytes: u64::MAX };
    let endless = CallLimits { gas: u64::MAX, ..CallLimits::default() };
    chain.executor = chain.executor.with_trace_limits(limits).with_call_limits(endless);
    let ended = |timeout: Value| {
        let options = json!({ "tracer": "callTracer", "timeout": timeout });
        let started = Instant::now();
        let error = trace_call(&chain, u64::MAX, options).expect_err("it never ends");
        assert_eq!(error.to_string(), "execution timeout");
        // Generous: 2^64 gas would take centuries.
        assert!(started.elapsed() < Duration::from_secs(20));
        match error {
            TraceError::Timeout(limit) => limit,
            other => panic!("{other}"),
        }
    };
    assert_eq!(ended(Value::Null), time);
    assert_eq!(ended(json!("10ms")), Duration::from_millis(10), "a request may ask for less");
    assert_eq!(ended(json!("1h")), time, "but not for more");
}

/// The clock is looked at between transactions too, so that a long block before the one to trace ends as well.
#[test]
fn a_replay_ends_when_its_time_is_up() {
    let mut alice = Account::new(1);
    let transfers = (0..3).map(|_| alice.transfer(OTHER, 1)).collect();
    let it = Traced::new(Chain::new(Fork::Osaka), transfers);
    let late = json!({ "tracer": "noopTracer", "timeout": "0s" });
    assert!(matches!(it.try_block(late.clone()), Err(TraceError::Timeout(_))));
    // On this state not even the first can run: it was not tried.
    let wrong = &it.chain.state;
    let trace = it.chain.executor.trace_transaction(it.recorded(), 2, wrong, &parse(late));
    assert!(matches!(trace, Err(TraceError::Timeout(_))));
}
