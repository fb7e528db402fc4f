//! One run from its first process to its verdict.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::PathBuf,
    sync::Arc,
    time::Duration,
};

use tokio::{sync::watch, task::JoinSet, time::Instant};

use super::{
    Record, Scenario, Skipped, Step, Violation,
    load::Load,
    processes::Processes,
    proxy::Proxies,
    tending::CrashLoop,
    watch::{Book, client, watch as watch_node},
};
use crate::cluster::Cluster;

/// How long a node may take to end when it is asked to: what `testnet down` gives it.
const GRACE: Duration = Duration::from_secs(10);

/// What a run that went well has seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Summary {
    /// Blocks, the same on every node.
    pub blocks: u64,
    /// Transactions in them, each once.
    pub transactions: u64,
    /// Of those, how many a node had said that it takes; of the others the answer was lost.
    pub accepted: usize,
    /// The longest time without a new block.
    pub longest_pause: Duration,
}

/// How a run ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ending {
    /// Nothing was violated.
    Passed(Summary),
    /// It cannot run here.
    Skipped(Skipped),
    /// A promise was broken. The folder is kept: the scenario, what was told, and each node's logs and data.
    Failed {
        /// What was broken.
        violations: Vec<Violation>,
        /// What is left.
        folder: PathBuf,
    },
}

/// What the run tells while it goes on, line by line.
pub type Tell<'t> = &'t (dyn Fn(&str) + Send + Sync);

/// A run under way.
pub(super) struct Run<'r> {
    pub(super) scenario: &'r Scenario,
    pub(super) processes: Processes,
    pub(super) proxies: Proxies,
    pub(super) book: Book,
    pub(super) load: Option<Load>,
    pub(super) loops: BTreeMap<usize, CrashLoop>,
    /// Transactions in a thousand seconds, undisturbed.
    pub(super) baseline: Option<u64>,
    pub(super) began: Instant,
    told: Vec<String>,
    tell: Tell<'r>,
    _watchers: JoinSet<()>,
}

/// Runs a scenario to its end.
///
/// # Panics
/// When the machine does not do: no binary, no ports, no room for the network's folder.
pub async fn run(scenario: &Scenario, tell: Tell<'_>) -> Ending {
    let cluster = Cluster::create(scenario.validators);
    let pairs = scenario.topology.pairs(scenario.nodes());
    let proxies = Proxies::start(&pairs, |node| cluster.p2p_port(node)).await.expect("ports");
    let processes = match Processes::new(cluster, &proxies, scenario) {
        Ok(processes) => processes,
        Err(skipped) => return Ending::Skipped(skipped),
    };
    let mut run = Run::new(scenario, processes, proxies, tell);
    match run.play().await {
        Ok(summary) => Ending::Passed(summary),
        Err(last) => run.fail(last),
    }
}

impl<'r> Run<'r> {
    fn new(scenario: &'r Scenario, processes: Processes, proxies: Proxies, tell: Tell<'r>) -> Self {
        let (began, book) = (Instant::now(), Arc::new(watch::Sender::new(Record::default())));
        let mut watchers = JoinSet::new();
        for node in 0..scenario.nodes() {
            let name = processes.cluster.name(node).to_owned();
            watchers.spawn(watch_node(client(&processes.cluster, node), name, book.clone(), began));
        }
        Self {
            scenario,
            processes,
            proxies,
            book,
            load: None,
            loops: BTreeMap::new(),
            baseline: None,
            began,
            told: Vec::new(),
            tell,
            _watchers: watchers,
        }
    }

    async fn play(&mut self) -> Result<Summary, Violation> {
        let scenario = self.scenario;
        // The clients come first: a validator that comes up after the others have begun abstains for some blocks, and
        // without work there are none.
        self.load = Some(Load::start(&self.processes.cluster, scenario.wallets, &self.book));
        if !scenario.cold {
            self.processes.restore()?;
            self.ready(&(0..scenario.nodes()).collect::<Vec<_>>()).await?;
        }
        for step in &scenario.steps {
            self.say(&format!("{step:?}"));
            self.perform(step).await?;
        }
        self.end_faults().await?;
        self.audit().await
    }

    /// Keeps everything, and says what was violated: all of it, not only what was noticed last.
    fn fail(&mut self, last: Violation) -> Ending {
        let mut violations: BTreeSet<_> = self.book.borrow().violations().clone();
        violations.insert(last);
        self.processes.cluster.keep();
        let folder = self.processes.cluster.net();
        violations.iter().for_each(|it| self.say(&format!("VIOLATION: {it}")));
        // Best effort: the verdict stands without these files.
        let _ = fs::write(folder.join("scenario.toml"), self.scenario.to_toml());
        let _ = fs::write(folder.join("run.log"), self.told.join("\n"));
        Ending::Failed { violations: violations.into_iter().collect(), folder }
    }

    pub(super) fn say(&mut self, what: &str) {
        let line = format!("{:7.2}s  {what}", self.began.elapsed().as_secs_f64());
        (self.tell)(&line);
        self.told.push(line);
    }

    async fn perform(&mut self, step: &Step) -> Result<(), Violation> {
        match step {
            Step::Kill(nodes) => self.each(nodes, Processes::kill),
            Step::Start(nodes) => self.each(nodes, Processes::start),
            Step::Pause(nodes) => self.each(nodes, Processes::pause),
            Step::Resume(nodes) => self.each(nodes, Processes::resume),
            Step::Wipe(nodes) => self.each(nodes, |processes, node| processes.wipe(node)),
            Step::Terminate(nodes) => self.terminate(nodes).await,
            Step::RollingRestart(nodes) => self.rolling_restart(nodes).await,
            Step::CrashLoop { node, every } => {
                self.loops.insert(*node, CrashLoop { every: *every, due: Instant::now() });
                Ok(())
            }
            Step::Calm {} => self.calm(),
            Step::Cut(links) => {
                self.proxies.cut(links);
                Ok(())
            }
            Step::Heal(links) => {
                self.proxies.heal(links);
                Ok(())
            }
            Step::Delay { links, by } => {
                self.proxies.delay(links, *by);
                Ok(())
            }
            Step::Fill { leave_mib } => {
                let free = self.processes.fill(*leave_mib).map_err(|error| on_disk(&error))?;
                self.say(&format!("{free} bytes are left"));
                Ok(())
            }
            Step::Free {} => self.processes.free().map_err(|error| on_disk(&error)),
            expectation => self.expect(expectation).await,
        }
    }

    fn each(
        &mut self,
        nodes: &[usize],
        act: impl Fn(&mut Processes, usize) -> Result<(), Violation>,
    ) -> Result<(), Violation> {
        nodes.iter().try_for_each(|node| act(&mut self.processes, *node))
    }

    async fn terminate(&mut self, nodes: &[usize]) -> Result<(), Violation> {
        nodes.iter().try_for_each(|node| self.processes.ask_to_end(*node))?;
        for node in nodes {
            self.ends(*node, 0, GRACE).await?;
        }
        Ok(())
    }

    async fn rolling_restart(&mut self, nodes: &[usize]) -> Result<(), Violation> {
        for node in nodes {
            self.terminate(&[*node]).await?;
            self.processes.start(*node)?;
            self.ready(&[*node]).await?;
        }
        Ok(())
    }

    /// Ends the crash loops: whoever is down comes up for good.
    pub(super) fn calm(&mut self) -> Result<(), Violation> {
        for node in std::mem::take(&mut self.loops).into_keys() {
            if !self.processes.runs(node) {
                self.processes.start(node)?;
            }
        }
        Ok(())
    }
}

fn on_disk(error: &std::io::Error) -> Violation {
    Violation::Script(format!("the small disk: {error}"))
}
