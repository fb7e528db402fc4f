//! What traces say, field by field as geth documents it.

use hex_literal::hex;
use quorate_execution::{AccountOverride, CallFee, CallRequest, IConsensus, Overrides};
use quorate_types::{Address, Bytes, Fork, NodeKey, TxKind, U256, VALIDATORS_ADDRESS};
use serde_json::{Value, json};

use crate::{
    chain::{Account, Chain, FEES, created, deployer, gas_of_each},
    traced::{CONTRACT, OTHER, Traced, call_tracer, chain_of, chain_with, hex, parse, prestate},
};

/// SSTORE(0, 7)
const STORE: [u8; 5] = hex!("6007 5f 55 00");
/// LOG1 of 32 bytes of memory, with topic 7.
const LOGGER: [u8; 7] = hex!("6007 6020 5f a1 00");
const GAS: u64 = 200_000;

fn word(number: u64) -> String {
    format!("{number:#066x}")
}

/// One call of `CONTRACT`.
fn called(code: &[u8], other: &[u8]) -> Traced {
    let mut alice = Account::new(1);
    Traced::new(chain_with(code, other), vec![alice.send(TxKind::Call(CONTRACT), 0, GAS, hex!("11223344"))])
}

#[test]
fn the_struct_logger_shows_every_step_before_it_runs() {
    let it = called(&STORE, &[]);
    let trace = it.trace(0, json!({}));
    // 21,000 and 4 bytes of 16 gas before the first step.
    let step = |pc: u64, op: &str, gas: u64, cost: u64, stack: Value| json!({ "pc": pc, "op": op, "gas": gas, "gasCost": cost, "depth": 1, "stack": stack, "refund": 0 });
    let mut store = step(3, "SSTORE", 178_931, 22_100, json!(["0x7", "0x0"]));
    store["storage"] = json!({ word(0): word(7) });
    let want = [
        step(0, "PUSH1", 178_936, 3, json!([])),
        step(2, "PUSH0", 178_933, 2, json!(["0x7"])),
        store,
        step(4, "STOP", 156_831, 0, json!([])),
    ];
    let have = trace["structLogs"].as_array().expect("steps");
    for (have, want) in have.iter().zip(&want) {
        assert_eq!(have, want);
    }
    assert_eq!(have.len(), want.len());
    assert_eq!((&trace["gas"], &trace["failed"]), (&json!(43_169), &json!(false)));
    assert_eq!(trace["returnValue"], "0x");
}

#[test]
fn the_struct_logger_leaves_out_and_adds_what_it_is_told_to() {
    // MSTORE(0, 42), SLOAD(0), RETURN(0, 32)
    let it = called(&hex!("602a 5f 52 5f 54 6020 5f f3"), &[]);
    let bare = it.trace(0, json!({ "disableStack": true, "disableStorage": true }));
    for step in bare["structLogs"].as_array().expect("steps") {
        assert_eq!([step.get("stack"), step.get("storage"), step.get("memory")], [None, None, None]);
    }
    assert_eq!(bare["returnValue"], word(42));
    let full = it.trace(0, json!({ "enableMemory": true, "enableReturnData": true }));
    assert_eq!(full["structLogs"][4]["memory"], json!([word(42)]));
    assert_eq!(full["structLogs"][4]["storage"], json!({ word(0): word(0) }));
    assert_eq!(full["structLogs"][4]["returnData"], "0x");
    let short = it.trace(0, json!({ "limit": 2 }));
    assert_eq!(short["structLogs"].as_array().map(Vec::len), Some(2));
    assert_eq!(short["gas"], full["gas"], "the run goes on");
}

#[test]
fn a_transfer_is_one_call_without_steps() {
    let mut alice = Account::new(1);
    let it = Traced::new(Chain::new(Fork::Osaka), vec![alice.transfer(OTHER, 5)]);
    assert_eq!(
        it.trace(0, call_tracer(Value::Null)),
        json!({ "type": "CALL", "from": hex(alice.address()), "to": hex(OTHER), "value": "0x5",
            "gas": "0x5208", "gasUsed": "0x5208", "input": "0x" })
    );
    assert_eq!(
        it.trace(0, json!({})),
        json!({ "gas": 21_000, "failed": false, "returnValue": "0x", "structLogs": [] })
    );
    assert_eq!(it.trace(0, json!({ "tracer": "noopTracer" })), json!({}));
}

/// The contract sends 1 wei to the other, which logs; then delegates to code that reverts with the call data.
#[test]
fn calls_are_nested_as_they_were_made() {
    let third = Address::repeat_byte(0xd0);
    let code = [
        &hex!("5f 5f 5f 5f 6001 73")[..],
        OTHER.as_slice(),
        &hex!("5a f1 50 36 5f 5f 37 5f 5f 36 5f 73"),
        third.as_slice(),
        &hex!("5a f4 50 6001 5f 5f a1 00"),
    ]
    .concat();
    let chain = chain_of(&code, &LOGGER, |genesis| {
        genesis.alloc.entry(third).or_default().code =
            Some(hex!("6007 5f 5f a1 36 5f 5f 37 36 5f fd").into());
    });
    let mut alice = Account::new(1);
    let reason = hex!(
        "08c379a0"
        "0000000000000000000000000000000000000000000000000000000000000020"
        "0000000000000000000000000000000000000000000000000000000000000004"
        "6e6f706500000000000000000000000000000000000000000000000000000000"
    );
    let it = Traced::new(chain, vec![alice.send(TxKind::Call(CONTRACT), 1, GAS, reason)]);
    let data = Bytes::from(reason).to_string();

    let trace = it.trace(0, call_tracer(json!({ "withLog": true })));
    let [top, first, second] = [&trace, &trace["calls"][0], &trace["calls"][1]];
    assert_eq!(top["gasUsed"], format!("{:#x}", gas_of_each(&it.block)[0]));
    assert_eq!([&top["gas"], &top["input"], &top["value"]], [&format!("{GAS:#x}"), &data, "0x1"]);
    assert_eq!([&top["type"], &first["type"], &second["type"]], ["CALL", "CALL", "DELEGATECALL"]);
    assert_eq!([&first["from"], &first["to"], &first["value"]], [&hex(CONTRACT), &hex(OTHER), "0x1"]);
    assert_eq!([&second["from"], &second["to"]], [&hex(CONTRACT), &hex(third)]);
    assert_eq!([&second["error"], &second["revertReason"]], ["execution reverted", "nope"]);
    assert_eq!([&second["input"], &second["output"]], [&data, &data]);
    let log = |address, data: &str, topic, index: &str, position: &str| {
        json!([{ "address": hex(address), "topics": [word(topic)], "data": data, "index": index,
            "position": position }])
    };
    assert_eq!(first["logs"], log(OTHER, &word(0), 7, "0x0", "0x0"));
    assert_eq!(second.get("logs"), None, "a revert takes its logs back");
    assert_eq!(top["logs"][0]["position"], "0x2", "after both calls");

    let flat = it.trace(0, json!({ "tracer": "flatCallTracer" }));
    let places: Vec<_> = flat.as_array().expect("calls").iter().map(|it| &it["traceAddress"]).collect();
    assert_eq!(places, [&json!([]), &json!([0]), &json!([1])]);
    assert_eq!(flat[1]["transactionHash"], json!(it.transactions[0].hash()));
    assert_eq!(flat[1]["blockHash"], json!(it.header.hash_slow()));

    let top = it.trace(0, call_tracer(json!({ "onlyTopCall": true })));
    assert_eq!([top.get("calls"), top.get("logs")], [None, None]);
}

#[test]
fn a_revert_and_a_halt_are_traces_too() {
    let it = called(&hex!("5f 5f fd"), &[]);
    let trace = it.trace(0, call_tracer(Value::Null));
    // The floor of call data (EIP-7623): 21,000 and 4 bytes of 40 gas.
    assert_eq!([&trace["error"], &trace["gasUsed"]], ["execution reverted", "0x52a8"]);
    assert_eq!(it.trace(0, json!({}))["failed"], true);
    let it = called(&hex!("fe"), &[]);
    let trace = it.trace(0, call_tracer(Value::Null));
    assert_eq!([&trace["error"], &trace["gasUsed"]], ["invalid opcode: INVALID", &format!("{GAS:#x}")]);
}

#[test]
fn a_created_contract_is_named_with_its_code() {
    let mut alice = Account::new(1);
    let create = alice.send(TxKind::Create, 0, GAS, deployer(&STORE));
    let contract = created(alice.address(), 0);
    let call = alice.send(TxKind::Call(contract), 0, GAS, []);
    let it = Traced::new(Chain::new(Fork::Osaka), vec![create, call]);
    let trace = it.trace(0, call_tracer(Value::Null));
    assert_eq!([&trace["type"], &trace["to"]], ["CREATE", &hex(contract)]);
    assert_eq!(trace["input"], deployer(&STORE).to_string());
    assert_eq!(trace["output"], Bytes::from(STORE).to_string());
    let diff = it.trace(0, prestate(json!({ "diffMode": true })));
    assert_eq!(diff["pre"].get(hex(contract)), None, "it was not there");
    let code = Bytes::from(STORE).to_string();
    assert_eq!(diff["post"][hex(contract)], json!({ "nonce": 1, "code": code }));
    let pre = it.trace(1, prestate(Value::Null));
    assert_eq!(pre[hex(contract)]["code"], code, "for the next one it was");
}

/// Slots that were only read are in the state before, and not in the difference.
#[test]
fn the_state_before_and_the_difference() {
    // SLOAD(1), SSTORE(0, 7)
    let code = [&hex!("6001 54 50")[..], &STORE].concat();
    let chain = chain_of(&code, &[], |genesis| {
        let contract = genesis.alloc.entry(CONTRACT).or_default();
        contract.storage = Some([(U256::from(1).into(), U256::from(11).into())].into());
    });
    let (mut alice, mut carol) = (Account::new(1), Account::new(2));
    let (sender, poor) = (hex(alice.address()), Address::repeat_byte(0x77));
    let it = Traced::new(
        chain,
        vec![
            carol.transfer(alice.address(), 3),
            alice.send(TxKind::Call(CONTRACT), 1, GAS, []),
            alice.transfer(poor, 2),
        ],
    );
    let before = it.before.balance(alice.address()) + U256::from(3);
    let after = before - U256::from(1);

    let pre = it.trace(1, prestate(Value::Null));
    assert_eq!(pre[&sender], json!({ "balance": format!("{before:#x}") }), "with what the first one sent");
    let code = Bytes::from(code).to_string();
    let storage = json!({ word(0): word(0), word(1): word(11) });
    assert_eq!(pre[hex(CONTRACT)], json!({ "balance": "0x0", "code": code, "storage": storage }));
    let bare = it.trace(1, prestate(json!({ "disableCode": true, "disableStorage": true })));
    assert_eq!(bare[hex(CONTRACT)], json!({ "balance": "0x0" }));

    let diff = it.trace(1, prestate(json!({ "diffMode": true })));
    assert_eq!(diff["pre"][&sender], json!({ "balance": format!("{before:#x}") }));
    assert_eq!(diff["post"][&sender], json!({ "balance": format!("{after:#x}"), "nonce": 1 }));
    assert_eq!(diff["pre"][hex(CONTRACT)], json!({ "balance": "0x0", "code": code }));
    assert_eq!(diff["post"][hex(CONTRACT)], json!({ "balance": "0x1", "storage": { word(0): word(7) } }));
    assert_eq!(diff["post"].get(hex(FEES)), None, "nothing was paid");
    let third = it.trace(2, prestate(json!({ "diffMode": true })));
    assert_eq!(third["post"][hex(poor)], json!({ "balance": "0x2" }));
    assert_eq!(third["pre"].get(hex(poor)), None);
}

#[test]
fn selectors_are_counted_and_tracers_run_side_by_side() {
    // Calls the other with its own call data, twice.
    let call = [&hex!("36 5f 5f 37 5f 5f 36 5f 5f 73")[..], OTHER.as_slice(), &hex!("5a f1 50")].concat();
    let it = called(&[&call[..], &call, &[0]].concat(), &STORE);
    let counts = json!({ "0x11223344-0": 3 });
    assert_eq!(it.trace(0, json!({ "tracer": "4byteTracer" })), counts);
    let tracers = json!({ "4byteTracer": null, "callTracer": {}, "prestateTracer": { "diffMode": true } });
    let all = it.trace(0, json!({ "tracer": "muxTracer", "tracerConfig": tracers }));
    assert_eq!(all["4byteTracer"], counts);
    assert_eq!(all["callTracer"], it.trace(0, call_tracer(Value::Null)));
    assert_eq!(all["prestateTracer"], it.trace(0, prestate(json!({ "diffMode": true }))));
}

/// The contract at 0x1003 is native code, but neither precompiled nor hidden.
#[test]
fn a_change_of_the_nodes_shows_the_call_its_event_and_its_slots() {
    let mut alice = Account::new(1);
    let administrator = alice.address();
    let chain = chain_of(&[], &[], |genesis| genesis.config.administrator = Some(administrator));
    let id = NodeKey::from_seed([9; 32]).id().to_string();
    let data = alloy_sol_types::SolCall::abi_encode(&IConsensus::addObserverCall { nodeID: id });
    let it = Traced::new(chain, vec![alice.send(TxKind::Call(VALIDATORS_ADDRESS), 0, GAS, data)]);
    assert!(it.block.receipts[0].status());
    let trace = it.trace(0, call_tracer(json!({ "withLog": true })));
    assert_eq!(trace["logs"].as_array().map(Vec::len), Some(1));
    assert_eq!(trace["output"], word(0));
    let diff = it.trace(0, prestate(json!({ "diffMode": true })));
    let changed = diff["post"][hex(VALIDATORS_ADDRESS)]["storage"].as_object().expect("slots").len();
    assert_eq!(changed, it.block.changes.accounts[&VALIDATORS_ADDRESS].storage.len());
}

#[test]
fn a_call_is_traced_on_a_state_that_never_was() {
    let chain = chain_with(&STORE, &[]);
    let trace = |request: &CallRequest, overrides: &Overrides, options: Value| {
        let options = parse(options);
        chain.executor.trace_call(&chain.head, &chain.state, request, overrides, &options)
    };
    let request = CallRequest { from: OTHER, to: Some(CONTRACT), ..CallRequest::default() };
    let nine = AccountOverride { state: Some([(U256::ZERO, U256::from(9))].into()), ..Default::default() };
    let overrides = Overrides { accounts: [(CONTRACT, nine)].into(), ..Overrides::default() };
    let diff = trace(&request, &overrides, prestate(json!({ "diffMode": true }))).expect("a trace");
    let diff = serde_json::to_value(diff).expect("JSON");
    assert_eq!(diff["pre"][hex(CONTRACT)]["storage"], json!({ word(0): word(9) }));
    assert_eq!(diff["post"][hex(CONTRACT)]["storage"], json!({ word(0): word(7) }));

    let priced = CallRequest { fee: CallFee::Price(1), ..request.clone() };
    let error = trace(&priced, &overrides, json!({})).expect_err("no ether").to_string();
    assert!(error.starts_with("tracing failed: insufficient funds for gas * price + value"), "{error}");
    let moved = AccountOverride { move_precompile_to: Some(OTHER), ..Default::default() };
    let overrides = Overrides { accounts: [(CONTRACT, moved)].into(), ..Overrides::default() };
    let error = trace(&request, &overrides, json!({})).expect_err("contradicts itself").to_string();
    assert_eq!(error, format!("account {CONTRACT} is not a precompile"));
}
