//! What a replica is told once. All but the key comes from genesis: no node's own setting can slow or
//! stop the chain (faults.md, local-config-stall).

use std::time::Duration;

use quorate_types::{ChainConfig, NodeId, View};

use crate::mutant::Mutant;

/// How many doublings of the view timer there are: 64 times the base (PROTOCOL.md, R15).
const MAX_DOUBLINGS: u64 = 6;
/// How long the timer may be held back for a block under execution, in base timeouts (R16).
pub(crate) const HOLD_BACK_BASES: u32 = 16;

/// A replica's settings.
#[derive(Clone, Copy, Debug)]
pub struct ReplicaConfig {
    /// The node's key; a node outside the validator set follows without a vote.
    pub me: NodeId,
    /// The timer of view 0.
    pub base_timeout: Duration,
    /// The least time between two blocks.
    pub min_block_interval: Duration,
    /// When an empty block is due; `None`: never.
    pub empty_block_interval: Option<Duration>,
    /// The rule that is broken on purpose.
    #[cfg(feature = "mutants")]
    pub mutant: Option<Mutant>,
}

impl ReplicaConfig {
    /// The settings of `chain` for the node `me`.
    #[must_use]
    pub fn new(me: NodeId, chain: &ChainConfig) -> Self {
        Self {
            me,
            base_timeout: chain.base_timeout(),
            min_block_interval: chain.min_block_interval(),
            empty_block_interval: chain.empty_block_interval(),
            #[cfg(feature = "mutants")]
            mutant: Mutant::active(),
        }
    }

    /// Whether a rule is broken on purpose.
    #[cfg(feature = "mutants")]
    #[must_use]
    pub fn breaks(&self, mutant: Mutant) -> bool {
        self.mutant == Some(mutant)
    }

    /// No rule is broken on purpose.
    #[cfg(not(feature = "mutants"))]
    #[expect(clippy::unused_self, reason = "it asks the setting when there are mutants")]
    pub(crate) const fn breaks(&self, _: Mutant) -> bool {
        false
    }

    /// The timer of `view`: base * 2^view, at most 64 times the base.
    #[must_use]
    pub fn view_timeout(&self, view: View) -> Duration {
        let most = if self.breaks(Mutant::SmallCap) { 1 } else { MAX_DOUBLINGS };
        self.base_timeout * 2_u32.pow(u32::try_from(view.0.min(most)).unwrap_or(0))
    }

    /// How often undecided things are sent again: twice within the timer of view 0.
    pub(crate) fn resend_interval(&self) -> Duration {
        self.base_timeout / 2
    }
}
