//! All accounts by hashed address.

use std::{collections::BTreeMap, sync::Arc};

use alloy_rlp::{BufMut, Encodable};
use alloy_trie::{EMPTY_ROOT_HASH, KECCAK_EMPTY, TrieAccount};
use quorate_types::{B256, Bytes, U256};

use super::MerkleTrie;

/// Accounts by hashed address; `None` where there is none.
pub(crate) type TrieChanges = BTreeMap<B256, Option<TrieAccount>>;

/// The trie of one state.
#[derive(Clone, Debug, Default)]
pub(crate) struct AccountTrie(MerkleTrie<Packed>);

/// An account as it stands in memory: most have neither storage nor code.
#[derive(Clone, Debug)]
struct Packed {
    nonce: u64,
    balance: U256,
    contract: Option<Arc<Contract>>,
}

#[derive(Debug)]
struct Contract {
    storage_root: B256,
    code_hash: B256,
}

impl From<TrieAccount> for Packed {
    fn from(TrieAccount { nonce, balance, storage_root, code_hash }: TrieAccount) -> Self {
        let plain = storage_root == EMPTY_ROOT_HASH && code_hash == KECCAK_EMPTY;
        let contract = (!plain).then(|| Arc::new(Contract { storage_root, code_hash }));
        Self { nonce, balance, contract }
    }
}

impl From<&Packed> for TrieAccount {
    fn from(packed: &Packed) -> Self {
        let contract = packed.contract.as_ref();
        let (storage_root, code_hash) =
            contract.map_or((EMPTY_ROOT_HASH, KECCAK_EMPTY), |it| (it.storage_root, it.code_hash));
        Self::new(packed.nonce, packed.balance, storage_root, code_hash)
    }
}

impl Encodable for Packed {
    fn encode(&self, out: &mut dyn BufMut) {
        TrieAccount::from(self).encode(out);
    }

    fn length(&self) -> usize {
        TrieAccount::from(self).length()
    }
}

impl AccountTrie {
    /// Of these accounts, each of which is there once.
    pub(crate) fn of(accounts: impl Iterator<Item = (B256, TrieAccount)>) -> Self {
        Self(MerkleTrie::of(accounts.map(|(key, account)| (key, account.into())).collect()))
    }

    pub(crate) fn root(&self) -> B256 {
        self.0.root()
    }

    /// How many accounts there are.
    pub(crate) const fn len(&self) -> usize {
        self.0.len()
    }

    pub(crate) fn get(&self, key: &B256) -> Option<TrieAccount> {
        self.0.get(key).map(TrieAccount::from)
    }

    /// This trie with some accounts set or removed.
    pub(crate) fn with(&self, changes: &TrieChanges) -> Self {
        let changes = changes.iter().map(|(key, account)| (*key, account.map(Packed::from)));
        Self(self.0.with(&changes.collect()))
    }

    /// See [`MerkleTrie::prove`].
    pub(crate) fn prove(&self, key: &B256) -> Vec<Bytes> {
        self.0.prove(key)
    }
}
