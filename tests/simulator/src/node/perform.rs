//! The interpreter of effects: one exhaustive match.

use std::{sync::Arc, time::Duration};

use quorate_consensus::{Alarm, Effect, Timer};
use quorate_types::{Decided, Height, Message, NodeId, Signed, Status, ValidatorSet};

use super::Node;
use crate::{
    liar::Mouth,
    oracle::Oracle,
    packet::{Packet, describe},
    queue::Wake,
    world::World,
};

/// How many bytes of transactions are shared at once (R14).
const MAX_SHARED_BYTES: usize = 64 << 10;

impl Node {
    pub(super) fn perform(&mut self, effect: Effect, world: &mut World) {
        match effect {
            Effect::Enter { height, validators } => self.enter(height, &validators, world),
            Effect::Vote(batch) => self.begin_vote(batch, world),
            Effect::Reject(reject) => {
                self.check_refusal(&reject, world);
                let reject = self.signed(reject, world);
                self.say(&Message::Reject(reject), world);
            }
            Effect::AnnounceStatus { height, view, head_hash, in_view_change } => {
                let clock_ms = self.clock_ms(world.now());
                let status = self.signed(Status { height, view, head_hash, clock_ms, in_view_change }, world);
                self.say(&Message::Status(status), world);
            }
            Effect::Broadcast(message) => self.say(&message, world),
            Effect::Relay { message, from } => self.relay(message, from, world),
            Effect::SendDecided { to, height } => self.send_decided(to, height, world),
            Effect::SetTimer(timer, after) => self.set_timer(timer, after, world),
            Effect::CancelTimer(timer) => {
                self.process.as_mut().and_then(|process| process.timers.remove(&timer));
            }
            Effect::Build(plan) => self.begin_build(plan, world),
            Effect::Check { block_hash, source, fresh } => self.check(block_hash, source, fresh, world),
            Effect::ShareWork => self.share_work(world),
            Effect::Decide { candidate, certificate } => self.decide(candidate, certificate, world),
            Effect::Sync { height, from } => self.ask_for_blocks(height, from, world),
            Effect::Report(evidence) => {
                world.tally.count("lies proved");
                let truth = world.oracle.on_evidence(&evidence);
                world.require(self.index, truth);
            }
            Effect::Alarm(alarm) => self.on_alarm(alarm, world),
        }
    }

    /// A key that runs twice is to find out (R23), and so are nodes that compute different roots (R22). Nothing else is
    /// worth an alarm here.
    fn on_alarm(&mut self, alarm: Alarm, world: &mut World) {
        let over_roots = matches!(alarm, Alarm::Diverged { .. } | Alarm::RootsDisputed { .. });
        if self.has_twin && matches!(alarm, Alarm::ForeignSignature(_)) {
            world.tally.count("twins stopped");
            world.note(self.index, || "signs no more: its key runs twice".to_owned());
        } else if self.is_honest() && !(over_roots && world.disputed) {
            world.require(self.index, Err(Oracle::on_alarm(&alarm)));
        }
        self.alarms.push(alarm);
    }

    /// A height begins: what waited for it can be checked now.
    fn enter(&mut self, height: Height, validators: &Arc<ValidatorSet>, world: &mut World) {
        let own = self.set_of(height, world);
        if own.is_none_or(|own| own != *validators) {
            world.require(
                self.index,
                Err(format!("height {height} begins with validators that are not its own")),
            );
        }
        world.note(self.index, || format!("enters h{height}"));
        let now = world.now();
        let Some(process) = &mut self.process else { return };
        process.record.enter(now);
        let early = process.early.take(height);
        process.told_work = None;
        for (from, message) in early {
            if let Some(from) = world.index_of(&from) {
                let packet = Packet::Consensus(Arc::new(message));
                process.inbox.push_back(super::Incoming::Packet { from, packet });
            }
        }
        self.tell_work();
    }

    fn signed<S: quorate_types::Signable>(&self, statement: S, world: &World) -> Signed<S> {
        Signed::sign(statement, &world.chain.domain, &*self.signer).expect("a key in memory signs")
    }

    /// Sends an own message to all; a liar says what it likes.
    pub(super) fn say(&mut self, message: &Message, world: &mut World) {
        if let Some(liar) = &mut self.liar {
            for (to, message) in liar.speak(message, (self.index, &*self.signer), world) {
                world.send(self.index, to, &Packet::Consensus(Arc::new(message)));
            }
            if let Some(process) = &self.process {
                let mouth = Mouth::of(self.index, &*self.signer, &process.replica);
                liar.follow_up(message, &mouth, world);
            }
            return;
        }
        if let Some(statement) = super::statement_of(message) {
            let truth = world.oracle.on_sent(self.index, &statement);
            world.require(self.index, truth);
        }
        if !matches!(message, Message::Status(_)) {
            world.note(self.index, || format!("sends {}", describe(message)));
        }
        let packet = World::consensus(message.clone());
        for to in world.others(self.index) {
            if self.crash_point(world) {
                return;
            }
            world.send(self.index, to, &packet);
        }
    }

    fn relay(&self, message: Message, from: NodeId, world: &mut World) {
        if self.liar.as_ref().is_some_and(crate::liar::Liar::is_mute) {
            return;
        }
        let message = match &self.liar {
            Some(liar) => liar.pass_on(message, world),
            None => message,
        };
        let packet = World::consensus(message);
        for to in world.others(self.index).filter(|to| world.ids[*to] != from).collect::<Vec<_>>() {
            world.send(self.index, to, &packet);
        }
    }

    fn send_decided(&self, to: NodeId, height: Height, world: &mut World) {
        let Some(decided) = self.disk.block(height) else { return };
        let lie = self.liar.as_ref().and_then(|liar| liar.body(&decided.block.hash(), Some(&decided.block)));
        let block = Some(lie.unwrap_or_else(|| decided.block.clone()));
        let message = Message::Decided(Decided { certificate: decided.certificate.clone(), block });
        let packet = World::consensus(message);
        for to in world.others_called(to, self.index) {
            world.send(self.index, to, &packet);
        }
    }

    fn set_timer(&mut self, timer: Timer, after: Duration, world: &mut World) {
        let Some(process) = &mut self.process else { return };
        let number = process.number();
        process.timers.insert(timer, number);
        world.wake(self.index, after, Wake::Timer(timer, number));
    }

    fn share_work(&self, world: &mut World) {
        let Some(process) = &self.process else { return };
        let transactions = process.pool.oldest_within(MAX_SHARED_BYTES);
        if !transactions.is_empty() {
            world.send_to_all(self.index, &Packet::Transactions(Arc::new(transactions)));
        }
    }
}
