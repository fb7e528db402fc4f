//! # quorate-rpc: what SDK clients talk to

mod backend;

pub use backend::{Backend, ConsensusState, NodeStatus, Submission, SyncRange, ValidatorState};
