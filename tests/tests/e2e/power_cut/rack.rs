//! Four validators on disks that forget, and a switch for the power of each.

use std::{
    path::PathBuf,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use jsonrpsee::{core::client::ClientT, http_client::HttpClient, rpc_params};
use quorate_tests::{
    cluster::{Cluster, accused},
    wallet::{Wallet, send_any},
};
use rand::{Rng as _, SeedableRng as _, rngs::StdRng, seq::SliceRandom as _};
use tokio::task::JoinHandle;

use super::{disk::Disk, signed::Signed, witness::Witness};

/// How many validators there are: a quorum of three.
const VALIDATORS: usize = 4;
/// How long the chain may take for its next block. Generous: other stories may have the processors.
const PATIENCE: Duration = Duration::from_secs(60);
/// How often that is looked at.
const LOOK: Duration = Duration::from_millis(10);
/// One cut in so many comes while nodes are still starting.
const EARLY_CUTS: u32 = 4;
/// The latest instant of such a cut after the start.
const STARTING: Duration = Duration::from_millis(700);
/// The latest instant of any other cut after the first new block: some blocks.
const RUNNING: Duration = Duration::from_millis(400);
/// One cut of all in so many leaves one node without power.
const DARK: u32 = 3;
/// Lines of which none may be in a log: each is a node that cannot go on, or vote, by itself.
const HARM: [&str; 5] =
    ["is damaged", "does not vote until", "is not readable", "nothing more is signed", "panicked"];

/// What becomes of vote logs when the power goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum VoteLogs {
    /// What was synced is there.
    Kept,
    /// They are as at the node's start: the disk confirmed syncs that it did not make.
    Forgotten,
}

/// One validator.
struct Validator {
    config: PathBuf,
    terminal: PathBuf,
    disk: Disk,
    /// The vote log as at its start, when the disk lies.
    old_votes: Vec<(PathBuf, Vec<u8>)>,
    process: Option<Child>,
    signed: Signed,
}

/// The network.
pub(super) struct Rack {
    validators: Vec<Validator>,
    clients: Vec<HttpClient>,
    random: StdRng,
    votes: VoteLogs,
    /// Nodes whose power went, and those of them that lost something by it.
    cuts: usize,
    losses: usize,
    // Dropped last: it holds the files.
    cluster: Cluster,
}

impl Rack {
    /// A new network, which does not run yet.
    pub(super) fn new(seed: u64, votes: VoteLogs) -> Self {
        // Its observer is never started: a copy of the chain whose power never goes would help the others.
        let cluster = Cluster::create(VALIDATORS);
        let validators = (0..VALIDATORS).map(|index| {
            let folder = cluster.folder_of(index);
            Validator {
                config: folder.with_extension("toml"),
                terminal: folder.join("logs/terminal.log"),
                disk: Disk::new(&folder.join("data"), &folder.join("durable")),
                old_votes: Vec::new(),
                process: None,
                signed: Signed::default(),
            }
        });
        let validators = validators.collect();
        let clients = (0..VALIDATORS).map(|index| cluster.client(index)).collect();
        let random = StdRng::seed_from_u64(seed);
        Self { validators, clients, random, votes, cuts: 0, losses: 0, cluster }
    }

    /// Lets the power go at so many instants, and then has the chain grow once more.
    ///
    /// # Errors
    /// The first thing that was promised and is not so.
    pub(super) async fn run(&mut self, instants: u32) -> Result<(), String> {
        let began = Instant::now();
        self.start_all_but(None);
        let witness = Witness::new(&self.clients);
        let load = self.load();
        for instant in 1..=instants {
            self.wait_for_instant(&witness).await.map_err(|why| format!("before cut {instant}: {why}"))?;
            let victims = self.victims();
            self.cut(&victims).map_err(|why| format!("cut {instant} of {victims:?}: {why}"))?;
            witness.hashes().map_err(|why| format!("after cut {instant}: {why}"))?;
            let dark = self.one_stays_dark(&victims);
            self.start_all_but(dark);
        }
        self.start_all_but(None);
        let blocks = self.final_audit(&witness).await?;
        load.abort();
        let signed: usize = self.validators.iter().map(|it| it.signed.len()).sum();
        let Self { cuts, losses, .. } = self;
        eprintln!("{instants} instants in {:.0?}: {losses} of {cuts} nodes lost writes", began.elapsed());
        eprintln!("{blocks} blocks, {signed} signatures: none lost, none contradicts another");
        // Between a block's record and the next one its rows are not synced: at most instants there is something.
        if *losses * 4 < *cuts { Err("nothing was dropped: the power did not go".to_owned()) } else { Ok(()) }
    }

    fn start_all_but(&mut self, dark: Option<usize>) {
        for (index, validator) in self.validators.iter_mut().enumerate() {
            if validator.process.is_none() && Some(index) != dark {
                validator.start(self.cluster.binary(), self.random.random(), self.votes);
            }
        }
    }

    /// Transfers by one wallet, through whoever answers; what is lost with a pool is sent again.
    fn load(&self) -> JoinHandle<()> {
        let clients = self.clients.clone();
        let (mut alice, sink) = (Wallet::development(0), Wallet::fresh(1).address());
        tokio::spawn(async move {
            for client in clients.iter().cycle() {
                let next: Result<String, _> =
                    client.request("eth_getTransactionCount", rpc_params![alice.address(), "latest"]).await;
                if let Some(next) = next.ok().and_then(|it| u64::from_str_radix(it.get(2..)?, 16).ok()) {
                    alice.resume(next);
                    send_any(client, &alice.transfer(sink, 1)).await;
                    send_any(client, &alice.transfer(sink, 1)).await;
                }
                tokio::time::sleep(LOOK).await;
            }
        })
    }

    /// Three cuts in four come some blocks after the chain has gone on; the others while nodes are still starting.
    async fn wait_for_instant(&mut self, witness: &Witness) -> Result<(), String> {
        if self.random.random_ratio(1, EARLY_CUTS) {
            tokio::time::sleep(self.random.random_range(Duration::ZERO..STARTING)).await;
        } else {
            self.wait_for_block(witness.top() + 1, witness).await?;
            tokio::time::sleep(self.random.random_range(Duration::ZERO..RUNNING)).await;
        }
        self.check().await
    }

    async fn wait_for_block(&mut self, height: u64, witness: &Witness) -> Result<(), String> {
        let deadline = Instant::now() + PATIENCE;
        while witness.top() < height {
            self.check().await?;
            if Instant::now() > deadline {
                return Err(format!("no block {height} within {PATIENCE:?}"));
            }
            tokio::time::sleep(LOOK).await;
        }
        Ok(())
    }

    /// Nobody has ended by itself, and nobody that answers holds a proof against a validator. A proof that was not synced may
    /// go with the power, so this comes before each cut.
    async fn check(&mut self) -> Result<(), String> {
        for (index, validator) in self.validators.iter_mut().enumerate() {
            let Some(process) = &mut validator.process else { continue };
            if let Some(status) = process.try_wait().expect("it is ours") {
                return Err(format!("node{index} has ended by itself: {status}"));
            }
            if let Ok(liars) = accused(&self.clients[index]).await {
                nobody_lied(index, &liars)?;
            }
        }
        Ok(())
    }

    /// Half of the time all of them, otherwise one or two.
    fn victims(&mut self) -> Vec<usize> {
        let mut nodes: Vec<_> = (0..VALIDATORS).collect();
        nodes.shuffle(&mut self.random);
        let count = [1, 2, VALIDATORS, VALIDATORS][self.random.random_range(0..4)];
        nodes.truncate(count);
        nodes
    }

    /// When the power went for all, one stays without until the next cut, every third time: perhaps the only one that knew
    /// of a block.
    fn one_stays_dark(&mut self, victims: &[usize]) -> Option<usize> {
        let draw = self.random.random_ratio(1, DARK) && victims.len() == VALIDATORS;
        draw.then(|| victims[self.random.random_range(0..VALIDATORS)])
    }

    /// Kills first and looks then, so that it is one instant for all.
    fn cut(&mut self, victims: &[usize]) -> Result<(), String> {
        let on = |index: &&usize| self.validators[**index].process.is_some();
        let victims: Vec<_> = victims.iter().filter(on).copied().collect();
        for index in &victims {
            self.validators[*index].process.as_mut().expect("it is on").kill().expect("it is ours");
        }
        for index in &victims {
            let validator = &mut self.validators[*index];
            let lost = validator.after_power_cut().map_err(|why| format!("node{index} {why}"))?;
            self.cuts += 1;
            self.losses += usize::from(lost > 0);
        }
        Ok(())
    }

    /// The chain goes on without an operator; all have the same; it holds all that was seen; the logs are clean.
    async fn final_audit(&mut self, witness: &Witness) -> Result<u64, String> {
        let everyone: Vec<_> = (0..VALIDATORS).collect();
        self.wait_for_block(witness.top() + 3, witness).await?;
        let seen = witness.hashes()?;
        // Some may have started just now.
        self.cluster.wait_for_height(&everyone, witness.top()).await;
        let top = self.cluster.assert_same_chain(&everyone).await;
        for (height, seen) in seen {
            let now = self.cluster.hash_at(0, height).await;
            if now.as_ref() != Some(&seen) {
                return Err(format!("block {height} is lost: it was {seen}, and is {now:?}"));
            }
        }
        self.check().await?;
        for index in 0..VALIDATORS {
            let liars = accused(&self.clients[index]).await;
            nobody_lied(index, &liars.map_err(|why| format!("node{index} shows no evidence: {why}"))?)?;
        }
        self.cut(&everyone)?;
        for index in everyone {
            let log = self.cluster.log_of(index);
            if let Some(line) = log.lines().find(|line| HARM.iter().any(|harm| line.contains(harm))) {
                return Err(format!("node{index} cannot go on by itself: {line}"));
            }
        }
        Ok(top)
    }
}

impl Validator {
    fn start(&mut self, binary: PathBuf, seed: u64, votes: VoteLogs) {
        if votes == VoteLogs::Forgotten {
            let segments = ["votes/0", "votes/1"].map(|name| self.disk.durable().join(name));
            let read = |path: PathBuf| (path.clone(), std::fs::read(path).expect("it is there"));
            self.old_votes = segments.into_iter().map(read).collect();
        }
        let output = std::fs::File::options().create(true).append(true).open(&self.terminal);
        let output = output.expect("the folder is there");
        let mut command = Command::new(binary);
        self.disk.attach(&mut command, seed);
        command.arg("--config").arg(&self.config).stdin(Stdio::null());
        command.stdout(output.try_clone().expect("a file")).stderr(output);
        self.process = Some(command.spawn().expect("the binary starts"));
    }

    /// The process was killed: notes what it had signed, and takes away what was not synced.
    fn after_power_cut(&mut self) -> Result<usize, String> {
        self.process.take().expect("it was on").wait().expect("it is ours");
        self.signed.add_log(&self.disk.durable().join("votes"))?;
        for (path, content) in &self.old_votes {
            std::fs::write(path, content).expect("it is ours");
        }
        Ok(self.disk.forget_unsynced())
    }
}

impl Drop for Validator {
    fn drop(&mut self) {
        if let Some(mut process) = self.process.take() {
            // It may end by itself at this moment.
            let _ = process.kill();
            let _ = process.wait();
        }
    }
}

/// A node knows of no validator that contradicted itself.
fn nobody_lied(node: usize, liars: &[String]) -> Result<(), String> {
    if liars.is_empty() {
        Ok(())
    } else {
        Err(format!("node{node} has proof of two things signed by {liars:?}"))
    }
}
