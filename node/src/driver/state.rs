//! What the rest of the node sees of the replica.

use std::{sync::Arc, time::Duration};

use quorate_consensus::{Phase, Snapshot};
use quorate_rpc::{ConsensusState, ValidatorState};
use quorate_types::{Height, ValidatorSet};

/// The height in flight and who votes on it.
#[derive(Clone, Debug)]
pub(crate) struct Current {
    pub(crate) height: Height,
    pub(crate) validators: Arc<ValidatorSet>,
}

pub(super) const fn phase_name(phase: Phase) -> &'static str {
    match phase {
        Phase::Idle => "idle",
        Phase::Propose => "propose",
        Phase::Prevote => "prevote",
        Phase::Commit => "commit",
        Phase::ViewChange => "viewChange",
    }
}

/// The snapshot as the RPC server shows it.
pub(super) fn consensus_state(snapshot: &Snapshot, timer: Option<Duration>) -> ConsensusState {
    let validators = snapshot.validators.iter().map(|it| ValidatorState {
        id: it.id,
        weight: it.weight,
        height: it.height,
        view: it.view,
        last_seen_ms: it.silent_ms,
        prevoted: it.prevote,
        committed: it.commit,
        view_change: it.view_change,
    });
    ConsensusState {
        height: snapshot.height,
        view: snapshot.view,
        leader: Some(snapshot.leader),
        phase: phase_name(snapshot.phase),
        timer_ms: timer.map(|left| u64::try_from(left.as_millis()).unwrap_or(u64::MAX)),
        proposed: snapshot.proposed,
        abstaining: snapshot.abstaining.clone(),
        validators: validators.collect(),
    }
}
