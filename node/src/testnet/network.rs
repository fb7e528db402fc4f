//! The nodes of a network's folder.

use std::{
    fs,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use eyre::WrapErr as _;

use super::process;
use crate::{
    client::Client,
    config::{NodeConfig, Overrides, load},
    exit::{Exit, Failure},
};

/// How long the kernel may take to end a process that was killed.
const KILL_TIME: Duration = Duration::from_secs(5);
/// How often a process that should end is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// One node of the network.
#[derive(Clone, Debug)]
pub struct LocalNode {
    /// `node0` or `observer0`.
    pub name: String,
    /// Its configuration file, absolute.
    pub file: PathBuf,
    /// What that says.
    pub config: NodeConfig,
    folder: PathBuf,
}

impl LocalNode {
    /// The id of its process, when it runs.
    #[must_use]
    pub fn pid(&self) -> Option<u32> {
        process::find(&self.pid_file(), &self.file)
    }

    /// Where clients reach it from this machine.
    #[must_use]
    pub fn url(&self) -> String {
        let mut address = self.config.rpc.listen[0];
        if address.ip().is_unspecified() {
            address.set_ip(std::net::Ipv4Addr::LOCALHOST.into());
        }
        format!("http://{address}")
    }

    /// A client for it.
    ///
    /// # Errors
    /// Never for an address that a node listens at.
    pub fn client(&self) -> Result<Client, Failure> {
        Client::new(&self.url())
    }

    pub(super) fn pid_file(&self) -> PathBuf {
        self.folder.join("node.pid")
    }

    /// Where its log files go, and what it writes to its terminal.
    pub(super) fn logs(&self) -> PathBuf {
        self.config.log.directory.clone().unwrap_or_else(|| self.folder.join("logs"))
    }
}

/// A network's folder.
#[derive(Clone, Debug)]
pub struct Network {
    /// Absolute.
    pub folder: PathBuf,
    /// Validators, then observers.
    pub nodes: Vec<LocalNode>,
}

/// How a node ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stopped {
    /// It was not running.
    WasDown,
    /// By itself, when asked.
    Ended,
    /// It had to be killed.
    Killed,
}

impl Network {
    /// Reads the configurations in `folder`.
    ///
    /// # Errors
    /// When the folder is no network's, or a configuration is wrong.
    pub fn open(folder: &Path) -> eyre::Result<Self> {
        let no_network = |why: String| {
            let message = format!(
                "{} is no network's folder: {why}\n  make one with `testnet new --out DIR`",
                folder.display()
            );
            Failure::new(Exit::Configuration, message)
        };
        let folder = fs::canonicalize(folder).map_err(|error| no_network(error.to_string()))?;
        let entries = fs::read_dir(&folder).map_err(|error| no_network(error.to_string()))?;
        let names = entries.flatten().filter_map(|entry| entry.file_name().into_string().ok());
        let mut names: Vec<_> = names.filter_map(|name| place(name.strip_suffix(".toml")?)).collect();
        names.sort();
        if names.is_empty() {
            return Err(no_network("it holds no node0.toml".to_owned()).into());
        }
        let overrides = Overrides::from_process(&[]);
        let node = |(_, _, name): (bool, u32, String)| {
            let file = folder.join(format!("{name}.toml"));
            let config = load(&file, &overrides)?.config;
            Ok(LocalNode { folder: folder.join(&name), file, config, name })
        };
        let nodes = names.into_iter().map(node).collect::<eyre::Result<_>>()?;
        Ok(Self { nodes, folder })
    }

    /// Asks every node to end, and kills what has not ended after `grace`.
    ///
    /// # Errors
    /// When a process belongs to somebody else, or does not even end when killed.
    pub fn down(&self, grace: Duration) -> eyre::Result<Vec<(String, Stopped)>> {
        let running: Vec<_> = self.nodes.iter().map(|node| (node, node.pid())).collect();
        for (node, pid) in &running {
            if let Some(pid) = pid {
                process::ask_to_end(*pid).wrap_err_with(|| format!("{} (pid {pid})", node.name))?;
            }
        }
        let deadline = Instant::now() + grace;
        let mut stopped = Vec::new();
        for (node, pid) in running {
            let how = match pid {
                None => Stopped::WasDown,
                Some(pid) if wait_for_end(node, pid, deadline) => Stopped::Ended,
                Some(pid) => kill(node, pid)?,
            };
            // A file that stays names a process that is gone, which is no harm.
            let _ = fs::remove_file(node.pid_file());
            stopped.push((node.name.clone(), how));
        }
        Ok(stopped)
    }
}

/// The place of a node in the order of ports: validators, then observers, each by number.
fn place(name: &str) -> Option<(bool, u32, String)> {
    let number = |prefix| name.strip_prefix(prefix)?.parse().ok();
    let (observer, number) = match (number("node"), number("observer")) {
        (Some(number), _) => (false, number),
        (None, Some(number)) => (true, number),
        (None, None) => return None,
    };
    Some((observer, number, name.to_owned()))
}

fn wait_for_end(node: &LocalNode, pid: u32, deadline: Instant) -> bool {
    while process::runs(pid, &node.file) {
        if Instant::now() > deadline {
            return false;
        }
        std::thread::sleep(LOOK_EVERY);
    }
    true
}

fn kill(node: &LocalNode, pid: u32) -> eyre::Result<Stopped> {
    process::kill(pid)?;
    if wait_for_end(node, pid, Instant::now() + KILL_TIME) {
        return Ok(Stopped::Killed);
    }
    let message = format!("{} (pid {pid}) was killed and has not ended: its disk may hang", node.name);
    Err(Failure::new(Exit::Other, message).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nodes_stand_in_the_order_of_their_ports() {
        let folder = tempfile::tempdir().expect("a folder");
        for name in ["observer0", "node10", "node2", "node0", "notes"] {
            fs::write(folder.path().join(format!("{name}.toml")), "").expect("written");
        }
        let network = Network::open(folder.path()).expect("a network");
        let names: Vec<_> = network.nodes.iter().map(|node| node.name.as_str()).collect();
        assert_eq!(names, ["node0", "node2", "node10", "observer0"]);
    }

    #[test]
    fn another_folder_is_no_network() {
        let folder = tempfile::tempdir().expect("a folder");
        for path in [folder.path(), Path::new("/nowhere")] {
            let error = Network::open(path).expect_err("no network");
            assert_eq!(crate::exit::exit_of(&error), Exit::Configuration);
        }
    }
}
