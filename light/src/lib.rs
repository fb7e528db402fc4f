//! # quorate-light: the chain for those who trust no node
//!
//! Whoever has the genesis file can check everything that a node answers, without its blocks:
//!
//! ```text
//! genesis --> set of block 1 --certificate--> header --state root--> account --storage root--> slot
//!                  ^                             |
//!                  +---- extraData = its hash ---+  (the set itself: a list, or the storage of 0x1003)
//! ```
//!
//! What it never knows: how answers get here (no network, no clock, no disk), and blocks' bodies.
//!
//! A certificate says that a quorum of its set signed, so all this holds as long as no quorum of any set
//! that was followed signs what was not decided, not even after its members have left.

mod error;
mod follow;
mod proof;
#[cfg(test)]
mod tests;

pub use error::LightError;
pub use follow::Follower;
pub use proof::{AccountAnswer, SlotAnswer, proven_validators};
