//! Stories about `testnet up`, `status` and `down`. Started with `--config`, this program plays a node
//! whose behaviour the files in its data folder choose; started without, it tells the stories.

use std::{
    fs,
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::ExitCode,
    sync::atomic::{AtomicU16, Ordering},
    time::Duration,
};

use quorate_node::{
    config::{NodeConfig, Overrides, load},
    exit::{Exit, exit_of},
    testnet::{Network, Options, Started, Stopped, create},
};
use serde_json::{Value, json};

fn main() -> ExitCode {
    let arguments: Vec<_> = std::env::args().collect();
    if let Some(place) = arguments.iter().position(|it| it == "--config") {
        let file = Path::new(&arguments[place + 1]);
        return play_node(&load(file, &Overrides::default()).expect("a sound file").config);
    }
    let stories: [(&str, Tell); 6] = [
        ("up_starts_all_and_down_ends_all", up_starts_all_and_down_ends_all),
        ("up_after_a_kill_of_all_simply_works", up_after_a_kill_of_all_simply_works),
        ("a_node_that_ends_is_reported_with_its_last_words", a_node_that_ends_is_reported),
        ("a_taken_port_is_named_before_anything_starts", a_taken_port_is_named),
        ("a_node_that_falls_behind_is_waited_for_in_vain", a_node_behind_is_waited_for),
        ("a_node_that_does_not_end_is_killed", a_node_that_does_not_end_is_killed),
    ];
    for (name, story) in stories {
        story(&Story::new());
        println!("test {name} ... ok");
    }
    ExitCode::SUCCESS
}

/// What happens in a story.
type Tell = fn(&Story);

/// A network of one validator and one observer, whose processes end with the story.
struct Story {
    folder: tempfile::TempDir,
    network: Network,
}

impl Story {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let base = free_ports(6);
        let options = Options {
            out: folder.path().join("net"),
            validators: 1,
            observers: 1,
            chain_id: 20200,
            block_interval: Duration::from_millis(50),
            empty_block_interval: Duration::ZERO,
            alloc: None,
            rpc_port: base,
            ops_port: base + 2,
            p2p_port: base + 4,
            hosts: Vec::new(),
            docker: false,
        };
        let created = create(&options).expect("a network");
        let network = Network::open(&created.folder).expect("it opens");
        Self { folder, network }
    }

    /// Has node `index` behave as the file of that name says.
    fn tell(&self, index: usize, name: &str, text: &str) -> &Self {
        fs::write(self.network.nodes[index].config.data_dir.join(name), text).expect("written");
        self
    }

    fn up(&self, patience: Duration) -> eyre::Result<Vec<Started>> {
        let program = std::env::current_exe().expect("this test");
        run(self.network.up(&program, patience, |_| ()))
    }

    fn up_at_once(&self) -> Vec<Started> {
        self.up(Duration::from_secs(20)).expect("both come up")
    }

    fn pids(&self) -> Vec<Option<u32>> {
        self.network.nodes.iter().map(|node| node.pid()).collect()
    }
}

impl Drop for Story {
    fn drop(&mut self) {
        self.network.down(Duration::from_millis(100)).expect("nothing stays behind");
    }
}

fn up_starts_all_and_down_ends_all(story: &Story) {
    let started = story.up_at_once();
    let pids: Vec<_> = started.iter().map(|it| Some(it.pid)).collect();
    assert_eq!(story.pids(), pids);
    assert!(started.iter().all(|it| it.started));
    assert_eq!(started[0].rpc, story.network.nodes[0].url());

    // Again: they are running, and are left alone.
    let again = story.up_at_once();
    assert!(again.iter().all(|it| !it.started));
    assert_eq!(again.iter().map(|it| Some(it.pid)).collect::<Vec<_>>(), pids);

    let status = run(story.network.status());
    assert_eq!((status[1].height, status[1].view, status[1].peers), (Some(1), Some(3), Some(4)));
    assert_eq!((status[1].state.as_str(), status[1].head.as_deref()), ("healthy", Some("0xabcdef01")));

    // Without their files they are found all the same, as those are that somebody started by hand.
    for name in ["node0", "observer0"] {
        fs::remove_file(story.network.folder.join(name).join("node.pid")).expect("it was there");
    }
    assert_eq!(story.pids(), pids);

    let stopped = story.network.down(Duration::from_secs(10)).expect("they end");
    assert!(stopped.iter().all(|(_, how)| *how == Stopped::Ended), "{stopped:?}");
    assert_eq!(story.pids(), [None, None]);
    assert_eq!(run(story.network.status())[0].state, "down");
    let nothing = story.network.down(Duration::from_secs(10)).expect("nothing to do");
    assert!(nothing.iter().all(|(_, how)| *how == Stopped::WasDown));
}

fn up_after_a_kill_of_all_simply_works(story: &Story) {
    let first = story.up_at_once();
    for node in &first {
        let pid = rustix::process::Pid::from_raw(i32::try_from(node.pid).expect("an id")).expect("not 0");
        rustix::process::kill_process(pid, rustix::process::Signal::KILL).expect("it runs");
    }
    // The pid files are stale now: a dead process, or one that has not been collected.
    let second = story.up_at_once();
    assert!(second.iter().zip(&first).all(|(second, first)| second.started && second.pid != first.pid));
}

fn a_node_that_ends_is_reported(story: &Story) {
    let error = story.tell(1, "die", "").up(Duration::from_secs(20)).expect_err("observer0 ends");
    assert_eq!(exit_of(&error), Exit::Unhealthy);
    let message = error.to_string();
    for part in ["observer0", "exit status: 8", "the database is of another version"] {
        assert!(message.contains(part), "{message}");
    }
}

fn a_taken_port_is_named(story: &Story) {
    let taken = story.network.nodes[1].config.p2p.listen;
    let _listener = TcpListener::bind(taken).expect("free so far");
    let error = format!("{:#}", story.up(Duration::from_secs(20)).expect_err("taken"));
    for part in ["observer0", &format!("port {}", taken.port()), &format!("pid {}", std::process::id())] {
        assert!(error.contains(part), "{error}");
    }
    assert_eq!(story.pids(), [None, None]);
}

fn a_node_behind_is_waited_for(story: &Story) {
    let error = story.tell(0, "height", "7").up(Duration::from_millis(600)).expect_err("observer0 is at 1");
    assert_eq!(exit_of(&error), Exit::Unreachable);
    assert!(error.to_string().contains("height 1 of 7"), "{error}");

    // It catches up; the network is up now, and nothing was started twice.
    let pids = story.pids();
    let started = story.tell(1, "height", "7").up_at_once();
    assert_eq!(started.iter().map(|it| Some(it.pid)).collect::<Vec<_>>(), pids);

    let error = story.tell(1, "unwell", "no quorum of peers").up(Duration::ZERO).expect_err("unwell");
    assert!(error.to_string().contains("no quorum of peers"), "{error}");
}

fn a_node_that_does_not_end_is_killed(story: &Story) {
    story.tell(0, "deaf", "").up_at_once();
    let stopped = story.network.down(Duration::from_millis(300)).expect("killed");
    let how: Vec<_> = stopped.iter().map(|(_, how)| *how).collect();
    assert_eq!(how, [Stopped::Killed, Stopped::Ended]);
    assert_eq!(story.pids(), [None, None]);
    assert!(story.folder.path().exists());
}

fn run<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.expect("a runtime").block_on(future)
}

/// The first of `count` ports in a row that are free now, below those that the system gives to outgoing connections.
fn free_ports(count: u16) -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let start = 11_000 + u16::try_from(std::process::id() % 150).expect("below 150") * 60;
    let free = |port: u16| TcpListener::bind(("127.0.0.1", port)).is_ok();
    let rows = std::iter::repeat_with(|| start + NEXT.fetch_add(count, Ordering::Relaxed));
    rows.take(100).find(|base| (*base..base + count).all(free)).expect("free ports in a row")
}

/// A node as its clients see it.
fn play_node(config: &NodeConfig) -> ExitCode {
    let told = |name: &str| fs::read_to_string(config.data_dir.join(name)).ok();
    if told("die").is_some() {
        eprintln!("the database is of another version");
        return Exit::Corrupt.into();
    }
    if told("deaf").is_some() {
        std::thread::spawn(|| run(ignore_the_request_to_end()));
    }
    let listener = TcpListener::bind(config.rpc.listen[0]).expect("the port was probed");
    for stream in listener.incoming().flatten() {
        let folder: PathBuf = config.data_dir.clone();
        std::thread::spawn(move || answer(stream, &folder));
    }
    ExitCode::SUCCESS
}

async fn ignore_the_request_to_end() {
    let kind = tokio::signal::unix::SignalKind::terminate();
    let mut requests = tokio::signal::unix::signal(kind).expect("a handler");
    while requests.recv().await.is_some() {}
}

fn answer(mut stream: TcpStream, folder: &Path) -> Option<()> {
    let mut reader = BufReader::new(stream.try_clone().ok()?);
    let (mut first, mut length) = (String::new(), 0);
    reader.read_line(&mut first).ok()?;
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        let line = line.trim().to_lowercase();
        if let Some(number) = line.strip_prefix("content-length:") {
            length = number.trim().parse().ok()?;
        }
        if line.is_empty() {
            break;
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    let (status, answer) = if first.starts_with("GET /health") { health(folder) } else { call(&body) };
    let answer = answer.to_string();
    let head = format!("HTTP/1.1 {status}\r\ncontent-type: application/json\r\nconnection: close\r\n");
    write!(stream, "{head}content-length: {}\r\n\r\n{answer}", answer.len()).ok()
}

fn health(folder: &Path) -> (&'static str, Value) {
    if let Ok(reason) = fs::read_to_string(folder.join("unwell")) {
        return ("503 Service Unavailable", json!({ "reasons": [reason] }));
    }
    let height = fs::read_to_string(folder.join("height")).ok().and_then(|text| text.parse().ok());
    ("200 OK", json!({ "status": "ok", "height": height.unwrap_or(1_u64), "lag": 0, "peers": 4 }))
}

fn call(body: &[u8]) -> (&'static str, Value) {
    let request: Value = serde_json::from_slice(body).expect("JSON-RPC");
    let result = match request["method"].as_str() {
        Some("quorate_consensusState") => json!({ "view": "0x3" }),
        Some("eth_getBlockByNumber") => json!({ "hash": "0xabcdef0123456789" }),
        other => panic!("nobody calls {other:?}"),
    };
    ("200 OK", json!({ "jsonrpc": "2.0", "id": request["id"], "result": result }))
}
