//! What must hold in every run, whatever happens: checked at every step, over all nodes and over all their lives.

mod sizes;
mod views;

use std::{collections::BTreeMap, fmt, sync::Arc, time::Duration};

use quorate_consensus::{Alarm, Evidence};
use quorate_types::{B256, Height, NodeId, Statement, ValidatorSet, View};

use crate::{
    chain::{Chain, set_after},
    packet::{DecidedBlock, describe, short},
    tally::Tally,
};

pub(crate) use sizes::Sizes;

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

/// What was decided at a height.
#[derive(Debug)]
struct Decided {
    hash: B256,
    timestamp: u64,
    /// Who votes on the height after it.
    next: Arc<ValidatorSet>,
}

impl Decided {
    fn is_same(&self, height: Height, hash: &B256, next: &ValidatorSet) -> Result<(), String> {
        if self.hash != *hash {
            return Err(format!(
                "FORK: height {height} is decided as {} and as {}",
                short(&self.hash),
                short(hash)
            ));
        }
        if *self.next != *next {
            return Err(format!("two nodes differ in who votes after height {height}"));
        }
        Ok(())
    }
}

/// Sees everything and forgets nothing.
#[derive(Debug)]
pub(crate) struct Oracle {
    /// The key of each node.
    keys: Vec<NodeId>,
    /// Keys that lie or run twice.
    liars: Vec<NodeId>,
    decided: BTreeMap<Height, Decided>,
    /// What each process that does not lie signed and synced in all its lives: by node, height, kind, view.
    said: BTreeMap<(usize, Height, u8, View), Statement>,
    views: views::Views,
    violation: Option<Violation>,
}

impl Oracle {
    pub(crate) fn new(keys: Vec<NodeId>, liars: Vec<NodeId>) -> Self {
        let (decided, said) = (BTreeMap::new(), BTreeMap::new());
        Self { keys, liars, decided, said, views: views::Views::default(), violation: None }
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

    pub(crate) fn liars(&self) -> &[NodeId] {
        &self.liars
    }

    pub(crate) fn highest(&self) -> Height {
        self.decided.last_key_value().map_or(Height::ZERO, |(height, _)| *height)
    }

    /// Who votes on a height, by the blocks that were decided below it.
    pub(crate) fn set_of(&self, height: Height, chain: &Chain) -> Option<Arc<ValidatorSet>> {
        match height.previous()? {
            Height::ZERO => Some(chain.first.clone()),
            parent => self.decided.get(&parent).map(|decided| decided.next.clone()),
        }
    }

    /// A node writes a decided block: one hash for each height, and a certificate that proves it to anyone who knows the
    /// chain below it.
    pub(crate) fn on_decided(
        &mut self,
        it: &DecidedBlock,
        next: &ValidatorSet,
        chain: &Chain,
        tally: &mut Tally,
    ) -> Result<(), String> {
        let DecidedBlock { block, certificate } = it;
        let (height, hash, timestamp) = (block.height(), block.hash(), block.header().timestamp);
        if (certificate.height(), certificate.block_hash()) != (height, hash) || !block.is_body_bound() {
            return Err(format!("block and certificate of height {height} do not belong together"));
        }
        let set = self.set_of(height, chain).ok_or("a block is decided before its parent")?;
        certificate
            .verify(&chain.domain, &set, &*chain.verifier)
            .map_err(|error| format!("the certificate of height {height} proves nothing: {error}"))?;
        if certificate.view() > View::ZERO {
            tally.count("decisions above view 0");
        }
        if let Some(first) = self.decided.get(&height) {
            return first.is_same(height, &hash, next);
        }
        let parent = height.previous().and_then(|parent| self.decided.get(&parent));
        if parent.is_some_and(|parent| parent.hash != block.header().parent_hash) {
            return Err(format!("height {height} is decided on a parent that was not"));
        }
        if parent.is_some_and(|parent| parent.timestamp > timestamp) {
            return Err(format!("time runs backwards at height {height}"));
        }
        if block.transactions().is_empty() && certificate.view() == View::ZERO && height > Height(1) {
            tally.count("empty blocks");
        }
        let after = set_after(&set, block.transactions());
        if *after != *set {
            tally.count("validator sets that followed another");
        }
        let first = Decided { hash, timestamp, next: after };
        let truth = first.is_same(height, &hash, next);
        self.decided.insert(height, first);
        truth
    }

    /// An honest node's statement is on disk for good: it must agree with all that it ever put there.
    pub(crate) fn on_synced(
        &mut self,
        node: usize,
        is_honest: bool,
        new: Statement,
        set: Option<&ValidatorSet>,
    ) -> Result<(), String> {
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
        let set = set.ok_or("something is signed for a height whose parent nobody decided")?;
        let who = self.keys[node];
        if !is_honest {
            return Ok(());
        }
        if !set.contains(&who) {
            return Err(format!("signed without a vote: {new:?}"));
        }
        self.views.on_said(who, &new, set, |key| self.liars.contains(key))
    }

    /// A node starts with a log that it trusts: what it ever signed above its head must be in there (R20).
    pub(crate) fn on_trusted_start(
        &self,
        node: usize,
        head: Height,
        found: &[Statement],
    ) -> Result<(), String> {
        let above = (node, head.next(), 0, View::ZERO)..(node + 1, Height::ZERO, 0, View::ZERO);
        match self.said.range(above).find(|(_, said)| !found.contains(said)) {
            Some((_, lost)) => Err(format!("trusts a log that has lost what it signed: {lost:?}")),
            None => Ok(()),
        }
    }

    /// A node that lost what it signed begins again: above all that it ever signed (R21).
    pub(crate) fn on_resumed(&self, node: usize, height: Height) -> Result<(), String> {
        let from = (node, height, 0, View::ZERO)..(node + 1, Height::ZERO, 0, View::ZERO);
        match self.said.range(from).next() {
            Some((_, said)) => {
                Err(format!("signs again at height {height}, where it signed before: {said:?}"))
            }
            None => Ok(()),
        }
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

    /// All nodes execute alike and an honest key runs once, so nothing here is worth an alarm.
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
}
