//! The cluster DSL: make a network, start it, kill, restart, wipe, compare.

use std::{
    net::TcpListener,
    path::{Path, PathBuf},
    process::Command,
    sync::atomic::{AtomicU16, Ordering},
    time::Duration,
};

use jsonrpsee::{
    core::{ClientError, client::ClientT},
    http_client::{HttpClient, HttpClientBuilder},
    rpc_params,
};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use serde_json::Value;

/// How long a condition may take before a story fails. Generous: two cores may be busy with other stories.
const PATIENCE: Duration = Duration::from_secs(60);
/// How often a condition is looked at.
const LOOK: Duration = Duration::from_millis(50);
/// Ports for one network: RPC, operations and P2P for ten nodes each.
const PORTS_PER_NETWORK: u16 = 30;

/// A network in a folder of its own; stopped and removed when dropped.
pub struct Cluster {
    folder: tempfile::TempDir,
    base_port: u16,
    names: Vec<String>,
}

/// The binary that cargo built beside this program, or above this test.
pub fn node_binary() -> PathBuf {
    let this = std::env::current_exe().expect("a program has a path");
    let folder = this.parent().expect("target/release, or deps below it");
    let release = if folder.ends_with("deps") { folder.parent().expect("target/release") } else { folder };
    let node = release.join("node");
    assert!(node.exists(), "{} is not built: run `cargo test --workspace`", node.display());
    node
}

/// Ports that nothing listens on now, below those that the system gives to outgoing connections. Networks of one process never share a range.
fn free_ports() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let start = 21_000 + u16::try_from(std::process::id() % 350).expect("below 350") * PORTS_PER_NETWORK;
    loop {
        let base = start + NEXT.fetch_add(PORTS_PER_NETWORK, Ordering::Relaxed);
        if (base..base + PORTS_PER_NETWORK).all(|port| TcpListener::bind(("127.0.0.1", port)).is_ok()) {
            return base;
        }
    }
}

impl Cluster {
    /// Makes a network of `validators` and one observer, and starts it.
    pub fn start(validators: usize) -> Self {
        let cluster = Self::create(validators);
        cluster.up();
        cluster
    }

    /// Makes a network without starting it.
    pub fn create(validators: usize) -> Self {
        Self::create_with(validators, &[])
    }

    /// The same, with further options of `testnet new`.
    pub fn create_with(validators: usize, options: &[&str]) -> Self {
        Self::make(validators, 1, options)
    }

    /// A network of validators alone, started: what it commits is not shared with an observer.
    pub fn start_alone(validators: usize) -> Self {
        let cluster = Self::make(validators, 0, &[]);
        cluster.up();
        cluster
    }

    fn make(validators: usize, observers: usize, options: &[&str]) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let base_port = free_ports();
        let named = |what: &str, count| (0..count).map(move |i| format!("{what}{i}")).collect::<Vec<_>>();
        let names = [named("node", validators), named("observer", observers)].concat();
        let cluster = Self { folder, base_port, names };
        let mut command = Command::new(node_binary());
        command.args(["testnet", "new", "--out"]).arg(cluster.net());
        command
            .args(["--validators", &validators.to_string(), "--observers", &observers.to_string()])
            .args(options);
        for (flag, offset) in [("--rpc-port", 0), ("--ops-port", 10), ("--p2p-port", 20)] {
            command.args([flag, &(base_port + offset).to_string()]);
        }
        succeed(&mut command);
        cluster
    }

    /// Runs a command of the program, as an operator would.
    pub fn run(&self, arguments: &[&str]) -> std::process::Output {
        Command::new(node_binary()).args(arguments).output().expect("the binary runs")
    }

    /// A file that `testnet new` made, by its path in the network's folder.
    pub fn file(&self, path: &str) -> String {
        self.net().join(path).to_str().expect("a path of plain letters").to_owned()
    }

    /// The program under test.
    pub fn binary(&self) -> PathBuf {
        node_binary()
    }

    /// The network's folder.
    pub fn net(&self) -> PathBuf {
        self.folder.path().join("net")
    }

    /// The name of a node: that of its folder and of its configuration.
    pub fn name(&self, index: usize) -> &str {
        &self.names[index]
    }

    /// Leaves the network's folder where it is when this is dropped, for somebody to look at.
    pub fn keep(&mut self) {
        self.folder.disable_cleanup(true);
    }

    /// How many nodes there are, the observer included.
    #[expect(clippy::len_without_is_empty, reason = "a network has nodes")]
    pub fn len(&self) -> usize {
        self.names.len()
    }

    /// `testnet up`: starts what does not run.
    pub fn up(&self) {
        succeed(Command::new(node_binary()).args(["testnet", "up"]).arg(self.net()));
    }

    /// `testnet down`.
    pub fn down(&self) {
        succeed(Command::new(node_binary()).args(["testnet", "down"]).arg(self.net()));
    }

    /// The RPC address of a node.
    pub fn url(&self, index: usize) -> String {
        format!("http://127.0.0.1:{}", self.rpc_port(index))
    }

    /// The RPC port of a node.
    pub fn rpc_port(&self, index: usize) -> u16 {
        self.base_port + u16::try_from(index).expect("few nodes")
    }

    /// The operations address of a node.
    pub fn ops_port(&self, index: usize) -> u16 {
        self.rpc_port(index) + 10
    }

    /// A JSON-RPC client of a node.
    pub fn client(&self, index: usize) -> HttpClient {
        HttpClientBuilder::default().build(self.url(index)).expect("a loopback address")
    }

    /// The files of a node.
    pub fn folder_of(&self, index: usize) -> PathBuf {
        self.net().join(&self.names[index])
    }

    /// The P2P port of a node.
    pub fn p2p_port(&self, index: usize) -> u16 {
        self.rpc_port(index) + 20
    }

    fn pid(&self, index: usize) -> Option<Pid> {
        let config = self.net().join(format!("{}.toml", self.names[index]));
        let config = config.canonicalize().expect("the network was made");
        let processes = std::fs::read_dir("/proc").expect("Linux");
        let pids = processes.flatten().filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
        let mut running = pids.filter(|pid| {
            let line = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
            String::from_utf8_lossy(&line).split('\0').any(|argument| Path::new(argument) == config)
        });
        running.next().map(Pid::from_raw)
    }

    /// The memory of a running node's process.
    pub fn resident_bytes(&self, index: usize) -> u64 {
        let pid = self.pid(index).expect("it runs");
        let status = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("it runs");
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("Linux");
        line.trim().trim_end_matches(" kB").parse::<u64>().expect("a number") << 10
    }

    /// The processor time that a running node has used, to a hundredth of a second.
    pub fn cpu_time(&self, index: usize) -> Duration {
        let pid = self.pid(index).expect("it runs");
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).expect("it runs");
        // The name in brackets may hold spaces; user and system time are the 12th and 13th field behind it.
        let (_, fields) = stat.rsplit_once(')').expect("Linux");
        let ticks: u64 =
            fields.split_whitespace().skip(11).take(2).map(|it| it.parse::<u64>().expect("a number")).sum();
        Duration::from_millis(ticks * 10)
    }

    /// A process that dies loses its command line before its sockets.
    fn has_left_its_ports(&self, index: usize) -> bool {
        let rpc = self.rpc_port(index);
        [rpc, rpc + 10, rpc + 20].into_iter().all(|port| TcpListener::bind(("127.0.0.1", port)).is_ok())
    }

    /// `kill -9`, and waits until the process is gone.
    pub fn kill(&self, index: usize) {
        let pid = self.pid(index).unwrap_or_else(|| panic!("{} does not run", self.names[index]));
        kill(pid, Signal::SIGKILL).expect("it is ours");
        let deadline = std::time::Instant::now() + PATIENCE;
        while self.pid(index).is_some() || !self.has_left_its_ports(index) {
            assert!(std::time::Instant::now() < deadline, "{} does not die", self.names[index]);
            std::thread::sleep(LOOK);
        }
    }

    /// Starts one node that does not run, in the way an operator would by hand.
    pub fn restart(&self, index: usize) {
        use std::os::unix::process::CommandExt as _;
        let log = std::fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(self.folder_of(index).join("logs/restarted.log"))
            .expect("the folder is there");
        let child = Command::new(node_binary())
            .arg("--config")
            .arg(self.net().join(format!("{}.toml", self.names[index])).canonicalize().expect("made"))
            .stdout(log.try_clone().expect("a file"))
            .stderr(log)
            .process_group(0)
            .spawn();
        let mut child = child.expect("the binary starts");
        // Reaped when it ends, so that a killed node is really gone from /proc.
        std::thread::spawn(move || child.wait());
    }

    /// Deletes a stopped node's data: its chain and its vote log.
    pub fn wipe(&self, index: usize) {
        std::fs::remove_dir_all(self.folder_of(index).join("data")).expect("it was there");
    }

    /// What a node that runs calls itself: its public key.
    pub async fn id_of(&self, index: usize) -> String {
        let status: Value =
            self.client(index).request("quorate_status", rpc_params![]).await.expect("it answers");
        status["nodeId"].as_str().expect("a key").to_owned()
    }

    /// What a node says of its replica; null while it does not answer.
    pub async fn consensus_state(&self, index: usize) -> Value {
        self.client(index).request("quorate_consensusState", rpc_params![]).await.unwrap_or(Value::Null)
    }

    /// The head of a node; `None` while it does not answer.
    pub async fn height(&self, index: usize) -> Option<u64> {
        let answer: Result<String, _> = self.client(index).request("eth_blockNumber", rpc_params![]).await;
        u64::from_str_radix(answer.ok()?.trim_start_matches("0x"), 16).ok()
    }

    /// The hash of a block on a node.
    pub async fn hash_at(&self, index: usize, height: u64) -> Option<String> {
        let block: Result<Value, _> = self
            .client(index)
            .request("eth_getBlockByNumber", rpc_params![format!("{height:#x}"), false])
            .await;
        Some(block.ok()?.get("hash")?.as_str()?.to_owned())
    }

    /// Waits until each of `nodes` has a head of at least `height`.
    pub async fn wait_for_height(&self, nodes: &[usize], height: u64) {
        for index in nodes {
            wait_until(&format!("{} at height {height}", self.names[*index]), async || {
                self.height(*index).await.is_some_and(|head| head >= height)
            })
            .await;
        }
    }

    /// Waits until all of `nodes` have the same head, and compares every hash up to it.
    pub async fn assert_same_chain(&self, nodes: &[usize]) -> u64 {
        let mut top = 0;
        for index in nodes {
            top = top.max(self.height(*index).await.expect("it answers"));
        }
        self.wait_for_height(nodes, top).await;
        for height in 0..=top {
            let first = self.hash_at(nodes[0], height).await;
            assert!(first.is_some(), "{} lacks block {height}", self.names[nodes[0]]);
            for index in &nodes[1..] {
                assert_eq!(self.hash_at(*index, height).await, first, "{} at {height}", self.names[*index]);
            }
        }
        top
    }

    /// The text of a node's logs, for messages that an operator must find there.
    pub fn log_of(&self, index: usize) -> String {
        let folder = std::fs::read_dir(self.folder_of(index).join("logs")).expect("there are logs");
        folder.flatten().filter_map(|file| std::fs::read_to_string(file.path()).ok()).collect()
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        if std::thread::panicking() {
            for index in 0..self.len() {
                let log = self.log_of(index);
                let tail: Vec<_> = log.lines().rev().take(25).collect();
                eprintln!("== {} ==", self.names[index]);
                tail.iter().rev().for_each(|line| eprintln!("{line}"));
            }
        }
        for index in 0..self.len() {
            if let Some(pid) = self.pid(index) {
                // It may end by itself at this moment.
                let _ = kill(pid, Signal::SIGKILL);
            }
        }
    }
}

fn succeed(command: &mut Command) {
    let output = command.output().expect("the binary runs");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(
        output.status.success(),
        "{command:?} failed\n{}\n{}",
        text(&output.stdout),
        text(&output.stderr)
    );
}

/// The validators of whom a node holds two signatures that exclude each other, as `quorate_evidence` tells it: what it
/// has seen since its data was made.
///
/// # Errors
/// When it does not answer.
pub async fn accused(client: &HttpClient) -> Result<Vec<String>, ClientError> {
    /// What is read of a proof.
    #[derive(serde::Deserialize)]
    struct Proof {
        validator: String,
    }
    let proofs: Vec<Proof> = client.request("quorate_evidence", rpc_params![]).await?;
    Ok(proofs.into_iter().map(|it| it.validator).collect())
}

/// Waits until a condition holds; fails the story when it never does.
pub async fn wait_until(what: &str, mut condition: impl AsyncFnMut() -> bool) {
    let deadline = tokio::time::Instant::now() + PATIENCE;
    while !condition().await {
        assert!(tokio::time::Instant::now() < deadline, "waited {PATIENCE:?} in vain for: {what}");
        tokio::time::sleep(LOOK).await;
    }
}
