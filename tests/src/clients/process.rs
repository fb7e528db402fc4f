//! Programs of users: started in groups of their own, so that what they start ends with them; what they print is kept.

use std::{
    io::{self, BufRead as _, BufReader, Read},
    os::unix::process::CommandExt as _,
    path::Path,
    process::{Child, Command, ExitStatus, Stdio},
    sync::mpsc::{self, Receiver},
    thread,
    time::{Duration, Instant},
};

use nix::{
    sys::signal::{Signal, killpg},
    unistd::Pid,
};

use super::Site;

/// From nothing, with downloads and builds of everything, on two cores.
const PATIENCE: Duration = Duration::from_secs(20 * 60);
/// How much of what a program printed a failure shows.
const SHOWN: usize = 40;

/// Why something did not go as expected.
#[derive(Debug)]
pub(super) enum Failure {
    /// This program is not installed.
    Missing(String),
    /// What happened, and what was printed last.
    Failed(String),
}

/// A program in a folder.
pub(super) struct Task {
    command: Command,
    words: String,
}

/// A program that has ended.
pub(super) struct Ended {
    words: String,
    /// None when it was killed.
    pub(super) code: Option<i32>,
    /// Both streams, line by line as they came.
    pub(super) output: String,
}

/// A program that runs; it ends when this is dropped, with all that it has started.
pub(super) struct Running {
    child: Child,
    words: String,
    lines: Receiver<String>,
}

impl Task {
    pub(super) fn new(folder: &Path, words: &[&str]) -> Self {
        let mut command = Command::new(words[0]);
        command.args(&words[1..]).current_dir(folder).stdin(Stdio::null()).process_group(0);
        Self { command, words: words.join(" ") }
    }

    pub(super) fn at(mut self, site: &Site) -> Self {
        self.command.envs(site.0.iter().map(|(name, value)| (*name, value.as_str())));
        self
    }

    pub(super) fn start(mut self) -> Result<Running, Failure> {
        let child = self.command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
        let mut child = child.map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => Failure::Missing(self.command.get_program().display().to_string()),
            _ => Failure::Failed(format!("`{}` does not start: {error}", self.words)),
        })?;
        let (sender, lines) = mpsc::channel();
        let forward = |stream: Box<dyn Read + Send>| {
            let sender = sender.clone();
            // Ends with the stream. Nobody may listen any more.
            thread::spawn(move || {
                BufReader::new(stream).lines().map_while(Result::ok).all(|line| sender.send(line).is_ok())
            });
        };
        forward(Box::new(child.stdout.take().expect("piped")));
        forward(Box::new(child.stderr.take().expect("piped")));
        Ok(Running { child, words: self.words, lines })
    }

    /// Runs it to its end.
    pub(super) fn run(self) -> Result<Ended, Failure> {
        self.start()?.wait()
    }

    /// Runs it to its end, which has to be a good one; what it printed.
    pub(super) fn succeed(self) -> Result<String, Failure> {
        let ended = self.run()?;
        if ended.code == Some(0) { Ok(ended.output) } else { Err(ended.into_failure()) }
    }
}

impl Ended {
    pub(super) fn into_failure(self) -> Failure {
        let how = self.code.map_or("was killed".to_owned(), |code| format!("ended with {code}"));
        let lines: Vec<_> = self.output.lines().collect();
        let last = lines[lines.len().saturating_sub(SHOWN)..].join("\n");
        Failure::Failed(format!("`{}` {how}\n{last}", self.words))
    }
}

impl Running {
    /// Waits for a line that `find` makes something of.
    pub(super) fn expect<T>(
        &self,
        what: &str,
        mut find: impl FnMut(&str) -> Option<T>,
    ) -> Result<T, Failure> {
        let mut seen = String::new();
        while let Ok(line) = self.lines.recv_timeout(Duration::from_secs(60)) {
            if let Some(found) = find(&line) {
                return Ok(found);
            }
            seen = format!("{seen}\n{line}");
        }
        Err(Failure::Failed(format!("`{}` does not print {what}{seen}", self.words)))
    }

    fn wait(mut self) -> Result<Ended, Failure> {
        let deadline = Instant::now() + PATIENCE;
        let mut output = String::new();
        // The streams end when all who hold them have.
        while let Ok(line) = self.lines.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
            output = output + &line + "\n";
        }
        if Instant::now() >= deadline {
            self.end();
        }
        let status: io::Result<ExitStatus> = self.child.wait();
        let code = status.map_err(|error| Failure::Failed(format!("`{}`: {error}", self.words)))?.code();
        Ok(Ended { words: self.words.clone(), code, output })
    }

    fn end(&self) {
        let group = Pid::from_raw(i32::try_from(self.child.id()).expect("Linux"));
        // It may have ended by itself.
        let _ = killpg(group, Signal::SIGKILL);
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.end();
        // Reaped, so that nothing is left of it.
        let _ = self.child.wait();
    }
}
