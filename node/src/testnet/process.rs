//! Processes of nodes: which runs, and signals.

use std::{
    fs::{self, File},
    io::{Read as _, Seek as _, SeekFrom},
    os::unix::process::CommandExt as _,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::SystemTime,
};

use eyre::WrapErr as _;
use rustix::process::{Pid, Signal, kill_process};

use super::ports::processes;

/// The most bytes of a log's end that are shown: some twenty lines.
const TAIL_BYTES: u64 = 4096;
/// The file that takes what a node writes to its terminal.
const TERMINAL_LOG: &str = "terminal.log";

/// The process that runs the node of `config`: the one that the pid file names, when that is it (the
/// system may have given the id to another), and otherwise one that somebody started by hand.
pub(super) fn find(pid_file: &Path, config: &Path) -> Option<u32> {
    let noted = fs::read_to_string(pid_file).ok().and_then(|text| text.trim().parse().ok());
    noted.filter(|pid| runs(*pid, config)).or_else(|| processes().find(|pid| runs(*pid, config)))
}

/// Whether process `pid` was started with `--config` and this file. A zombie has no arguments left.
pub(super) fn runs(pid: u32, config: &Path) -> bool {
    let Ok(arguments) = fs::read(format!("/proc/{pid}/cmdline")) else { return false };
    let arguments: Vec<_> = arguments.split(|byte| *byte == 0).map(String::from_utf8_lossy).collect();
    let named = arguments.iter().enumerate().find_map(|(index, argument)| match argument.as_ref() {
        "--config" => arguments.get(index + 1).map(AsRef::as_ref),
        other => other.strip_prefix("--config="),
    });
    let Some(named) = named else { return false };
    // A relative path is relative to the folder that the process runs in.
    let base = fs::read_link(format!("/proc/{pid}/cwd")).unwrap_or_default();
    fs::canonicalize(base.join(named)).is_ok_and(|named| named == config)
}

/// Starts `program --config FILE` so that it outlives this process: in a process group of its own,
/// which the terminal's Ctrl-C does not reach, without input, its output going to a file in `logs`.
pub(super) fn start(program: &Path, config: &Path, logs: &Path) -> eyre::Result<Child> {
    fs::create_dir_all(logs).wrap_err_with(|| format!("cannot make the folder {}", logs.display()))?;
    let file = logs.join(TERMINAL_LOG);
    let output = File::options().create(true).append(true).open(&file);
    let output = output.wrap_err_with(|| format!("cannot write {}", file.display()))?;
    let mut command = Command::new(program);
    command.arg("--config").arg(config).current_dir("/").process_group(0).stdin(Stdio::null());
    command.stdout(output.try_clone()?).stderr(output);
    command.spawn().wrap_err_with(|| format!("cannot start {}", program.display()))
}

pub(super) fn ask_to_end(pid: u32) -> eyre::Result<()> {
    signal(pid, Signal::TERM)
}

pub(super) fn kill(pid: u32) -> eyre::Result<()> {
    signal(pid, Signal::KILL)
}

fn signal(pid: u32, signal: Signal) -> eyre::Result<()> {
    let pid = i32::try_from(pid).ok().and_then(Pid::from_raw);
    let pid = pid.expect("an id from /proc is a process id");
    match kill_process(pid, signal) {
        // It ended in the meantime, as it should.
        Ok(()) | Err(rustix::io::Errno::SRCH) => Ok(()),
        Err(error) => Err(std::io::Error::from(error)).wrap_err("cannot send it a signal"),
    }
}

/// The last lines of the newest log in `logs`.
pub(super) fn last_lines(logs: &Path) -> Option<String> {
    let entries = fs::read_dir(logs).ok()?.flatten();
    let dated = entries.filter_map(|entry| {
        let metadata = entry.metadata().ok().filter(|it| it.is_file() && it.len() > 0)?;
        Some((metadata.modified().unwrap_or(SystemTime::UNIX_EPOCH), entry.path()))
    });
    let (_, newest): (_, PathBuf) = dated.max()?;
    let mut file = File::open(&newest).ok()?;
    let length = file.metadata().ok()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(TAIL_BYTES))).ok()?;
    let mut bytes = Vec::new();
    file.take(TAIL_BYTES).read_to_end(&mut bytes).ok()?;
    let text = String::from_utf8_lossy(&bytes);
    // The first line may have lost its beginning.
    let whole = if length > TAIL_BYTES { text.split_once('\n').map_or("", |(_, rest)| rest) } else { &text };
    Some(format!("{}:\n{}", newest.display(), whole.trim_end()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files() -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().expect("a folder");
        let config = folder.path().canonicalize().expect("exists").join("node0.toml");
        fs::write(&config, "").expect("written");
        (folder, config)
    }

    #[test]
    fn a_stale_pid_file_names_nobody() {
        let (folder, config) = files();
        let pid_file = folder.path().join("node.pid");
        // This process lives, and runs no node.
        fs::write(&pid_file, std::process::id().to_string()).expect("written");
        assert_eq!(find(&pid_file, &config), None);
        fs::write(&pid_file, "not a number").expect("written");
        assert_eq!(find(&pid_file, &config), None);
    }

    #[test]
    fn the_newest_log_is_shown_from_its_last_whole_lines() {
        let (folder, _) = files();
        assert_eq!(last_lines(folder.path().join("none").as_path()), None);
        let logs = folder.path().join("logs");
        fs::create_dir(&logs).expect("made");
        let lines: String = (0..2000).map(|i| format!("line {i}\n")).collect();
        fs::write(logs.join("node.log"), lines).expect("written");
        let shown = last_lines(&logs).expect("a log");
        assert!(shown.ends_with("line 1999") && shown.len() < 5000, "{shown}");
        assert!(shown.lines().skip(1).all(|line| line.starts_with("line ")), "{shown}");
    }
}
