//! Blocks: a standard Ethereum header and raw transactions.

use std::sync::OnceLock;

use alloy_consensus::Header;
use alloy_primitives::{B256, Bytes, b256, keccak256};
use alloy_trie::root;

use crate::{Height, Proposal};

/// The root of an empty trie: keccak256 of the RLP of an empty string.
pub const EMPTY_ROOT: B256 = b256!("56e81f171bcc55a6ff8345e692c0f86e5b48e01b996cadc001622fb5e363b421");
/// EIP-7685's hash of an empty list of requests: sha256 of nothing.
pub const EMPTY_REQUESTS_HASH: B256 =
    b256!("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");

/// The `mixHash` of a block: keccak256(parent hash, height). Predictable, and documented to be.
#[must_use]
pub fn mix_hash(parent_hash: B256, height: Height) -> B256 {
    let mut bytes = [0; 40];
    bytes[..32].copy_from_slice(parent_hash.as_slice());
    bytes[32..].copy_from_slice(&height.0.to_be_bytes());
    keccak256(bytes)
}

/// A block as it is proposed, stored and synced. It holds neither a view nor a certificate, so that
/// a block proposed again in a later view is byte-identical.
#[derive(Debug)]
pub struct Block {
    header: Header,
    transactions: Vec<Bytes>,
    hash: OnceLock<B256>,
}

impl Block {
    /// Joins a header with its raw EIP-2718 transactions; whether they belong together is checked
    /// where the block is executed.
    #[must_use]
    pub const fn new(header: Header, transactions: Vec<Bytes>) -> Self {
        Self { header, transactions, hash: OnceLock::new() }
    }

    /// The header.
    #[must_use]
    pub const fn header(&self) -> &Header {
        &self.header
    }

    /// The raw transactions in order.
    #[must_use]
    pub fn transactions(&self) -> &[Bytes] {
        &self.transactions
    }

    /// The number in the header.
    #[must_use]
    pub const fn height(&self) -> Height {
        Height(self.header.number)
    }

    /// keccak256 of the header's RLP, computed once.
    #[must_use]
    pub fn hash(&self) -> B256 {
        *self.hash.get_or_init(|| self.header.hash_slow())
    }

    /// The hashes of the transactions in order.
    #[must_use]
    pub fn transaction_hashes(&self) -> Vec<B256> {
        self.transactions.iter().map(keccak256).collect()
    }

    /// The root of the trie over raw transactions, as a header's `transactionsRoot` has it.
    #[must_use]
    pub fn transactions_root(transactions: &[Bytes]) -> B256 {
        root::ordered_trie_root_encoded(transactions)
    }

    /// Whether the transactions are those that the header commits to. The hash covers the header
    /// alone, so a body that came from outside proves nothing until this was asked.
    #[must_use]
    pub fn is_body_bound(&self) -> bool {
        Self::transactions_root(&self.transactions) == self.header.transactions_root
    }

    /// What a leader signs beside the block's hash: see [`Proposal::body_hash`].
    #[must_use]
    pub fn body_hash(&self) -> B256 {
        Proposal::body_hash(&self.transaction_hashes())
    }
}

impl Clone for Block {
    fn clone(&self) -> Self {
        Self { header: self.header.clone(), transactions: self.transactions.clone(), hash: self.hash.clone() }
    }
}

impl PartialEq for Block {
    fn eq(&self, other: &Self) -> bool {
        self.header == other.header && self.transactions == other.transactions
    }
}

impl Eq for Block {}

#[cfg(test)]
mod tests {
    use alloy_primitives::{bytes, hex};

    use super::*;

    /// The header of Ethereum mainnet's genesis: any change in how headers are encoded shows here.
    #[test]
    fn the_hash_is_ethereums() {
        let header = Header {
            ommers_hash: alloy_consensus::EMPTY_OMMER_ROOT_HASH,
            state_root: b256!("d7f8974fb5ac78d9ac099b9ad5018bedc2ce0a72dad1827a1709da30580f0544"),
            transactions_root: EMPTY_ROOT,
            receipts_root: EMPTY_ROOT,
            difficulty: alloy_primitives::U256::from(0x4_0000_0000_u64),
            gas_limit: 5000,
            extra_data: bytes!("11bbe8db4e347b4e8c937c1c8370e4b5ed33adb3db69cbdb7a38e1e50b1b82fa"),
            nonce: hex!("0000000000000042").into(),
            ..Header::default()
        };
        let mainnet = b256!("d4e56740f876aef8c010b86a40d5f56745a118d0906a34e69aec8c0db1cb8fa3");
        assert_eq!(Block::new(header, vec![]).hash(), mainnet);
    }

    #[test]
    fn a_body_belongs_to_one_header() {
        let bytes = vec![Bytes::from_static(b"one"), Bytes::from_static(b"two")];
        let transactions_root = Block::transactions_root(&bytes);
        let header = Header { transactions_root, ..Header::default() };
        assert!(Block::new(header.clone(), bytes.clone()).is_body_bound());
        assert!(!Block::new(header.clone(), bytes.into_iter().rev().collect()).is_body_bound());
        assert!(!Block::new(header, Vec::new()).is_body_bound());
        assert_eq!(Block::transactions_root(&[]), EMPTY_ROOT);
    }

    #[test]
    fn the_body_hash_binds_the_order() {
        let (a, b) = (B256::repeat_byte(1), B256::repeat_byte(2));
        assert_ne!(Proposal::body_hash(&[a, b]), Proposal::body_hash(&[b, a]));
    }
}
