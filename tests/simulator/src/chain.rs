//! The simulated chain: real headers, opaque transactions, and an execution that comes down to one hash.

use std::sync::Arc;

use quorate_types::{
    Address, B256, Block, Bytes, Domain, Header, RejectReason, Roots, Validator, ValidatorSet, Verifier,
    VerifyContext, keccak256,
};

use crate::keys::Keys;

/// Any chain id will do.
const CHAIN_ID: u64 = 20_200;
/// How far ahead of the local clock a fresh block's time may be, seconds (R5).
pub(crate) const MAX_AHEAD_S: u64 = 10;
/// Transactions in a block at its full gas limit.
const MAX_TRANSACTIONS: usize = 8;

/// What all nodes agree on before the first block.
pub(crate) struct Chain {
    pub(crate) domain: Domain,
    pub(crate) genesis: Arc<Block>,
    pub(crate) validators: Arc<ValidatorSet>,
    pub(crate) verifier: Box<dyn Verifier>,
}

impl Chain {
    pub(crate) fn new(nodes: usize, keys: Keys) -> Self {
        let members = (0..nodes).map(|index| Validator::new(keys.signer(key_number(index)).id(), 1));
        let validators = ValidatorSet::new(members).expect("distinct sound keys of weight 1");
        let genesis =
            Block::new(Header { extra_data: validators.hash().into(), ..Header::default() }, vec![]);
        Self {
            domain: Domain { chain_id: CHAIN_ID, genesis_hash: genesis.hash() },
            genesis: Arc::new(genesis),
            validators: Arc::new(validators),
            verifier: keys.verifier(),
        }
    }

    pub(crate) fn context(&self) -> VerifyContext<'_> {
        VerifyContext { domain: &self.domain, set: &self.validators, verifier: &*self.verifier }
    }
}

/// Keys are numbered by a byte; more nodes than that are not simulated.
pub(crate) fn key_number(index: usize) -> u8 {
    u8::try_from(index).expect("fewer than 255 nodes")
}

/// How many transactions go into a block whose gas limit is shifted by `gas_shift`: one always does.
pub(crate) fn room(gas_shift: u32) -> usize {
    (MAX_TRANSACTIONS >> gas_shift.min(31)).max(1)
}

/// A block on `parent`, executed.
pub(crate) fn seal(parent: &Header, transactions: Vec<Bytes>, proposer: u8, timestamp: u64) -> Block {
    let transactions_root = Block::transactions_root(&transactions);
    let header = Header {
        number: parent.number + 1,
        parent_hash: parent.hash_slow(),
        timestamp: timestamp.max(parent.timestamp),
        beneficiary: Address::repeat_byte(proposer),
        transactions_root,
        state_root: state_after(parent, transactions_root),
        extra_data: parent.extra_data.clone(),
        ..Header::default()
    };
    Block::new(header, transactions)
}

/// What execution finds wrong with a block whose body is known to be its own.
pub(crate) fn judge(parent: &Header, block: &Block) -> Result<(), (RejectReason, Option<Roots>)> {
    let header = block.header();
    let fits = header.number == parent.number + 1
        && header.parent_hash == parent.hash_slow()
        && header.timestamp >= parent.timestamp
        && header.extra_data == parent.extra_data;
    if !fits {
        return Err((RejectReason::Header, None));
    }
    let state = state_after(parent, header.transactions_root);
    if state != header.state_root {
        return Err((RejectReason::Divergence, Some(Roots { state, receipts: B256::ZERO })));
    }
    Ok(())
}

fn state_after(parent: &Header, transactions_root: B256) -> B256 {
    let mut bytes = [0; 64];
    bytes[..32].copy_from_slice(parent.state_root.as_slice());
    bytes[32..].copy_from_slice(transactions_root.as_slice());
    keccak256(bytes)
}
