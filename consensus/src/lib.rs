//! # quorate-consensus: the PBFT replica
//!
//! One validator's part in deciding one block after the other, as a state machine without I/O, clock,
//! randomness or key: [`Replica::step`] takes an [`Input`] and returns [`Effect`]s, which whoever drives
//! it performs *in order*. The rules are numbered in `PROTOCOL.md` beside this crate; the code cites them.
//!
//! What it never knows: sockets, disks, tokio, the EVM, how a signature is checked (only
//! [`quorate_types::Verified`] messages enter), or what time it is (timers fire as inputs).
//!
//! ## One height
//! ```text
//!            Build          Check            quorum of prevotes     quorum of commits
//!   leader  ------> Propose ------> Prevote -------------------> Commit ------------> Decide --> height + 1
//!                      ^                       lock on disk         |
//!                      |                                            | timer
//!                  justified by a quorum of <-- ViewChange <--------+
//! ```
//!
//! ## The driver's duties
//! 1. Effects are performed in order, and the answers come back as inputs.
//! 2. [`Effect::Vote`]: pass the [`SignGuard`], sign, write one frame of the vote log, sync, only then send;
//!    then hand the signed messages back as [`Input::Own`]. A crash anywhere in between is harmless.
//! 3. After a restart, [`Replica::new`] gets back every frame above the head; what was signed is sent
//!    again, never signed again.
//! 4. Messages for the next height wait in [`Early`], unchecked, until [`Effect::Enter`] names its validators.
//!
//! ## Where to read
//! `replica` holds the state and the dispatch; `proposing`, `voting`, `deciding` and `view_change` are the parts
//! of the protocol, `refusals` what is said when it cannot go on with a block, `batch` what is signed together; `liveness` sends
//! again, notices silent leaders and helps who is behind, by what `heard` keeps; `recovery` and `abstention` say what a
//! restarted node may still sign. `snapshot` and `notes` are what people are shown.

mod abstention;
mod batch;
mod config;
mod deciding;
mod early;
mod footprint;
mod guard;
mod heard;
mod interface;
mod liveness;
mod mutant;
#[cfg(feature = "mutants")]
mod mutations;
mod notes;
mod proposing;
mod recovery;
mod refusals;
mod replica;
mod snapshot;
mod undecided;
mod view_change;
mod votes;
mod voting;

pub use abstention::Abstention;
pub use batch::{Unsigned, UnsignedProposal, VoteBatch};
pub use config::ReplicaConfig;
pub use early::Early;
pub use footprint::Footprint;
pub use guard::{GuardError, SignGuard};
pub use heard::{LastHeard, MessageKind};
pub use interface::{
    Alarm, BlockSource, BuildPlan, Candidate, Effect, Evidence, Head, Input, Timer, Verdict,
};
#[cfg(feature = "mutants")]
pub use mutant::Mutant;
pub use notes::{Fact, Note, ViewChangeReason};
pub use recovery::{OwnRecord, Recovered, Trust};
pub use replica::Replica;
pub use snapshot::{BlockStanding, NotVoting, Snapshot, TimerStanding, ValidatorView, ViewPhase};
