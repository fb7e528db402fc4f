//! From the frames of the vote log to what the replica may rely on after a restart.

use std::collections::BTreeMap;

use quorate_consensus::{OwnRecord, Recovered, Trust};
use quorate_proto::LogRecord;
use quorate_types::{Height, Message, Phase};
use quorate_vote_log::{Condition, Recovery};

/// How far above the durable head frames may be: its successor is decided but not synced, and the height after
/// that has begun. Anything above means that the database went back.
const MAX_AHEAD: u64 = 2;

/// Reads the frames above `head` and judges whether they are all that this key signed there.
pub(crate) fn read(recovery: Recovery, head: Height) -> Recovered {
    let mut records: BTreeMap<Height, OwnRecord> = BTreeMap::new();
    let mut trust = match &recovery.condition {
        Condition::Intact | Condition::Fresh => Trust::Full,
        Condition::Missing => {
            tracing::warn!(
                "the vote log is missing: this node does not vote until it cannot contradict itself"
            );
            Trust::None
        }
        Condition::Damaged { why } => {
            tracing::error!(%why, "the vote log is damaged: this node does not vote until it cannot contradict itself");
            Trust::None
        }
    };
    for frame in recovery.frames {
        if frame.height.0 > head.0.saturating_add(MAX_AHEAD) {
            tracing::error!(
                log_height = %frame.height, head = %head,
                "the database is older than the vote log: this node does not vote until it cannot contradict itself"
            );
            trust = Trust::None;
            continue;
        }
        if frame.height <= head {
            continue;
        }
        match LogRecord::decode(frame.payload.into()) {
            Ok(record) => {
                if frame.height > head.next() && record.messages.iter().any(is_commit) {
                    tracing::error!(
                        log_height = %frame.height, head = %head,
                        "the database is older than a commit in the vote log: this node does not vote until it cannot contradict itself"
                    );
                    trust = Trust::None;
                }
                let own = records.entry(frame.height).or_default();
                own.messages.extend(record.messages);
                own.prepared = record.prepared.or_else(|| own.prepared.take());
            }
            Err(error) => {
                tracing::error!(height = %frame.height, %error, "a frame of the vote log is not readable: this node abstains");
                trust = Trust::None;
            }
        }
    }
    Recovered { records, trust }
}

/// A commit waits for the record of the height before it (R9), so one that is two above the head was signed on a database
/// that had more.
fn is_commit(message: &Message) -> bool {
    matches!(message, Message::Vote(vote) if vote.statement.phase == Phase::Commit)
}
