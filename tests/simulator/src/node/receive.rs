//! The way of a packet: what is checked against which set, and what waits for its height.

use std::sync::Arc;

use quorate_consensus::{Input, Mutant};
use quorate_types::{Bytes, Height, Message, keccak256};

use super::Node;
use crate::{
    packet::{Packet, describe},
    wire,
    world::World,
};

impl Node {
    /// Takes a packet; an input for the replica comes of it, or not.
    pub(super) fn receive(&mut self, from: usize, packet: Packet, world: &mut World) -> Option<Input> {
        let is_status = |it: &Arc<Message>| matches!(**it, Message::Status(_));
        if !matches!(&packet, Packet::Consensus(message) if is_status(message)) {
            world.note(self.index, || format!("   <- n{from} {}", packet.describe()));
        }
        match packet {
            Packet::Hello => Some(Input::PeerConnected),
            Packet::Consensus(message) => self.receive_message(from, &message, world),
            Packet::Transactions(transactions) => {
                self.take_transactions(&transactions);
                None
            }
            Packet::GetBody(hash) => {
                self.serve_body(from, &hash, world);
                None
            }
            Packet::Body(block) => {
                self.on_body(&block, world);
                None
            }
            Packet::GetBlocks(height) => {
                self.serve_blocks(from, height, world);
                None
            }
            Packet::Blocks(blocks) => {
                self.on_blocks(&blocks, world);
                None
            }
            Packet::Frame(frame) => self.receive_frame(from, frame, world),
        }
    }

    /// Bytes: what can be read of them is a packet like any other.
    fn receive_frame(&mut self, from: usize, frame: wire::Frame, world: &mut World) -> Option<Input> {
        match wire::decode(frame) {
            Ok(packet) => self.receive(from, packet, world),
            Err(error) => {
                world.tally.count("malformed frames refused");
                if !world.oracle.is_liar(&world.ids[from]) {
                    world.require(self.index, Err(format!("cannot read what n{from} sent: {error}")));
                }
                None
            }
        }
    }

    fn receive_message(&mut self, from: usize, message: &Arc<Message>, world: &mut World) -> Option<Input> {
        if let Some(liar) = &mut self.liar {
            liar.listen(message, world);
            if message.signer() == Some(self.id) {
                // Its replica would stop for good at the sight of its own lies.
                return None;
            }
        }
        let process = self.process.as_mut()?;
        let neighbour = world.ids[from];
        let (height, current) = (message.height(), process.replica.height());
        if height != current && !matches!(**message, Message::Status(_)) {
            if height < current {
                return Some(Input::Behind { height, from: neighbour });
            }
            if height == current.next() {
                process.early.hold(height, neighbour, (**message).clone());
                return None;
            }
            return Some(Input::Ahead { height, from: neighbour });
        }
        let mut set = process.replica.validators().clone();
        if self.config.breaks(Mutant::OldSet) {
            let before = current.previous().and_then(Height::previous);
            set = before.and_then(|before| self.disk.set_after(before)).unwrap_or(&set).clone();
        }
        let unseen = self.config.mutant.is_some_and(|mutant| trusts(mutant, message, world));
        let context =
            if unseen { world.chain.context_without_signatures(&set) } else { world.chain.context(&set) };
        match (**message).clone().verify(context) {
            Ok(verified) => Some(Input::Message { message: verified, from: neighbour }),
            Err(error) => {
                world.tally.count("messages refused");
                world.note(self.index, || format!("drops {} from n{from}: {error}", describe(message)));
                None
            }
        }
    }

    fn take_transactions(&mut self, transactions: &[Bytes]) {
        let Some(process) = &mut self.process else { return };
        for raw in transactions {
            if !process.included.contains_key(&keccak256(raw)) {
                process.pool.add(raw.clone());
            }
        }
        self.tell_work();
    }

    fn serve_body(&self, to: usize, hash: &quorate_types::B256, world: &mut World) {
        if self.liar.as_ref().is_some_and(crate::liar::Liar::is_mute) {
            return;
        }
        let Some(process) = &self.process else { return };
        let block = process.bodies.get(hash).or_else(|| self.disk.block_by_hash(hash)).cloned();
        let lie = self.liar.as_ref().and_then(|liar| liar.body(hash, block.as_ref()));
        if let Some(block) = lie.or(block) {
            world.send(self.index, to, &Packet::Body(block));
        }
    }

    fn serve_blocks(&self, to: usize, height: Height, world: &mut World) {
        let blocks = self.disk.blocks_from(height, wire::BLOCKS_AT_ONCE as usize);
        if !blocks.is_empty() && self.is_running() {
            world.send(self.index, to, &Packet::Blocks(Arc::new(blocks.to_vec())));
        }
    }
}

/// Whether a mutant takes what is attached to a message unseen. The signature under the message itself it checks.
fn trusts(mutant: Mutant, message: &Message, world: &World) -> bool {
    let (domain, verifier) = (&world.chain.domain, &*world.chain.verifier);
    match (mutant, message) {
        (Mutant::UnjustifiedProposals, Message::Proposal(it)) => it.propose.verify(domain, verifier),
        (Mutant::ForgedCertificates, Message::ViewChange(it)) => it.signed.verify(domain, verifier),
        (Mutant::ForgedCertificates, Message::Decided(_)) => true,
        _ => false,
    }
}
