//! Bounds on what one step does and on what piles up at an honest node, whoever floods it.

use quorate_consensus::Footprint;
use quorate_types::View;

/// The highest view that timers can lead to within a run, with much room. Higher, and a liar moved somebody.
const MAX_VIEW: usize = 60;
/// Effects of one step. A restart sends a few own messages again; nothing else comes near.
const MAX_EFFECTS: usize = 256;
/// Inputs that wait at one node while its disk syncs.
const MAX_INBOX: usize = 4096;
/// Frames in the vote log: those of the heights whose records are not synced yet.
const MAX_FRAMES: usize = 512;
/// Messages for the next height that one neighbour may leave.
const MAX_EARLY: usize = 600;
/// Bytes of all of them together.
const MAX_EARLY_BYTES: usize = 64 << 20;
/// Proposals of one height, and blocks.
const MAX_PROPOSALS: usize = 4;
const MAX_BLOCKS: usize = 16;
/// Views in two phases for which the votes of one member are kept.
const MAX_VOTES: usize = 2 * 8;
/// Own statements: four kinds in 64 views, and the last of each.
const MAX_OWN: usize = 4 * 64 + 4;
/// Heights that a log holds above the one in flight (R20).
const MAX_RECOVERED: usize = 2;
/// Kinds of messages that are passed on.
const KINDS: usize = 7;

/// How much there is of everything at one node.
pub(crate) struct Sizes {
    pub(crate) effects: usize,
    pub(crate) inbox: usize,
    pub(crate) frames: usize,
    /// Messages and bytes.
    pub(crate) early: (usize, usize),
    pub(crate) view: View,
    pub(crate) replica: Footprint,
}

impl Sizes {
    /// The first thing of which there is too much, among so many nodes.
    pub(crate) fn check(&self, nodes: usize) -> Result<(), String> {
        let replica = &self.replica;
        let bounds = [
            ("effects of one step", self.effects, MAX_EFFECTS),
            ("inputs that wait", self.inbox, MAX_INBOX),
            ("frames in the vote log", self.frames, MAX_FRAMES),
            ("early messages", self.early.0, MAX_EARLY * nodes),
            ("bytes of early messages", self.early.1, MAX_EARLY_BYTES),
            ("views", usize::try_from(self.view.0).unwrap_or(usize::MAX), MAX_VIEW),
            ("proposals", replica.proposals, MAX_PROPOSALS),
            ("refused offers", replica.refused, MAX_PROPOSALS),
            ("blocks", replica.blocks, MAX_BLOCKS),
            ("votes", replica.votes, MAX_VOTES * nodes),
            ("wishes", replica.view_changes, nodes),
            ("refusals", replica.rejects, nodes),
            ("own statements", replica.own, MAX_OWN),
            ("heights from the log", replica.recovered, MAX_RECOVERED),
            ("statuses", replica.statuses, nodes),
            ("last messages and silences", replica.heard, 2 * nodes),
            ("leaders with a penalty", replica.penalized, nodes),
            ("helped neighbours", replica.helped, nodes),
            ("messages passed on", replica.relayed, KINDS * nodes),
        ];
        match bounds.into_iter().find(|(_, count, most)| count > most) {
            Some((what, count, most)) => Err(format!("{count} {what}, more than {most}")),
            None => Ok(()),
        }
    }
}
