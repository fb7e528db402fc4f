//! The driver's witness: counts and times what the replica came through, and shows where it stands.

use std::{
    cell::RefCell,
    collections::BTreeMap,
    time::{Duration, Instant},
};

use quorate_consensus::{Evidence, Fact, NotVoting, Note, Snapshot, ValidatorView, ViewPhase};
use quorate_rpc::{ConsensusEvent, ConsensusRecord, ConsensusState, LastMessage, Tally, ValidatorState};
use quorate_types::{B256, CommitCertificate, Height, NodeId, RejectReason, View};
use tokio::sync::watch;

use super::{Alarms, EvidenceFile, Names, alarms::AlarmKind, waiting::Teller, words};
use crate::{clock, metrics};

/// How often the state is made anew while things happen: often enough for a person, a small part of the steps of a busy
/// chain.
pub(crate) const PUBLISH_INTERVAL: Duration = Duration::from_millis(100);
/// Heights whose proposals are timed: the one in flight, and two decided ones that wait for the disk.
const MAX_TIMED: usize = 4;

/// What a watcher works with.
pub(crate) struct WatcherParts {
    pub(crate) record: ConsensusRecord,
    pub(crate) evidence: EvidenceFile,
    pub(crate) alarms: Alarms,
    pub(crate) names: Names,
    pub(crate) state: watch::Sender<ConsensusState>,
}

/// See the module.
pub(crate) struct Watcher {
    record: ConsensusRecord,
    evidence: EvidenceFile,
    alarms: Alarms,
    names: RefCell<Names>,
    state: watch::Sender<ConsensusState>,
    next_event: u64,
    /// When the last proposal of a height came.
    proposed: BTreeMap<Height, Instant>,
    /// How far the view has come, and since when.
    phase: (ViewPhase, Instant),
    /// The height that has something to decide, and since when.
    busy: Option<(Height, Instant)>,
}

/// What an event says beside its kind, height and view.
#[derive(Default)]
struct About {
    detail: String,
    block_hash: Option<B256>,
    validator: Option<NodeId>,
}

impl Watcher {
    pub(crate) fn new(parts: WatcherParts) -> Self {
        let WatcherParts { record, evidence, alarms, names, state } = parts;
        Self {
            record,
            evidence,
            alarms,
            names: RefCell::new(names),
            state,
            next_event: 0,
            proposed: BTreeMap::new(),
            phase: (ViewPhase::Idle, Instant::now()),
            busy: None,
        }
    }

    /// What one step came to.
    pub(crate) fn on_step(&mut self, notes: &[Note], phase: ViewPhase) {
        for note in notes {
            self.count(note);
            let (kind, about) = self.describe(note.fact);
            self.event(note.height, note.view, kind, about);
        }
        if self.phase.0 != phase {
            metrics::phase_ended(words::phase(self.phase.0), self.phase.1.elapsed());
            self.phase = (phase, Instant::now());
        }
    }

    /// Block records are synced up to here.
    pub(crate) fn on_committed(&mut self, height: Height) {
        self.since_proposal(height, "durable");
        self.proposed = self.proposed.split_off(&height.next());
        self.event(height, View::ZERO, "committed", About::default());
    }

    /// A validator contradicted itself.
    pub(crate) fn on_evidence(&mut self, evidence: &Evidence) {
        if let Some(it) = self.evidence.keep(evidence) {
            let about = About { detail: it.kind, validator: Some(it.validator), ..About::default() };
            self.event(it.height, it.view, "equivocated", about);
        }
    }

    /// A quorum decided what this node refuses; the alarm's text, with both roots when they are what differs.
    pub(crate) fn on_divergence(&mut self, certificate: &CommitCertificate, reason: RejectReason) -> String {
        let (height, block_hash) = (certificate.height(), certificate.block_hash());
        let why = match self.alarms.roots_of(&block_hash) {
            Some(roots) => roots.to_string(),
            None => format!("it refuses it: {}", words::reject(reason)),
        };
        let text = format!(
            "diverged: a quorum decided block {block_hash} at height {height}, which this node computes differently; it \
             votes no more ({why})"
        );
        self.alarms.raise(AlarmKind::Diverged, text.clone());
        let about = About { detail: why, block_hash: Some(block_hash), validator: None };
        self.event(height, certificate.view(), "diverged", about);
        text
    }

    /// Validators refuse a block over its roots.
    pub(crate) fn on_dispute(&mut self, height: Height, block_hash: B256, refusals: usize) {
        let detail =
            format!("{refusals} validators compute other roots for block {block_hash} at height {height}");
        self.alarms.raise(AlarmKind::RootsDisputed, detail.clone());
        let about = About { detail, block_hash: Some(block_hash), validator: None };
        self.event(height, View::ZERO, "rootsDisputed", about);
    }

    fn event(&mut self, height: Height, view: View, kind: &'static str, about: About) {
        let About { detail, block_hash, validator } = about;
        let (number, time_ms) = (self.next_event, clock::now_ms());
        self.next_event += 1;
        self.record.push(ConsensusEvent {
            number,
            time_ms,
            height,
            view,
            kind,
            detail,
            block_hash,
            validator,
        });
    }

    fn count(&mut self, note: &Note) {
        match note.fact {
            Fact::Entered => metrics::height_in_flight(note.height),
            Fact::Proposed { .. } => {
                self.proposed.insert(note.height, Instant::now());
                if self.proposed.len() > MAX_TIMED {
                    self.proposed.pop_first();
                }
            }
            Fact::Locked { .. } => self.since_proposal(note.height, "lock"),
            Fact::Decided { .. } => self.since_proposal(note.height, "decision"),
            Fact::ViewChanged { reason, .. } => metrics::view_changed(words::view_change(reason)),
            Fact::Rejected { reason, .. } => metrics::rejected(words::reject(reason)),
            Fact::SetChanged { .. } | Fact::HeldBack | Fact::Silent(_) | Fact::Heard(_) | Fact::Voting(_) => {
            }
        }
    }

    fn since_proposal(&self, height: Height, until: &'static str) {
        if let Some(proposed) = self.proposed.get(&height) {
            metrics::since_proposal(until, proposed.elapsed());
        }
    }

    fn describe(&self, fact: Fact) -> (&'static str, About) {
        let name = |id: &NodeId| self.names.borrow_mut().of(id);
        let about_block =
            |block_hash, detail| About { detail, block_hash: Some(block_hash), validator: None };
        match fact {
            Fact::Entered => ("entered", About::default()),
            Fact::SetChanged { validators, quorum } => {
                let detail = format!("{validators} validators, quorum weight {quorum}");
                ("setChanged", About { detail, ..About::default() })
            }
            Fact::Proposed { leader, block_hash } => {
                let about = About {
                    validator: Some(leader),
                    ..about_block(block_hash, format!("by {}", name(&leader)))
                };
                ("proposed", about)
            }
            Fact::Locked { view, block_hash } => {
                ("locked", about_block(block_hash, format!("in view {view}")))
            }
            Fact::Decided { view, block_hash } => {
                ("decided", about_block(block_hash, format!("in view {view}")))
            }
            Fact::ViewChanged { to, reason } => {
                let detail = format!("to view {to}: {}", words::view_change(reason));
                ("viewChanged", About { detail, ..About::default() })
            }
            Fact::HeldBack => {
                let detail = "the timer: the block is being executed".to_owned();
                ("heldBack", About { detail, ..About::default() })
            }
            Fact::Rejected { by, block_hash, reason } => {
                let detail = format!("by {}: {}", name(&by), words::reject(reason));
                ("rejected", About { validator: Some(by), ..about_block(block_hash, detail) })
            }
            Fact::Silent(id) => {
                ("silent", About { detail: name(&id), validator: Some(id), block_hash: None })
            }
            Fact::Heard(id) => ("heard", About { detail: name(&id), validator: Some(id), block_hash: None }),
            Fact::Voting(None) => ("voting", About::default()),
            Fact::Voting(Some(why)) => {
                ("notVoting", About { detail: words::not_voting(why), ..About::default() })
            }
        }
    }

    /// Shows where the replica stands.
    pub(crate) fn publish(&mut self, snapshot: &Snapshot, timer: Option<Duration>) {
        let names = &self.names;
        let teller = Teller { snapshot, name: &|id| names.borrow_mut().of(id) };
        self.busy = match self.busy {
            _ if !teller.is_busy() => None,
            Some((height, since)) if height == snapshot.height => Some((height, since)),
            _ => Some((snapshot.height, Instant::now())),
        };
        let state = ConsensusState {
            height: snapshot.height,
            view: snapshot.view,
            leader: Some(snapshot.leader),
            phase: words::phase(snapshot.phase),
            waiting_for: teller.waiting_for(),
            waiting_ms: self.busy.map(|(_, since)| millis(since.elapsed())),
            timer_ms: timer.map(millis),
            timer: words::timer(snapshot),
            proposed: snapshot.proposed,
            decided: snapshot.decided,
            locked_view: snapshot.lock.map(|lock| lock.view),
            // That one is over before anybody could look.
            abstaining: snapshot
                .abstaining
                .filter(|why| *why != NotVoting::DiskBehind)
                .map(words::not_voting),
            alarms: self.alarms.all(),
            quorum_weight: snapshot.quorum,
            total_weight: snapshot.total_weight,
            prevotes: tally(snapshot, |it| it.prevote.is_some() && it.prevote == snapshot.proposed),
            commits: tally(snapshot, |it| it.commit.is_some() && it.commit == snapshot.proposed),
            view_changes: tally(snapshot, |it| it.view_change.is_some_and(|view| view >= snapshot.view)),
            missing: snapshot.validators.iter().filter(|it| it.silent).map(|it| it.id).collect(),
            validators: snapshot
                .validators
                .iter()
                .map(|it| validator(it, names.borrow_mut().get(&it.id)))
                .collect(),
        };
        self.state.send_replace(state);
    }
}

fn tally(snapshot: &Snapshot, has: impl Fn(&ValidatorView) -> bool) -> Tally {
    let those: Vec<_> = snapshot.validators.iter().filter(|it| has(it)).collect();
    Tally { weight: those.iter().map(|it| it.weight).sum(), by: those.iter().map(|it| it.id).collect() }
}

fn validator(it: &ValidatorView, name: Option<String>) -> ValidatorState {
    ValidatorState {
        id: it.id,
        name,
        weight: it.weight,
        height: it.height,
        view: it.view,
        last_message: it.heard.map(|heard| LastMessage {
            kind: words::message(heard.kind),
            height: heard.height,
            view: heard.view,
        }),
        last_seen_ms: it.silent_ms,
        silent: it.silent,
        prevoted: it.prevote,
        committed: it.commit,
        view_change: it.view_change,
        rejected: it.reject.map(words::reject),
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
