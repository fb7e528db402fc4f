//! # quorate-vote-log: what a node has signed and not yet outlived
//!
//! A validator that forgets a vote may contradict it, so a frame is on disk before anything of it is
//! sent (R4, "On disk before sent"). The log is two files of fixed size, filled with zeros in advance
//! so that a sync has no metadata to write, used in turn:
//!
//! ```text
//! votes/0  [1][2][3]......    append until it is full; when all frames that are still needed are
//! votes/1  ...............    in it, the other one starts over; else it grows, within a bound
//! ```
//! There is never more than one frame without a sync, so the only thing that a stop can tear is the
//! last frame, which nobody has acted upon: it is dropped. Anything else that is missing is damage,
//! and then the caller must not sign until it knows that it contradicts nothing.
//!
//! Two things are remembered from start to start. A log that was made anew because there was none, or a damaged one, keeps
//! saying so until its first frame. And each frame carries the highest height that was released: a store that
//! has less was put back, and the frames that it would need are gone.
//!
//! ```text
//! VoteLog::append(height, bytes) -> one write, one sync -> only then is anything sent
//! VoteLog::release(height)       -> once the block record of that height is synced in the store
//! ```
//! [`Segments`] decides which bytes go where and [`recover`] reads them back, both without a file;
//! [`VoteLog`] is the same on files. So the simulator tears, damages and loses the very bytes that a
//! node would read.
//!
//! What it never knows: the meaning of a payload, consensus, the chain's store.

#[cfg(test)]
mod damage_tests;
mod error;
mod files;
mod frame;
mod log;
mod recovery;
mod segments;

pub use error::VoteLogError;
pub use frame::MAX_PAYLOAD_BYTES;
pub use log::{Recovery, VoteLog};
pub use recovery::{Condition, Images, Outcome, State, recover};
pub use segments::{Frame, MAX_SEGMENT_BYTES, Origin, Refusal, SEGMENT_BYTES, Segments, Sizes, Write};
