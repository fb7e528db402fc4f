//! Simulated blocks: how they are chained, what they find changed, and what bounds them.

use std::{collections::BTreeMap, time::Duration};

use hex_literal::hex;
use quorate_execution::{
    AccountOverride, BlockOverrides, BlockRequest, CallError, CallFee, CallLimits, CallRequest, CallStatus,
    MAX_CALLS_PER_BLOCK, MAX_SIMULATED_BLOCKS, Overrides, SimulateError, SimulatedBlock, Simulation,
    Unsigned,
};
use quorate_types::{Address, B256, BaseFee, Bytes, EMPTY_ROOT, Fork, Header, TxKind, U256};

use crate::chain::{Account, Chain, ETHER, FEES};

const CONTRACT: Address = Address::repeat_byte(0xc0);
const BOB: Address = Address::repeat_byte(0xb0);
const IDENTITY: Address = Address::with_last_byte(4);
/// Adds one to slot 0, logs the new value under no topic and returns it.
const COUNTER: [u8; 19] = hex!("5f 54 6001 01 80 5f 55 5f 52 6020 5f a0 6020 5f f3 00");
/// JUMPDEST, PUSH0, JUMP.
const LOOP: [u8; 3] = hex!("5b 5f 56");
const BASE_FEE: u64 = 100;

/// A chain where `CONTRACT` has this code and 10 in slot 0.
fn chain(code: &[u8]) -> Chain {
    let code = Bytes::copy_from_slice(code);
    Chain::with(Fork::Osaka, |genesis| {
        let contract = genesis.alloc.entry(CONTRACT).or_default();
        contract.code = Some(code);
        contract.storage = Some(BTreeMap::from([(B256::ZERO, B256::with_last_byte(10))]));
        genesis.config.base_fee = BaseFee::Constant { wei: BASE_FEE };
    })
}

fn to(address: Address) -> Unsigned {
    let request =
        CallRequest { from: Account::new(1).address(), to: Some(address), ..CallRequest::default() };
    Unsigned { request, nonce: None }
}

fn calls(calls: impl IntoIterator<Item = Unsigned>) -> BlockRequest {
    BlockRequest { calls: calls.into_iter().collect(), ..BlockRequest::default() }
}

fn on(block: BlockOverrides) -> BlockRequest {
    BlockRequest { overrides: Overrides { block, ..Overrides::default() }, ..BlockRequest::default() }
}

fn with_account(mut block: BlockRequest, address: Address, account: AccountOverride) -> BlockRequest {
    block.overrides.accounts.insert(address, account);
    block
}

fn numbered(number: u64) -> BlockOverrides {
    BlockOverrides { number: Some(number), ..BlockOverrides::default() }
}

fn timed(time: u64) -> BlockOverrides {
    BlockOverrides { time: Some(time), ..BlockOverrides::default() }
}

fn simulate(chain: &Chain, blocks: Vec<BlockRequest>) -> Result<Vec<SimulatedBlock>, SimulateError> {
    let simulation = Simulation { blocks, ..Simulation::default() };
    chain.executor.simulate(&chain.head, &chain.state, &simulation)
}

/// What each call returned, as a number.
fn words(blocks: &[SimulatedBlock]) -> Vec<u64> {
    let all = blocks.iter().flat_map(|block| &block.calls);
    all.map(|call| {
        assert_eq!(call.outcome.status, CallStatus::Success);
        U256::from_be_slice(&call.outcome.output).to()
    })
    .collect()
}

/// Given a contract that counts, when it is called in block after block, then each call goes on where the one before ended, and
/// the chain's own state is what it was.
#[test]
fn blocks_see_what_those_before_did_and_the_chain_sees_nothing() {
    let chain = chain(&COUNTER);
    let blocks = vec![calls([to(CONTRACT), to(CONTRACT)]), calls([]), calls([to(CONTRACT)])];
    for _ in 0..2 {
        assert_eq!(words(&simulate(&chain, blocks.clone()).expect("runs")), [11, 12, 13]);
    }
    assert_eq!(chain.state.slot(CONTRACT, 0), U256::from(10));
    let request = to(CONTRACT).request;
    let called = chain.executor.call(&chain.head, &chain.state, &request, &Overrides::default());
    assert_eq!(U256::from_be_slice(&called.expect("runs").output), U256::from(11));
}

/// Given the same transactions in a decided block and in a simulated one, then receipts, gas and bloom are the same.
#[test]
fn a_simulated_block_has_the_receipts_of_a_real_one() {
    let edit = |genesis: &mut quorate_types::Genesis| {
        genesis.alloc.entry(CONTRACT).or_default().code = Some(COUNTER.into());
        genesis.alloc.entry(BOB).or_default().code = Some(hex!("5f 5f fd").into());
    };
    let mut chain = Chain::with(Fork::Osaka, edit);
    let mut alice = Account::new(1);
    let unsigned = |to, nonce| {
        let request = CallRequest {
            from: Account::new(1).address(),
            to: Some(to),
            gas: Some(100_000),
            fee: CallFee::Price(0),
            ..CallRequest::default()
        };
        Unsigned { request, nonce }
    };
    let places = [CONTRACT, BOB, CONTRACT];
    let requests = places.map(|place| unsigned(place, None));
    let blocks = vec![calls(requests)];
    let simulation = Simulation { blocks, validation: true, ..Simulation::default() };
    let simulated = chain.executor.simulate(&chain.head, &chain.state, &simulation).expect("runs");
    let real = chain.run(&places.map(|place| alice.send(TxKind::Call(place), 0, 100_000, [])));

    let (header, expected) = (&simulated[0].header, real.block.header());
    assert_eq!(header.receipts_root, expected.receipts_root);
    assert_eq!((header.gas_used, header.logs_bloom), (expected.gas_used, expected.logs_bloom));
    assert_eq!(
        (header.parent_hash, header.base_fee_per_gas),
        (expected.parent_hash, expected.base_fee_per_gas)
    );
    let hashes: Vec<_> = simulated[0].transactions.iter().map(|it| *it.tx_hash()).collect();
    assert!(hashes[0] != hashes[1] && hashes[0] != hashes[2], "nonces rise");
    assert_eq!(simulated[0].senders, [alice.address(); 3]);
}

/// Given blocks with numbers and times of their own, then both must rise, what is not named follows from the block before, and
/// gaps are filled.
#[test]
fn numbers_and_times_rise_and_gaps_are_filled() {
    let mut chain = chain(&COUNTER);
    chain.run(&[]);
    let (number, time) = (chain.head.number, chain.head.timestamp);
    let later =
        BlockOverrides { number: Some(number + 6), time: Some(time + 100), ..BlockOverrides::default() };
    let blocks = vec![on(numbered(number + 3)), on(BlockOverrides::default()), on(later)];
    let blocks = simulate(&chain, blocks).expect("in order");
    let places: Vec<_> =
        blocks.iter().map(|it| (it.header.number - number, it.header.timestamp - time)).collect();
    assert_eq!(places, [(1, 12), (2, 24), (3, 36), (4, 48), (5, 60), (6, 100)]);
    let parents = std::iter::once(chain.head.hash_slow()).chain(blocks.iter().map(|it| it.hash));
    for (block, parent) in blocks.iter().zip(parents) {
        assert_eq!((block.header.parent_hash, block.header.hash_slow()), (parent, block.hash));
    }

    let error = |blocks| simulate(&chain, blocks).expect_err("out of order").to_string();
    let again = format!("block numbers must be in order: {number} <= {number}");
    assert_eq!(error(vec![on(numbered(number))]), again);
    let text = format!("block numbers must be in order: {0} <= {0}", number + 2);
    assert_eq!(error(vec![calls([]), calls([]), on(numbered(number + 2))]), text);
    assert_eq!(error(vec![on(timed(time))]), format!("block timestamps must be in order: {time} <= {time}"));
    let text = format!("block timestamps must be in order: {} <= {}", time + 24, time + 24);
    let crowded = BlockOverrides { number: Some(number + 3), ..timed(time + 24) };
    assert_eq!(error(vec![on(crowded)]), text, "two blocks fill the gap");
    let end = format!("block timestamps must be in order: {0} <= {0}", u64::MAX);
    assert_eq!(error(vec![on(timed(u64::MAX)), calls([])]), end);
}

/// Given headers that override fields, then code reads what they say; gas limit and fee recipient stay for the next block, the
/// rest does not; and the hashes of blocks simulated before are known.
#[test]
fn headers_say_what_was_asked_for() {
    // Returns NUMBER, TIMESTAMP, GASLIMIT, COINBASE, PREVRANDAO, BASEFEE, BLOBBASEFEE, BLOCKHASH(NUMBER - 1), BLOCKHASH(0).
    let code = hex!(
        "43 5f 52 42 6020 52 45 6040 52 41 6060 52 44 6080 52 48 60a0 52 4a 60c0 52"
        "6001 43 03 40 60e0 52 5f 40 610100 52 610120 5f f3"
    );
    let chain = chain(&code);
    let block = BlockOverrides {
        time: Some(chain.head.timestamp + 1),
        gas_limit: Some(30_000_000),
        fee_recipient: Some(BOB),
        prev_randao: Some(B256::with_last_byte(5)),
        base_fee_per_gas: Some(60),
        blob_base_fee: Some(7),
        difficulty: Some(U256::from(9)),
        ..BlockOverrides::default()
    };
    let first = BlockRequest { calls: vec![to(CONTRACT)], ..on(block) };
    let blocks = simulate(&chain, vec![first, calls([to(CONTRACT)])]).expect("runs");
    let seen = |block: &SimulatedBlock| -> Vec<U256> {
        block.calls[0].outcome.output.chunks(32).map(U256::from_be_slice).collect()
    };
    let expected = |header: &Header, blob_base_fee| {
        vec![
            U256::from(header.number),
            U256::from(header.timestamp),
            U256::from(header.gas_limit),
            U256::from_be_slice(header.beneficiary.as_slice()),
            U256::from_be_bytes(header.mix_hash.0),
            U256::from(header.base_fee_per_gas.expect("there is one")),
            U256::from(blob_base_fee),
            U256::from_be_bytes(header.parent_hash.0),
            U256::from_be_bytes(chain.head.hash_slow().0),
        ]
    };
    assert_eq!(seen(&blocks[0]), expected(&blocks[0].header, 7));
    assert_eq!(seen(&blocks[1]), expected(&blocks[1].header, 1));
    let headers: Vec<_> = blocks.iter().map(|block| &block.header).collect();
    let kept = |header: &Header| (header.gas_limit, header.beneficiary);
    assert_eq!((kept(headers[0]), kept(headers[1])), ((30_000_000, BOB), (30_000_000, BOB)));
    let own = |header: &Header| (header.mix_hash, header.base_fee_per_gas, header.difficulty);
    assert_eq!(own(headers[0]), (B256::with_last_byte(5), Some(60), U256::from(9)));
    assert_eq!(own(headers[1]), (B256::ZERO, Some(0), U256::ZERO));
    assert_eq!((headers[1].state_root, headers[1].extra_data.len()), (B256::ZERO, 0));
    assert_eq!(simulate(&chain, vec![calls([])]).expect("runs")[0].header.transactions_root, EMPTY_ROOT);
}

/// Given overrides of accounts in some blocks, then they hold from there on, but a precompiled contract is back in its place.
#[test]
fn accounts_stay_overridden_and_precompiled_contracts_come_back() {
    let chain = chain(&COUNTER);
    let at = |value| AccountOverride {
        state_diff: Some(BTreeMap::from([(U256::ZERO, U256::from(value))])),
        ..AccountOverride::default()
    };
    let count = || calls([to(CONTRACT)]);
    let blocks = vec![count(), with_account(count(), CONTRACT, at(100)), count()];
    assert_eq!(words(&simulate(&chain, blocks).expect("runs")), [11, 101, 102]);

    let moved = AccountOverride { move_precompile_to: Some(BOB), ..AccountOverride::default() };
    let ask = |address| {
        let mut call = to(address);
        call.request.data = B256::with_last_byte(7).into();
        call
    };
    let both = || calls([ask(BOB), ask(IDENTITY)]);
    let blocks = simulate(&chain, vec![with_account(both(), IDENTITY, moved), both()]).expect("runs");
    assert_eq!(words(&blocks), [7, 0, 0, 7]);

    let none = AccountOverride { move_precompile_to: Some(CONTRACT), ..AccountOverride::default() };
    let error = simulate(&chain, vec![count(), with_account(count(), BOB, none)]).expect_err("contradicts");
    assert!(matches!(error, SimulateError::Call(CallError::Override(_))), "{error}");
    assert_eq!(error.to_string(), format!("account {BOB} is not a precompile"));
}

/// Given a base fee that follows from the chain's rules, then it is the block's only when the blocks are validated, and what was
/// paid is the fee recipient's and nobody's.
#[test]
fn fees_are_paid_as_in_a_block() {
    let chain = chain(&COUNTER);
    let mut paying = to(BOB);
    paying.request.fee = CallFee::Dynamic { max_fee: 200, max_priority_fee: 3 };
    paying.request.value = U256::from(ETHER);
    let before = chain.state.balance(FEES);
    // Returns the balance of the fee recipient.
    let tells =
        AccountOverride { code: Some(hex!("41 31 5f 52 6020 5f f3").into()), ..AccountOverride::default() };
    let block = BlockOverrides { fee_recipient: Some(FEES), ..BlockOverrides::default() };
    let earned = |validation| {
        let mut asks = to(CONTRACT);
        asks.request.fee = if validation { CallFee::Price(u128::from(BASE_FEE)) } else { CallFee::Free };
        let first = with_account(on(block.clone()), CONTRACT, tells.clone());
        let blocks = vec![BlockRequest { calls: vec![paying.clone(), asks], ..first }];
        let simulation = Simulation { blocks, validation, ..Simulation::default() };
        let blocks = chain.executor.simulate(&chain.head, &chain.state, &simulation).expect("runs");
        let balance = U256::from_be_slice(&blocks[0].calls[1].outcome.output);
        (blocks[0].header.base_fee_per_gas, balance - before)
    };
    assert_eq!(earned(true), (Some(BASE_FEE), U256::from(3 * 21_000)));
    assert_eq!(earned(false), (Some(0), U256::from(3 * 21_000)));
}

/// Given more than a client may ask for, then nothing is run, or it ends.
#[test]
fn a_simulation_is_bounded() {
    let mut chain = chain(&LOOP);
    let number = chain.head.number;
    let error = |chain: &Chain, blocks| simulate(chain, blocks).expect_err("too much").to_string();
    assert_eq!(error(&chain, vec![]), "empty input");
    let most = simulate(&chain, vec![on(numbered(number + MAX_SIMULATED_BLOCKS))]).expect("just so many");
    assert_eq!(most.len() as u64, MAX_SIMULATED_BLOCKS);
    assert_eq!(error(&chain, vec![on(numbered(number + MAX_SIMULATED_BLOCKS + 1))]), "too many blocks");
    assert_eq!(error(&chain, vec![on(numbered(u64::MAX))]), "too many blocks");
    assert_eq!(error(&chain, vec![calls([]); 257]), "too many blocks");
    let many = |count| calls(vec![to(BOB); count]);
    assert_eq!(error(&chain, vec![many(MAX_CALLS_PER_BLOCK + 1)]), "too many calls in block: 5001 > 5000");
    assert_eq!(error(&chain, vec![many(4_000); 3]), "too many calls: 12000 > 10000");

    let time = Duration::from_millis(50);
    chain.executor = chain.executor.clone().with_call_limits(CallLimits { gas: u64::MAX, time });
    let endless = on(BlockOverrides { gas_limit: Some(u64::MAX), ..BlockOverrides::default() });
    let endless = BlockRequest { calls: vec![to(CONTRACT)], ..endless };
    assert_eq!(error(&chain, vec![calls([]), endless]), "execution aborted (timeout = 50ms)");
    let limits = CallLimits { gas: 50_000, time: Duration::from_secs(60) };
    chain.executor = chain.executor.clone().with_call_limits(limits);
    let blocks = vec![calls([to(BOB)]), calls([to(BOB)]), calls([to(BOB)])];
    let text = "err: intrinsic gas too low: have 8000, want 21000 (supplied gas 8000)";
    assert_eq!(error(&chain, blocks), text, "the gas is for all blocks");
    let blocks = simulate(&chain, vec![calls([to(CONTRACT)])]).expect("a result");
    let capped = "out of gas (gas limit was capped by the RPC server's global gas cap)";
    assert_eq!(blocks[0].calls[0].outcome.error().as_deref(), Some(capped));
    assert_eq!(blocks[0].header.gas_used, 50_000);
}
