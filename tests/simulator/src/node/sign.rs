//! The way of a vote: guard, signature, one frame, sync, and only then the links.

use std::sync::Arc;

use quorate_consensus::{Input, Mutant, Unsigned, VoteBatch};
use quorate_types::{Domain, Message, Signed, SignedViewChange, Signer};
use rand::Rng;

use super::{Incoming, Node};
use crate::{disk::Frame, queue::Wake, world::World};

impl Node {
    pub(super) fn begin_vote(&mut self, batch: VoteBatch, world: &mut World) {
        let Some(process) = &mut self.process else { return };
        if self.liar.is_none()
            && let Err(error) = process.guard.admit(&batch)
        {
            world.require(self.index, Err(format!("the replica wanted what its guard forbids: {error}")));
            return;
        }
        if std::mem::take(&mut process.was_unsure) {
            world.tally.count("votes again after its log was lost");
            if self.liar.is_none() {
                let truth = world.oracle.on_resumed(self.index, batch.height);
                world.require(self.index, truth);
            }
        }
        let domain = &world.chain.domain;
        let sign = |unsigned| signed_message(unsigned, domain, &*self.signer);
        let messages: Vec<Message> = batch.statements.into_iter().map(sign).collect();
        if self.crash_point(world) {
            return;
        }
        if self.config.breaks(Mutant::SkipsSync) {
            messages.iter().for_each(|message| self.say(message, world));
        }
        let frame = Frame { height: batch.height, messages: messages.clone(), prepared: batch.prepared };
        if self.liar.is_none() {
            let truth = self.check_duties(&frame, world);
            world.require(self.index, truth);
        }
        self.disk.write_frame(frame);
        if self.crash_point(world) {
            return;
        }
        if let Some(process) = &mut self.process {
            process.signing = Some(messages);
        }
        let delay = world.take_time(world.pace.log);
        world.wake(self.index, delay, Wake::LogSynced);
    }

    pub(super) fn on_log_synced(&mut self, world: &mut World) {
        let Some(messages) = self.process.as_mut().and_then(|process| process.signing.take()) else { return };
        self.disk.sync_log();
        for message in &messages {
            if matches!(message, Message::ViewChange(_)) {
                world.tally.count("view changes");
            }
            self.note_synced(message, world);
        }
        for message in &messages {
            if self.crash_point(world) {
                return;
            }
            self.say(message, world);
        }
        let first = world.rng.random_bool(0.5);
        let Some(process) = &mut self.process else { return };
        let own = Incoming::Input(Input::Own(messages));
        // What arrived while the disk was busy may be seen before or after.
        if first { process.inbox.push_front(own) } else { process.inbox.push_back(own) }
    }
}

fn signed_message(unsigned: Unsigned, domain: &Domain, signer: &dyn Signer) -> Message {
    const WHY: &str = "a key in memory signs";
    match unsigned {
        Unsigned::Proposal(it) => {
            let propose = Signed::sign(it.propose, domain, signer).expect(WHY);
            Message::Proposal(Arc::new(it.into_signed(propose)))
        }
        Unsigned::Vote(vote) => Message::Vote(Signed::sign(vote, domain, signer).expect(WHY)),
        Unsigned::ViewChange { change, certificate } => Message::ViewChange(SignedViewChange {
            signed: Signed::sign(change, domain, signer).expect(WHY),
            certificate,
        }),
    }
}
