//! Decided blocks: written when the replica decides, fetched when the others went on without this node.

use std::{sync::Arc, time::Duration};

use quorate_consensus::{Candidate, Input, Mutant};
use quorate_types::{Block, CommitCertificate, Height, NodeId, ValidatorSet};

use super::Node;
use crate::{
    chain::judge,
    packet::{DecidedBlock, Packet, short},
    queue::Wake,
    world::World,
};

/// How long the answer to a request for blocks is waited for.
const PATIENCE: Duration = Duration::from_millis(300);

impl Node {
    pub(super) fn decide(&mut self, candidate: Candidate, certificate: CommitCertificate, world: &mut World) {
        let Candidate { block, next_validators } = candidate;
        let decided = DecidedBlock { block, certificate };
        let height = decided.block.height();
        let hash = decided.block.hash();
        world.note(self.index, || {
            format!("decides h{height} v{} {}", decided.certificate.view(), short(&hash))
        });
        if self.config.breaks(Mutant::RecyclesEarly) {
            self.disk.release_log(height);
        }
        if self.append(decided, next_validators, world) {
            let delay = world.take_time(world.pace.blocks);
            world.wake(self.index, delay, Wake::BlocksSynced { height, by_sync: false });
        } else if self.disk.durable() >= height {
            // The sync was faster.
            self.input(Input::Durable(height));
        }
    }

    /// Writes a decided block behind the last one; `false` when it is there already.
    fn append(&mut self, decided: DecidedBlock, next: Arc<ValidatorSet>, world: &mut World) -> bool {
        if self.liar.is_none() {
            let truth = world.oracle.on_decided(&decided, &next, &world.chain, &mut world.tally);
            world.require(self.index, truth);
        }
        let block = decided.block.clone();
        let new = self.disk.write_block(decided, next);
        if new {
            self.note_included(&block);
        }
        new
    }

    fn note_included(&mut self, block: &Block) {
        let Some(process) = &mut self.process else { return };
        let hashes = block.transaction_hashes();
        process.pool.remove(&hashes);
        process.included.extend(hashes.into_iter().map(|hash| (hash, block.height())));
    }

    pub(super) fn on_blocks_synced(&mut self, height: Height, by_sync: bool, world: &mut World) {
        let before = self.disk.durable();
        self.disk.sync_blocks(height);
        let head = self.head(world);
        let Some(process) = &mut self.process else { return };
        process.guard.release(head.height);
        process.bodies.retain(|_, block| block.height() > head.height);
        if by_sync {
            // A node says of each record that it is on disk, and then to the replica that it may go on from there.
            let records = std::iter::successors(Some(before.next()), |height| Some(height.next()));
            records.take_while(|it| *it <= height).for_each(|it| self.input(Input::Durable(it)));
            self.input(Input::Synced(head));
        } else {
            self.input(Input::Durable(height));
        }
    }

    pub(super) fn ask_for_blocks(&mut self, height: Height, from: NodeId, world: &mut World) {
        let (tip, now) = (self.disk.tip(), world.now());
        let Some(process) = &mut self.process else { return };
        if height > tip && now >= process.syncing_until {
            process.syncing_until = now + PATIENCE;
            for from in world.others_called(from, self.index) {
                world.send(self.index, from, &Packet::GetBlocks(tip.next()));
            }
        }
    }

    /// Blocks that others decided: each needs its own certificate (faults.md, unsigned-empty-block).
    pub(super) fn on_blocks(&mut self, blocks: &Arc<Vec<DecidedBlock>>, world: &mut World) {
        let (mut last, tip) = (None, self.disk.tip());
        for decided in blocks.iter().skip_while(|it| it.block.height() <= tip) {
            let Some(next) = self.judge_next(decided, world) else {
                world.tally.count("synced blocks refused");
                break;
            };
            if !self.append(decided.clone(), next, world) {
                break;
            }
            world.tally.count("blocks fetched");
            last = Some(decided.block.height());
        }
        if let Some(process) = &mut self.process {
            process.syncing_until = Duration::ZERO;
        }
        if let Some(height) = last {
            world.note(self.index, || format!("synced up to h{height}"));
            let delay = world.take_time(world.pace.blocks);
            world.wake(self.index, delay, Wake::BlocksSynced { height, by_sync: true });
        }
    }

    /// Who votes after a block that follows upon the last one here, when its certificate, body and execution hold.
    fn judge_next(&self, decided: &DecidedBlock, world: &World) -> Option<Arc<ValidatorSet>> {
        let DecidedBlock { block, certificate } = decided;
        let (set, parent) = (self.set_of(block.height(), world)?, self.header(self.disk.tip(), world)?);
        let proven = (certificate.height(), certificate.block_hash()) == (block.height(), block.hash())
            && certificate.verify(&world.chain.domain, &set, &*world.chain.verifier).is_ok();
        if !proven || !block.is_body_bound() {
            return None;
        }
        judge(&parent, &set, block, self.machine).ok()
    }
}
