//! The power goes, at random instants: what was not synced is really lost, and nothing that was promised is.
//!
//! ```text
//! Rack      four validators on disks that forget, and the seed that decides when and for whom the power goes
//! Disk      the preloaded layer under a node's data folder, and the copy that takes its place
//! Witness   polls all nodes for their head: what a client has seen, which must stay
//! Signed    all that a key has signed, over all cuts, as its disk held it
//! ```

mod disk;
mod rack;
mod signed;
mod witness;

use std::process::{Child, Command};

use disk::Disk;
use quorate_tests::cluster::{Cluster, wait_until};
use rack::{Rack, VoteLogs};

/// Draws a seed, unless `POWER_CUT_SEED` names one, and tells it.
fn seed() -> u64 {
    let given = std::env::var("POWER_CUT_SEED").ok().map(|seed| seed.parse().expect("a number"));
    let seed = given.unwrap_or_else(rand::random);
    eprintln!("power cuts of POWER_CUT_SEED={seed} (the instants; the processes themselves run as they run)");
    seed
}

/// faults.md, power-cut-before-write (own study): given four validators under load, when the power goes at 20 random
/// instants, for all of them or for some, then no block that anybody saw is lost or decided twice, no key contradicts
/// itself, no log is damaged, and the chain goes on without an operator.
#[tokio::test(flavor = "multi_thread")]
async fn power_cut_before_write() {
    Rack::new(seed(), VoteLogs::Kept).run(20).await.expect("nothing that was promised is lost");
}

/// The same at 200 instants: `make power-cuts`. faults.md, kill-at-every-step (Besu #9040, GoQuorum #1718), over processes.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes minutes"]
async fn kill_at_every_step_at_200_random_instants() {
    Rack::new(seed(), VoteLogs::Kept).run(200).await.expect("nothing that was promised is lost");
}

/// The proof that the stories above can fail: given disks that confirm the syncs of vote logs and forget them, when the
/// power goes, then a key contradicts itself before long.
#[tokio::test(flavor = "multi_thread")]
async fn a_disk_that_lies_about_vote_logs_is_found_out() {
    let found = Rack::new(seed(), VoteLogs::Forgotten).run(60).await;
    let why = found.expect_err("60 cuts without vote logs do no harm: this test sees nothing");
    eprintln!("found out: {why}");
    assert!(why.contains("signed") || why.contains("fork") || why.contains("lost"), "{why}");
}

/// The proof that no write passes by the layer: given a node that ran upon it, when the node ends by itself, then the copy
/// is the folder, byte for byte.
#[tokio::test(flavor = "multi_thread")]
async fn a_clean_exit_leaves_the_copy_complete() {
    let cluster = Cluster::create(1);
    let disk = Disk::new(&cluster.folder_of(0).join("data"), &cluster.net().join("durable"));
    for seed in 0..4 {
        let mut command = Command::new(cluster.binary());
        disk.attach(&mut command, seed);
        let node = command.arg("--config").arg(cluster.net().join("node0.toml"));
        let mut node = node.spawn().expect("the binary starts");
        wait_until("a block", async || cluster.height(0).await >= Some(1)).await;
        terminate(&node);
        let status = node.wait().expect("it is ours");
        assert!(status.success(), "{status}");
        assert_eq!(disk.differences(), Vec::<String>::new());
    }
}

/// Given a node that is still reading its files, when it is told to end, then it does once that is over, as a node that runs
/// does: it starts nothing, and nobody takes it for one that failed.
#[tokio::test(flavor = "multi_thread")]
async fn a_node_told_to_end_while_it_starts_ends_cleanly() {
    let cluster = Cluster::create(1);
    let genesis = cluster.net().join("slow.json");
    let mode = rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR;
    rustix::fs::mkfifoat(rustix::fs::CWD, &genesis, mode).expect("a file that is read as it is written");
    let mut node = Command::new(cluster.binary())
        .arg("--config")
        .arg(cluster.net().join("node0.toml"))
        .args(["--set", &format!("genesis={}", genesis.display())])
        .spawn()
        .expect("the binary starts");
    // Opens when the node reads, which it does when it has taken its ports.
    let mut writer = None;
    wait_until("the node at its files", async || {
        let flags = rustix::fs::OFlags::WRONLY | rustix::fs::OFlags::NONBLOCK;
        writer = rustix::fs::open(&genesis, flags, rustix::fs::Mode::empty()).ok();
        writer.is_some()
    })
    .await;
    let mut writer = std::fs::File::from(writer.expect("it is open"));
    terminate(&node);
    wait_until("its word", async || cluster.log_of(0).contains("SIGTERM: stopping")).await;
    let text = std::fs::read(cluster.net().join("genesis.json")).expect("made");
    std::io::Write::write_all(&mut writer, &text).expect("it still reads");
    drop(writer);
    let status = node.wait().expect("it is ours");
    assert!(status.success(), "{status}");
    let log = cluster.log_of(0);
    assert!(log.contains("stopped") && !log.contains("Start successfully"), "{log}");
}

/// Asks a process to end, once.
fn terminate(node: &Child) {
    let pid = nix::unistd::Pid::from_raw(node.id().try_into().expect("small"));
    nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGTERM).expect("it is not reaped");
}
