//! Blocks that were fetched before their turn.

use std::collections::BTreeMap;

use quorate_types::{B256, Height, NodeId};

use crate::CertifiedBlock;

/// How far above the head blocks are fetched: some seconds of execution, so that one slow answer does not
/// stop the others, and little enough to throw away when the chain goes on by consensus.
pub const MAX_BUFFERED_BLOCKS: u64 = 512;
/// Above this only the very next block is asked for. Blocks may have megabytes; what is in flight comes on
/// top: [`crate::MAX_IN_FLIGHT`] answers of the size that the wire allows.
pub const MAX_BUFFERED_BYTES: usize = 64 << 20;
/// What a block weighs beside its transactions: header, certificate, and the map's own share.
const BLOCK_OVERHEAD_BYTES: usize = 1 << 10;

/// A block that waits, with who sent it.
#[derive(Debug)]
pub(crate) struct Waiting {
    pub(crate) certified: CertifiedBlock,
    pub(crate) sender: NodeId,
    bytes: usize,
}

/// The waiting blocks, at most one for each height.
#[derive(Debug, Default)]
pub(crate) struct Buffer {
    waiting: BTreeMap<Height, Waiting>,
    bytes: usize,
}

impl Buffer {
    pub(crate) fn insert(&mut self, certified: CertifiedBlock, sender: NodeId) {
        let (block, certificate) = &certified;
        let height = block.height();
        if self.waiting.contains_key(&height) {
            return;
        }
        let bytes = BLOCK_OVERHEAD_BYTES
            + certificate.signatures.len() * size_of::<quorate_types::Signature>()
            + block.transactions().iter().map(|raw| raw.len() + size_of::<B256>()).sum::<usize>();
        self.bytes += bytes;
        self.waiting.insert(height, Waiting { certified, sender, bytes });
    }

    pub(crate) fn take(&mut self, height: Height) -> Option<Waiting> {
        let taken = self.waiting.remove(&height)?;
        self.bytes -= taken.bytes;
        Some(taken)
    }

    pub(crate) fn contains(&self, height: Height) -> bool {
        self.waiting.contains_key(&height)
    }

    /// The lowest height above `height` that waits here.
    pub(crate) fn first_above(&self, height: Height) -> Option<Height> {
        self.waiting.range(height.next()..).next().map(|(height, _)| *height)
    }

    /// Forgets what the chain has passed.
    pub(crate) fn drop_through(&mut self, head: Height) {
        self.keep(|height, _| height > head);
    }

    /// Forgets all that `sender` sent: it lied once.
    pub(crate) fn drop_from(&mut self, sender: &NodeId) {
        self.keep(|_, waiting| waiting.sender != *sender);
    }

    pub(crate) fn clear(&mut self) {
        self.keep(|_, _| false);
    }

    fn keep(&mut self, wanted: impl Fn(Height, &Waiting) -> bool) {
        self.waiting.retain(|height, waiting| wanted(*height, waiting));
        self.bytes = self.waiting.values().map(|waiting| waiting.bytes).sum();
    }

    pub(crate) fn len(&self) -> usize {
        self.waiting.len()
    }

    pub(crate) const fn is_heavy(&self) -> bool {
        self.bytes >= MAX_BUFFERED_BYTES
    }
}
