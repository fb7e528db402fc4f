//! What an operator must look at, kept until the node is started again.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
};

use parking_lot::Mutex;
use quorate_types::{B256, Roots};

/// Refusals remembered until a quorum decides one of them: the replica holds 16 blocks of a height.
const MAX_REFUSALS: usize = 16;

/// The kinds of alarm; of each the last is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum AlarmKind {
    /// A quorum decided what this node computes differently: consensus has stopped here.
    Diverged,
    /// Sync met a decided block that this node cannot follow: it has stopped.
    SyncDiverged,
    /// Others compute other roots than a block's leader did.
    RootsDisputed,
}

/// The alarms of one node. Cheap to clone.
#[derive(Clone, Default)]
pub(crate) struct Alarms(Arc<Mutex<Inner>>);

#[derive(Default)]
struct Inner {
    raised: BTreeMap<AlarmKind, String>,
    refused: VecDeque<(B256, RootsOf)>,
}

/// What two executions of one block came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct RootsOf {
    /// In its header.
    pub(crate) header: Roots,
    /// Here.
    pub(crate) own: Roots,
}

impl std::fmt::Display for RootsOf {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { header, own } = self;
        write!(
            f,
            "decided state root {}, receipts root {}; computed here {}, {}",
            header.state, header.receipts, own.state, own.receipts
        )
    }
}

impl Alarms {
    pub(crate) fn raise(&self, kind: AlarmKind, text: String) {
        self.0.lock().raised.insert(kind, text);
    }

    /// All of them.
    pub(crate) fn all(&self) -> Vec<String> {
        self.0.lock().raised.values().cloned().collect()
    }

    /// Those for which this node must not serve: a dispute among others is not one.
    pub(crate) fn own(&self) -> Vec<String> {
        let inner = self.0.lock();
        let own = inner.raised.iter().filter(|(kind, _)| **kind != AlarmKind::RootsDisputed);
        own.map(|(_, text)| text.clone()).collect()
    }

    /// Remembers what this node computed for a block that it refuses over its roots.
    pub(crate) fn note_refusal(&self, block_hash: B256, roots: RootsOf) {
        let mut inner = self.0.lock();
        if inner.refused.len() == MAX_REFUSALS {
            inner.refused.pop_front();
        }
        inner.refused.push_back((block_hash, roots));
    }

    /// Both roots of a block that was refused over them.
    pub(crate) fn roots_of(&self, block_hash: &B256) -> Option<RootsOf> {
        let inner = self.0.lock();
        inner.refused.iter().rev().find(|(hash, _)| hash == block_hash).map(|(_, roots)| *roots)
    }
}
