//! Stories of one replica, told with hand-made inputs. Each is named after a row of the project's list of faults, or
//! after the rule of `PROTOCOL.md` that it shows. Whole clusters are the simulator's.

#[cfg(feature = "mutants")]
extern crate quorate_consensus_mutants as quorate_consensus;

mod forgery;
mod liveness;
#[cfg(feature = "mutants")]
mod mutants;
mod notes;
mod restart;
mod support;
mod view_change;
mod voting;
