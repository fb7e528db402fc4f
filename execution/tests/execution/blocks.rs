//! Building blocks: what goes in, what stays out, and what is sealed.

use alloy_consensus::BlockBody;
use alloy_eips::eip4895::Withdrawals;
use hex_literal::hex;
use quorate_execution::{BuildPlan, MAX_BLOCK_RLP_BYTES, Unfit, block_rlp_length};
use quorate_types::{
    Address, B256, BaseFee, Bloom, Bytes, EMPTY_ROOT, Fork, Genesis, Transaction, U256, mix_hash,
};
use revm::primitives::TxKind;

use crate::chain::{Account, Chain, ETHER, FEES, created, deployer, gas_of_each};

/// LOG1 of the topic 7 with no data.
const LOGGER: [u8; 7] = hex!("6007 5f 5f a1 00 00");
/// Reverts with nothing.
const REVERTER: [u8; 3] = hex!("5f 5f fd");

const BOB: Address = Address::repeat_byte(0xb0);

#[test]
fn a_transfer_moves_value_and_both_nodes_agree() {
    let mut chain = Chain::new(Fork::Osaka);
    let mut alice = Account::new(1);
    let block = chain.run(&[alice.transfer(BOB, ETHER)]);

    assert_eq!(chain.state.balance(BOB), U256::from(ETHER));
    assert_eq!(chain.state.balance(alice.address()), U256::from(999 * ETHER), "price 0 costs nothing");
    assert_eq!(chain.state.account(alice.address()).expect("exists").nonce, 1);
    assert_eq!(block.senders, [alice.address()]);
    assert_eq!(block.block.header().gas_used, 21_000);
    assert_eq!(block.clock_ms, 42);
}

#[test]
fn an_empty_block_is_sealed_by_the_rules_alone() {
    let mut chain = Chain::new(Fork::Osaka);
    let parent = chain.head.clone();
    let block = chain.run(&[]);
    let header = block.block.header();

    assert_eq!((header.number, header.parent_hash), (1, parent.hash_slow()));
    assert_eq!(header.mix_hash, mix_hash(parent.hash_slow(), block.block.height()));
    assert_eq!(header.extra_data, Bytes::from(chain.validators.hash()));
    assert_eq!((header.transactions_root, header.receipts_root), (EMPTY_ROOT, EMPTY_ROOT));
    assert_eq!((header.gas_used, header.logs_bloom, header.beneficiary), (0, Bloom::ZERO, FEES));
    assert_eq!(*block.next_validators, chain.validators);
}

#[test]
fn time_never_runs_backwards() {
    let chain = Chain::new(Fork::Osaka);
    let plan = BuildPlan { timestamp: chain.head.timestamp - 100, ..chain.plan() };
    let built = chain.build_by(&plan, &[]);
    assert_eq!(built.block.block.header().timestamp, chain.head.timestamp);
}

#[test]
fn receipts_add_up_and_the_bloom_holds_every_log() {
    let mut chain = Chain::new(Fork::Osaka);
    let (mut alice, mut carol) = (Account::new(1), Account::new(2));
    let logger = created(alice.address(), 0);
    let reverter = created(carol.address(), 0);
    let block = chain.run(&[
        alice.send(TxKind::Create, 0, 100_000, deployer(&LOGGER)),
        carol.send(TxKind::Create, 0, 100_000, deployer(&REVERTER)),
        alice.send(TxKind::Call(logger), 0, 50_000, Bytes::new()),
        carol.send(TxKind::Call(reverter), 0, 50_000, Bytes::new()),
        carol.transfer_1559(BOB, 5, 1),
    ]);

    let statuses: Vec<_> = block.receipts.iter().map(|receipt| receipt.status()).collect();
    assert_eq!(statuses, [true, true, true, false, true]);
    assert_eq!(gas_of_each(&block).iter().sum::<u64>(), block.block.header().gas_used);
    assert_eq!(gas_of_each(&block)[4], 21_000);
    assert_eq!(block.receipts[2].logs()[0].address, logger);
    let mut bloom = Bloom::ZERO;
    block.receipts.iter().for_each(|receipt| bloom.accrue_bloom(receipt.logs_bloom()));
    assert_eq!(block.block.header().logs_bloom, bloom);
    assert!(bloom.contains_raw_log(logger, &[B256::with_last_byte(7)]));
    assert_eq!(chain.state.code(logger), Bytes::from(LOGGER));
    assert_eq!(chain.state.account(reverter).expect("exists").nonce, 1, "EIP-161");
}

#[test]
fn what_cannot_run_now_is_skipped_with_its_reason() {
    let mut chain = Chain::new(Fork::Osaka);
    let mut alice = Account::new(1);
    let done = alice.transfer(BOB, 1);
    chain.run(std::slice::from_ref(&done));

    let mut poor = Account::new(99);
    let mut gap = Account::new(2);
    gap.nonce = 7;
    let good = alice.transfer(BOB, 2);
    let candidates = [
        done,
        poor.transfer(BOB, 1),
        gap.transfer(BOB, 1),
        Account::new(3).send(TxKind::Call(BOB), 1, 20_999, Bytes::new()),
        Account::new(4).send(TxKind::Call(BOB), 1, (1 << 24) + 1, Bytes::new()),
        good.clone(),
    ];
    let built = chain.build(&candidates);

    assert_eq!(built.block.block.transactions(), [good.raw().clone()]);
    let hashes: Vec<_> = candidates[..5].iter().map(Transaction::hash).collect();
    assert_eq!(built.skipped.iter().map(|(hash, _)| *hash).collect::<Vec<_>>(), hashes);
    let reasons: Vec<_> = built.skipped.iter().map(|(_, reason)| reason.to_string()).collect();
    let (alice, poor, gap) = (alice.address(), poor.address(), gap.address());
    assert_eq!(
        reasons,
        [
            format!("nonce too low: address {alice}, tx: 0 state: 1"),
            format!("insufficient funds for gas * price + value: address {poor} have 0 want 1"),
            format!("nonce too high: address {gap}, tx: 7 state: 0"),
            "intrinsic gas too low: have 20999, want 21000".to_owned(),
            "transaction gas limit too high (cap: 16777216, tx: 16777217)".to_owned(),
        ]
    );
    let finals: Vec<_> = built.skipped.iter().map(|(_, reason)| reason.is_final()).collect();
    assert_eq!(finals, [true, false, false, true, true]);
}

#[test]
fn gas_fills_up_to_the_target_and_never_less_than_one_transaction() {
    let chain = Chain::new(Fork::Osaka);
    let mut alice = Account::new(1);
    let transfers: Vec<_> = (0..5).map(|_| alice.transfer(BOB, 1)).collect();
    let count = |gas_limit_target| {
        let plan = BuildPlan { gas_limit_target, ..chain.plan() };
        chain.build_by(&plan, &transfers).block.receipts.len()
    };
    assert_eq!([count(0), count(21_000), count(63_000), count(83_999), count(u64::MAX)], [1, 1, 3, 3, 5]);
}

#[test]
fn a_transaction_that_does_not_fit_leaves_room_for_smaller_ones() {
    let chain = Chain::new(Fork::Osaka);
    let (mut alice, mut carol) = (Account::new(1), Account::new(2));
    let small = [alice.transfer(BOB, 1), alice.transfer(BOB, 2)];
    let large = carol.send(TxKind::Call(BOB), 1, 1_000_000, Bytes::new());
    let plan = BuildPlan { gas_limit_target: 100_000, ..chain.plan() };
    let built = chain.build_by(&plan, &[small[0].clone(), large.clone(), small[1].clone()]);

    assert_eq!(built.block.receipts.len(), 2);
    assert_eq!(built.skipped, [(large.hash(), Unfit::NoGasLeft { need: 1_000_000, left: 79_000 })]);
    assert!(!built.skipped[0].1.is_final());
}

/// EIP-7934: the leader's own arithmetic must agree with the one that the block is checked by.
#[test]
fn bytes_fill_up_to_the_limit_exactly() {
    let chain = Chain::new(Fork::Osaka);
    let mut alice = Account::new(1);
    let transfers: Vec<_> = (0..50).map(|_| alice.transfer_1559(BOB, 5, 1)).collect();
    let whole = chain.build(&transfers).block.block;
    let length = block_rlp_length(whole.header(), whole.transactions());
    let at = |max_bytes| {
        let built = chain.build_by(&BuildPlan { max_bytes, ..chain.plan() }, &transfers);
        let block = &built.block.block;
        assert!(block_rlp_length(block.header(), block.transactions()) <= max_bytes);
        built.block.receipts.len()
    };
    // The header is counted at its longest: gas used may take some bytes less in the end.
    assert_eq!(at(length + 8), 50);
    assert_eq!(at(length - 1), 49);
    assert!(length < MAX_BLOCK_RLP_BYTES);
}

/// alloy encodes whole blocks: the oracle for the length that is computed without encoding.
#[test]
fn the_length_is_that_of_the_encoded_block() {
    let chain = Chain::new(Fork::Osaka);
    let mut alice = Account::new(1);
    for count in [0, 1, 3, 600] {
        let mut transactions: Vec<_> = (0..count).map(|_| alice.transfer_1559(BOB, 5, 1)).collect();
        transactions.push(alice.transfer(BOB, 1));
        let header = chain.build(&[]).block.block.header().clone();
        let raw: Vec<_> = transactions.iter().map(|it| it.raw().clone()).collect();
        let body = BlockBody {
            transactions: transactions.iter().map(|it| it.envelope().clone()).collect(),
            ommers: Vec::new(),
            withdrawals: Some(Withdrawals::default()),
        };
        let encoded = alloy_rlp::encode(alloy_consensus::Block::new(header.clone(), body));
        assert_eq!(block_rlp_length(&header, &raw), encoded.len());
    }
}

#[test]
fn candidates_that_end_early_end_the_block() {
    let chain = Chain::new(Fork::Osaka);
    let mut alice = Account::new(1);
    let mut left = 3;
    let in_time = |_: &Transaction| {
        left -= 1;
        left >= 0
    };
    let transfers: Vec<_> = (0..9).map(|_| alice.transfer(BOB, 1)).collect();
    let root = |changes: &_| chain.state.root_after(changes);
    let candidates = transfers.into_iter().take_while(in_time);
    let built = chain.executor.build(&chain.head, &chain.plan(), candidates, &chain.state, root);
    assert_eq!(built.expect("builds").block.receipts.len(), 3);
}

#[test]
fn fees_go_to_the_proposers_recipient() {
    let mut chain = Chain::new(Fork::Osaka);
    let mut alice = Account::new(1);
    chain.run(&[alice.transfer_1559(BOB, 5, 3)]);
    // The base fee is constant and 0, so the price is the tip.
    assert_eq!(chain.state.balance(FEES), U256::from(3 * 21_000));
}

#[test]
fn the_base_fee_follows_eip_1559_when_genesis_says_so() {
    let edit = |genesis: &mut Genesis| {
        genesis.config.base_fee = BaseFee::Eip1559 { initial_wei: 1_000 };
        genesis.config.gas_limit = 84_000;
    };
    let mut chain = Chain::with(Fork::Osaka, edit);
    let mut alice = Account::new(1);
    chain.run(&[]);
    // Genesis and block 1 are empty: an eighth less each time.
    assert_eq!(chain.head.base_fee_per_gas, Some(875));
    let full: Vec<_> = (0..4).map(|_| alice.transfer_1559(BOB, 2_000, 10)).collect();
    chain.run(&full);
    assert_eq!(chain.head.base_fee_per_gas, Some(766));
    assert_eq!(chain.state.balance(FEES), U256::from(4 * 21_000 * 10), "the base fee is burnt");

    let built = chain.build(&[alice.transfer(BOB, 1)]);
    assert_eq!(built.block.block.header().base_fee_per_gas, Some(861), "the block was full");
    assert!(matches!(built.skipped[0].1, Unfit::BelowBaseFee { max_fee: 0, base_fee: 861, .. }));
}

/// The classic development genesis gives accounts more wei than 128 bits hold; fees are computed in
/// 128 bits, so an absurd price must be refused, not overflow.
#[test]
fn absurd_prices_are_refused_even_from_absurd_balances() {
    let rich = Account::new(9).address();
    let edit = |genesis: &mut Genesis| {
        genesis.alloc.entry(rich).or_default().balance = U256::MAX >> 3;
    };
    let chain = Chain::with(Fork::Osaka, edit);
    let absurd = Account::new(9).transfer_1559(BOB, u128::MAX, u128::MAX);
    let high = Account::new(9).transfer_1559(BOB, u128::MAX / 21_000, u128::MAX / 21_000);
    let built = chain.build(&[absurd.clone(), high]);
    assert_eq!(built.block.receipts.len(), 1);
    assert_eq!(built.skipped[0].0, absurd.hash());
    assert!(built.skipped[0].1.is_final());
}

/// BLOCKHASH of a parent that no database knows yet, as when building ahead.
#[test]
fn the_parents_hash_is_known_before_it_is_stored() {
    // SSTORE(0, BLOCKHASH(NUMBER - 1))
    const CODE: [u8; 9] = hex!("6001 43 03 40 5f 55 00 00");
    let mut chain = Chain::new(Fork::Osaka);
    let mut alice = Account::new(1);
    let contract = created(alice.address(), 0);
    chain.run(&[alice.send(TxKind::Create, 0, 100_000, deployer(&CODE))]);
    let ahead = chain.build(&[]).block;
    chain.state.apply(&ahead.changes);
    chain.head = ahead.block.header().clone();
    chain.run(&[alice.send(TxKind::Call(contract), 0, 100_000, Bytes::new())]);
    assert_eq!(chain.state.slot(contract, 0), U256::from_be_bytes(ahead.hash().0));
}
