//! `up`: starts what is not running and waits until the network works.

use std::{
    fs,
    net::SocketAddr,
    path::Path,
    process::Child,
    time::{Duration, Instant},
};

use backon::{ConstantBuilder, Retryable as _};
use eyre::WrapErr as _;
use futures::future::join_all;

use super::{
    network::{LocalNode, Network},
    ports, process,
};
use crate::{
    client::Health,
    exit::{Exit, Failure},
};

/// How often the nodes are asked: often enough that nobody notices, rare enough to cost nothing.
const ASK_EVERY: Duration = Duration::from_millis(100);
/// How often a port that nobody seen holds is probed.
const MAX_PROBES: usize = 20;

/// A node that runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Started {
    /// `node0` or `observer0`.
    pub name: String,
    /// Its process.
    pub pid: u32,
    /// Where clients reach it.
    pub rpc: String,
    /// Where other nodes reach it.
    pub p2p: String,
    /// False when it was running before.
    pub started: bool,
}

/// A node that is waited for.
struct Waiting<'n> {
    node: &'n LocalNode,
    pid: u32,
    /// The process, when it was started here.
    child: Option<Child>,
    /// The first height that it reported: what it had on disk.
    first_height: Option<u64>,
    answer: Result<Health, Failure>,
}

impl Network {
    /// Starts every node that is not running as `program --config FILE`, a process that outlives this
    /// one, and returns when each is healthy and at the head that the network had before, at least 1.
    /// `warn` is told what does not matter.
    ///
    /// # Errors
    /// When a port is taken, a node ends, or `patience` does. Nodes that were started go on.
    pub async fn up(
        &self,
        program: &Path,
        patience: Duration,
        mut warn: impl FnMut(String),
    ) -> eyre::Result<Vec<Started>> {
        let running: Vec<_> = self.nodes.iter().map(|node| (node, node.pid())).collect();
        // All ports first: a conflict should not leave half a network running.
        for (node, _) in running.iter().filter(|(_, pid)| pid.is_none()) {
            let (needed, wanted) = ports::of(&node.config);
            for address in needed {
                free(address).await.wrap_err_with(|| node.name.clone())?;
            }
            let busy = wanted.into_iter().filter_map(|address| ports::probe(address).err());
            busy.for_each(|failure| warn(format!("{} does without {failure}", node.name)));
        }
        let mut waiting = Vec::new();
        for (node, pid) in running {
            waiting.push(match pid {
                Some(pid) => Waiting::new(node, pid, None),
                None => launch(program, node)?,
            });
        }
        wait(&mut waiting, program, Instant::now() + patience).await?;
        Ok(waiting.iter().map(Waiting::started).collect())
    }
}

/// Checks that a port is free. One that nobody seen holds is waited for: what was just killed keeps its ports for a moment longer.
async fn free(address: SocketAddr) -> Result<(), Failure> {
    let moments = ConstantBuilder::default().with_delay(ASK_EVERY).with_max_times(MAX_PROBES);
    let unseen = |_: &Failure| ports::holder(address.port()).is_none();
    (|| async move { ports::probe(address) }).retry(moments).when(unseen).await
}

fn launch<'n>(program: &Path, node: &'n LocalNode) -> eyre::Result<Waiting<'n>> {
    let child = process::start(program, &node.file, &node.logs())?;
    let (pid, file) = (child.id(), node.pid_file());
    fs::write(&file, format!("{pid}\n")).wrap_err_with(|| format!("cannot write {}", file.display()))?;
    Ok(Waiting::new(node, pid, Some(child)))
}

async fn wait(nodes: &mut [Waiting<'_>], program: &Path, deadline: Instant) -> eyre::Result<()> {
    loop {
        // It was running, and was about to end: a `kill -9` takes a moment.
        for node in nodes.iter_mut().filter(|node| node.has_left()) {
            *node = launch(program, node.node)?;
        }
        join_all(nodes.iter_mut().map(Waiting::ask)).await;
        if let Some(ended) = nodes.iter_mut().find_map(Waiting::how_it_ended) {
            return Err(Failure::new(Exit::Unhealthy, ended).into());
        }
        // What the nodes had on disk when they came up, and block 1 of a new chain.
        let target = nodes.iter().filter_map(|node| node.first_height).max().unwrap_or(0).max(1);
        let Some(late) = nodes.iter().find(|node| !node.is_ready(target)) else { return Ok(()) };
        if Instant::now() > deadline {
            return Err(late.too_late(target).into());
        }
        tokio::time::sleep(ASK_EVERY).await;
    }
}

impl<'n> Waiting<'n> {
    fn new(node: &'n LocalNode, pid: u32, child: Option<Child>) -> Self {
        let answer = Err(Failure::new(Exit::Unreachable, "it was not asked yet"));
        Self { node, pid, child, first_height: None, answer }
    }

    async fn ask(&mut self) {
        self.answer = match self.node.client() {
            Ok(client) => client.health().await,
            Err(failure) => Err(failure),
        };
        let height = self.answer.as_ref().ok().and_then(Health::height);
        self.first_height = self.first_height.or(height);
    }

    fn is_ready(&self, target: u64) -> bool {
        self.answer.as_ref().is_ok_and(|health| health.ok && health.height().is_some_and(|it| it >= target))
    }

    /// Whether it was running before, and no longer is.
    fn has_left(&self) -> bool {
        self.child.is_none() && !process::runs(self.pid, &self.node.file)
    }

    /// What to say when the process that was started here has ended.
    fn how_it_ended(&mut self) -> Option<String> {
        let status = self.child.as_mut()?.try_wait().ok()??;
        Some(format!("{} (pid {}) has ended: {status}\n{}", self.node.name, self.pid, self.last_lines()))
    }

    fn too_late(&self, target: u64) -> Failure {
        let state = match &self.answer {
            Ok(health) if health.ok => {
                format!(
                    "is at height {} of {target}",
                    health.height().map_or("?".to_owned(), |it| it.to_string())
                )
            }
            Ok(health) => format!("is not healthy: {}", health.reasons()),
            Err(failure) => format!("does not answer: {failure}"),
        };
        let message = format!("{} (pid {}) {state}\n{}", self.node.name, self.pid, self.last_lines());
        Failure::new(Exit::Unreachable, message)
    }

    fn last_lines(&self) -> String {
        let lines =
            process::last_lines(&self.node.logs()).unwrap_or_else(|| "it has logged nothing".to_owned());
        format!("{lines}\n  what runs goes on; `testnet down` ends it")
    }

    fn started(&self) -> Started {
        let config = &self.node.config;
        Started {
            name: self.node.name.clone(),
            pid: self.pid,
            rpc: self.node.url(),
            p2p: config.p2p.advertise.as_ref().map_or(config.p2p.listen.to_string(), ToString::to_string),
            started: self.child.is_some(),
        }
    }
}
