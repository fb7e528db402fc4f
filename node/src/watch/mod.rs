//! Says what is happening: from the replica's facts to states, events, figures and sentences.
//!
//! ```text
//! Replica::snapshot --10 times a second--> words, waiting --> ConsensusState --> rpc, monitor (status, /readyz, log)
//! Replica::notes ----- after each step --> Watcher -> event ring, metrics
//! Effect::Report, Effect::Alarm ---------> evidence file, alarms
//! ```
//! The replica knows no clock and no words; both live here. Nothing here is read by the protocol.

mod alarms;
mod evidence;
mod names;
mod waiting;
mod watcher;
mod words;

pub(crate) use alarms::{AlarmKind, Alarms, RootsOf};
pub(crate) use evidence::EvidenceFile;
pub(crate) use names::Names;
pub(crate) use watcher::{PUBLISH_INTERVAL, Watcher, WatcherParts};
pub(crate) use words::OBSERVER;
