//! # quorate-sync: catching up
//!
//! Which block to ask of whom when this node is behind, and what a block from outside must prove before it
//! counts. A state machine like the replica, without I/O, clock or randomness: [`Syncer::step`] takes an
//! [`Input`] and returns [`Effect`]s, which whoever drives it performs *in order*.
//!
//! What it never knows: sockets, disks, how blocks are executed, what time it is (timers fire as inputs).
//!
//! ## From a claim to a block
//! ```text
//! hello, status, consensus        several peers            one at a time, in order
//!   PeerHead / Target  ----> Request ----> Blocks ----> verify ----> Apply ----> Head(h+1, next set) --+
//!                               ^             |            |            |                              |
//!                               |    answer unfit, or forged            | refused                      |
//!                               |             v            v            v                              |
//!                               +------ Punish, ask another         Diverged: stop                     |
//!                               +----------------------------------------------------------------------+
//! ```
//!
//! ## What holds
//! 1. A block is applied only with a quorum's certificate, checked against the set that executing its parent
//!    gave, with the very transactions of its header, on the head. Empty blocks are no exception.
//! 2. A claim is a claim: a peer is asked for what it says to have, and one that lacks it, does not answer or
//!    lies rests for a while, longer each time. Others serve meanwhile. Only proven lies are punished.
//! 3. Two requests never cover one height, unless the first timed out, its peer left, or lied.
//! 4. Memory is bounded: so many requests, so many blocks above the head, so many bytes. What was not asked
//!    for, or comes too late, is dropped.
//! 5. Who is one block behind waits a moment, since consensus is about to decide it, and then asks.
//! 6. A certified block that this node cannot follow is nobody's lie: the syncer stops and says so.
//!
//! ## The driver's duties
//! 1. Effects are performed in order, and the answers come back as inputs: each [`Effect::Request`] by
//!    [`Input::Blocks`] or [`Input::Failed`], each [`Effect::Apply`] by [`Input::Head`] or [`Input::Refused`].
//! 2. Every advance of the chain is an [`Input::Head`], those by consensus too.
//! 3. Claims are repeated: each hello and each status of a neighbour is an [`Input::PeerHead`].
//! 4. Answers are limited in bytes on the wire, and served as the longest prefix that fits: at least one block.
//!
//! ```
//! use std::sync::Arc;
//! use quorate_sync::{Effect, Head, Input, SyncConfig, Syncer};
//! use quorate_types::{B256, Domain, Ed25519, Height, NodeKey, Validator, ValidatorSet};
//!
//! let peer = NodeKey::from_seed([1; 32]).id();
//! let domain = Domain { chain_id: 20200, genesis_hash: B256::ZERO };
//! let next_validators = Arc::new(ValidatorSet::new([Validator::new(peer, 1)])?);
//! let genesis = Head { height: Height::ZERO, hash: domain.genesis_hash, next_validators };
//! let mut syncer = Syncer::new(SyncConfig { domain, verifier: Arc::new(Ed25519) }, genesis);
//!
//! let effects = syncer.step(Input::PeerHead { peer, height: Height(5) });
//! assert!(matches!(effects[0], Effect::Request { from: Height(1), count: 5, .. }));
//! assert_eq!(syncer.progress().target, Height(5));
//! # Ok::<(), quorate_types::ValidatorSetError>(())
//! ```
//!
//! ## Where to read
//! `syncer` holds the state and the dispatch; `verify` says what a block must prove; `peers` who is asked,
//! `requests` what is open, `buffer` what waits for its turn.

mod buffer;
mod interface;
mod peers;
mod requests;
mod syncer;
mod verify;

pub use buffer::{MAX_BUFFERED_BLOCKS, MAX_BUFFERED_BYTES};
pub use interface::{
    CertifiedBlock, Divergence, Effect, Failure, Head, Input, RequestId, SyncConfig, SyncPhase, SyncProgress,
    Timer,
};
pub use peers::MAX_BLOCKS_PER_REQUEST;
pub use requests::MAX_IN_FLIGHT;
pub use syncer::Syncer;
pub use verify::{SyncError, verify_block};
