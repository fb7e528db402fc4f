//! What a liar knows that its replica does not tell: the blocks it invented, and what others showed.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use quorate_types::{
    B256, Block, Bytes, Header, Height, Message, Proposal, QuorumCertificate, Signed, View, ViewChange,
};

/// Views whose proposals a liar remembers.
const MAX_OFFERED: usize = 16;
/// Blocks that it invented.
const MAX_INVENTED: usize = 64;
/// Wishes of others.
const MAX_WISHES: usize = 32;

/// Everything a forger builds upon.
#[derive(Debug, Default)]
pub(super) struct Knowledge {
    /// The second block for the same view, by the hash of the first.
    twins: BTreeMap<B256, Arc<Block>>,
    /// What any leader offered in one view: liars know of each other's stories.
    offered: BTreeMap<(Height, View), BTreeSet<B256>>,
    /// The last proposal seen, of anyone.
    pub(super) proposal: Option<Arc<Proposal>>,
    /// The last sound proof seen, of a lock or a decision.
    pub(super) proof: Option<QuorumCertificate>,
    /// Wishes of others, of any view.
    pub(super) wishes: Vec<Signed<ViewChange>>,
}

impl Knowledge {
    pub(super) fn learn(&mut self, message: &Message) {
        match message {
            Message::Proposal(proposal) => {
                let propose = proposal.propose.statement;
                let offered = self.offered.entry((propose.height, propose.view)).or_default();
                offered.insert(propose.block_hash);
                while self.offered.len() > MAX_OFFERED {
                    self.offered.pop_first();
                }
                self.proposal = Some(proposal.clone());
            }
            Message::ViewChange(change) => {
                self.wishes.push(change.signed);
                if self.wishes.len() > MAX_WISHES {
                    self.wishes.remove(0);
                }
                if let Some(lock) = &change.certificate {
                    self.proof = Some((**lock).clone());
                }
            }
            Message::Decided(decided) => self.proof = Some((*decided.certificate).clone()),
            Message::Vote(_) | Message::Reject(_) | Message::Status(_) => {}
        }
    }

    /// Another valid block with the transactions of a proposal, when all of them travel with it.
    pub(super) fn invent(&mut self, proposal: &Proposal) -> Option<Arc<Block>> {
        if proposal.prefilled.len() != proposal.transaction_hashes.len() {
            return None;
        }
        // The same transactions, so that execution agrees; the limit is in no rule of this chain.
        let header = Header { gas_limit: proposal.header.gas_limit + 1, ..proposal.header.clone() };
        let raw: Vec<Bytes> = proposal.prefilled.iter().map(|(_, raw)| raw.clone()).collect();
        let block = Arc::new(Block::new(header, raw));
        self.twins.insert(proposal.propose.statement.block_hash, block.clone());
        if self.twins.len() > MAX_INVENTED {
            self.twins.pop_first();
        }
        Some(block)
    }

    /// The invented counterpart of a block.
    pub(super) fn twin_of(&self, block_hash: &B256) -> Option<B256> {
        self.twins.get(block_hash).map(|twin| twin.hash())
    }

    pub(super) fn invented(&self, hash: &B256) -> Option<&Arc<Block>> {
        self.twins.values().find(|twin| twin.hash() == *hash)
    }

    /// Something else that was offered in the same view.
    pub(super) fn other_offer(&self, at: (Height, View), block_hash: &B256) -> Option<B256> {
        self.offered.get(&at).into_iter().flatten().copied().find(|hash| hash != block_hash)
    }
}
