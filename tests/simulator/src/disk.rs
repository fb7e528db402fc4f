//! A node's disk: a vote log and block records, each with a part that is not synced yet. A power cut takes
//! that part away; the death of the process alone does not.

use std::{collections::BTreeMap, sync::Arc};

use quorate_consensus::{OwnRecord, Recovered, Trust};
use quorate_types::{B256, Block, Height, Message, PrepareCertificate};

use crate::packet::DecidedBlock;

/// Records this far above the head are normal when a log is opened (R20): the height in flight, and the one that
/// was entered while the record of the former was being written.
const NORMAL_ABOVE_HEAD: u64 = 2;

/// How a process ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Death {
    /// The process alone: what it wrote is with the operating system.
    Killed,
    /// The power fails: what is not synced is gone.
    PowerCut,
}

/// One synced write of the vote log.
#[derive(Clone, Debug)]
pub(crate) struct Frame {
    pub(crate) height: Height,
    pub(crate) messages: Vec<Message>,
    pub(crate) prepared: Option<(PrepareCertificate, Arc<Block>)>,
}

/// What outlives a process.
#[derive(Debug, Default)]
pub(crate) struct Disk {
    log: Vec<Frame>,
    log_synced: usize,
    log_is_lost: bool,
    /// Block n stands at n - 1.
    blocks: Vec<DecidedBlock>,
    blocks_synced: usize,
}

impl Disk {
    pub(crate) fn write_frame(&mut self, frame: Frame) {
        self.log.push(frame);
    }

    /// Syncs the vote log. The node signs again, so from here on the log holds all that matters.
    pub(crate) fn sync_log(&mut self) {
        self.log_synced = self.log.len();
        self.log_is_lost = false;
    }

    /// Adds a decided block; `false` when it is there already.
    pub(crate) fn write_block(&mut self, decided: DecidedBlock) -> bool {
        if decided.block.height() != self.tip().next() {
            return false;
        }
        self.blocks.push(decided);
        true
    }

    /// Notes that the records up to `height` are synced, and releases the votes for them.
    pub(crate) fn sync_blocks(&mut self, height: Height) {
        let count = usize::try_from(height.0).expect("few blocks").min(self.blocks.len());
        self.blocks_synced = self.blocks_synced.max(count);
        let durable = self.durable();
        let kept = |frame: &Frame| frame.height > durable;
        let synced = self.log[..self.log_synced].iter().filter(|frame| kept(frame)).count();
        self.log.retain(kept);
        self.log_synced = synced;
    }

    /// The last decided block, synced or not.
    pub(crate) fn tip(&self) -> Height {
        Height(self.blocks.len() as u64)
    }

    pub(crate) fn durable(&self) -> Height {
        Height(self.blocks_synced as u64)
    }

    pub(crate) fn block(&self, height: Height) -> Option<&DecidedBlock> {
        self.blocks.get(usize::try_from(height.previous()?.0).ok()?)
    }

    pub(crate) fn block_by_hash(&self, hash: &B256) -> Option<&Arc<Block>> {
        self.blocks.iter().rev().map(|it| &it.block).find(|block| block.hash() == *hash)
    }

    /// At most `count` decided blocks from `height` on.
    pub(crate) fn blocks_from(&self, height: Height, count: usize) -> &[DecidedBlock] {
        let from = usize::try_from(height.0.saturating_sub(1)).unwrap_or(usize::MAX).min(self.blocks.len());
        &self.blocks[from..(from + count).min(self.blocks.len())]
    }

    /// What the end of the process leaves behind.
    pub(crate) fn crash(&mut self, death: Death) {
        match death {
            Death::Killed => {}
            Death::PowerCut => {
                self.log.truncate(self.log_synced);
                self.blocks.truncate(self.blocks_synced);
            }
        }
    }

    /// An operator deletes the data folder.
    pub(crate) fn wipe(&mut self) {
        *self = Self { log_is_lost: true, ..Self::default() };
    }

    /// Opens what is there. All of it is synced first: what a process has read and told others must not vanish
    /// in a later power cut.
    pub(crate) fn open(&mut self) -> Recovered {
        self.log_synced = self.log.len();
        self.sync_blocks(self.tip());
        let mut records: BTreeMap<Height, OwnRecord> = BTreeMap::new();
        for frame in &self.log {
            let record = records.entry(frame.height).or_default();
            record.messages.extend(frame.messages.iter().cloned());
            record.prepared = frame.prepared.clone().or(record.prepared.take());
        }
        let highest = records.last_key_value().map_or(Height::ZERO, |(height, _)| *height);
        let went_back = highest.0 > self.durable().0 + NORMAL_ABOVE_HEAD;
        // Until it has signed again, each further start must be as careful.
        self.log_is_lost |= went_back;
        Recovered { records, trust: if self.log_is_lost { Trust::None } else { Trust::Full } }
    }

    pub(crate) fn frames(&self) -> usize {
        self.log.len()
    }
}
