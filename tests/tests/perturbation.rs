//! The scenarios in `tests/scenarios`, each a test of its own. One after another: they measure time, and two networks
//! on one machine would disturb each other.

use std::{
    io::Write as _,
    path::{Path, PathBuf},
};

use quorate_tests::perturb::{Ending, Scenario, Skipped, Summary, run};
use tokio::sync::Mutex;

/// Set (to anything) where user namespaces are expected: there a story that needs one fails instead of being skipped.
const NO_SKIPS: &str = "PERTURBATION_NO_SKIPS";

static ONE_AT_A_TIME: Mutex<()> = Mutex::const_new(());

/// In the crate's folder, where cargo runs tests.
fn scenarios() -> PathBuf {
    Path::new("scenarios").canonicalize().expect("it is part of the project")
}

async fn story(name: &str) {
    let _turn = ONE_AT_A_TIME.lock().await;
    let file = scenarios().join(name).with_extension("toml");
    let scenario = Scenario::read(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    match run(&scenario, &|line| println!("{line}")).await {
        Ending::Passed(Summary { blocks, transactions, longest_pause, .. }) => {
            println!(
                "{name}: {blocks} blocks, {transactions} transactions, longest pause {longest_pause:.1?}"
            );
        }
        Ending::Skipped(Skipped(why)) => {
            let skipped = format!("{name} is SKIPPED: {why}");
            assert!(std::env::var_os(NO_SKIPS).is_none(), "{skipped}, and {NO_SKIPS} is set");
            // Written past the capture of tests that pass: a row that nobody ran must be seen.
            writeln!(std::io::stdout().lock(), "{skipped}").expect("the test's output is open");
        }
        Ending::Failed { violations, folder } => {
            let violations: Vec<_> = violations.iter().map(ToString::to_string).collect();
            panic!(
                "{name}: {}\n  what is left: {} (run.log, and logs and data of each node)\n  again: make soak SCENARIO={}",
                violations.join("\n  "),
                folder.display(),
                file.display()
            );
        }
    }
}

macro_rules! stories {
    ($($name:ident),* $(,)?) => {
        $(#[tokio::test(flavor = "multi_thread")]
        async fn $name() {
            story(stringify!($name)).await;
        })*

        const STORIES: &[&str] = &[$(stringify!($name)),*];
    };
}

stories! {
    cold_start,
    disk_full,
    disk_full_to_the_last_byte,
    link_cut_and_one_down,
    one_restarting_node,
    paused_processes,
    restart_runaway_timers,
    ring_of_four,
    rolling_restart,
    star_of_four,
    wiped_behind_a_slow_link,
    wiped_node,
}

fn files(folder: PathBuf) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(&folder).expect("it is part of the project").flatten();
    let mut files: Vec<_> = entries.map(|entry| entry.path()).filter(|path| path.is_file()).collect();
    files.sort();
    files
}

#[test]
fn every_scenario_is_sound_and_every_short_one_is_a_test() {
    let folder = scenarios();
    let names: Vec<_> =
        files(folder.clone()).iter().map(|file| file.file_stem().map(ToOwned::to_owned)).collect();
    let expected: Vec<_> = STORIES.iter().map(|name| Some((*name).into())).collect();
    assert_eq!(names, expected, "the table of stories is the folder, in order");
    for file in files(folder.join("long")).into_iter().chain(files(folder)) {
        assert!(Scenario::read(&file).is_ok(), "{}: {:?}", file.display(), Scenario::read(&file));
    }
}
