//! The examples, by the commands of their READMEs.

use std::path::Path;

use super::{
    Outcome, Site,
    process::{Failure, Running, Task},
};
use crate::cluster::Cluster;

/// An application in `examples/LANGUAGE`.
#[derive(Debug)]
pub struct Example {
    /// Its folder.
    pub language: &'static str,
    /// What is done once.
    setup: &'static [&'static [&'static str]],
    /// What comes before `deploy`, `write`, `read` and `follow`.
    program: &'static [&'static str],
}

impl Example {
    /// All there are.
    pub const ALL: [Self; 4] = [
        Self { language: "go", setup: &[&["go", "generate"]], program: &["go", "run", "."] },
        Self {
            language: "typescript",
            setup: &[&["npm", "ci"], &["npm", "run", "check"]],
            program: &["npm", "run", "counter", "--"],
        },
        Self {
            language: "python",
            setup: &[
                &["python3", "-m", "venv", ".venv"],
                &[".venv/bin/pip", "install", "--requirement", "requirements.txt"],
            ],
            program: &[".venv/bin/python", "counter.py"],
        },
        Self { language: "rust", setup: &[], program: &["cargo", "run", "--release", "--"] },
    ];

    /// Deploys, writes and reads; follows the contract while its node is killed and started again.
    #[must_use]
    pub fn run(&self, root: &Path, cluster: &Cluster, site: &Site) -> Outcome {
        self.story(&root.join("examples").join(self.language), cluster, site).into()
    }

    fn story(&self, folder: &Path, cluster: &Cluster, site: &Site) -> Result<(), Failure> {
        let task =
            |site: &Site, arguments: &[&str]| Task::new(folder, &[self.program, arguments].concat()).at(site);
        for words in self.setup {
            Task::new(folder, words).succeed()?;
        }
        let address = task(site, &["deploy"]).start()?.expect("an address", |line| {
            (line.len() == 42 && line.starts_with("0x")).then(|| line.to_owned())
        })?;
        task(site, &["write", &address, "6"]).succeed()?;
        let read = task(site, &["read", &address]).succeed()?;
        if !read.lines().any(|line| line == "6") {
            return Err(Failure::Failed(format!("`read` does not print 6\n{read}")));
        }
        let refused = task(site, &["write", &address, "13"]).run()?;
        if refused.code == Some(0) || !refused.output.contains("13 brings bad luck") {
            return Err(Failure::Failed(format!(
                "`write` of 13 does not fail with its reason\n{}",
                refused.output
            )));
        }

        let following = task(site, &["follow", &address]).start()?;
        let mut seen = Vec::new();
        changes_to(&following, 6, &mut seen)?;
        cluster.kill(0);
        let away = task(&site.by_another_node(), &["write", &address, "7"]).succeed();
        cluster.restart(0);
        away?;
        changes_to(&following, 7, &mut seen)?;
        task(&site.by_another_node(), &["write", &address, "8"]).succeed()?;
        changes_to(&following, 8, &mut seen)?;
        if seen != [0, 6, 7, 8] {
            return Err(Failure::Failed(format!("`follow` prints {seen:?}, not each change once")));
        }
        Ok(())
    }
}

/// Reads lines like `7 by 0xf39F..` up to that of `last`.
fn changes_to(following: &Running, last: u64, seen: &mut Vec<u64>) -> Result<(), Failure> {
    following.expect(&format!("the change to {last}"), |line| {
        let number = line.split_once(" by 0x")?.0.parse().ok()?;
        seen.push(number);
        (number == last).then_some(())
    })
}
