//! Views that begin without the wishes of a quorum (faults.md, newview-unchecked: FISCO audit).

use std::sync::Arc;

use quorate_types::{
    Height, Justification, Message, Phase, Proposal, Propose, Signature, Signed, View, ViewChange, Vote,
};
use rand::Rng;

use super::{Liar, Mouth};
use crate::world::World;

/// How many ways there are to make wishes up.
const WAYS: u32 = 6;

impl Liar {
    /// Proposes another block in the next view that it leads, by a right that it has not.
    pub(super) fn forge_justification(&mut self, mouth: &Mouth<'_>, world: &mut World) {
        let (height, view) = mouth.at;
        let way = world.rng.random_range(0..WAYS);
        let known = self.knowledge.proposal.clone().filter(|it| it.propose.statement.height == height);
        let Some(known) = known else { return };
        let leads = |view: &View| mouth.set.leader(height, *view).key == mouth.id();
        let views = (view.0.max(1)..).take(mouth.set.len()).map(View);
        let Some((view, block)) = views.into_iter().find(leads).zip(self.knowledge.invent(&known)) else {
            return;
        };
        let propose = Propose { view, block_hash: block.hash(), ..known.propose.statement };
        let justification = self.wishes(mouth, way, (height, view), world);
        let header = block.header().clone();
        let propose = mouth.sign(propose, world);
        world.tally.count("justifications forged");
        let proposal = Proposal { propose, header, justification, ..(*known).clone() };
        mouth.shout(Message::Proposal(Arc::new(proposal)), world);
        // Whoever follows is voted with.
        for phase in [Phase::Prevote, Phase::Commit] {
            let vote = Vote { phase, height, view, block_hash: block.hash() };
            mouth.shout(Message::Vote(mouth.sign(vote, world)), world);
        }
    }

    fn wishes(
        &self,
        mouth: &Mouth<'_>,
        way: u32,
        (height, view): (Height, View),
        world: &World,
    ) -> Option<Justification> {
        let change = ViewChange { height, view, prepared: None };
        let own = mouth.sign(change, world);
        let members = mouth.set.members().iter().map(|member| member.key);
        let mut view_changes: Vec<Signed<ViewChange>> = match way {
            // None at all.
            0 => return None,
            // Its own alone.
            1 => vec![own],
            // Its own as often as a quorum is large.
            2 => members.map(|_| own).collect(),
            // In the others' names, with its own signature.
            3 => members.map(|signer| Signed { signer, ..own }).collect(),
            // In the others' names, with none.
            4 => members.map(|signer| Signed { signer, signature: Signature([0; 64]), ..own }).collect(),
            // What others really wished for, in other views and at other heights, without their locks.
            _ => self.knowledge.wishes.iter().copied().chain([own]).collect(),
        };
        view_changes.sort_by_key(|signed| signed.signer);
        if way > 4 {
            view_changes.dedup_by_key(|signed| signed.signer);
        }
        Some(Justification { view_changes, certificate: None })
    }
}
