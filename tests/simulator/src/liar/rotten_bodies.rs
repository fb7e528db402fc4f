//! Other transactions under the same header: its hash does not cover them, its root does.

use std::sync::Arc;

use quorate_types::{Block, Bytes};

pub(super) fn of(block: &Arc<Block>) -> Arc<Block> {
    Arc::new(Block::new(block.header().clone(), vec![Bytes::from_static(b"rotten")]))
}
