//! A node's disk: a vote log and block records, each with a part that is not synced yet. A power cut takes that part away,
//! or some of it; the death of the process alone does not.

mod modelled;
mod real;

use std::{collections::BTreeMap, sync::Arc};

use quorate_consensus::{Mutant, OwnRecord, Recovered, ReplicaConfig, Trust};
use quorate_types::{B256, Block, Height, Message, NodeId, PrepareCertificate, ValidatorSet};
use quorate_vote_log::Condition;

use crate::packet::DecidedBlock;

/// How a process ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Death {
    /// The process alone: what it wrote is with the operating system.
    Killed,
    /// The power fails: what is not synced is gone.
    PowerCut,
    /// The power fails: of what is not synced some is there, and the last frame of the vote log perhaps in part.
    TornPowerCut,
}

/// What a power cut leaves of a frame that is not synced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Remains {
    Nothing,
    /// Its beginning.
    Part,
    All,
}

/// What a power cut leaves of all that is not synced.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wreck {
    pub(crate) frame: Remains,
    /// Of so many block records.
    pub(crate) blocks: usize,
}

/// One synced write of the vote log.
#[derive(Clone, Debug)]
pub(crate) struct Frame {
    pub(crate) height: Height,
    pub(crate) messages: Vec<Message>,
    pub(crate) prepared: Option<(PrepareCertificate, Arc<Block>)>,
}

/// What is left of a log.
pub(crate) struct Found {
    /// Those above the head.
    pub(crate) frames: Vec<Frame>,
    pub(crate) condition: Condition,
}

/// The vote log: what it comes down to, or its very bytes.
#[derive(Debug)]
enum Log {
    Modelled(modelled::Log),
    Real(Box<real::Log>),
}

/// What outlives a process.
#[derive(Debug)]
pub(crate) struct Disk {
    log: Log,
    /// Block n stands at n - 1.
    blocks: Vec<DecidedBlock>,
    /// Who votes after each.
    sets: Vec<Arc<ValidatorSet>>,
    blocks_synced: usize,
}

/// Does the same with either kind of log.
macro_rules! either {
    ($disk:expr, $log:ident => $action:expr) => {
        match &mut $disk.log {
            Log::Modelled($log) => $action,
            Log::Real($log) => $action,
        }
    };
}

impl Disk {
    /// An empty disk with a vote log that the node was made with.
    pub(crate) fn new(owner: NodeId, real: bool) -> Self {
        let log = if real {
            Log::Real(Box::new(real::Log::provisioned(owner)))
        } else {
            Log::Modelled(modelled::Log::default())
        };
        Self { log, blocks: Vec::new(), sets: Vec::new(), blocks_synced: 0 }
    }

    pub(crate) fn write_frame(&mut self, frame: Frame) {
        either!(self, log => log.write(frame));
    }

    pub(crate) fn sync_log(&mut self) {
        either!(self, log => log.sync());
    }

    /// Adds a decided block, and who votes after it; `false` when it is there already.
    pub(crate) fn write_block(&mut self, decided: DecidedBlock, next: Arc<ValidatorSet>) -> bool {
        if decided.block.height() != self.tip().next() {
            return false;
        }
        self.blocks.push(decided);
        self.sets.push(next);
        true
    }

    /// Notes that the records up to `height` are synced, and releases the votes for them.
    pub(crate) fn sync_blocks(&mut self, height: Height) {
        let count = usize::try_from(height.0).expect("few blocks").min(self.blocks.len());
        self.blocks_synced = self.blocks_synced.max(count);
        self.release_log(self.durable());
    }

    /// Frames of `height` and below may be overwritten.
    pub(crate) fn release_log(&mut self, height: Height) {
        either!(self, log => log.release(height));
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

    /// Who votes after the block of this height.
    pub(crate) fn set_after(&self, height: Height) -> Option<&Arc<ValidatorSet>> {
        self.sets.get(usize::try_from(height.previous()?.0).ok()?)
    }

    pub(crate) fn block_by_hash(&self, hash: &B256) -> Option<&Arc<Block>> {
        self.blocks.iter().rev().map(|it| &it.block).find(|block| block.hash() == *hash)
    }

    /// At most `count` decided blocks from `height` on.
    pub(crate) fn blocks_from(&self, height: Height, count: usize) -> &[DecidedBlock] {
        let from = usize::try_from(height.0.saturating_sub(1)).unwrap_or(usize::MAX).min(self.blocks.len());
        &self.blocks[from..from.saturating_add(count).min(self.blocks.len())]
    }

    /// Whether a frame waits for its sync.
    pub(crate) const fn is_writing(&self) -> bool {
        match &self.log {
            Log::Modelled(log) => log.is_writing(),
            Log::Real(log) => log.is_writing(),
        }
    }

    /// The process ends; what it wrote stays.
    pub(crate) fn keep(&mut self) {
        either!(self, log => log.crash(Remains::All));
    }

    /// The power fails.
    pub(crate) fn lose_power(&mut self, wreck: Wreck) {
        either!(self, log => log.crash(wreck.frame));
        let kept = self.blocks_synced.saturating_add(wreck.blocks);
        self.truncate_blocks(kept);
    }

    fn truncate_blocks(&mut self, kept: usize) {
        self.blocks.truncate(kept);
        self.sets.truncate(kept);
        self.blocks_synced = self.blocks_synced.min(kept);
    }

    /// An operator deletes the data folder.
    pub(crate) fn wipe(&mut self) {
        self.lose_log();
        self.truncate_blocks(0);
    }

    /// The vote log alone is deleted.
    pub(crate) fn lose_log(&mut self) {
        either!(self, log => log.lose());
    }

    /// Bytes of the vote log rot, somewhere before the last frame.
    pub(crate) fn damage_log(&mut self, chance: u64) {
        either!(self, log => log.damage(chance));
    }

    /// A copy of the block records replaces them that is `back` heights older; `false` when there are none.
    pub(crate) fn restore_copy(&mut self, back: u64) -> bool {
        let had = self.durable();
        let kept = had.0.saturating_sub(back);
        self.truncate_blocks(usize::try_from(kept).expect("few blocks"));
        self.durable() < had
    }

    /// Opens what is there. All of it is synced first: what a process has read and told others must not vanish
    /// in a later power cut.
    pub(crate) fn open(&mut self, config: &ReplicaConfig) -> Recovered {
        self.sync_blocks(self.tip());
        let head = self.durable();
        let Found { frames, condition } = either!(self, log => log.open(head));
        let trusted = condition.is_trusted()
            || (matches!(condition, Condition::StoreWentBack { .. })
                && config.breaks(Mutant::TrustsOlderStore));
        let mut records: BTreeMap<Height, OwnRecord> = BTreeMap::new();
        for frame in frames {
            let record = records.entry(frame.height).or_default();
            record.messages.extend(frame.messages);
            record.prepared = frame.prepared.or_else(|| record.prepared.take());
        }
        Recovered { records, trust: if trusted { Trust::Full } else { Trust::None } }
    }

    pub(crate) fn frames(&self) -> usize {
        match &self.log {
            Log::Modelled(log) => log.len(),
            Log::Real(log) => log.len(),
        }
    }
}
