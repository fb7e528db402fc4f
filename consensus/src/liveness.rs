//! What keeps a cluster together while messages get lost: sending again, statuses, helping who is behind, and
//! not waiting long for a leader that is silent or fails.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use quorate_types::{Height, Message, NodeId, Signed, Status, ValidatorSet, View};

use crate::{
    BlockSource, Effect, Fact, LastHeard, MessageKind, Replica, Timer, ViewChangeReason, ViewPhase,
    mutant::Mutant, replica::Signing,
};

/// The beat of everything that follows.
pub(crate) const TICK: Duration = Duration::from_millis(500);
/// A status every second: two ticks.
const TICKS_PER_STATUS: u32 = 2;
/// A leader of whom nothing signed arrived for so many ticks, 1.5 to 2 s, is silent (R18).
const SILENT_TICKS: u32 = 4;

/// What a turn that fails adds to its leader's penalty; a turn that succeeds takes one away (R18). So one that lets every other
/// turn pass is tried as seldom as one that lets all pass.
const FAILED_TURN: u32 = 2;
/// With the highest penalty a leader is tried in each 16th of its turns.
const MAX_PENALTY: u32 = 4;

/// So many messages of one signer and kind are passed on between two resends. Honest validators say less that is new; whoever signs
/// for ever higher views would else make all others send each of them to all (R19).
const MAX_RELAYED: u32 = 8;

/// Who was heard when, in ticks.
#[derive(Debug, Default)]
pub(crate) struct Liveness {
    ticks: u32,
    /// Ticks since something signed by a validator arrived, by any path.
    silence: BTreeMap<NodeId, u32>,
    /// The last of them.
    last: BTreeMap<NodeId, LastHeard>,
    /// How much the turns of a leader in view 0 that came to nothing here count against it.
    penalties: BTreeMap<NodeId, u32>,
    /// The weight of the silent leaders that were passed over at this height.
    pub(crate) passed_over: u64,
    /// How often messages of a signer and kind were passed on since the last resend.
    pub(crate) relayed: BTreeMap<(NodeId, MessageKind), u32>,
    /// The last status of each validator.
    pub(crate) statuses: BTreeMap<NodeId, Signed<Status>>,
    /// Neighbours that were helped since the last tick: once each is enough, whatever heights they name.
    helped: BTreeSet<NodeId>,
}

impl Liveness {
    /// Takes note of a sign of life; whether it ends a silence.
    fn heard(&mut self, signer: NodeId, what: LastHeard) -> bool {
        let was_silent = self.is_silent(&signer);
        if let Some(ticks) = self.silence.get_mut(&signer) {
            *ticks = 0;
        }
        self.last.insert(signer, what);
        was_silent
    }

    /// The last that was heard of a validator since the start.
    pub(crate) fn last_heard(&self, id: &NodeId) -> Option<LastHeard> {
        self.last.get(id).copied()
    }

    /// Who has been silent for just long enough to count as silent.
    fn newly_silent(&self) -> Vec<NodeId> {
        self.silence.iter().filter(|(_, ticks)| **ticks == SILENT_TICKS).map(|(id, _)| *id).collect()
    }

    fn tick(&mut self, set: &ValidatorSet) {
        self.ticks = self.ticks.saturating_add(1);
        self.helped.clear();
        self.silence.retain(|id, _| set.contains(id));
        self.statuses.retain(|id, _| set.contains(id));
        self.last.retain(|id, _| set.contains(id));
        self.penalties.retain(|id, _| set.contains(id));
        for member in set.members() {
            *self.silence.entry(member.key).or_default() += 1;
        }
    }

    /// How many neighbours were helped since the last tick.
    pub(crate) fn helped(&self) -> usize {
        self.helped.len()
    }

    /// How many members' silence is counted, and how many last messages are kept.
    pub(crate) fn heard_of(&self) -> usize {
        self.silence.len() + self.last.len()
    }

    /// How many leaders have a penalty.
    pub(crate) fn penalized(&self) -> usize {
        self.penalties.len()
    }

    pub(crate) fn is_silent(&self, id: &NodeId) -> bool {
        self.silent_ticks(id) >= SILENT_TICKS
    }

    pub(crate) fn silent_ticks(&self, id: &NodeId) -> u32 {
        self.silence.get(id).copied().unwrap_or(0)
    }
}

impl Replica {
    pub(crate) fn on_tick(&mut self) {
        self.emit(Effect::SetTimer(Timer::Tick, TICK));
        self.liveness.tick(&self.now.validators);
        let me = self.config.me;
        let silent = self.liveness.newly_silent().into_iter().filter(|id| *id != me);
        silent.for_each(|id| self.note(Fact::Silent(id)));
        if self.liveness.ticks.is_multiple_of(TICKS_PER_STATUS) {
            self.announce_status();
            self.share_without_a_vote();
        }
        self.pass_over_leader();
    }

    pub(crate) fn hear(&mut self, signer: NodeId, what: LastHeard) {
        if self.liveness.heard(signer, what) {
            self.note(Fact::Heard(signer));
        }
    }

    /// Early timeout (R18).
    pub(crate) fn pass_over_leader(&mut self) {
        let leader = self.now.leader(self.now.view);
        let may_be = self.now.timer.armed
            && leader != self.config.me
            && self.now.decided.is_none()
            && !self.now.proposals.contains_key(&self.now.view);
        if !may_be {
            return;
        }
        let most = self.now.validators.max_faulty();
        // The state of a connection alone is never a reason, as others may hear the leader.
        let silent = self.liveness.is_silent(&leader)
            && (self.liveness.passed_over < most || self.config.breaks(Mutant::PassesOverAll))
            && !self.config.breaks(Mutant::WaitsForSilent);
        if silent {
            self.liveness.passed_over += self.now.validators.weight_of(&leader);
            self.change_view(self.now.view.next(), ViewChangeReason::SilentLeader);
        } else if most > 0 && self.is_turn_withheld() {
            self.change_view(self.now.view.next(), ViewChangeReason::FailingLeader);
        }
    }

    /// The view is left for the next one: in view 0 its leader had a turn in vain, if this node waited for it and it was one of
    /// those in which all try it together. Two that do not wait take all along at once (R13), and one of them may lie: so only
    /// a turn that lasted counts.
    pub(crate) fn note_failed_turn(&mut self, reason: ViewChangeReason) {
        let waited = self.now.timer.half_over || self.config.breaks(Mutant::BlamesAtOnce);
        let tried = self.now.timer.armed
            && waited
            && reason != ViewChangeReason::SilentLeader
            && !self.is_turn_withheld();
        if self.now.view == View::ZERO && tried {
            let penalty = self.liveness.penalties.entry(self.now.leader(View::ZERO)).or_default();
            *penalty = MAX_PENALTY.min(*penalty + FAILED_TURN);
        }
    }

    /// A block was decided in its leader's first view.
    pub(crate) fn note_decided_in(&mut self, view: View) {
        if view > View::ZERO {
            return;
        }
        let forgiven = if self.config.breaks(Mutant::ForgivesAll) { MAX_PENALTY } else { 1 };
        let leader = self.now.leader(view);
        if let Some(penalty) = self.liveness.penalties.get_mut(&leader) {
            *penalty = penalty.saturating_sub(forgiven);
        }
        self.liveness.penalties.retain(|_, penalty| *penalty > 0);
    }

    /// Whether this is view 0 of a leader with a penalty, and none of the turns in which all try it again (R18).
    fn is_turn_withheld(&self) -> bool {
        let leader = self.now.leader(View::ZERO);
        let penalty = self.liveness.penalties.get(&leader).copied().unwrap_or(0);
        if self.now.view > View::ZERO || self.config.breaks(Mutant::WaitsForFailing) {
            return false;
        }
        // Counted alike everywhere, and each power of two is among the multiples of the lower ones: nodes that saw it fail
        // more or less often try it together.
        let turn = self.now.height.0 / self.now.validators.len() as u64;
        !turn.is_multiple_of(1 << penalty) || (penalty > 0 && self.config.breaks(Mutant::NeverTriesAgain))
    }

    pub(crate) fn announce_status(&mut self) {
        self.emit(Effect::AnnounceStatus {
            height: self.now.height,
            view: self.now.view,
            head_hash: self.now.parent_hash,
            in_view_change: self.phase() == ViewPhase::ViewChange,
        });
    }

    /// A sign of life. Only newer ones count, so that a replayed one circulates no further.
    pub(crate) fn on_status(&mut self, status: Signed<Status>, from: NodeId) {
        let Signed { statement: Status { height, clock_ms, .. }, signer, .. } = status;
        if signer == self.config.me {
            return;
        }
        if from == signer || self.config.breaks(Mutant::BelievesRelayedHeads) {
            if let (Signing::Abstaining(abstention), Some(head)) = (&mut self.signing, height.previous())
                && self.now.validators.contains(&signer)
            {
                abstention.heard(signer, head);
            }
            if height < self.now.height {
                self.help(from, height);
            }
            // Whoever only passes it on may have nothing of it, and nobody can be held to another's boast.
            if height > self.now.height {
                self.ask_to_sync(height, from);
            }
        }
        let newer =
            self.liveness.statuses.get(&signer).is_none_or(|known| known.statement.clock_ms < clock_ms);
        if !newer || !self.now.validators.contains(&signer) {
            return;
        }
        // A replayed one is no sign of life.
        self.hear(signer, LastHeard::of(&Message::Status(status)));
        self.liveness.statuses.insert(signer, status);
        self.pass_on(Message::Status(status), from, true);
    }

    /// Passes on what is new; and once between two resends what is not, since a neighbour may have lost the first copy (R19).
    pub(crate) fn pass_on(&mut self, message: Message, from: NodeId, new: bool) {
        let Some(signer) = message.signer() else { return };
        let passed = self.liveness.relayed.entry((signer, MessageKind::of(&message))).or_default();
        let room = *passed < MAX_RELAYED || self.config.breaks(Mutant::PassesAllOn);
        if (*passed == 0 || (new && room)) && !self.config.breaks(Mutant::PassesNothingOn) {
            *passed = passed.saturating_add(1);
            self.emit(Effect::Relay { message, from });
        }
    }

    /// Tells a neighbour that is behind what was decided, once a tick.
    pub(crate) fn help(&mut self, neighbour: NodeId, height: Height) {
        if self.liveness.helped.insert(neighbour) && !self.config.breaks(Mutant::HelpsNobody) {
            self.emit(Effect::SendDecided { to: neighbour, height });
        }
    }

    /// Somebody speaks of a later height, so the one before it is decided.
    pub(crate) fn ask_to_sync(&mut self, height: Height, from: NodeId) {
        if let Some(height) = height.previous() {
            self.emit(Effect::Sync { height, from });
        }
    }

    /// Everything undecided is sent again (R19): nothing depends on one delivery.
    pub(crate) fn on_resend(&mut self) {
        self.liveness.relayed.clear();
        self.emit(Effect::SetTimer(Timer::Resend(self.now.height), self.config.resend_interval()));
        self.send_own_again();
        // One sharing of a lone transaction may be lost like anything else (R14).
        if self.work && self.now.view > View::ZERO {
            self.share_work();
        }
        // Asked for in vain the first time; what is decided is asked for in each step.
        let proposal = self.now.proposals.get(&self.now.view).filter(|_| self.now.decided.is_none());
        if let Some(proposal) = proposal.cloned() {
            self.check_proposal(proposal);
        }
        self.check_lock_again();
    }

    /// The execution of the locked block failed, perhaps for a while: others may need this node to vote for it, and its block.
    fn check_lock_again(&mut self) {
        let Some((certificate, block)) = self.now.prepared.clone() else { return };
        let block_hash = certificate.block_hash();
        if !self.now.blocks.contains_key(&block_hash) && !self.config.breaks(Mutant::GivesUpExecuting) {
            self.check_block(block_hash, BlockSource::Block(block), false);
        }
    }

    /// Who has no vote, or not yet, proposes nothing and never gets as far as a view change (R14). It counts its own time:
    /// empty blocks may end every height before a timer of one does.
    fn share_without_a_vote(&mut self) {
        if self.work && !self.may_sign() {
            self.share_work();
        }
    }

    pub(crate) fn share_work(&mut self) {
        if !self.config.breaks(Mutant::SharesNothing) {
            self.emit(Effect::ShareWork);
        }
    }

    pub(crate) fn send_own_again(&mut self) {
        if self.config.breaks(Mutant::SaysOnce) {
            return;
        }
        let own: Vec<Message> = self.now.own.latest.values().cloned().collect();
        for message in own {
            self.emit(Effect::Broadcast(message));
        }
    }
}
