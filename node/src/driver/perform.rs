//! The second interpreter of [`Effect`]; the first is the simulator's.

use quorate_consensus::{Alarm, BuildPlan, Candidate, Effect, Head, Input};
use quorate_proto::encode_message;
use quorate_types::{B256, CommitCertificate, Decided, Height, Message, NodeId, Status};

use super::{Driver, Event};
use crate::{
    bodies::Wanted,
    chain::{ApplyError, Command},
    clock,
    exit::{Exit, Failure},
    metrics,
};

impl Driver {
    /// Does one thing. What it answers at once is fed to the replica next.
    pub(super) fn perform(&mut self, effect: Effect) -> Result<Option<Input>, Failure> {
        match effect {
            // Told by the step's notes, and to the gate after the step.
            Effect::Enter { .. } => {}
            Effect::Vote(batch) => {
                let messages = self.parts.desk.sign_votes(batch)?;
                messages.iter().for_each(|message| self.broadcast(message));
                return Ok(Some(Input::Own(messages)));
            }
            Effect::Reject(reject) => {
                let message = self.parts.desk.sign_reject(reject).map_err(super::SignError::from)?;
                self.broadcast(&message);
            }
            Effect::AnnounceStatus { height, view, head_hash, in_view_change } => {
                let status = Status { height, view, head_hash, clock_ms: clock::now_ms(), in_view_change };
                let message = self.parts.desk.sign_status(status).map_err(super::SignError::from)?;
                self.broadcast(&message);
            }
            Effect::Broadcast(message) => self.broadcast(&message),
            Effect::Relay { message, from } => {
                self.parts.network.broadcast(&encode_message(&message), Some(from));
            }
            Effect::SendDecided { to, height } => self.send_decided(to, height),
            Effect::SetTimer(timer, after) => self.timers.set(timer, after),
            Effect::CancelTimer(timer) => self.timers.cancel(&timer),
            Effect::Build(plan) => self.build(plan),
            Effect::Check { block_hash, source, fresh } => {
                self.parts.bodies.obtain(Wanted { block_hash, source, fresh }, self.parts.answers.clone());
            }
            Effect::ShareWork => self.parts.bodies.share_work(),
            Effect::Decide { candidate, certificate } => self.commit(candidate, certificate),
            Effect::Sync { height, from } => {
                // A full queue has newer hints in it.
                let _ = self.parts.sync.try_send(quorate_sync::Input::Target { height, from });
            }
            Effect::Report(evidence) => self.parts.watcher.on_evidence(&evidence),
            Effect::Alarm(alarm) => return self.alarm(alarm),
        }
        Ok(None)
    }

    fn broadcast(&self, message: &Message) {
        self.parts.network.broadcast(&encode_message(message), None);
    }

    fn send_decided(&self, to: NodeId, height: Height) {
        let (store, network) = (self.parts.store.clone(), self.parts.network.clone());
        self.parts.runtime.spawn_blocking(move || {
            let found =
                store.certificate(height).and_then(|certificate| Ok((certificate, store.block(height)?)));
            match found {
                Ok((Some(certificate), Some(stored))) => {
                    let decided = Decided { certificate, block: Some(stored.block.clone()) };
                    network.send(to, &encode_message(&Message::Decided(decided)));
                }
                Ok(_) => {}
                Err(error) => tracing::error!(%height, %error, "could not read a decided block"),
            }
        });
    }

    fn build(&mut self, plan: BuildPlan) {
        let excess = self.skew.excess_ms(self.replica.validators());
        if let Some(excess_ms) = excess {
            tracing::warn!(
                excess_ms,
                "this clock is far from the other validators'; proposing with the parent's time"
            );
        }
        let events = self.parts.answers.clone();
        // On the chain thread, which may wait: the driver always reads.
        let reply = Box::new(move |candidate: Option<Candidate>| {
            let _ = events.blocking_send(Event::Input(Input::Built { plan, candidate }));
        });
        self.parts.chain.send(Command::Build { plan, use_parent_time: excess.is_some(), reply });
    }

    fn commit(&self, candidate: Candidate, certificate: CommitCertificate) {
        let stop = self.parts.stop.clone();
        let (height, hash): (Height, B256) = (candidate.block.height(), candidate.block.hash());
        // The chain thread itself announces what is durable, for sync's blocks as well.
        let reply = Box::new(move |result: Result<Head, ApplyError>| {
            if let Err(error) = result {
                let message = format!("could not store block {hash} at height {height}: {error}");
                stop.now(Failure::new(Exit::Corrupt, message));
            }
        });
        self.parts.chain.send(Command::Commit { candidate, certificate, reply });
    }

    fn alarm(&mut self, alarm: Alarm) -> Result<Option<Input>, Failure> {
        match alarm {
            Alarm::ForeignSignature(message) => Err(Failure::new(
                Exit::Refused,
                format!(
                    "another node signs with this node's key: received {message:?}, which this node's vote log does not hold. \
                 Stop the other node, or give this one a key of its own"
                ),
            )),
            Alarm::Diverged { certificate, reason, roots } => {
                let text = self.parts.watcher.on_divergence(&certificate, reason);
                tracing::error!(height = %certificate.height(), ?reason, ?roots, "{text}");
                metrics::diverged();
                Ok(None)
            }
            Alarm::RootsDisputed { height, block_hash, rejects } => {
                tracing::error!(%height, %block_hash, ?rejects, "validators compute different roots for a block");
                metrics::diverged();
                self.parts.watcher.on_dispute(height, block_hash, rejects.len());
                Ok(None)
            }
        }
    }
}
