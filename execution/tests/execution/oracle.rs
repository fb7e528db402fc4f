//! revm's own cache as the oracle: whatever blocks do, both end in the same state.

use std::convert::Infallible;

use hex_literal::hex;
use quorate_execution::Overrides;
use quorate_types::{Address, B256, Bytes, Fork, HISTORY_STORAGE_ADDRESS, Header, Transaction, U256};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use revm::{
    Context, DatabaseRef, ExecuteCommitEvm, MainBuilder, MainContext, SystemCallCommitEvm,
    context::TxEnv,
    database::CacheDB,
    primitives::{TxKind, hardfork::SpecId},
    state::{AccountInfo, Bytecode},
};

use crate::chain::{Account, CHAIN_ID, Chain, Memory, created, deployer};

/// Stores the second word of the call data in the slot that the first names.
const STORE: [u8; 7] = hex!("6020 35 5f 35 55 00");
const SEEDS: u64 = 20;
const BLOCKS: usize = 5;
const TRANSACTIONS: usize = 30;

#[test]
fn random_blocks_end_in_the_state_that_revms_cache_ends_in() {
    for seed in 0..SEEDS {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let mut chain = Chain::new(Fork::Osaka);
        let mut senders: Vec<_> = (1..=4).map(Account::new).collect();
        for block in 0..BLOCKS {
            let transactions: Vec<_> =
                (0..TRANSACTIONS).map(|_| random_transaction(&mut rng, &mut senders)).collect();
            let before = chain.state.clone();
            chain.run(&transactions);
            compare(&before, &chain, &transactions, &format!("seed {seed}, block {block}"));
        }
    }
}

fn random_transaction(rng: &mut ChaCha8Rng, senders: &mut [Account]) -> Transaction {
    let targets: Vec<_> = senders.iter().map(|sender| created(sender.address(), 0)).collect();
    let sender = &mut senders[rng.random_range(0..4)];
    let target = targets[rng.random_range(0..4)];
    match rng.random_range(0..6) {
        // The first of each sender deploys a contract where the others look for it.
        _ if sender.nonce == 0 => sender.send(TxKind::Create, 0, 100_000, deployer(&STORE)),
        0 => sender.transfer(Address::with_last_byte(rng.random_range(0xa0..0xa4)), rng.random_range(0..3)),
        // Born and dead in one transaction, with a slot set and value sent on.
        1 => sender.send(
            TxKind::Create,
            7,
            200_000,
            hex!("6001 5f 55 73 00000000000000000000000000000000000000a1 ff"),
        ),
        // Reverts after a write.
        2 => sender.send(TxKind::Create, 0, 100_000, hex!("6001 5f 55 5f 5f fd")),
        _ => {
            let (slot, value) = (rng.random_range(0..3_u64), rng.random_range(0..3_u64));
            let words = [U256::from(slot).to_be_bytes::<32>(), U256::from(value).to_be_bytes::<32>()];
            sender.send(TxKind::Call(target), 0, 100_000, words.concat())
        }
    }
}

/// Runs the same transactions on revm's cache, and compares all that it has seen.
fn compare(before: &Memory, chain: &Chain, transactions: &[Transaction], place: &str) {
    let Header { number, parent_hash, .. } = chain.head;
    let context = Context::mainnet()
        .with_db(CacheDB::new(before))
        .modify_cfg_chained(|cfg| {
            cfg.chain_id = CHAIN_ID;
            cfg.set_spec_and_mainnet_gas_params(SpecId::OSAKA);
        })
        .modify_block_chained(|block| {
            block.number = U256::from(number);
            block.beneficiary = chain.head.beneficiary;
        });
    let mut evm = context.build_mainnet();
    evm.system_call_commit(HISTORY_STORAGE_ADDRESS, parent_hash.into()).expect("runs");
    for transaction in transactions {
        evm.transact_commit(legacy(transaction)).expect("runs");
    }
    for (address, account) in &evm.ctx.journaled_state.database.cache.accounts {
        let want = account.info().filter(|info| !info.is_empty());
        let have = chain.state.basic_ref(*address).expect("infallible");
        assert_eq!(have, want, "{place}: {address}");
        for (slot, value) in &account.storage {
            assert_eq!(chain.state.storage_ref(*address, *slot), Ok(*value), "{place}: {address} {slot}");
        }
    }
}

fn legacy(transaction: &Transaction) -> TxEnv {
    use alloy_consensus::Transaction as _;
    let envelope = transaction.envelope();
    TxEnv {
        caller: transaction.sender(),
        gas_limit: envelope.gas_limit(),
        kind: envelope.kind(),
        value: envelope.value(),
        data: envelope.input().clone(),
        nonce: envelope.nonce(),
        chain_id: Some(CHAIN_ID),
        ..TxEnv::default()
    }
}

/// A database that breaks the rule: it gives every account empty code instead of none.
struct Forgetful<'a>(&'a Memory);

impl DatabaseRef for Forgetful<'_> {
    type Error = Infallible;

    fn basic_ref(&self, address: Address) -> Result<Option<AccountInfo>, Infallible> {
        let info = self.0.basic_ref(address)?;
        Ok(info.map(|info| AccountInfo { code: Some(Bytecode::default()), ..info }))
    }
    fn code_by_hash_ref(&self, code_hash: B256) -> Result<Bytecode, Infallible> {
        self.0.code_by_hash_ref(code_hash)
    }
    fn storage_ref(&self, address: Address, slot: U256) -> Result<U256, Infallible> {
        self.0.storage_ref(address, slot)
    }
    fn block_hash_ref(&self, number: u64) -> Result<B256, Infallible> {
        self.0.block_hash_ref(number)
    }
}

/// revm runs the code in `AccountInfo` when there is any, also empty one: calls would do nothing.
#[test]
fn a_database_with_empty_code_does_not_silence_contracts() {
    let contract = Address::repeat_byte(0xcc);
    let code = Bytes::from(hex!("6007 5f 52 6020 5f f3"));
    let chain =
        Chain::with(Fork::Osaka, |genesis| genesis.alloc.entry(contract).or_default().code = Some(code));
    let request = quorate_execution::CallRequest { to: Some(contract), ..Default::default() };
    let outcome = chain
        .executor
        .call(&chain.head, Forgetful(&chain.state), &request, &Overrides::default())
        .expect("runs");
    assert_eq!(U256::from_be_slice(&outcome.output), U256::from(7));
}
