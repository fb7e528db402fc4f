//! The simulated chain: real headers, opaque transactions, and an execution that comes down to one hash and to who
//! votes next.

mod change;

use std::sync::Arc;

use quorate_types::{
    Address, B256, Block, Bytes, Domain, Header, RejectReason, Roots, Validator, ValidatorSet, Verifier,
    VerifyContext, keccak256,
};

use crate::keys::{Gullible, Keys};

pub(crate) use change::{Change, set_after};

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
    /// Who votes on height 1.
    pub(crate) first: Arc<ValidatorSet>,
    pub(crate) verifier: Box<dyn Verifier>,
}

impl Chain {
    pub(crate) fn new(members: Vec<Validator>, keys: Keys) -> Self {
        let first = ValidatorSet::new(members).expect("distinct sound keys of some weight");
        let genesis = Block::new(Header { extra_data: first.hash().into(), ..Header::default() }, vec![]);
        Self {
            domain: Domain { chain_id: CHAIN_ID, genesis_hash: genesis.hash() },
            genesis: Arc::new(genesis),
            first: Arc::new(first),
            verifier: keys.verifier(),
        }
    }

    /// What messages of a height with these validators are checked against.
    pub(crate) fn context<'a>(&'a self, set: &'a ValidatorSet) -> VerifyContext<'a> {
        VerifyContext { domain: &self.domain, set, verifier: &*self.verifier }
    }

    /// The same for a mutant that takes any signature for a sound one.
    pub(crate) const fn context_without_signatures<'a>(&'a self, set: &'a ValidatorSet) -> VerifyContext<'a> {
        VerifyContext { domain: &self.domain, set, verifier: &Gullible }
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

/// What executes blocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Machine {
    Sound,
    /// It computes other roots, the same on all machines of this kind.
    Faulty,
}

/// A block on `parent`, executed, and who votes after it.
pub(crate) fn seal(
    parent: &Header,
    set: &Arc<ValidatorSet>,
    transactions: Vec<Bytes>,
    (proposer, timestamp): (u8, u64),
    machine: Machine,
) -> (Block, Arc<ValidatorSet>) {
    let transactions_root = Block::transactions_root(&transactions);
    let next = set_after(set, &transactions);
    let header = Header {
        number: parent.number + 1,
        parent_hash: parent.hash_slow(),
        timestamp: timestamp.max(parent.timestamp),
        beneficiary: Address::repeat_byte(proposer),
        transactions_root,
        state_root: state_after(parent, transactions_root, machine),
        extra_data: binding(parent, set, &next),
        ..Header::default()
    };
    (Block::new(header, transactions), next)
}

/// Who votes after a block whose body is known to be its own and whose height `set` votes on, or what execution finds
/// wrong with it.
pub(crate) fn judge(
    parent: &Header,
    set: &Arc<ValidatorSet>,
    block: &Block,
    machine: Machine,
) -> Result<Arc<ValidatorSet>, (RejectReason, Option<Roots>)> {
    let header = block.header();
    let next = set_after(set, block.transactions());
    let fits = header.number == parent.number + 1
        && header.parent_hash == parent.hash_slow()
        && header.timestamp >= parent.timestamp
        && header.extra_data == binding(parent, set, &next);
    if !fits {
        return Err((RejectReason::Header, None));
    }
    let state = state_after(parent, header.transactions_root, machine);
    if state != header.state_root {
        return Err((RejectReason::Divergence, Some(Roots { state, receipts: B256::ZERO })));
    }
    Ok(next)
}

/// The extra data of a block: the hash of the set after it, which the parent binds already when nothing changes.
fn binding(parent: &Header, set: &Arc<ValidatorSet>, next: &Arc<ValidatorSet>) -> Bytes {
    if Arc::ptr_eq(set, next) { parent.extra_data.clone() } else { next.hash().into() }
}

fn state_after(parent: &Header, transactions_root: B256, machine: Machine) -> B256 {
    let mut bytes = [0; 65];
    bytes[..32].copy_from_slice(parent.state_root.as_slice());
    bytes[32..64].copy_from_slice(transactions_root.as_slice());
    bytes[64] = u8::from(machine == Machine::Faulty);
    keccak256(bytes)
}
