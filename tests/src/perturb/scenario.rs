//! What a scenario file says. `tests/README.md` tells it by example.

use std::{path::Path, time::Duration};

use serde::{Deserialize, Serialize};

use super::topology::{Links, Topology};

/// Ports and processors of one machine bound how many nodes make sense.
const MAX_VALIDATORS: usize = 9;
/// Development accounts of `testnet new`: each is one client.
const MAX_WALLETS: u32 = 10;

/// One run: a network and what happens to it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scenario {
    /// What it shows, and where the fault was seen before.
    pub about: String,
    /// How many nodes vote: node 0 and up. One observer comes after them.
    #[serde(default = "four")]
    pub validators: usize,
    /// Who is linked with whom.
    #[serde(default)]
    pub topology: Topology,
    /// Clients that send transfers, each waiting for its last ones.
    #[serde(default = "four_wallets")]
    pub wallets: u32,
    /// Whether the steps start the nodes, rather than find them running.
    #[serde(default)]
    pub cold: bool,
    /// A validator whose data lie on a small disk of their own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub small_disk: Option<SmallDisk>,
    /// What happens, one after another. After the last all faults end, and the audit follows.
    pub steps: Vec<Step>,
}

const fn four() -> usize {
    4
}

const fn four_wallets() -> u32 {
    4
}

/// A file system in memory, mounted where only this node sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SmallDisk {
    /// Whose.
    pub node: usize,
    /// Its size, MiB.
    pub mib: u64,
    /// The node's `storage.min_free_bytes`, MiB.
    pub min_free_mib: u64,
}

/// One line of a scenario: `{ kill = [3] }`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Step {
    /// SIGKILL.
    Kill(Vec<usize>),
    /// SIGTERM, and they must end by themselves with code 0.
    Terminate(Vec<usize>),
    /// Starts processes that do not run.
    Start(Vec<usize>),
    /// SIGSTOP.
    Pause(Vec<usize>),
    /// SIGCONT.
    Resume(Vec<usize>),
    /// Deletes the data of nodes that do not run: chain and vote log.
    Wipe(Vec<usize>),
    /// From now on a node is killed and started again, over and over.
    CrashLoop {
        /// Which.
        node: usize,
        /// How long each of its lives lasts.
        #[serde(with = "humantime_serde")]
        every: Duration,
    },
    /// Ends the crash loops; the nodes stay up.
    Calm {},
    /// One after another: SIGTERM, start, ready again.
    RollingRestart(Vec<usize>),
    /// Nothing passes any more, and nobody is told so.
    Cut(Vec<Links>),
    /// Everything passes at once, also what was held back.
    Heal(Vec<Links>),
    /// Whatever passes arrives this much later, each way.
    Delay {
        /// Where.
        links: Vec<Links>,
        /// One way.
        #[serde(with = "humantime_serde")]
        by: Duration,
    },
    /// Fills the small disk but for this many MiB.
    Fill {
        /// What is left.
        leave_mib: u64,
    },
    /// Empties it of what `fill` has put there.
    Free {},
    /// Time passes under load.
    Wait(#[serde(with = "humantime_serde")] Duration),
    /// Throughput over this time is what later steps are compared with.
    Baseline(#[serde(with = "humantime_serde")] Duration),
    /// Expects a share of the baseline's throughput over some time.
    Throughput {
        /// For how long it is measured.
        #[serde(with = "humantime_serde")]
        lasting: Duration,
        /// Of the baseline.
        at_least_percent: u32,
    },
    /// Expects a new block within this time.
    NextBlock(#[serde(with = "humantime_serde")] Duration),
    /// Expects no block during this time, but for one that was under way.
    Stall(#[serde(with = "humantime_serde")] Duration),
    /// Expects that nodes serve, know the head and, as validators, vote.
    Ready(Vec<usize>),
    /// Expects that a node says that it is not ready, and why.
    Unready {
        /// Which.
        node: usize,
        /// Part of the reason.
        because: String,
    },
    /// Expects that a process ends by itself.
    Ends {
        /// Which.
        node: usize,
        /// With which code.
        code: i32,
    },
}

/// Why a file is no scenario.
#[derive(Debug, thiserror::Error)]
pub enum ScenarioError {
    /// It cannot be read.
    #[error("cannot read {file}: {source}")]
    Read {
        /// The file.
        file: String,
        /// In the system's words.
        source: std::io::Error,
    },
    /// It is not in the format.
    #[error("{0}\n  tests/README.md explains the format")]
    Format(#[from] toml::de::Error),
    /// A value makes no sense.
    #[error("{0}")]
    Value(String),
}

impl Scenario {
    /// Reads and checks a file.
    ///
    /// # Errors
    /// When it is not there, not in the format, or asks for what is not there.
    pub fn read(file: &Path) -> Result<Self, ScenarioError> {
        let text = std::fs::read_to_string(file)
            .map_err(|source| ScenarioError::Read { file: file.display().to_string(), source })?;
        text.parse()
    }

    /// How many nodes there are, the observer included.
    #[must_use]
    pub const fn nodes(&self) -> usize {
        self.validators + 1
    }

    /// As a file would say it.
    ///
    /// # Panics
    /// Never: every value of it has a form in TOML.
    #[must_use]
    pub fn to_toml(&self) -> String {
        toml::to_string(self).expect("a scenario has a form in TOML")
    }

    fn check(self) -> Result<Self, ScenarioError> {
        let wrong = |what: String| Err(ScenarioError::Value(what));
        if !(1..=MAX_VALIDATORS).contains(&self.validators) {
            return wrong(format!("{} validators: from 1 to {MAX_VALIDATORS}", self.validators));
        }
        if !(1..=MAX_WALLETS).contains(&self.wallets) {
            return wrong(format!("{} wallets: from 1 to {MAX_WALLETS}", self.wallets));
        }
        let named = self.steps.iter().flat_map(Step::nodes).chain(self.small_disk.map(|it| it.node));
        if let Some(node) = named.into_iter().find(|node| *node >= self.nodes()) {
            return wrong(format!("there is no node {node}: {} is the observer, the last", self.validators));
        }
        let pairs = self.topology.pairs(self.nodes());
        let nowhere =
            |links: &&Links| !pairs.iter().any(|(a, b)| links.contain(*a, *b) || links.contain(*b, *a));
        if let Some(links) = self.steps.iter().flat_map(Step::links).find(nowhere) {
            return wrong(format!("there is no link {} in this topology", String::from(links.clone())));
        }
        let on_disk = |step: &&Step| matches!(step, Step::Fill { .. } | Step::Free {});
        if self.small_disk.is_none() && self.steps.iter().any(|step| on_disk(&step)) {
            return wrong("fill and free need a [small_disk]".to_owned());
        }
        if let Some(disk) = self.small_disk
            && self.steps.iter().any(|step| matches!(step, Step::Wipe(nodes) if nodes.contains(&disk.node)))
        {
            return wrong("the node with the small disk cannot be wiped".to_owned());
        }
        Ok(self)
    }
}

impl std::str::FromStr for Scenario {
    type Err = ScenarioError;

    fn from_str(text: &str) -> Result<Self, ScenarioError> {
        toml::from_str::<Self>(text)?.check()
    }
}

impl Step {
    fn nodes(&self) -> Vec<usize> {
        match self {
            Self::Kill(nodes)
            | Self::Terminate(nodes)
            | Self::Start(nodes)
            | Self::Pause(nodes)
            | Self::Resume(nodes)
            | Self::Wipe(nodes)
            | Self::RollingRestart(nodes)
            | Self::Ready(nodes) => nodes.clone(),
            Self::CrashLoop { node, .. } | Self::Unready { node, .. } | Self::Ends { node, .. } => {
                vec![*node]
            }
            _ => Vec::new(),
        }
    }

    fn links(&self) -> &[Links] {
        match self {
            Self::Cut(links) | Self::Heal(links) | Self::Delay { links, .. } => links,
            _ => &[],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_read_checked_and_written_again() {
        let text = r#"
            about = "for this test"
            topology = "ring"
            steps = [
              { kill = [3] }, { wait = "1s 500ms" }, { calm = {} }, { cut = ["0-1", "2>3"] },
              { crash_loop = { node = 2, every = "2s" } },
            ]
        "#;
        let scenario: Scenario = text.parse().expect("a scenario");
        assert_eq!((scenario.validators, scenario.nodes(), scenario.wallets), (4, 5, 4));
        assert_eq!(scenario.steps[1], Step::Wait(Duration::from_millis(1500)));
        assert_eq!(scenario.to_toml().parse::<Scenario>().expect("its own words"), scenario);
    }

    #[test]
    fn what_is_not_there_is_refused_before_anything_runs() {
        let refused =
            |rest: &str| format!("about = ''\n{rest}").parse::<Scenario>().expect_err(rest).to_string();
        assert!(refused("steps = [{ kill = [5] }]").contains("no node 5"));
        assert!(refused("topology = 'ring'\nsteps = [{ cut = ['0-2'] }]").contains("no link 0-2"));
        assert!(refused("steps = [{ fill = { leave_mib = 1 } }]").contains("small_disk"));
        assert!(refused("wallets = 11\nsteps = []").contains("11 wallets"));
        assert!(refused("steps = [{ explode = [1] }]").contains("explode"));
        assert!(refused("stepps = []").contains("stepps"));
    }
}
