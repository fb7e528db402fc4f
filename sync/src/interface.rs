//! What goes into a syncer and what comes out.

use std::{fmt, sync::Arc, time::Duration};

use quorate_types::{
    B256, Block, CommitCertificate, Domain, Height, NodeId, RejectReason, Roots, ValidatorSet, Verifier,
};

use crate::SyncError;

/// What a syncer is told once: what certificates are checked against.
#[derive(Clone)]
pub struct SyncConfig {
    /// The chain that signatures must be for.
    pub domain: Domain,
    /// The signature scheme.
    pub verifier: Arc<dyn Verifier>,
}

impl fmt::Debug for SyncConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SyncConfig").field("domain", &self.domain).finish_non_exhaustive()
    }
}

/// The chain's end on this node: genesis, a trusted checkpoint, or the last committed block.
#[derive(Clone, Debug)]
pub struct Head {
    /// Its height.
    pub height: Height,
    /// Its hash.
    pub hash: B256,
    /// Who votes on the height after it, by this node's own execution.
    pub next_validators: Arc<ValidatorSet>,
}

/// Names a request, so that an answer finds it. Never used twice.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RequestId(pub u64);

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A block with the proof that it was decided; neither is checked yet.
pub type CertifiedBlock = (Arc<Block>, CommitCertificate);

/// Something that happened.
#[derive(Clone, Debug)]
pub enum Input {
    /// A connected peer said in its hello or its status where its head is.
    PeerHead {
        /// The peer.
        peer: NodeId,
        /// Its head, by its own word.
        height: Height,
    },
    /// The connection to a peer ended.
    PeerGone(NodeId),
    /// Consensus saw that others are ahead.
    Target {
        /// The highest height known to be decided.
        height: Height,
        /// The peer who said so, and so claims to have it.
        from: NodeId,
    },
    /// The chain went on, by consensus or by sync: also the answer to an [`Effect::Apply`] that succeeded.
    Head(Head),
    /// The answer to an [`Effect::Request`]. Fewer blocks than asked for are welcome: answers are limited in bytes.
    Blocks {
        /// The request.
        request: RequestId,
        /// Who answered.
        peer: NodeId,
        /// Blocks from the first one asked for, without a hole.
        blocks: Vec<CertifiedBlock>,
    },
    /// An [`Effect::Request`] came to nothing.
    Failed {
        /// The request.
        request: RequestId,
        /// Who was asked.
        peer: NodeId,
        /// What went wrong.
        why: Failure,
    },
    /// Execution refused the block of an [`Effect::Apply`]: its header says other than what was computed.
    Refused {
        /// The height of the block.
        height: Height,
        /// The block.
        block_hash: B256,
        /// Why.
        reason: RejectReason,
        /// What this node computed, when that differs.
        roots: Option<Roots>,
    },
    /// A timer fired.
    Timer(Timer),
}

/// Why a request came to nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// No answer in time.
    Timeout,
    /// The peer answered that it has none of the blocks.
    Empty,
    /// The peer could not be asked: disconnected, or over its limit of requests.
    Unreachable,
    /// The answer's bytes are no blocks.
    Malformed,
}

/// What the driver must do, in order.
#[derive(Clone, Debug)]
pub enum Effect {
    /// Ask a peer for `count` blocks; answer with [`Input::Blocks`] or [`Input::Failed`].
    Request {
        /// Names the request.
        id: RequestId,
        /// Whom to ask.
        peer: NodeId,
        /// The first block.
        from: Height,
        /// How many, at least 1.
        count: u32,
    },
    /// Execute the block on the head, compare the roots, write it as decided; answer with [`Input::Head`],
    /// or with [`Input::Refused`] when this node computes something else. Its certificate and its body are
    /// checked, it stands on the head, and no other block is given out before the answer. When consensus
    /// wrote the block meanwhile, its `Head` is the answer: the block is written once.
    Apply {
        /// The block.
        block: Arc<Block>,
        /// The proof.
        certificate: CommitCertificate,
    },
    /// A peer sent what no honest node sends: its score must suffer.
    Punish {
        /// The peer.
        peer: NodeId,
        /// What it sent.
        reason: SyncError,
    },
    /// A quorum decided what this node cannot follow. Nothing is asked for or applied any more: an operator must look.
    Diverged(Divergence),
    /// Start a timer, or start it anew.
    SetTimer(Timer, Duration),
    /// Stop a timer.
    CancelTimer(Timer),
}

/// How this node's chain differs from what a quorum signed. No peer is to blame for it: the certificates verified.
#[derive(Clone, Debug)]
pub enum Divergence {
    /// Execution refuses a decided block.
    Refused {
        /// The proof that it is decided.
        certificate: CommitCertificate,
        /// Why it is refused.
        reason: RejectReason,
        /// What this node computed, when that differs.
        roots: Option<Roots>,
    },
    /// Another block than this node's own stands at a height.
    Fork {
        /// The height.
        height: Height,
        /// This node's block.
        ours: B256,
        /// The quorum's.
        theirs: B256,
        /// The proof: for their block itself, or for the one that stands on it.
        certificate: CommitCertificate,
    },
}

/// The timers. Each names what it is for, so that one which fires late is recognised.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Timer {
    /// Consensus had its chance to decide this height by itself.
    Grace(Height),
    /// A request was not answered in time.
    Request(RequestId),
    /// Peers that failed have rested a little longer, or are forgiven.
    Rest,
}

/// What a syncer is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SyncPhase {
    /// No peer that may be asked is ahead.
    Idle,
    /// One block behind: consensus is about to decide it, most likely.
    Waiting(Height),
    /// Asking and applying until no peer is ahead.
    Fetching,
    /// Stopped for good, see [`Effect::Diverged`].
    Diverged,
}

/// How far the catching up has come, for `eth_syncing` and the operator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SyncProgress {
    /// This node's head.
    pub head: Height,
    /// The highest head that a peer claims and was not caught lacking; never below `head`. Unproved.
    pub target: Height,
    /// Connected peers that may be asked.
    pub peers: usize,
    /// Blocks fetched and not yet applied.
    pub buffered: usize,
    /// Requests not yet answered.
    pub in_flight: usize,
    /// What it is about.
    pub phase: SyncPhase,
}
