//! A small disk of its own for one node, without privileges: a file system in memory, mounted in a user namespace.
//!
//! ```text
//! unshare -Urm: mounts, then waits for its input to end  <- this process holds that input
//! nsenter: node --config ...                             sees the mount
//! /proc/PID/root/...: the filler                         seen from outside
//! ```

use std::{
    fs,
    io::{self, BufRead as _, BufReader, Read as _},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use super::Skipped;

/// Mounts, says so, and holds the mount for as long as its input is open.
const HOLD: &str = r#"mount -t tmpfs -o "size=$1m" tmpfs "$2" && echo mounted && exec cat"#;
/// Written at a time.
const PIECE_BYTES: u64 = 1 << 20;

/// The mounted file system.
pub(super) struct Disk {
    holder: Child,
    /// Its folder as this process reaches it.
    from_here: PathBuf,
}

impl Disk {
    /// Mounts `mib` MiB over a folder.
    ///
    /// # Errors
    /// When this machine does not allow it to this user, and in whose words.
    pub(super) fn mount(folder: &Path, mib: u64) -> Result<Self, Skipped> {
        let skipped =
            |why: String| Skipped(format!("no file system can be mounted in a user namespace: {why}"));
        let mut command = Command::new("unshare");
        command.args(["-Urm", "sh", "-c", HOLD, "sh", &mib.to_string()]).arg(folder);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut holder = command.spawn().map_err(|error| skipped(format!("unshare: {error}")))?;
        let mut said = String::new();
        let output = holder.stdout.take().expect("it is piped");
        // What cannot be read is not the word that is waited for.
        let _ = BufReader::new(output).read_line(&mut said);
        if said.trim() != "mounted" {
            let mut why = String::new();
            let mut errors = holder.stderr.take().expect("it is piped");
            let _ = errors.read_to_string(&mut why);
            let _ = holder.wait();
            return Err(skipped(why.trim().to_owned()));
        }
        let inside = folder.strip_prefix("/").expect("an absolute folder");
        let from_here = PathBuf::from(format!("/proc/{}/root", holder.id())).join(inside);
        Ok(Self { holder, from_here })
    }

    /// A command that runs where the disk is seen.
    pub(super) fn command(&self, program: &Path) -> Command {
        let mut command = Command::new("nsenter");
        command.args(["--target", &self.holder.id().to_string(), "--user", "--mount"]);
        command.args(["--preserve-credentials", "--"]).arg(program);
        command
    }

    /// Fills it but for `leave_mib` MiB, and returns how many bytes are free then.
    pub(super) fn fill(&self, leave_mib: u64) -> io::Result<u64> {
        let mut filler = fs::File::options().create(true).append(true).open(self.filler())?;
        let leave = leave_mib << 20;
        loop {
            let free = self.free_bytes()?;
            let more = free.saturating_sub(leave).min(PIECE_BYTES);
            if more == 0 {
                return Ok(free);
            }
            match io::copy(&mut io::repeat(0).take(more), &mut filler) {
                Ok(_) => (),
                // The node was quicker.
                Err(error) if error.kind() == io::ErrorKind::StorageFull => return self.free_bytes(),
                Err(error) => return Err(error),
            }
        }
    }

    /// Takes away what [`Disk::fill`] has written.
    pub(super) fn free(&self) -> io::Result<()> {
        match fs::remove_file(self.filler()) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            other => other,
        }
    }

    fn filler(&self) -> PathBuf {
        self.from_here.join("filler")
    }

    fn free_bytes(&self) -> io::Result<u64> {
        let figures = rustix::fs::statvfs(&self.from_here)?;
        Ok(figures.f_bavail * figures.f_frsize)
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // Its input ends, and so does it; the mount goes with the last process that sees it.
        drop(self.holder.stdin.take());
        let _ = self.holder.wait();
    }
}
