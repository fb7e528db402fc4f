//! A chain in memory, decided by four validators with real keys; one of them is replaced half way.

use std::sync::{Arc, LazyLock};

use quorate_sync::{CertifiedBlock, Head};
use quorate_types::{
    B256, Block, Bytes, CommitCertificate, Domain, Header, Height, NodeId, NodeKey, Phase, Signed, Validator,
    ValidatorSet, View, Vote, VoteTally,
};

/// The last block of [`CHAIN`].
pub const LAST: Height = Height(400);
/// The first height on which the second set votes.
pub const SET_CHANGE: Height = Height(50);

/// One chain for all stories: signing it takes longer than most of them.
pub static CHAIN: LazyLock<Chain> = LazyLock::new(Chain::new);

pub struct Chain {
    pub domain: Domain,
    keys: Vec<NodeKey>,
    /// From height 1.
    blocks: Vec<CertifiedBlock>,
}

pub fn peer(number: u8) -> NodeId {
    NodeKey::from_seed([100 + number; 32]).id()
}

/// Bytes that stand for transactions: nothing here decodes them.
fn two_transactions() -> Vec<Bytes> {
    vec![Bytes::from_static(b"pay alice"), Bytes::from_static(b"pay bob")]
}

impl Chain {
    fn new() -> Self {
        let domain = Domain { chain_id: 20200, genesis_hash: B256::repeat_byte(0x6e) };
        let keys = (1..=5).map(|seed| NodeKey::from_seed([seed; 32])).collect();
        let mut chain = Self { domain, keys, blocks: Vec::new() };
        for height in 1..=LAST.0 {
            let parent = chain.hash(Height(height - 1));
            let certified = chain.decide(chain.header(Height(height), parent), chain.body(Height(height)));
            chain.blocks.push(certified);
        }
        chain
    }

    /// Every third block has transactions, the others are empty.
    fn body(&self, height: Height) -> Vec<Bytes> {
        if height.0.is_multiple_of(3) { two_transactions() } else { Vec::new() }
    }

    pub fn header(&self, height: Height, parent_hash: B256) -> Header {
        Header {
            parent_hash,
            number: height.0,
            extra_data: self.set(height.next()).hash().into(),
            transactions_root: Block::transactions_root(&self.body(height)),
            ..Header::default()
        }
    }

    /// A block as the validators of its height would have decided it.
    pub fn decide(&self, header: Header, body: Vec<Bytes>) -> CertifiedBlock {
        let block = Block::new(header, body);
        let certificate = self.certify(block.height(), block.hash(), &self.voters(block.height())[..3]);
        (Arc::new(block), certificate)
    }

    /// A certificate of these signers, whether they make a quorum or not.
    pub fn certify(&self, height: Height, block_hash: B256, signers: &[&NodeKey]) -> CommitCertificate {
        let vote = Vote { phase: Phase::Commit, height, view: View(0), block_hash };
        let set = self.set(height);
        // A tally gives nothing below a quorum; a set of the signers alone always has one.
        let alone = ValidatorSet::new(signers.iter().map(|key| Validator::new(key.id(), 1))).expect("a set");
        let mut tally = VoteTally::new(vote);
        for key in signers {
            let signed = Signed::sign(vote, &self.domain, *key).expect("a key in memory signs");
            tally.add(&alone, &signed.signer, signed.signature);
        }
        let mut certificate = tally.certificate(&alone).expect("all of them signed");
        let bits = alone.members().iter().map(|member| set.index_of(&member.key).expect("a validator"));
        certificate.signers = vec![bits.fold(0, |byte, bit| byte | 1 << bit)];
        CommitCertificate::new(certificate).expect("votes to commit")
    }

    /// The keys that vote at `height`.
    pub fn voters(&self, height: Height) -> Vec<&NodeKey> {
        if height < SET_CHANGE { self.keys[..4].iter().collect() } else { self.keys[1..].iter().collect() }
    }

    pub fn set(&self, height: Height) -> Arc<ValidatorSet> {
        let members = self.voters(height).into_iter().map(|key| Validator::new(key.id(), 1));
        Arc::new(ValidatorSet::new(members).expect("four sound members"))
    }

    pub fn hash(&self, height: Height) -> B256 {
        height.previous().map_or(self.domain.genesis_hash, |_| self.at(height).0.hash())
    }

    pub fn head(&self, height: Height) -> Head {
        Head { height, hash: self.hash(height), next_validators: self.set(height.next()) }
    }

    pub fn at(&self, height: Height) -> CertifiedBlock {
        self.blocks[usize::try_from(height.0 - 1).expect("a small chain")].clone()
    }

    /// `count` blocks from `from`, fewer where `tip` ends them.
    pub fn range(&self, from: Height, count: u32, tip: Height) -> Vec<CertifiedBlock> {
        let end = from.0.saturating_add(u64::from(count)).min(tip.0.min(LAST.0) + 1);
        (from.0..end).map(|height| self.at(Height(height))).collect()
    }
}

#[test]
fn the_chain_of_the_stories_is_sound() {
    for height in 1..=LAST.0 {
        let (block, certificate) = CHAIN.at(Height(height));
        let set = CHAIN.set(Height(height));
        let verdict =
            quorate_sync::verify_block(&block, &certificate, &CHAIN.domain, &set, &quorate_types::Ed25519);
        assert_eq!((verdict, block.header().parent_hash), (Ok(()), CHAIN.hash(Height(height - 1))));
    }
    assert_ne!(CHAIN.set(Height(49)), CHAIN.set(SET_CHANGE));
}
