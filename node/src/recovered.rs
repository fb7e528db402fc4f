//! From the frames of the vote log to what the replica may rely on after a restart.

use std::collections::BTreeMap;

use quorate_consensus::{OwnRecord, Recovered, Trust};
use quorate_proto::LogRecord;
use quorate_types::Height;
use quorate_vote_log::{Condition, Recovery};

/// What follows from a log that is not all that this key signed.
const ABSTAINS: &str = "this node does not vote until it cannot contradict itself";

/// Reads the frames, and says what a log that is not to be trusted lacks.
pub(crate) fn read(recovery: Recovery) -> Recovered {
    let mut trust = if recovery.condition.is_trusted() { Trust::Full } else { Trust::None };
    match recovery.condition {
        Condition::Intact | Condition::Fresh => {}
        Condition::Missing => tracing::warn!("the vote log is missing: {ABSTAINS}"),
        Condition::Damaged { why } => tracing::error!(%why, "the vote log is damaged: {ABSTAINS}"),
        Condition::StoreWentBack { released } => {
            tracing::error!(
                had = %released,
                "the database is older than the vote log, which knows that it had block {released}: {ABSTAINS}"
            );
        }
    }
    let mut records: BTreeMap<Height, OwnRecord> = BTreeMap::new();
    for frame in recovery.frames {
        match LogRecord::decode(frame.payload.into()) {
            Ok(record) => {
                let own = records.entry(frame.height).or_default();
                own.messages.extend(record.messages);
                own.prepared = record.prepared.or_else(|| own.prepared.take());
            }
            Err(error) => {
                tracing::error!(height = %frame.height, %error, "a frame of the vote log is not readable: {ABSTAINS}");
                trust = Trust::None;
            }
        }
    }
    Recovered { records, trust }
}
