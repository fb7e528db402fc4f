//! What is signed within one height, and what may happen next.

use std::fmt;

use clap::ValueEnum;
use serde::Serialize;

use crate::{
    HONEST,
    statements::{Block, Lock, Votes, Wishes},
};

/// What one honest validator signed, and its lock; all of it is on disk.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Validator {
    pub(super) wishes: Wishes,
    pub(super) prevotes: Votes,
    pub(super) commits: Votes,
    pub(super) lock: Lock,
}

impl Validator {
    fn swapped(self) -> Self {
        Self {
            wishes: self.wishes.swapped(),
            prevotes: self.prevotes.swapped(),
            commits: self.commits.swapped(),
            lock: self.lock.swapped(),
        }
    }
}

/// All that honest validators signed: whoever likes may read it, now, later or never.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Statements(pub(super) [Validator; HONEST]);

impl Statements {
    /// The highest view in which anything was signed.
    pub(super) fn highest_view(&self) -> u8 {
        let views = |it: &Validator| [it.wishes.highest(), it.prevotes.highest(), it.commits.highest()];
        self.0.iter().flat_map(views).max().unwrap_or(0)
    }

    /// The one state that stands for all that differ by the names of validators and blocks alone. No rule
    /// knows either: who leads a view does not matter, since every leader may lie.
    #[must_use]
    pub fn representative(&self) -> Self {
        let (mut same, mut swapped) = (*self, Self(self.0.map(Validator::swapped)));
        same.0.sort_unstable();
        swapped.0.sort_unstable();
        same.min(swapped)
    }
}

/// What may happen next, and to which honest validator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Action {
    pub(super) by: usize,
    pub(super) kind: Kind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// It prevotes a justified proposal.
    Prevote(u8, Block),
    /// It locks a block, and commits it.
    Commit(u8, Block),
    /// It wishes for a view, with a lock.
    ViewChange(u8, Lock),
    /// It stops, and starts with what is on its disk.
    Restart,
}

impl Action {
    /// The view that it belongs to.
    pub(super) const fn view(self) -> Option<u8> {
        match self.kind {
            Kind::Prevote(view, _) | Kind::Commit(view, _) | Kind::ViewChange(view, _) => Some(view),
            Kind::Restart => None,
        }
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "validator {} ", self.by)?;
        match self.kind {
            Kind::Prevote(view, block) => write!(f, "prevotes {block:?} in view {view}"),
            Kind::Commit(view, block) => write!(f, "commits {block:?} in view {view}"),
            Kind::ViewChange(view, lock) => write!(f, "wishes for view {view}, {lock:?}"),
            Kind::Restart => write!(f, "restarts"),
        }
    }
}

/// In which order statements of different views are signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Order {
    /// In any order: nothing is assumed.
    Any,
    // Why that is enough: `Views::close_below`.
    /// Nothing of a view follows anything of a higher one.
    Ascending,
}

impl fmt::Display for Order {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Any => "any",
            Self::Ascending => "ascending",
        })
    }
}
