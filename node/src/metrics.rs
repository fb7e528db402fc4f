//! The names and helps of all metrics, and the few calls that set them. Prometheus reads them at `/metrics`.

use metrics::{counter, describe_counter, describe_gauge, describe_histogram, gauge, histogram};
use metrics_exporter_prometheus::{BuildError, Matcher, PrometheusBuilder, PrometheusHandle};
use quorate_rpc::{ConsensusState, NodeStatus};
use quorate_types::{ExecutedBlock, Height, NodeId};

const HEIGHT: &str = "quorate_height";
const HEIGHT_IN_FLIGHT: &str = "quorate_consensus_height";
const VIEW: &str = "quorate_consensus_view";
const PHASE_SECONDS: &str = "quorate_consensus_phase_seconds";
const SINCE_PROPOSAL_SECONDS: &str = "quorate_consensus_since_proposal_seconds";
const VIEW_CHANGES: &str = "quorate_view_changes_total";
const REJECTS: &str = "quorate_rejects_total";
const WAITING_SECONDS: &str = "quorate_consensus_waiting_seconds";
const VALIDATORS_MISSING: &str = "quorate_validators_missing";
const VALIDATOR_SILENCE_SECONDS: &str = "quorate_validator_last_seen_seconds";
const VALIDATOR_WEIGHT: &str = "quorate_validator_weight";
const EQUIVOCATIONS: &str = "quorate_equivocations_total";
const DIVERGENCES: &str = "quorate_divergences_total";
const FRAMES: &str = "quorate_consensus_frames_total";
const PEER_FRAMES: &str = "quorate_peer_frames_dropped_total";
const PEER_HELD_UP: &str = "quorate_peer_over_quota_total";
const CHURN: &str = "quorate_peer_churn_total";
const PARTED: &str = "quorate_peers_parted_total";
const PEERS: &str = "quorate_peers";
const LAG: &str = "quorate_lag_blocks";
const READY: &str = "quorate_ready";
const POOL: &str = "quorate_pool_transactions";
const SUBMISSIONS: &str = "quorate_submissions_total";
const TRANSACTIONS: &str = "quorate_transactions_total";
const GAS: &str = "quorate_gas_total";
const DATA_BYTES: &str = "quorate_data_bytes";

/// The upper bounds of the phase histogram, seconds: from a loopback vote to a capped timer.
const PHASE_BUCKETS: &[f64] =
    &[0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 4.0, 16.0, 64.0];

/// Installs the recorder; once for a process.
pub(crate) fn install() -> Result<PrometheusHandle, BuildError> {
    let handle = PrometheusBuilder::new()
        .set_buckets_for_metric(Matcher::Full(PHASE_SECONDS.to_owned()), PHASE_BUCKETS)?
        .set_buckets_for_metric(Matcher::Full(SINCE_PROPOSAL_SECONDS.to_owned()), PHASE_BUCKETS)?
        .install_recorder()?;
    describe_gauge!(HEIGHT, "the last durable block");
    describe_gauge!(HEIGHT_IN_FLIGHT, "the height being decided");
    describe_gauge!(VIEW, "the view of the height being decided");
    describe_histogram!(PHASE_SECONDS, "how long each phase of consensus lasted");
    describe_histogram!(
        SINCE_PROPOSAL_SECONDS,
        "from a height's proposal to its lock, its decision, its record on disk"
    );
    describe_counter!(VIEW_CHANGES, "views that were left before they decided, by reason");
    describe_counter!(REJECTS, "refusals of proposed blocks by validators, by reason");
    describe_gauge!(WAITING_SECONDS, "for how long the height in flight has had something to decide");
    describe_gauge!(VALIDATORS_MISSING, "validators of whom nothing was heard for two seconds");
    describe_gauge!(VALIDATOR_SILENCE_SECONDS, "time since something signed by the validator arrived");
    describe_gauge!(VALIDATOR_WEIGHT, "the weight of a validator's vote; 0 once it has none");
    describe_counter!(EQUIVOCATIONS, "pairs of contradicting signatures by one validator");
    describe_counter!(DIVERGENCES, "blocks that validators execute to different roots");
    describe_counter!(FRAMES, "consensus frames, and forged blocks from sync, by what became of them");
    describe_counter!(
        PEER_FRAMES,
        "consensus frames of a peer that came to nothing, and forged blocks of it, by reason"
    );
    describe_counter!(
        PEER_HELD_UP,
        "what a peer sent beyond its quota: frames that waited, requests and greetings passed over"
    );
    describe_counter!(CHURN, "connections of a peer that keeps connecting and leaving");
    describe_counter!(PARTED, "how often a peer was parted with for what it sent");
    describe_gauge!(PEERS, "connected nodes");
    describe_gauge!(LAG, "blocks that others have and this node lacks");
    describe_gauge!(READY, "1 when the node serves and takes part as it should");
    describe_gauge!(POOL, "transactions in the pool by state");
    describe_counter!(SUBMISSIONS, "transactions that arrived, by whether the pool took them");
    describe_counter!(TRANSACTIONS, "committed transactions");
    describe_counter!(GAS, "gas used by committed blocks");
    describe_gauge!(DATA_BYTES, "what the files of the data folder hold, bytes");
    Ok(handle)
}

#[expect(clippy::cast_precision_loss, reason = "a height above 2^53 is not reached")]
const fn float(value: u64) -> f64 {
    value as f64
}

pub(crate) fn data_bytes(bytes: u64) {
    gauge!(DATA_BYTES).set(float(bytes));
}

pub(crate) fn committed(block: &ExecutedBlock) {
    gauge!(HEIGHT).set(float(block.block.height().0));
    counter!(TRANSACTIONS).increment(block.block.transactions().len() as u64);
    counter!(GAS).increment(block.block.header().gas_used);
}

pub(crate) fn height_in_flight(height: Height) {
    gauge!(HEIGHT_IN_FLIGHT).set(float(height.0));
}

pub(crate) fn phase_ended(phase: &'static str, lasted: std::time::Duration) {
    histogram!(PHASE_SECONDS, "phase" => phase).record(lasted.as_secs_f64());
}

pub(crate) fn since_proposal(until: &'static str, lasted: std::time::Duration) {
    histogram!(SINCE_PROPOSAL_SECONDS, "until" => until).record(lasted.as_secs_f64());
}

pub(crate) fn view_changed(reason: &'static str) {
    counter!(VIEW_CHANGES, "reason" => reason).increment(1);
}

pub(crate) fn rejected(reason: &'static str) {
    counter!(REJECTS, "reason" => reason).increment(1);
}

/// Validators alone sign what can be an equivocation, so the label's values are bounded.
pub(crate) fn equivocation(validator: &NodeId) {
    counter!(EQUIVOCATIONS, "validator" => validator.to_string()).increment(1);
}

pub(crate) fn diverged() {
    counter!(DIVERGENCES).increment(1);
}

pub(crate) fn frame(outcome: &'static str) {
    counter!(FRAMES, "outcome" => outcome).increment(1);
}

pub(crate) fn dropped_frame(peer: &str, reason: &'static str) {
    counter!(PEER_FRAMES, "peer" => peer.to_owned(), "reason" => reason).increment(1);
}

pub(crate) fn parted(peer: &str) {
    counter!(PARTED, "peer" => peer.to_owned()).increment(1);
}

pub(crate) fn churned(peer: &str, connections: u32) {
    counter!(CHURN, "peer" => peer.to_owned()).increment(connections.into());
}

pub(crate) fn over_quota(peer: &str, frames: u64, others: u64) {
    for (what, count) in [("frames", frames), ("requests_and_greetings", others)] {
        if count > 0 {
            counter!(PEER_HELD_UP, "peer" => peer.to_owned(), "what" => what).increment(count);
        }
    }
}

pub(crate) fn submission(accepted: bool) {
    counter!(SUBMISSIONS, "outcome" => if accepted { "accepted" } else { "refused" }).increment(1);
}

pub(crate) fn pool(pending: usize, queued: usize) {
    gauge!(POOL, "state" => "pending").set(float(pending as u64));
    gauge!(POOL, "state" => "queued").set(float(queued as u64));
}

pub(crate) fn status(status: &NodeStatus, consensus: &ConsensusState) {
    gauge!(PEERS).set(float(status.peers as u64));
    gauge!(LAG).set(float(status.lag));
    gauge!(READY).set(f64::from(u8::from(status.ready)));
    gauge!(VIEW).set(float(consensus.view.0));
    gauge!(WAITING_SECONDS).set(float(consensus.waiting_ms.unwrap_or(0)) / 1000.0);
    gauge!(VALIDATORS_MISSING).set(float(consensus.missing.len() as u64));
    for validator in &consensus.validators {
        let silence = float(validator.last_seen_ms) / 1000.0;
        gauge!(VALIDATOR_SILENCE_SECONDS, "validator" => validator.id.to_string()).set(silence);
        gauge!(VALIDATOR_WEIGHT, "validator" => validator.id.to_string()).set(float(validator.weight));
    }
}

/// Its gauges stay for as long as the process lives, and must not look like those of a silent validator.
pub(crate) fn validator_left(id: NodeId) {
    gauge!(VALIDATOR_SILENCE_SECONDS, "validator" => id.to_string()).set(f64::NAN);
    gauge!(VALIDATOR_WEIGHT, "validator" => id.to_string()).set(0.0);
}
