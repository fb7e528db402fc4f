//! The processes of a network, and what is done to them.

use std::{
    collections::BTreeSet,
    fs, io,
    os::unix::process::CommandExt as _,
    process::{Child, Command, ExitStatus, Stdio},
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};

use super::{Scenario, Skipped, Violation, disk::Disk, proxy::Proxies};
use crate::cluster::Cluster;

/// All nodes: those that run are children of this process, so that no end of one goes unnoticed.
pub(super) struct Processes {
    pub(super) cluster: Cluster,
    children: Vec<Option<Child>>,
    /// `p2p.peers` of each: its neighbours, each behind a proxy.
    peers: Vec<String>,
    disk: Option<(usize, u64, Disk)>,
    paused: BTreeSet<usize>,
    /// Who was asked to end, and has not been seen to.
    asked: BTreeSet<usize>,
}

impl Processes {
    /// Makes them without starting any.
    ///
    /// # Errors
    /// When the small disk that the scenario wants cannot be had here.
    pub(super) fn new(cluster: Cluster, proxies: &Proxies, scenario: &Scenario) -> Result<Self, Skipped> {
        let peers = |node| {
            let address = |(to, port)| format!("{}@127.0.0.1:{port}", cluster.name(to));
            proxies.peers_of(node).map(address).collect::<Vec<_>>().join(",")
        };
        let peers = (0..cluster.len()).map(peers).collect();
        let disk = match scenario.small_disk {
            Some(small) => {
                let folder = cluster.folder_of(small.node).join("data");
                fs::create_dir_all(&folder).expect("the network was made");
                let folder = folder.canonicalize().expect("it was made");
                Some((small.node, small.min_free_mib << 20, Disk::mount(&folder, small.mib)?))
            }
            None => None,
        };
        let children = (0..cluster.len()).map(|_| None).collect();
        Ok(Self { cluster, children, peers, disk, paused: BTreeSet::new(), asked: BTreeSet::new() })
    }

    pub(super) fn runs(&self, node: usize) -> bool {
        self.children[node].is_some()
    }

    /// Starts a node that does not run. Its links are told by the environment, which goes before its file.
    pub(super) fn start(&mut self, node: usize) -> Result<(), Violation> {
        if self.runs(node) {
            return Err(self.script(node, "runs already"));
        }
        let cluster = &self.cluster;
        let binary = cluster.binary();
        let mut command = Command::new(&binary);
        if let Some((_, reserve, disk)) = self.disk.as_ref().filter(|(owner, ..)| *owner == node) {
            command = disk.command(&binary);
            command.env("QUORATE__STORAGE__MIN_FREE_BYTES", reserve.to_string());
        }
        let config = cluster.net().join(format!("{}.toml", cluster.name(node)));
        let logs = cluster.folder_of(node).join("logs");
        let output = fs::create_dir_all(&logs)
            .and_then(|()| fs::File::options().create(true).append(true).open(logs.join("terminal.log")));
        let output = output.expect("the network's folder is ours");
        command.arg("--config").arg(config.canonicalize().expect("the network was made"));
        command.env("QUORATE__P2P__PEERS", &self.peers[node]);
        command.stdin(Stdio::null()).stdout(output.try_clone().expect("a file")).stderr(output);
        // A Ctrl-C in the terminal is for the run, which then ends the nodes itself.
        let child = command.process_group(0).spawn().expect("the binary starts");
        self.children[node] = Some(child);
        Ok(())
    }

    /// SIGKILL, and returns when the process is gone.
    pub(super) fn kill(&mut self, node: usize) -> Result<(), Violation> {
        self.signal(node, Signal::SIGKILL)?;
        if let Some(mut child) = self.children[node].take() {
            child.wait().expect("it is a child of this process");
        }
        self.paused.remove(&node);
        Ok(())
    }

    pub(super) fn ask_to_end(&mut self, node: usize) -> Result<(), Violation> {
        self.asked.insert(node);
        self.signal(node, Signal::SIGTERM)
    }

    /// How a node ended, when it did; it counts as down from then on.
    pub(super) fn take_end(&mut self, node: usize) -> Option<ExitStatus> {
        let status = self.children[node].as_mut()?.try_wait().expect("it is a child of this process")?;
        self.children[node] = None;
        self.asked.remove(&node);
        Some(status)
    }

    pub(super) fn pause(&mut self, node: usize) -> Result<(), Violation> {
        self.paused.insert(node);
        self.signal(node, Signal::SIGSTOP)
    }

    pub(super) fn resume(&mut self, node: usize) -> Result<(), Violation> {
        self.paused.remove(&node);
        self.signal(node, Signal::SIGCONT)
    }

    /// Deletes what a node that does not run has stored.
    pub(super) fn wipe(&self, node: usize) -> Result<(), Violation> {
        if self.runs(node) {
            return Err(self.script(node, "runs, and cannot be wiped"));
        }
        self.cluster.wipe(node);
        Ok(())
    }

    /// Fills the small disk; returns what is free.
    pub(super) fn fill(&self, leave_mib: u64) -> io::Result<u64> {
        self.disk.as_ref().map_or(Ok(0), |(_, _, disk)| disk.fill(leave_mib))
    }

    pub(super) fn free(&self) -> io::Result<()> {
        self.disk.as_ref().map_or(Ok(()), |(_, _, disk)| disk.free())
    }

    /// The first node that has ended though nobody has ended it.
    pub(super) fn ended(&mut self) -> Option<Violation> {
        let unasked: Vec<_> = (0..self.children.len()).filter(|node| !self.asked.contains(node)).collect();
        unasked.into_iter().find_map(|node| {
            let status = self.take_end(node)?;
            Some(Violation::Ended { node: self.cluster.name(node).to_owned(), status: status.to_string() })
        })
    }

    /// All run from now on, whatever was done to them.
    pub(super) fn restore(&mut self) -> Result<(), Violation> {
        for node in std::mem::take(&mut self.paused) {
            self.resume(node)?;
        }
        for node in 0..self.children.len() {
            if !self.runs(node) {
                self.start(node)?;
            }
        }
        Ok(())
    }

    fn signal(&self, node: usize, signal: Signal) -> Result<(), Violation> {
        let child = self.children[node].as_ref().ok_or_else(|| self.script(node, "does not run"))?;
        let pid = Pid::from_raw(i32::try_from(child.id()).expect("a process id"));
        // A child stays until it is waited for.
        kill(pid, signal).expect("it is ours");
        Ok(())
    }

    fn script(&self, node: usize, what: &str) -> Violation {
        Violation::Script(format!("{} {what}", self.cluster.name(node)))
    }
}

impl Drop for Processes {
    fn drop(&mut self) {
        for mut child in self.children.iter_mut().filter_map(Option::take) {
            // It may have ended at this moment.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}
