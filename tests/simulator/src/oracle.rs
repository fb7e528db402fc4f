//! What must hold in every run, whatever happens: checked at every step, over all nodes and over all their lives.

use std::{collections::BTreeMap, fmt, time::Duration};

use quorate_consensus::{Alarm, Evidence, Snapshot};
use quorate_types::{B256, Height, NodeId, Statement, View};

use crate::{
    chain::Chain,
    packet::{DecidedBlock, describe, short},
};

/// The highest view that timers can lead to within a run, with much room. Higher, and a liar moved somebody.
const MAX_VIEW: u64 = 60;
/// Effects of one step. A restart sends a few own messages again; nothing else comes near.
const MAX_EFFECTS: usize = 256;
/// Inputs that wait at one node while its disk syncs.
const MAX_INBOX: usize = 4096;
/// Frames in the vote log: those of the heights whose records are not synced yet.
const MAX_FRAMES: usize = 512;

/// The numbers of the kinds in [`Statement::kind`].
const COMMIT: u8 = 3;
const VIEW_CHANGE: u8 = 4;

/// Why a run failed.
#[derive(Clone, Debug)]
pub struct Violation {
    /// When, in virtual time.
    pub at: Duration,
    /// At which node.
    pub node: Option<usize>,
    /// What happened that must not.
    pub what: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "at {:.3} s", self.at.as_secs_f64())?;
        if let Some(node) = self.node {
            write!(f, ", node {node}")?;
        }
        write!(f, ": {}", self.what)
    }
}

/// Sees everything and forgets nothing.
#[derive(Debug)]
pub(crate) struct Oracle {
    liars: Vec<NodeId>,
    decided: BTreeMap<Height, B256>,
    /// What each honest key signed and synced: by node, height, kind, view.
    said: BTreeMap<(usize, Height, u8, View), Statement>,
    violation: Option<Violation>,
}

impl Oracle {
    pub(crate) const fn new(liars: Vec<NodeId>) -> Self {
        Self { liars, decided: BTreeMap::new(), said: BTreeMap::new(), violation: None }
    }

    pub(crate) const fn violation(&self) -> Option<&Violation> {
        self.violation.as_ref()
    }

    /// The first violation is the one that counts.
    pub(crate) fn accuse(&mut self, at: Duration, node: Option<usize>, what: String) {
        self.violation.get_or_insert(Violation { at, node, what });
    }

    pub(crate) fn is_liar(&self, id: &NodeId) -> bool {
        self.liars.contains(id)
    }

    pub(crate) fn highest(&self) -> Height {
        self.decided.last_key_value().map_or(Height::ZERO, |(height, _)| *height)
    }

    /// A node writes a decided block: one hash for each height, with a certificate that proves it.
    pub(crate) fn on_decided(&mut self, decided: &DecidedBlock, chain: &Chain) -> Result<(), String> {
        let DecidedBlock { block, certificate } = decided;
        let (height, hash) = (block.height(), block.hash());
        if (certificate.height(), certificate.block_hash()) != (height, hash) || !block.is_body_bound() {
            return Err(format!("block and certificate of height {height} do not belong together"));
        }
        certificate
            .verify(&chain.domain, &chain.validators, &*chain.verifier)
            .map_err(|error| format!("the certificate of height {height} proves nothing: {error}"))?;
        let first = *self.decided.entry(height).or_insert(hash);
        if first != hash {
            return Err(format!(
                "FORK: height {height} is decided as {} and as {}",
                short(&first),
                short(&hash)
            ));
        }
        let parent = height.previous().and_then(|parent| self.decided.get(&parent));
        if parent.is_some_and(|parent| *parent != block.header().parent_hash) {
            return Err(format!("height {height} is decided on a parent that was not"));
        }
        Ok(())
    }

    /// An honest node's statement is on disk for good: it must agree with all that it ever put there.
    pub(crate) fn on_synced(&mut self, node: usize, new: Statement) -> Result<(), String> {
        let (height, kind, view) = (new.height(), new.kind(), new.view());
        match self.said.insert((node, height, kind, view), new) {
            // Read again after a restart.
            Some(old) if old == new => return Ok(()),
            Some(old) => return Err(format!("SIGNED TWICE: {old:?} and {new:?}")),
            None => {}
        }
        if let Statement::ViewChange(change) = &new {
            let below = (node, height, COMMIT, View::ZERO)..(node, height, COMMIT, view);
            let highest = self.said.range(below).next_back().map(|((.., view), _)| *view);
            if highest > change.prepared.map(|it| it.view) {
                return Err(format!("committed in view {highest:?}, then forgot the lock in {new:?}"));
            }
        }
        let higher = (node, height, VIEW_CHANGE, view.next())..=(node, height, VIEW_CHANGE, View(u64::MAX));
        if kind < VIEW_CHANGE && self.said.range(higher).next().is_some() {
            return Err(format!("voted in a view that it had given up: {new:?}"));
        }
        Ok(())
    }

    /// Nothing binding leaves an honest node before it is synced.
    pub(crate) fn on_sent(&self, node: usize, statement: &Statement) -> Result<(), String> {
        if statement.kind() > VIEW_CHANGE {
            return Ok(());
        }
        let key = (node, statement.height(), statement.kind(), statement.view());
        if self.said.get(&key) == Some(statement) {
            Ok(())
        } else {
            Err(format!("sent before it was synced: {statement:?}"))
        }
    }

    /// Who is accused of a lie must be a liar.
    pub(crate) fn on_evidence(&self, evidence: &Evidence) -> Result<(), String> {
        let signer = match evidence {
            Evidence::Proposals(first, _) => first.signer,
            Evidence::Votes(first, _) => first.signer,
            Evidence::ViewChanges(first, _) => first.signer,
        };
        if self.is_liar(&signer) { Ok(()) } else { Err(format!("an honest key lied: {evidence:?}")) }
    }

    /// All nodes execute alike and no key runs twice, so nothing here is worth an alarm.
    pub(crate) fn on_alarm(alarm: &Alarm) -> String {
        match alarm {
            Alarm::ForeignSignature(message) => format!("false alarm: own {} is foreign", describe(message)),
            Alarm::Diverged { certificate, reason, .. } => {
                format!("false alarm: height {} diverged: {reason:?}", certificate.height())
            }
            Alarm::RootsDisputed { height, .. } => {
                format!("false alarm: roots of height {height} are disputed")
            }
        }
    }

    /// Bounds on what a step does and on what piles up.
    pub(crate) fn on_step(
        effects: usize,
        inbox: usize,
        frames: usize,
        state: &Snapshot,
    ) -> Result<(), String> {
        let bounds = [
            ("effects of one step", effects, MAX_EFFECTS),
            ("inputs that wait", inbox, MAX_INBOX),
            ("frames in the vote log", frames, MAX_FRAMES),
        ];
        if let Some((what, count, most)) = bounds.into_iter().find(|(_, count, most)| count > most) {
            return Err(format!("{count} {what}, more than {most}"));
        }
        if state.view.0 > MAX_VIEW {
            return Err(format!("view {} was reached at height {}", state.view, state.height));
        }
        Ok(())
    }
}
