//! A chain of one process: a genesis with funded accounts, its state in memory, and signed
//! transactions.

use std::{
    collections::{BTreeMap, BTreeSet},
    convert::Infallible,
    sync::Arc,
};

use alloy_consensus::{EthereumTxEnvelope, SignableTransaction, TxEip1559, TxEip4844, TxEip7702, TxLegacy};
use alloy_eips::{
    Encodable2718,
    eip7702::{Authorization, SignedAuthorization},
};
use alloy_signer::SignerSync;
use alloy_signer_local::PrivateKeySigner;
use alloy_trie::{TrieAccount, root};
use quorate_execution::{BlockError, BuildPlan, Built, Executor, Proposed};
use quorate_types::{
    AccountState, Address, B256, Block, Bytes, ChainConfig, ExecutedBlock, Fork, Genesis, GenesisValidator,
    Header, NodeKey, StateChanges, Transaction, U256, ValidatorSet,
};
use revm::{
    DatabaseRef,
    primitives::TxKind,
    state::{AccountInfo, Bytecode},
};

pub const CHAIN_ID: u64 = 20_200;
pub const ETHER: u128 = 1_000_000_000_000_000_000;
/// Who earns the fees of the four validators.
pub const FEES: Address = Address::repeat_byte(0xfe);
const GENESIS_TIME: u64 = 1_700_000_000;

/// The state of one block, flat.
#[derive(Clone, Debug, Default)]
pub struct Memory {
    accounts: BTreeMap<Address, AccountState>,
    storage: BTreeMap<(Address, U256), U256>,
    codes: BTreeMap<B256, Bytes>,
    hashes: BTreeMap<u64, B256>,
}

impl Memory {
    /// Applies changes, insisting that what they say was before is what is here.
    pub fn apply(&mut self, changes: &StateChanges) {
        self.codes.extend(changes.codes.clone());
        for (address, change) in &changes.accounts {
            assert_eq!(self.accounts.get(address), change.before.as_ref(), "before of {address}");
            match change.after {
                Some(after) => self.accounts.insert(*address, after),
                None => self.accounts.remove(address),
            };
            for (slot, value) in &change.storage {
                let before = self.storage.insert((*address, *slot), value.after).unwrap_or_default();
                assert_eq!(before, value.before, "before of slot {slot} of {address}");
                if value.after.is_zero() {
                    self.storage.remove(&(*address, *slot));
                }
            }
        }
    }

    pub fn root_after(&self, changes: &StateChanges) -> Result<B256, Infallible> {
        let mut after = self.clone();
        after.apply(changes);
        Ok(after.root())
    }

    fn root(&self) -> B256 {
        root::state_root_unhashed(self.accounts.iter().map(|(address, account)| {
            let slots = self.storage.range((*address, U256::ZERO)..=(*address, U256::MAX));
            let slots = slots.map(|((_, slot), value)| (B256::from(*slot), *value));
            let AccountState { nonce, balance, code_hash } = *account;
            let storage_root = root::storage_root_unhashed(slots);
            (*address, TrieAccount { nonce, balance, storage_root, code_hash })
        }))
    }

    pub fn balance(&self, address: Address) -> U256 {
        self.accounts.get(&address).map(|account| account.balance).unwrap_or_default()
    }

    pub fn account(&self, address: Address) -> Option<&AccountState> {
        self.accounts.get(&address)
    }

    pub fn code(&self, address: Address) -> Bytes {
        let code = self.accounts.get(&address).and_then(|account| self.codes.get(&account.code_hash));
        code.cloned().unwrap_or_default()
    }

    pub fn slot(&self, address: Address, slot: u64) -> U256 {
        self.storage.get(&(address, U256::from(slot))).copied().unwrap_or_default()
    }
}

impl DatabaseRef for Memory {
    type Error = Infallible;

    fn basic_ref(&self, address: Address) -> Result<Option<AccountInfo>, Infallible> {
        Ok(self.accounts.get(&address).map(|account| AccountInfo {
            balance: account.balance,
            nonce: account.nonce,
            code_hash: account.code_hash,
            account_id: None,
            code: None,
        }))
    }

    fn code_by_hash_ref(&self, code_hash: B256) -> Result<Bytecode, Infallible> {
        Ok(self.codes.get(&code_hash).cloned().map(Bytecode::new_raw).unwrap_or_default())
    }

    fn storage_ref(&self, address: Address, slot: U256) -> Result<U256, Infallible> {
        Ok(self.storage.get(&(address, slot)).copied().unwrap_or_default())
    }

    fn block_hash_ref(&self, number: u64) -> Result<B256, Infallible> {
        Ok(self.hashes.get(&number).copied().unwrap_or_default())
    }
}

/// Sends transactions and counts their nonces.
pub struct Account {
    pub signer: PrivateKeySigner,
    pub nonce: u64,
}

impl Account {
    pub fn new(seed: u8) -> Self {
        let signer = PrivateKeySigner::from_bytes(&B256::repeat_byte(seed)).expect("a key");
        Self { signer, nonce: 0 }
    }

    pub fn address(&self) -> Address {
        self.signer.address()
    }

    /// A legacy transaction without a price, with the next nonce.
    pub fn send(&mut self, to: TxKind, value: u128, gas_limit: u64, input: impl Into<Bytes>) -> Transaction {
        self.sign(TxLegacy {
            chain_id: Some(CHAIN_ID),
            nonce: self.nonce,
            gas_price: 0,
            gas_limit,
            to,
            value: U256::from(value),
            input: input.into(),
        })
    }

    pub fn transfer(&mut self, to: Address, value: u128) -> Transaction {
        self.send(TxKind::Call(to), value, 21_000, Bytes::new())
    }

    pub fn transfer_1559(&mut self, to: Address, max_fee: u128, max_priority_fee: u128) -> Transaction {
        self.sign(TxEip1559 {
            chain_id: CHAIN_ID,
            nonce: self.nonce,
            gas_limit: 21_000,
            max_fee_per_gas: max_fee,
            max_priority_fee_per_gas: max_priority_fee,
            to: TxKind::Call(to),
            value: U256::from(1),
            ..TxEip1559::default()
        })
    }

    pub fn delegate(&mut self, to: Address, list: Vec<SignedAuthorization>) -> Transaction {
        self.sign(TxEip7702 {
            chain_id: CHAIN_ID,
            nonce: self.nonce,
            gas_limit: 200_000,
            to,
            authorization_list: list,
            ..TxEip7702::default()
        })
    }

    pub fn authorize(&self, address: Address, nonce: u64) -> SignedAuthorization {
        let authorization = Authorization { chain_id: U256::from(CHAIN_ID), address, nonce };
        let signature = self.signer.sign_hash_sync(&authorization.signature_hash()).expect("signs");
        authorization.into_signed(signature)
    }

    pub fn sign<T>(&mut self, transaction: T) -> Transaction
    where
        T: SignableTransaction<alloy_primitives::Signature>,
        EthereumTxEnvelope<TxEip4844>: From<alloy_consensus::Signed<T>>,
    {
        self.nonce += 1;
        let signature = self.signer.sign_hash_sync(&transaction.signature_hash()).expect("signs");
        let envelope = EthereumTxEnvelope::<TxEip4844>::from(transaction.into_signed(signature));
        Transaction::decode(envelope.encoded_2718().into(), CHAIN_ID).expect("a sound transaction")
    }
}

/// The address of the contract that `sender` creates with `nonce`.
pub fn created(sender: Address, nonce: u64) -> Address {
    sender.create(nonce)
}

/// Init code that deploys `code`, at most 255 bytes of it.
pub fn deployer(code: &[u8]) -> Bytes {
    let length = u8::try_from(code.len()).expect("short code");
    // PUSH1 length, DUP1, PUSH1 11, PUSH0, CODECOPY, PUSH0, RETURN, two bytes of nothing, the code.
    let mut init = vec![0x60, length, 0x80, 0x60, 0x0b, 0x5f, 0x39, 0x5f, 0xf3, 0x00, 0x00];
    init.extend_from_slice(code);
    init.into()
}

pub struct Chain {
    pub executor: Executor,
    pub validators: ValidatorSet,
    pub head: Header,
    pub state: Memory,
}

impl Chain {
    /// A chain of `fork` whose accounts with seeds 1 to 5 have 1,000 ether each.
    pub fn new(fork: Fork) -> Self {
        Self::with(fork, |_| {})
    }

    pub fn with(fork: Fork, edit: impl FnOnce(&mut Genesis)) -> Self {
        let validator = |seed: u8| GenesisValidator {
            key: NodeKey::from_seed([seed; 32]).id(),
            weight: 1,
            fee_recipient: FEES,
        };
        let funded = (1..=5).map(|seed| {
            let account: alloy_genesis::GenesisAccount = Default::default();
            (Account::new(seed).address(), account.with_balance(U256::from(1_000 * ETHER)))
        });
        let mut genesis = Genesis {
            config: ChainConfig::new(CHAIN_ID),
            timestamp: GENESIS_TIME,
            validators: (1..=4).map(validator).collect(),
            alloc: funded.collect(),
        };
        genesis.config.forks = BTreeMap::from([(fork, 0)]);
        edit(&mut genesis);
        let mut state = Memory::default();
        state.apply(&genesis.state());
        let block = genesis.block().expect("a sound genesis");
        assert_eq!(state.root(), block.header().state_root);
        state.hashes.insert(0, block.hash());
        Self {
            executor: Executor::new(genesis.config.clone()),
            validators: genesis.validator_set().expect("a sound set"),
            head: block.header().clone(),
            state,
        }
    }

    pub fn plan(&self) -> BuildPlan {
        BuildPlan {
            timestamp: self.head.timestamp + 1,
            fee_recipient: FEES,
            gas_limit_target: u64::MAX,
            max_bytes: usize::MAX,
            clock_ms: 42,
        }
    }

    pub fn build(&self, candidates: &[Transaction]) -> Built {
        self.build_by(&self.plan(), candidates)
    }

    pub fn build_by(&self, plan: &BuildPlan, candidates: &[Transaction]) -> Built {
        let root = |changes: &StateChanges| self.state.root_after(changes);
        let candidates = candidates.iter().cloned();
        self.executor.build(&self.head, plan, candidates, &self.state, root).expect("builds")
    }

    /// Checks a block of these raw transactions, as another node would get it.
    pub fn check(&self, header: Header, raw: Vec<Bytes>) -> Result<ExecutedBlock, BlockError> {
        let decode = |raw: &Bytes| Transaction::decode(raw.clone(), CHAIN_ID).expect("decodes");
        let transactions: Vec<_> = raw.iter().map(decode).collect();
        let proposed = Proposed {
            block: Arc::new(Block::new(header, raw)),
            transactions: &transactions,
            validators: &self.validators,
            clock_ms: 42,
        };
        let root = |changes: &StateChanges| self.state.root_after(changes);
        self.executor.check(&self.head, &proposed, &self.state, root)
    }

    pub fn commit(&mut self, executed: &ExecutedBlock) {
        self.state.apply(&executed.changes);
        self.head = executed.block.header().clone();
        self.state.hashes.insert(self.head.number, executed.hash());
    }

    /// Builds a block of exactly these transactions, checks it as another node would, and commits it.
    pub fn run(&mut self, transactions: &[Transaction]) -> ExecutedBlock {
        let built = self.build(transactions);
        assert_eq!(built.skipped, []);
        let block = &built.block.block;
        let checked = self.check(block.header().clone(), block.transactions().to_vec()).expect("sound");
        assert_eq!(checked, built.block);
        self.commit(&built.block);
        built.block
    }
}

/// The root that a header binds these raw transactions by.
pub fn transactions_root(raw: &[Bytes]) -> B256 {
    root::ordered_trie_root_with_encoder(raw, |transaction, out| out.extend_from_slice(transaction))
}

/// The gas that each transaction of a block used.
pub fn gas_of_each(block: &ExecutedBlock) -> Vec<u64> {
    let mut before = 0;
    let used = |cumulative: u64| {
        let used = cumulative - before;
        before = cumulative;
        used
    };
    block.receipts.iter().map(|receipt| receipt.cumulative_gas_used()).map(used).collect()
}

/// The addresses that a block changes.
pub fn changed(block: &ExecutedBlock) -> BTreeSet<Address> {
    block.changes.accounts.keys().copied().collect()
}
