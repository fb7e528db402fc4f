//! Blocks that were executed but not decided: kept until their height is durable, and served to whoever
//! needs a body that a certificate names.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use parking_lot::Mutex;
use quorate_storage::TrieUpdate;
use quorate_types::{B256, Block, Bytes, ExecutedBlock, Height};

/// Executed blocks held at once. The replica keeps 16 of one height, and only that height is open.
const MAX_CANDIDATES: usize = 32;

/// One executed block with what storing it needs.
pub(crate) struct Executed {
    pub(crate) block: ExecutedBlock,
    pub(crate) update: TrieUpdate,
    /// The places of its transactions, by hash.
    places: HashMap<B256, usize>,
}

impl Executed {
    pub(crate) fn new(block: ExecutedBlock, update: TrieUpdate) -> Self {
        let places = block.block.transaction_hashes().into_iter().zip(0..).collect();
        Self { block, update, places }
    }

    fn transaction(&self, hash: &B256) -> Option<&Bytes> {
        self.block.block.transactions().get(*self.places.get(hash)?)
    }
}

/// The executed, undecided blocks by hash. The chain thread writes; request handlers read the bodies.
#[derive(Clone, Default)]
pub(crate) struct Candidates(Arc<Mutex<BTreeMap<B256, Arc<Executed>>>>);

impl Candidates {
    pub(crate) fn insert(&self, executed: Executed) {
        let mut held = self.0.lock();
        if held.len() >= MAX_CANDIDATES && !held.contains_key(&executed.block.hash()) {
            // The lowest block has had the most time to be decided.
            let oldest = held.iter().min_by_key(|(_, it)| it.block.block.height()).map(|(hash, _)| *hash);
            oldest.map(|hash| held.remove(&hash));
        }
        held.insert(executed.block.hash(), Arc::new(executed));
    }

    pub(crate) fn get(&self, hash: &B256) -> Option<Arc<Executed>> {
        self.0.lock().get(hash).cloned()
    }

    /// The body behind a hash.
    pub(crate) fn block(&self, hash: &B256) -> Option<Arc<Block>> {
        Some(self.get(hash)?.block.block.clone())
    }

    /// The raw transactions among `wanted` that some candidate holds.
    pub(crate) fn transactions(&self, wanted: &[B256]) -> Vec<Bytes> {
        let held: Vec<_> = self.0.lock().values().cloned().collect();
        wanted.iter().filter_map(|hash| held.iter().find_map(|it| it.transaction(hash)).cloned()).collect()
    }

    /// Drops what lost, and what is stored.
    pub(crate) fn release(&self, durable: Height) {
        self.0.lock().retain(|_, it| it.block.block.height() > durable);
    }
}
