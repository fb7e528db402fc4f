//! Which blocks of a stretch of the chain are worth a look.

use quorate_types::Height;

/// How many blocks are searched at a time: the memory of a search is a bitmap of one such section,
/// however many blocks it covers.
const SECTION_BLOCKS: u16 = 4096;

/// Some of the blocks of one section.
pub(super) struct Section {
    pub(super) first: u64,
    blocks: Vec<bool>,
}

impl Section {
    pub(super) fn new(first: u64, all: bool) -> Self {
        Self { first, blocks: vec![all; usize::from(SECTION_BLOCKS)] }
    }

    pub(super) fn last(&self) -> u64 {
        self.first.saturating_add(u64::from(SECTION_BLOCKS) - 1)
    }

    pub(super) fn add(&mut self, height: Height) {
        let place = height.0.checked_sub(self.first).and_then(|it| usize::try_from(it).ok());
        if let Some(block) = place.and_then(|place| self.blocks.get_mut(place)) {
            *block = true;
        }
    }

    pub(super) fn keep(&mut self, others: &Self) {
        self.blocks.iter_mut().zip(&others.blocks).for_each(|(mine, other)| *mine &= other);
    }

    pub(super) fn heights(&self) -> impl Iterator<Item = Height> {
        (self.first..).zip(&self.blocks).filter(|(_, block)| **block).map(|(height, _)| Height(height))
    }
}
