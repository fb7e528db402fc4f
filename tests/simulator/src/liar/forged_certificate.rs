//! Locks and decisions that nobody voted for.

use std::sync::Arc;

use quorate_types::{
    Block, CommitCertificate, Decided, Message, Phase, PrepareCertificate, Prepared, QuorumCertificate,
    Signature, SignedViewChange, ViewChange, Vote,
};
use rand::Rng;

use super::{Liar, Mouth};
use crate::{
    packet::{DecidedBlock, Packet},
    world::World,
};

/// How many ways there are to make votes up.
const WAYS: u32 = 4;

impl Liar {
    /// A lock in the next wish, a decision, and a synced block, all of a block that it invented.
    pub(super) fn forge_certificates(&mut self, mouth: &Mouth<'_>, world: &mut World) {
        let way = world.rng.random_range(0..WAYS);
        let known = self.knowledge.proposal.clone().filter(|it| it.propose.statement.height == mouth.at.0);
        let Some(block) = known.and_then(|known| self.knowledge.invent(&known)) else { return };
        world.tally.count("certificates forged");
        self.show_lock(mouth, way, &block, world);
        let decision = self.forge(mouth, way, Phase::Commit, &block, world);
        let Some(certificate) = decision.and_then(|it| CommitCertificate::new(it).ok()) else { return };
        let decided = Decided { certificate: certificate.clone(), block: Some(block.clone()) };
        mouth.shout(Message::Decided(decided), world);
        let blocks = vec![DecidedBlock { block, certificate }];
        world.send_to_all(mouth.me, &Packet::Blocks(Arc::new(blocks)));
    }

    fn show_lock(&self, mouth: &Mouth<'_>, way: u32, block: &Block, world: &mut World) {
        let (height, view) = mouth.at;
        let lock = self.forge(mouth, way, Phase::Prevote, block, world);
        let Some(certificate) = lock.and_then(|it| PrepareCertificate::new(it).ok()) else { return };
        let prepared = Some(Prepared { view: certificate.view(), block_hash: certificate.block_hash() });
        let signed = mouth.sign(ViewChange { height, view: view.next(), prepared }, world);
        let certificate = Some(certificate);
        mouth.shout(Message::ViewChange(SignedViewChange { signed, certificate }), world);
    }

    fn forge(
        &self,
        mouth: &Mouth<'_>,
        way: u32,
        phase: Phase,
        block: &Block,
        world: &World,
    ) -> Option<QuorumCertificate> {
        let (height, view) = mouth.at;
        let vote = Vote { phase, height, view, block_hash: block.hash() };
        let own = mouth.sign(vote, world).signature;
        let index = mouth.set.index_of(&mouth.id())?;
        let members = mouth.set.len();
        let bitmap = |bits: &mut dyn Iterator<Item = usize>| {
            let mut signers = vec![0_u8; members.div_ceil(8)];
            bits.for_each(|bit| signers[bit / 8] |= 1 << (bit % 8));
            while signers.last() == Some(&0) {
                signers.pop();
            }
            signers
        };
        Some(match way {
            // One vote, its own.
            0 => QuorumCertificate { vote, signers: bitmap(&mut [index].into_iter()), signatures: vec![own] },
            // Its own vote in everyone's name.
            1 => {
                QuorumCertificate { vote, signers: bitmap(&mut (0..members)), signatures: vec![own; members] }
            }
            // Everyone's, unsigned.
            2 => QuorumCertificate {
                vote,
                signers: bitmap(&mut (0..members)),
                signatures: vec![Signature([0; 64]); members],
            },
            // A sound proof of something else.
            _ => QuorumCertificate { vote, ..self.knowledge.proof.clone()? },
        })
    }
}
