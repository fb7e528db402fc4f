//! All accounts, sorted by the hash of their address and cut in shards whose hashes are kept.

use std::{collections::BTreeMap, sync::Arc};

use alloy_trie::{EMPTY_ROOT_HASH, HashBuilder, Nibbles, TrieAccount};
use quorate_types::{B256, Bytes};

use super::proof::{nodes_towards, retaining};

/// How many nibbles of a key name its shard. With 4,096 shards, 100,000 accounts are 25 to a shard: a
/// block that touches 100 of them hashes 2,500 leaves and the 273 nodes above the shards. With 256
/// shards it would hash a third of all leaves.
const SHARD_NIBBLES: usize = 3;
const SHARDS: usize = 1 << (4 * SHARD_NIBBLES);

/// Accounts by hashed address; `None` where there is none.
pub(crate) type TrieChanges = BTreeMap<B256, Option<TrieAccount>>;

/// The trie of one state. It never changes: [`AccountTrie::with`] gives another one that shares every
/// shard that is the same, so a copy costs one reference and can be hashed or kept by anybody.
#[derive(Clone, Debug)]
pub(crate) struct AccountTrie {
    shards: Arc<[Arc<Shard>]>,
    accounts: usize,
    root: B256,
}

impl Default for AccountTrie {
    /// Without any account.
    fn default() -> Self {
        Self { shards: vec![Arc::default(); SHARDS].into(), accounts: 0, root: EMPTY_ROOT_HASH }
    }
}

impl AccountTrie {
    pub(crate) const fn root(&self) -> B256 {
        self.root
    }

    /// How many accounts there are.
    pub(crate) const fn len(&self) -> usize {
        self.accounts
    }

    pub(crate) fn get(&self, key: &B256) -> Option<TrieAccount> {
        self.shards[place_of(key)].accounts.get(key).copied()
    }

    /// This trie with some accounts set or removed. It hashes the shards that these are in, and the
    /// nodes above all shards.
    pub(crate) fn with(&self, changes: &TrieChanges) -> Self {
        if changes.is_empty() {
            return self.clone();
        }
        let mut shards = self.shards.to_vec();
        let mut changes = changes.iter().peekable();
        while let Some((first, _)) = changes.peek() {
            let place = place_of(first);
            let mut accounts = shards[place].accounts.clone();
            while let Some((key, account)) = changes.next_if(|(key, _)| place_of(key) == place) {
                match account {
                    Some(account) => accounts.insert(*key, *account),
                    None => accounts.remove(key),
                };
            }
            shards[place] = Arc::new(Shard::new(accounts));
        }
        let mut builder = HashBuilder::default();
        shards.iter().for_each(|shard| shard.add_hashed(&mut builder));
        let accounts = shards.iter().map(|shard| shard.accounts.len()).sum();
        Self { shards: shards.into(), accounts, root: builder.root() }
    }

    /// The nodes from the root towards `key`: they end in its leaf, or show that there is none.
    ///
    /// Only the key's own shard is laid out. No node inside another one lies on the way, since the
    /// first nibbles differ; what stands above the shards is retained whichever shard it leads to.
    pub(crate) fn prove(&self, key: B256) -> Vec<Bytes> {
        let target = Nibbles::unpack(key);
        let mut builder = retaining(vec![target]);
        for (place, shard) in self.shards.iter().enumerate() {
            if place == place_of(&key) {
                shard.add_leaves(0, &mut builder);
            } else {
                shard.add_hashed(&mut builder);
            }
        }
        let root = builder.root();
        debug_assert_eq!(root, self.root, "laying out a shard changes nothing");
        nodes_towards(&builder.take_proof_nodes(), &target)
    }
}

/// The accounts whose keys begin with the same nibbles.
#[derive(Debug, Default)]
struct Shard {
    accounts: BTreeMap<B256, TrieAccount>,
    top: Option<Branch>,
}

/// The topmost branch node of a shard of two accounts or more. It stands where their keys part, at or
/// below the shard's own prefix; whatever is in other shards, the whole trie has this node there. It is
/// always referred to by its hash, as it holds two such references itself: the leaf of an account is
/// longer than the 32 bytes below which a node is embedded (Yellow Paper, appendix D).
#[derive(Debug)]
struct Branch {
    path: Nibbles,
    hash: B256,
}

impl Shard {
    fn new(accounts: BTreeMap<B256, TrieAccount>) -> Self {
        let mut shard = Self { accounts, top: None };
        let keys = (shard.accounts.first_key_value(), shard.accounts.last_key_value());
        if let (Some((first, _)), Some((last, _))) = keys
            && first != last
        {
            let first = Nibbles::unpack(first);
            let path = first.slice(..first.common_prefix_length(&Nibbles::unpack(last)));
            // Below its path the branch is a trie of its own, with the shortened keys.
            let mut builder = HashBuilder::default();
            shard.add_leaves(path.len(), &mut builder);
            shard.top = Some(Branch { path, hash: builder.root() });
        }
        shard
    }

    /// Adds all leaves, without the first `skipped` nibbles of their keys.
    fn add_leaves(&self, skipped: usize, builder: &mut HashBuilder) {
        let mut value = Vec::new();
        for (key, account) in &self.accounts {
            value.clear();
            alloy_rlp::Encodable::encode(account, &mut value);
            builder.add_leaf(Nibbles::unpack(key).slice(skipped..), &value);
        }
    }

    /// Adds the branch that stands for all leaves, or the only leaf.
    fn add_hashed(&self, builder: &mut HashBuilder) {
        match &self.top {
            Some(Branch { path, hash }) => builder.add_branch(*path, *hash, false),
            None => self.add_leaves(0, builder),
        }
    }
}

/// Which shard a key belongs to: the number that its first nibbles make.
fn place_of(key: &B256) -> usize {
    key.iter().take(SHARD_NIBBLES.div_ceil(2)).fold(0, |place, byte| place << 8 | usize::from(*byte))
        >> (4 * (SHARD_NIBBLES % 2))
}
