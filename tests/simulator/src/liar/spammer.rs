//! A flood (faults.md, flood: FISCO audit, Besu #10897): other heights and views, large messages, bytes that are none.

use std::sync::Arc;

use quorate_proto::MAX_PREFILLED_BYTES;
use quorate_types::{
    B256, Bytes, Header, Height, Message, Phase, Proposal, Propose, Reject, RejectReason, SignedViewChange,
    View, ViewChange, Vote, keccak256,
};
use rand::Rng;

use super::{Liar, Mouth};
use crate::{
    packet::Packet,
    wire::{self, Frame, Stream},
    world::World,
};

/// Messages of each kind at one tick.
const AT_ONCE: u64 = 4;
/// Raw bytes in a large proposal: as many as a frame may hold, eight times what an honest leader sends. One more, and no node
/// would read it.
const LARGE_BYTES: usize = MAX_PREFILLED_BYTES;

impl Liar {
    pub(super) fn spam(&self, mouth: &Mouth<'_>, world: &mut World) {
        let noise: u64 = world.rng.random();
        for step in 0..AT_ONCE {
            self.spam_once(mouth, noise.wrapping_add(step), world);
        }
        mouth.shout(large_proposal(mouth, noise, world), world);
        world.send_to_all(mouth.me, &Packet::GetBody(keccak256(noise.to_be_bytes())));
        world.send_to_all(mouth.me, &Packet::GetBlocks(Height(noise)));
        for frame in malformed(mouth, noise, world) {
            world.tally.count("malformed frames sent");
            world.send_to_all(mouth.me, &Packet::Frame(frame));
        }
    }

    /// A vote, a wish and a refusal somewhere else: below, now, next, far away.
    fn spam_once(&self, mouth: &Mouth<'_>, noise: u64, world: &mut World) {
        let (Height(height), View(view)) = mouth.at;
        let heights = [height.saturating_sub(1), height, height + 1, height + 1, height + 2, noise];
        let height = Height(heights[usize::try_from(noise % heights.len() as u64).expect("an index")]);
        let view = View(view.saturating_add(noise >> (noise % 64)));
        let block_hash = keccak256(noise.to_be_bytes());
        let phase = if noise.is_multiple_of(2) { Phase::Prevote } else { Phase::Commit };
        let vote = Vote { phase, height, view, block_hash };
        let change = ViewChange { height, view: view.max(View(1)), prepared: None };
        let reject = Reject { height, view, block_hash, reason: RejectReason::Header, roots: None };
        let messages = [
            Message::Vote(mouth.sign(vote, world)),
            Message::ViewChange(SignedViewChange { signed: mouth.sign(change, world), certificate: None }),
            Message::Reject(mouth.sign(reject, world)),
        ];
        for message in messages {
            world.tally.count("messages of a flood");
            mouth.shout(message, world);
        }
    }
}

/// For the next height, where nobody can check it yet.
fn large_proposal(mouth: &Mouth<'_>, noise: u64, world: &World) -> Message {
    let (height, view) = (mouth.at.0.next(), View(noise % 8));
    let raw = Bytes::from(vec![0; LARGE_BYTES]);
    // Nobody looks at it before the height begins, and then the view has another leader.
    let transaction_hashes = vec![keccak256(noise.to_be_bytes())];
    let header = Header { number: height.0, gas_limit: noise, ..Header::default() };
    let body_hash = Proposal::body_hash(&transaction_hashes);
    let propose = Propose { height, view, block_hash: header.hash_slow(), body_hash };
    let propose = mouth.sign(propose, world);
    let prefilled = vec![(0, raw)];
    Message::Proposal(Arc::new(Proposal {
        propose,
        header,
        transaction_hashes,
        prefilled,
        justification: None,
    }))
}

/// Bytes that are no message: cut short, padded, of another stream, and noise.
fn malformed(mouth: &Mouth<'_>, noise: u64, world: &World) -> Vec<Frame> {
    let vote = Vote { phase: Phase::Commit, height: mouth.at.0, view: mouth.at.1, block_hash: B256::ZERO };
    let sound = wire::encode(&World::consensus(Message::Vote(mouth.sign(vote, world)))).bytes;
    let padded = [sound.as_ref(), &[0x78, 1]].concat();
    let noise = keccak256(noise.to_be_bytes()).to_vec();
    let frame = |stream, bytes: bytes::Bytes| Frame { stream, bytes };
    vec![
        frame(Stream::Consensus, sound.slice(..sound.len() / 2)),
        frame(Stream::Consensus, padded.into()),
        frame(Stream::Response, sound.clone()),
        frame(Stream::Transactions, noise.clone().into()),
        frame(Stream::Consensus, noise.into()),
    ]
}
