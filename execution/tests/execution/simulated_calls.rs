//! The calls of simulated blocks: what refuses them, what they return, and the transfers among their logs.

use hex_literal::hex;
use quorate_execution::{
    AccountOverride, BlockOverrides, BlockRequest, CallFee, CallRequest, CallStatus, SimulateError,
    SimulatedBlock, Simulation, Unfit, Unsigned,
};
use quorate_types::{Address, B256, BaseFee, Bloom, Bytes, Fork, Log, U256};

use crate::chain::{Account, Chain, ETHER, created, deployer};

const CONTRACT: Address = Address::repeat_byte(0xc0);
const OTHER: Address = Address::repeat_byte(0xd0);
const BOB: Address = Address::repeat_byte(0xb0);
/// Where transfers are logged.
const EMITTER: Address = Address::repeat_byte(0xee);
/// Sends its value on to the address in its input, whatever comes of it, and logs nothing under no topic.
const FORWARD: [u8; 14] = hex!("5f 5f 5f 5f 34 5f 35 5a f1 50 5f 5f a0 00");
/// Logs, sends its value to address 0, and reverts.
const REVERTS_AFTER: [u8; 17] = hex!("5f 5f a0 5f 5f 5f 5f 34 5f 35 5a f1 50 5f 5f fd 00");
/// JUMPDEST, PUSH0, JUMP.
const LOOP: [u8; 3] = hex!("5b 5f 56");

fn alice() -> Address {
    Account::new(1).address()
}

/// A chain with a base fee of 100 wei.
fn chain() -> Chain {
    Chain::with(Fork::Osaka, |genesis| genesis.config.base_fee = BaseFee::Constant { wei: 100 })
}

fn to(address: Address) -> Unsigned {
    let request = CallRequest { from: alice(), to: Some(address), ..CallRequest::default() };
    Unsigned { request, nonce: None }
}

fn paying(price: u128) -> Unsigned {
    let mut call = to(BOB);
    call.request.fee = CallFee::Price(price);
    call.request.gas = Some(21_000);
    call
}

/// One block of these calls with this code at these addresses.
fn block<const N: usize>(
    codes: [(Address, &[u8]); N],
    calls: impl IntoIterator<Item = Unsigned>,
) -> BlockRequest {
    let mut block = BlockRequest { calls: calls.into_iter().collect(), ..BlockRequest::default() };
    for (address, code) in codes {
        let code = Some(Bytes::copy_from_slice(code));
        block.overrides.accounts.insert(address, AccountOverride { code, ..AccountOverride::default() });
    }
    block
}

fn simulate(block: BlockRequest, validation: bool) -> Result<SimulatedBlock, SimulateError> {
    let chain = chain();
    let simulation = Simulation { blocks: vec![block], validation, trace_transfers: false };
    let blocks = chain.executor.simulate(&chain.head, &chain.state, &simulation);
    blocks.map(|mut blocks| blocks.remove(0))
}

fn refusal(block: BlockRequest, validation: bool) -> Unfit {
    match simulate(block, validation).expect_err("it is refused") {
        SimulateError::Refused { reason, .. } => reason,
        other => panic!("{other}"),
    }
}

/// Given calls that no block takes, then each is refused for its reason, in geth's words; what only a validated block refuses
/// runs in others.
#[test]
fn what_no_block_takes_is_refused() {
    let one = |call: Unsigned| block([], [call]);
    let free = Unsigned { nonce: Some(0), ..to(BOB) };
    assert!(matches!(
        refusal(one(free.clone()), true),
        Unfit::BelowBaseFee { max_fee: 0, base_fee: 100, .. }
    ));
    let text = format!(
        "err: max fee per gas less than block base fee: address {}, maxFeePerGas: 99, baseFee: 100 (supplied gas 21000)",
        alice()
    );
    assert_eq!(simulate(one(paying(99)), true).expect_err("too cheap").to_string(), text);
    simulate(one(free), false).expect("there is no base fee");

    let late = Unsigned { nonce: Some(5), ..paying(100) };
    assert!(matches!(refusal(one(late.clone()), true), Unfit::NonceTooHigh { tx: 5, state: 0, .. }));
    simulate(one(late), false).expect("no nonce is checked");
    let late_and_cheap = Unsigned { nonce: Some(5), ..paying(99) };
    assert!(
        matches!(refusal(one(late_and_cheap), true), Unfit::NonceTooHigh { .. }),
        "the nonce comes first"
    );
    let twice = block([], [paying(100), Unsigned { nonce: Some(0), ..paying(100) }]);
    assert!(matches!(refusal(twice.clone(), true), Unfit::NonceTooLow { tx: 0, state: 1, .. }));
    simulate(twice, false).expect("no nonce is checked");

    let mut poor = to(BOB);
    (poor.request.from, poor.request.value) = (BOB, U256::from(1));
    let mut short = to(BOB);
    short.request.gas = Some(20_999);
    let mut long = to(BOB);
    (long.request.to, long.request.data) = (None, vec![0; 49_153].into());
    let mut generous = to(BOB);
    generous.request.fee = CallFee::Dynamic { max_fee: 200, max_priority_fee: 201 };
    assert!(matches!(refusal(one(poor), false), Unfit::Funds { .. }));
    assert!(matches!(refusal(one(short), false), Unfit::IntrinsicGas(_)));
    assert_eq!(refusal(one(long), false), Unfit::InitCodeSize(49_153));
    assert!(matches!(refusal(one(generous), false), Unfit::TipAboveFee(_)));
}

/// Given a base fee that was overridden, then a free call runs under it and reads it, and one that offers less than it does not.
#[test]
fn an_overridden_base_fee_binds_who_pays() {
    let with = |call: Unsigned| {
        // Returns BASEFEE.
        let mut block = block([(BOB, &hex!("48 5f 52 6020 5f f3"))], [call]);
        block.overrides.block = BlockOverrides { base_fee_per_gas: Some(60), ..BlockOverrides::default() };
        block
    };
    let mut call = paying(59);
    call.request.gas = None;
    assert!(matches!(
        refusal(with(call.clone()), false),
        Unfit::BelowBaseFee { max_fee: 59, base_fee: 60, .. }
    ));
    for fee in [CallFee::Free, CallFee::Price(60)] {
        call.request.fee = fee;
        let done = simulate(with(call.clone()), false).expect("runs");
        assert_eq!(U256::from_be_slice(&done.calls[0].outcome.output), U256::from(60), "{fee:?}");
    }
}

/// Given a sender that holds code, or has the last nonce of all, then the first may send even when all is validated, and the second
/// may when nothing is.
#[test]
fn contracts_may_send_and_the_last_nonce_is_the_last() {
    let mut call = paying(100);
    call.request.from = CONTRACT;
    let mut sends = block([(CONTRACT, &LOOP)], [call]);
    let contract = sends.overrides.accounts.get_mut(&CONTRACT).expect("it is there");
    contract.balance = Some(U256::from(ETHER));
    assert_eq!(simulate(sends, true).expect("runs").calls[0].outcome.status, CallStatus::Success);

    let mut last = block([], [paying(100), paying(100)]);
    let account = AccountOverride { nonce: Some(u64::MAX), ..AccountOverride::default() };
    last.overrides.accounts.insert(alice(), account);
    let refused = refusal(last.clone(), true).to_string();
    assert_eq!(refused, format!("nonce has max value: address {}, nonce: {}", alice(), u64::MAX));
    assert_eq!(simulate(last, false).expect("runs").calls.len(), 2);
}

/// Given calls that revert or run out of gas, then each says so with its data, and those after it run.
#[test]
fn what_fails_is_a_result_and_the_block_goes_on() {
    // Reverts with its input.
    let reverts = hex!("36 5f 5f 37 36 5f fd");
    let mut reverted = to(CONTRACT);
    reverted.request.data = B256::repeat_byte(7).into();
    let mut looped = to(OTHER);
    looped.request.gas = Some(30_000);
    let codes: [(Address, &[u8]); 2] = [(CONTRACT, &reverts), (OTHER, &LOOP)];
    let done = simulate(block(codes, [reverted, looped, to(BOB)]), false).expect("a result");
    let outcomes: Vec<_> = done.calls.iter().map(|call| &call.outcome).collect();
    assert_eq!(outcomes[0].status, CallStatus::Reverted);
    assert_eq!(outcomes[0].output, Bytes::from(B256::repeat_byte(7)));
    assert_eq!(outcomes[1].status, CallStatus::Halted("out of gas".to_owned()));
    assert_eq!((outcomes[1].gas_used, done.calls[1].max_gas_used), (30_000, 30_000));
    assert_eq!((&outcomes[2].status, outcomes[2].gas_used), (&CallStatus::Success, 21_000));
    assert_eq!(done.header.gas_used, outcomes.iter().map(|outcome| outcome.gas_used).sum::<u64>());
}

/// Given a call that empties a slot, then the gas before the refund is told as well.
#[test]
fn gas_before_refunds_is_told() {
    // Fills slot 0, then empties it.
    let code = hex!("6001 5f 55 5f 5f 55 00");
    let done = simulate(block([(CONTRACT, &code)], [to(CONTRACT)]), false).expect("runs");
    let call = &done.calls[0];
    assert_eq!(call.max_gas_used - call.outcome.gas_used, call.max_gas_used / 5, "EIP-3529's most");
}

/// Given a block that is nearly full, then a call that asks for more is refused, and one that asks for nothing gets the rest.
#[test]
fn a_call_gets_what_its_block_has_left() {
    let limited = |gas| {
        let mut second = to(CONTRACT);
        second.request.gas = gas;
        let mut block = block([(CONTRACT, &LOOP)], [to(BOB), second]);
        block.overrides.block = BlockOverrides { gas_limit: Some(100_000), ..BlockOverrides::default() };
        simulate(block, false)
    };
    let error = limited(Some(79_001)).expect_err("too much").to_string();
    assert_eq!(error, "block gas limit reached: remaining: 79000, required: 79001");
    let done = limited(None).expect("a result");
    assert_eq!((done.calls[1].outcome.gas_used, done.header.gas_used), (79_000, 100_000));
}

/// Given a chain of simulated blocks, then code knows the hashes of all below its own, and of no other.
#[test]
fn code_knows_the_hashes_of_blocks_simulated_before() {
    let chain = chain();
    let ask = |number: u64| {
        let mut call = to(CONTRACT);
        call.request.data = U256::from(number).to_be_bytes::<32>().into();
        call
    };
    // Returns BLOCKHASH of its input.
    let asks = block([(CONTRACT, &hex!("5f 35 40 5f 52 6020 5f f3"))], (0..5).map(ask));
    let blocks = vec![block([], []), block([], []), asks];
    let simulation = Simulation { blocks, ..Simulation::default() };
    let blocks = chain.executor.simulate(&chain.head, &chain.state, &simulation).expect("runs");
    let seen: Vec<_> = blocks[2].calls.iter().map(|call| B256::from_slice(&call.outcome.output)).collect();
    let none = B256::ZERO;
    assert_eq!(seen, [chain.head.hash_slow(), blocks[0].hash, blocks[1].hash, none, none]);
}

/// Given calls that return more than an answer holds, then the simulation ends.
#[test]
fn what_is_returned_is_bounded() {
    // Returns a MiB of zeros, for 2.2 M gas.
    let calls = |count| block([(CONTRACT, &hex!("62100000 5f f3"))], vec![to(CONTRACT); count]);
    simulate(calls(16), false).expect("just so many");
    let error = simulate(calls(17), false).expect_err("too many");
    assert_eq!(error.to_string(), "the calls return and log more than 16777216 bytes");
}

/// The logs of a call that sends 5 wei along, as who sent to whom; `None` for a log that is no transfer. With it whether the
/// block shows a log.
fn transfers<const N: usize>(
    codes: [(Address, &[u8]); N],
    mut call: Unsigned,
) -> (Vec<Option<(Address, Address)>>, bool) {
    let chain = chain();
    call.request.value = U256::from(5);
    let run = |trace_transfers| {
        let blocks = vec![block(codes, [call.clone()])];
        let simulation = Simulation { blocks, trace_transfers, ..Simulation::default() };
        chain.executor.simulate(&chain.head, &chain.state, &simulation).expect("runs").remove(0)
    };
    let (traced, plain) = (run(true), run(false));
    assert_eq!(traced.header, plain.header, "transfers are the calls' alone");
    let is_transfer = |log: &&Log| log.address == EMITTER;
    let real: Vec<_> = traced.calls[0].outcome.logs.iter().filter(|log| !is_transfer(log)).cloned().collect();
    assert_eq!(real, plain.calls[0].outcome.logs);
    let parties = |log: &Log| {
        let topics = log.data.topics();
        is_transfer(&log).then(|| {
            assert_eq!(log.data.data, Bytes::from(B256::with_last_byte(5)));
            let signature = hex!("ddf252ad1be2c89b69c2b068fc378daa952ba7f163c4a11628f55a4df523b3ef");
            assert_eq!((topics.len(), topics[0]), (3, B256::from(signature)));
            (Address::from_word(topics[1]), Address::from_word(topics[2]))
        })
    };
    let seen = traced.calls[0].outcome.logs.iter().map(parties).collect();
    (seen, traced.header.logs_bloom != Bloom::ZERO)
}

/// Given calls that move ether, then their transfers stand among their logs in the order of what happened, those of frames that
/// failed are gone, and neither bloom nor receipts know of them.
#[test]
fn moved_ether_is_logged_where_it_moved() {
    let forward_to = |target: Address| {
        let mut call = to(CONTRACT);
        call.request.data = target.into_word().into();
        call
    };
    let forward: (Address, &[u8]) = (CONTRACT, &FORWARD);
    assert_eq!(transfers([], to(BOB)), (vec![Some((alice(), BOB))], false));
    let (both, log) = (vec![Some((alice(), CONTRACT)), Some((CONTRACT, BOB)), None], true);
    assert_eq!(transfers([forward], forward_to(BOB)), (both, log));
    let failed = (vec![Some((alice(), CONTRACT)), None], true);
    assert_eq!(transfers([forward, (OTHER, &REVERTS_AFTER)], forward_to(OTHER)), failed);
    assert_eq!(transfers([(CONTRACT, &REVERTS_AFTER)], forward_to(BOB)), (vec![], false));

    let destroys = [&hex!("73")[..], BOB.as_slice(), &hex!("ff")].concat();
    let gone = vec![Some((alice(), CONTRACT)), Some((CONTRACT, OTHER)), Some((OTHER, BOB)), None];
    assert_eq!(transfers([forward, (OTHER, &destroys)], forward_to(OTHER)), (gone, true));
    let mut creates = to(BOB);
    (creates.request.to, creates.request.data) = (None, deployer(&LOOP));
    let contract = created(alice(), 0);
    assert_eq!(transfers([], creates), (vec![Some((alice(), contract))], false));
}
