//! What goes into a replica and what comes out.

use std::{sync::Arc, time::Duration};

use quorate_types::{
    B256, Block, CommitCertificate, Height, Message, NodeId, Proposal, Propose, Reject, RejectReason, Roots,
    Signed, ValidatorSet, Verified, View, ViewChange, Vote,
};

use crate::VoteBatch;

/// A block that this node executed: valid, and known what set votes after it.
#[derive(Clone, Debug)]
pub struct Candidate {
    /// The block.
    pub block: Arc<Block>,
    /// Who votes on the height after it.
    pub next_validators: Arc<ValidatorSet>,
}

/// The last durable block, from which a replica starts or goes on.
#[derive(Clone, Debug)]
pub struct Head {
    /// Its height.
    pub height: Height,
    /// Its hash.
    pub hash: B256,
    /// Who votes on the height after it.
    pub next_validators: Arc<ValidatorSet>,
}

/// Something that happened to a replica.
#[derive(Clone, Debug)]
pub enum Input {
    /// The driver is ready: the first input, once. Before it nothing but [`Input::DiskRoom`] has any effect.
    Start,
    /// A checked message arrived, over the connection of `from`.
    Message {
        /// The message.
        message: Verified<Message>,
        /// The neighbour that delivered it: not always who signed it.
        from: NodeId,
    },
    /// The answer to [`Effect::Vote`]: these are signed and on disk.
    Own(Vec<Message>),
    /// A timer fired.
    Timer(Timer),
    /// Whether a transaction is executable at the head by chain rules alone. To be said anew after each
    /// [`Effect::Enter`] and after a build that gave nothing: both begin without work.
    Work(bool),
    /// The answer to [`Effect::Build`]; `None` when there was nothing to put into a block.
    Built {
        /// The plan that is answered.
        plan: BuildPlan,
        /// The block, executed.
        candidate: Option<Candidate>,
    },
    /// The body of this block is at hand, and its execution is next: the timer may be held back for it.
    Executing(B256),
    /// The answer to [`Effect::Check`].
    Checked {
        /// The block that was asked about.
        block_hash: B256,
        /// What came of it.
        verdict: Verdict,
    },
    /// The block record of this height, and of all below, is synced.
    Durable(Height),
    /// The chain went on without the replica: blocks with their certificates came by sync.
    Synced(Head),
    /// Whether the disk has room: without it nothing new is proposed or voted for (faults.md, disk-full).
    DiskRoom(bool),
    /// A peer said hello.
    PeerConnected,
    /// A neighbour sent something for a height that is decided here, unchecked.
    Behind {
        /// The height.
        height: Height,
        /// The neighbour.
        from: NodeId,
    },
    /// A neighbour sent something for a height that this node has not reached, unchecked.
    Ahead {
        /// The height.
        height: Height,
        /// The neighbour.
        from: NodeId,
    },
}

/// What the driver must do, in order.
#[derive(Clone, Debug)]
pub enum Effect {
    /// Height `height` begins, and these vote on it.
    Enter {
        /// The height.
        height: Height,
        /// Its validators.
        validators: Arc<ValidatorSet>,
    },
    /// Sign, write, sync, send to all, and answer with [`Input::Own`].
    Vote(VoteBatch),
    /// Sign and send to all; it binds nobody, so it needs no disk.
    Reject(Reject),
    /// Sign a [`quorate_types::Status`] with the driver's clock in it, and send it to all.
    AnnounceStatus {
        /// The height being decided.
        height: Height,
        /// The view it is in.
        view: View,
        /// The head.
        head_hash: B256,
        /// Whether a view change is waited for.
        in_view_change: bool,
    },
    /// Send to all: signed and on disk since long.
    Broadcast(Message),
    /// Pass on what took a slot, to all but where it came from.
    Relay {
        /// The message.
        message: Message,
        /// Who delivered it.
        from: NodeId,
    },
    /// Tell a neighbour that is behind the last decided block.
    SendDecided {
        /// The neighbour.
        to: NodeId,
        /// The height it has not decided.
        height: Height,
    },
    /// Start a timer, or start it anew.
    SetTimer(Timer, Duration),
    /// Stop a timer.
    CancelTimer(Timer),
    /// Make a block on the head; answer with [`Input::Built`].
    Build(BuildPlan),
    /// Get the body, execute, compare the roots; answer with [`Input::Checked`]. A second check of a block, with
    /// its body or no longer fresh, may come before the first has an answer: it supersedes that one. A raw transaction
    /// that travelled with a proposal counts only where its hash is listed, and a body from outside only when its
    /// transactions are the header's: the rest is fetched as if it had not come.
    Check {
        /// The block.
        block_hash: B256,
        /// Where its content is.
        source: BlockSource,
        /// Whether the header's time must not be far ahead of the local clock: wait until it is not.
        fresh: bool,
    },
    /// Offer the transactions that wait here to every neighbour, those first that the next leader should take.
    ShareWork,
    /// A quorum committed: write the block record, synced; answer with [`Input::Durable`].
    Decide {
        /// The block.
        candidate: Candidate,
        /// The proof.
        certificate: CommitCertificate,
    },
    /// Others are at `height`; fetch what is missing, first from `from`.
    Sync {
        /// The highest height known to be decided.
        height: Height,
        /// Who said so.
        from: NodeId,
    },
    /// Signed proof of a lie.
    Report(Evidence),
    /// An operator must look.
    Alarm(Alarm),
}

/// What block to make.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BuildPlan {
    /// Its height.
    pub height: Height,
    /// The view that it is for.
    pub view: View,
    /// The block it stands on.
    pub parent_hash: B256,
    /// The block's gas limit is shifted right by this much (R17): slow execution must not stall the chain.
    pub gas_shift: u32,
    /// Whether a block without transactions will do.
    pub may_be_empty: bool,
}

/// Where the content of a block to check is.
#[derive(Clone, Debug)]
pub enum BlockSource {
    /// In compact form; what the pool lacks, its leader and the others have.
    Proposal(Arc<Proposal>),
    /// At hand.
    Block(Arc<Block>),
    /// With these nodes, who are locked on it or voted for it.
    Peers(Vec<NodeId>),
}

/// What came of checking a block.
#[derive(Clone, Debug)]
pub enum Verdict {
    /// It is valid, and executed to the roots in its header.
    Valid(Candidate),
    /// It can never be valid here.
    Invalid {
        /// Why.
        reason: RejectReason,
        /// What this node computed, when that differs.
        roots: Option<Roots>,
    },
    /// All transactions of the list that was offered are at hand, and they are not the header's: its leader signed a
    /// contradiction. The block itself may be sound, under another list.
    Mismatched {
        /// The hash of the list, as it was signed.
        body_hash: B256,
    },
    /// Nobody gave the body in time; it may be asked for again.
    Unavailable,
}

/// The timers. Each names its height and view, so that one which fires late is recognised.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Timer {
    /// The view has lasted too long.
    View(Height, View),
    /// Half of the timer of view 0 is over.
    HalfView(Height),
    /// The least time between two blocks is over.
    BlockInterval(Height),
    /// An empty block is due.
    EmptyBlock(Height),
    /// Send again what is undecided.
    Resend(Height),
    /// Half a second is over.
    Tick,
}

/// Two things that one key must never both have signed.
#[derive(Clone, Debug)]
pub enum Evidence {
    /// Two proposals for one view.
    Proposals(Signed<Propose>, Signed<Propose>),
    /// Two votes in one phase of one view.
    Votes(Signed<Vote>, Signed<Vote>),
    /// Two wishes for one view with different locks.
    ViewChanges(Signed<ViewChange>, Signed<ViewChange>),
}

/// What an operator must know at once.
#[derive(Clone, Debug)]
pub enum Alarm {
    /// A valid signature of this node's own key that its log does not hold: the key runs twice. The
    /// replica signs nothing any more.
    ForeignSignature(Message),
    /// A quorum decided a block that this node executes to something else, or refuses. It votes no more.
    Diverged {
        /// The decided block.
        certificate: CommitCertificate,
        /// Why this node refuses it.
        reason: RejectReason,
        /// What this node computed.
        roots: Option<Roots>,
    },
    /// Validators with the weight of an honest one compute other roots for a block than its leader did.
    RootsDisputed {
        /// The height.
        height: Height,
        /// The block.
        block_hash: B256,
        /// Who, and what they computed.
        rejects: Vec<Signed<Reject>>,
    },
}
