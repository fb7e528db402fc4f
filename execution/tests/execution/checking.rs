//! Checking blocks: everything that a proposer could get wrong has a name.

use alloy_consensus::{EthereumTxEnvelope, SignableTransaction, Signed, TxEip4844, TxLegacy};
use alloy_eips::Encodable2718;
use alloy_signer::SignerSync;
use quorate_execution::{BlockError, MAX_BLOCK_RLP_BYTES, Proposed, Unfit, block_rlp_length};
use quorate_types::{
    Address, B256, Block, Bloom, Bytes, EMPTY_REQUESTS_HASH, ExecutedBlock, Fork, Header, RejectReason,
    Transaction, U256,
};
use revm::{
    DatabaseRef,
    database_interface::DBErrorMarker,
    primitives::TxKind,
    state::{AccountInfo, Bytecode},
};
use std::sync::Arc;

use crate::chain::{Account, CHAIN_ID, Chain, transactions_root};

const BOB: Address = Address::repeat_byte(0xb0);

fn with_one_transfer() -> (Chain, ExecutedBlock) {
    let chain = Chain::new(Fork::Osaka);
    let built = chain.build(&[Account::new(1).transfer(BOB, 1)]);
    (chain, built.block)
}

/// What a changed header is refused for.
fn refusal(chain: &Chain, block: &ExecutedBlock, edit: impl FnOnce(&mut Header)) -> BlockError {
    let mut header = block.block.header().clone();
    edit(&mut header);
    chain.check(header, block.block.transactions().to_vec()).expect_err("the header is wrong")
}

#[test]
fn every_header_field_is_held_to_its_rule() {
    let (chain, block) = with_one_transfer();
    let named = |want: &str, edit: fn(&mut Header)| {
        let error = refusal(&chain, &block, edit);
        assert_eq!(error.reject_reason(), Some(RejectReason::Header), "{error}");
        assert_eq!(error.roots(), None);
        match error {
            BlockError::Header { field, .. } => assert_eq!(field, want),
            other => panic!("{want}: {other}"),
        }
    };
    named("number", |it| it.number += 1);
    named("parentHash", |it| it.parent_hash = B256::ZERO);
    named("timestamp", |it| it.timestamp -= 2);
    named("gasLimit", |it| it.gas_limit += 1);
    named("extraData length", |it| it.extra_data = Bytes::new());
    named("extraData length", |it| it.extra_data = vec![0; 33].into());
    named("mixHash", |it| it.mix_hash = B256::ZERO);
    named("baseFeePerGas", |it| it.base_fee_per_gas = Some(1));
    named("baseFeePerGas", |it| it.base_fee_per_gas = None);
    named("sha3Uncles", |it| it.ommers_hash = B256::ZERO);
    named("difficulty", |it| it.difficulty = U256::from(1));
    named("nonce", |it| it.nonce = 1_u64.into());
    named("withdrawalsRoot", |it| it.withdrawals_root = None);
    named("blobGasUsed", |it| it.blob_gas_used = Some(131_072));
    named("excessBlobGas", |it| it.excess_blob_gas = None);
    named("parentBeaconBlockRoot", |it| it.parent_beacon_block_root = Some(B256::repeat_byte(1)));
    named("requestsHash", |it| it.requests_hash = None);
    named("blockAccessListHash", |it| it.block_access_list_hash = Some(B256::ZERO));
    named("slotNumber", |it| it.slot_number = Some(1));
    named("miner", |it| it.beneficiary = BOB);
    named("transactionsRoot", |it| it.transactions_root = B256::ZERO);
    // These are known only after execution; the roots agree, so the header contradicts itself.
    named("gasUsed", |it| it.gas_used += 1);
    named("logsBloom", |it| it.logs_bloom = Bloom::repeat_byte(1));
    named("extraData", |it| it.extra_data = B256::ZERO.into());
}

#[test]
fn an_equal_timestamp_is_allowed() {
    let (chain, block) = with_one_transfer();
    let mut header = block.block.header().clone();
    header.timestamp = chain.head.timestamp;
    assert!(chain.check(header, block.block.transactions().to_vec()).is_ok());
}

#[test]
fn prague_fields_do_not_belong_into_a_cancun_block() {
    let chain = Chain::new(Fork::Cancun);
    let block = chain.build(&[]).block;
    let error = refusal(&chain, &block, |it| it.requests_hash = Some(EMPTY_REQUESTS_HASH));
    assert!(error.to_string().contains("requestsHash"), "{error}");
}

/// Fault silent-divergence (FISCO BCOS #5528): whoever executes differently says so, with both roots.
#[test]
fn silent_divergence_is_named_with_both_roots() {
    let (chain, block) = with_one_transfer();
    let ours = (block.block.header().state_root, block.block.header().receipts_root);
    let wrong = B256::repeat_byte(0x66);
    let edits: [fn(&mut Header, B256); 2] =
        [|it, wrong| it.state_root = wrong, |it, wrong| it.receipts_root = wrong];
    for edit in edits {
        let error = refusal(&chain, &block, |header| edit(header, wrong));
        assert_eq!(error.reject_reason(), Some(RejectReason::Divergence));
        assert_eq!(error.roots().map(|own| (own.state, own.receipts)), Some(ours));
        let BlockError::Divergence(divergence) = &error else { panic!("{error}") };
        assert!(divergence.theirs.state == wrong || divergence.theirs.receipts == wrong);
        assert_eq!(divergence.changes, block.changes, "to find the first account that differs");
        assert!(error.to_string().contains(&wrong.to_string()), "{error}");
    }
}

#[test]
fn one_invalid_transaction_spoils_the_block() {
    let (chain, block) = with_one_transfer();
    let raw = block.block.transactions()[0].clone();
    let refused = |raw: Vec<Bytes>| {
        let mut header = block.block.header().clone();
        header.transactions_root = transactions_root(&raw);
        let error = chain.check(header, raw).expect_err("it is invalid");
        assert_eq!(error.reject_reason(), Some(RejectReason::Transaction), "{error}");
        error
    };
    let twice = refused(vec![raw.clone(), raw.clone()]);
    assert!(matches!(twice, BlockError::Transaction { index: 1, reason: Unfit::NonceTooLow { .. }, .. }));

    let greedy = Account::new(2).send(TxKind::Call(BOB), 0, (1 << 24) + 1, Bytes::new());
    assert!(refused(vec![greedy.raw().clone()]).to_string().contains("gas limit too high (cap: 16777216"));
}

fn decode(raw: &[Bytes]) -> Vec<Transaction> {
    raw.iter().map(|raw| Transaction::decode(raw.clone(), CHAIN_ID).expect("decodes")).collect()
}

/// The gas that is left counts, not the gas limit of the block alone.
#[test]
fn a_transaction_may_ask_for_what_is_left_only() {
    let mut chain = Chain::with(Fork::Osaka, |genesis| genesis.config.gas_limit = 50_000);
    let mut alice = Account::new(1);
    let first = alice.transfer(BOB, 1);
    let second = alice.send(TxKind::Call(BOB), 1, 30_000, Bytes::new());
    let block = chain.build(std::slice::from_ref(&first)).block;
    let raw = vec![first.raw().clone(), second.raw().clone()];
    let mut header = block.block.header().clone();
    header.transactions_root = transactions_root(&raw);
    let error = chain.check(header, raw).expect_err("29,000 are left");
    assert!(
        matches!(
            error,
            BlockError::Transaction { index: 1, reason: Unfit::NoGasLeft { need: 30_000, left: 29_000 }, .. }
        ),
        "{error}"
    );
    chain.run(&[first]);
}

/// Type 3 and foreign chains are refused when bytes are decoded; a block is checked again, because a
/// transaction of another origin must not slip in.
#[test]
fn transactions_that_decoding_refuses_are_refused_in_blocks_too() {
    let chain = Chain::new(Fork::Osaka);
    let alice = Account::new(1);
    let foreign =
        TxLegacy { chain_id: Some(1), gas_limit: 21_000, to: TxKind::Call(BOB), ..TxLegacy::default() };
    let signature = alice.signer.sign_hash_sync(&foreign.signature_hash()).expect("signs");
    let raw = EthereumTxEnvelope::<TxEip4844>::from(foreign.into_signed(signature)).encoded_2718();
    let built = chain.build(&[Transaction::decode(raw.into(), 1).expect("sound on chain 1")]);
    assert_eq!(built.block.receipts, []);
    assert!(built.skipped[0].1.to_string().starts_with("invalid chain id"));

    let blob =
        TxEip4844 { chain_id: CHAIN_ID, blob_versioned_hashes: vec![B256::ZERO], ..Default::default() };
    let signature = alice.signer.sign_hash_sync(&blob.signature_hash()).expect("signs");
    let blob: Signed<TxEip4844> = blob.into_signed(signature);
    let raw = EthereumTxEnvelope::<TxEip4844>::from(blob).encoded_2718();
    let error = Transaction::decode(raw.into(), CHAIN_ID).expect_err("no blob space");
    assert!(error.to_string().contains("type 3"), "{error}");
}

/// EIP-7934.
#[test]
fn a_block_longer_than_the_limit_is_refused() {
    let chain = Chain::with(Fork::Osaka, |genesis| genesis.config.transaction_gas_cap = 1 << 27);
    let mut alice = Account::new(1);
    // Three transactions of 2.8 MB of zeros each: four gas, and ten for the floor, a byte.
    let large: Vec<_> =
        (0..3).map(|_| alice.send(TxKind::Call(BOB), 0, 1 << 26, vec![0; 2_800_000])).collect();
    let built = chain.build(&large);
    assert_eq!(built.block.receipts.len(), 2);
    assert!(matches!(built.skipped[0].1, Unfit::NoBytesLeft { limit: MAX_BLOCK_RLP_BYTES, .. }));

    let raw: Vec<_> = large.iter().map(|it| it.raw().clone()).collect();
    let header = built.block.block.header().clone();
    let size = block_rlp_length(&header, &raw);
    let error = chain.check(header, raw).expect_err("too long");
    assert!(matches!(error, BlockError::Size { size: have, .. } if have == size), "{error}");
    assert_eq!(error.reject_reason(), Some(RejectReason::Transaction));
}

/// A database that always fails.
#[derive(Debug)]
struct Broken;

#[derive(Debug, thiserror::Error)]
#[error("the disk is gone")]
struct DiskGone;

impl DBErrorMarker for DiskGone {}

impl DatabaseRef for Broken {
    type Error = DiskGone;

    fn basic_ref(&self, _: Address) -> Result<Option<AccountInfo>, DiskGone> {
        Err(DiskGone)
    }
    fn code_by_hash_ref(&self, _: B256) -> Result<Bytecode, DiskGone> {
        Err(DiskGone)
    }
    fn storage_ref(&self, _: Address, _: U256) -> Result<U256, DiskGone> {
        Err(DiskGone)
    }
    fn block_hash_ref(&self, _: u64) -> Result<B256, DiskGone> {
        Err(DiskGone)
    }
}

/// A node whose disk fails must neither vote for a block nor accuse it.
#[test]
fn a_node_that_cannot_read_its_state_blames_nobody() {
    let (chain, block) = with_one_transfer();
    let transactions = decode(block.block.transactions());
    let proposed = Proposed {
        block: Arc::clone(&block.block),
        transactions: &transactions,
        validators: &chain.validators,
        clock_ms: 0,
    };
    let root = |_: &_| Ok::<_, DiskGone>(B256::ZERO);
    let error = chain.executor.check(&chain.head, &proposed, Broken, root).expect_err("no state");
    assert_eq!(error.reject_reason(), None);
    assert!(error.to_string().contains("the disk is gone"), "{error}");

    let no_root = |_: &_| Err(DiskGone);
    let error = chain.executor.check(&chain.head, &proposed, &chain.state, no_root).expect_err("no root");
    assert_eq!(error.reject_reason(), None);
    assert!(error.to_string().contains("state root cannot be computed: the disk is gone"), "{error}");
}

#[test]
fn transactions_of_another_block_are_the_callers_mistake() {
    let (chain, block) = with_one_transfer();
    let other = [Account::new(2).transfer(BOB, 1)];
    let proposed = Proposed {
        block: Arc::new(Block::clone(&block.block)),
        transactions: &other,
        validators: &chain.validators,
        clock_ms: 0,
    };
    let root = |changes: &_| chain.state.root_after(changes);
    let error = chain.executor.check(&chain.head, &proposed, &chain.state, root).expect_err("mixed up");
    assert_eq!(error.reject_reason(), None);
}
