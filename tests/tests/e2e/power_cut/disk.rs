//! A disk that loses what was not synced: the preloaded layer of `tests/power-cut/unsynced.c`, and the copy that it keeps.

use std::{
    collections::BTreeSet,
    fs,
    os::unix::fs::FileExt as _,
    path::{Path, PathBuf},
    process::Command,
    sync::OnceLock,
};

/// How much is compared at a time when a file is put back.
const BLOCK_BYTES: usize = 4096;

/// The layer, built once for all stories of this process.
fn layer() -> &'static Path {
    static LAYER: OnceLock<(tempfile::TempDir, PathBuf)> = OnceLock::new();
    let (_, library) = LAYER.get_or_init(|| {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let library = folder.path().join("libunsynced.so");
        let mut cc = Command::new("cc");
        cc.args(["-shared", "-fPIC", "-O2", "-Wall", "-Wextra", "-Werror", "-pthread", "-o"]);
        let status = cc
            .arg(&library)
            .arg("power-cut/unsynced.c")
            .status()
            .expect("a C compiler, which RocksDB needs as well");
        assert!(status.success(), "the layer does not compile");
        (folder, library)
    });
    library
}

/// One folder on a disk that forgets.
pub(super) struct Disk {
    folder: PathBuf,
    durable: PathBuf,
}

impl Disk {
    /// What is in `folder` now counts as synced; `durable` is made.
    pub(super) fn new(folder: &Path, durable: &Path) -> Self {
        let folder = folder.canonicalize().expect("it is there");
        fs::create_dir(durable).expect("it is new");
        let durable = durable.canonicalize().expect("made");
        mirror(&folder, &durable);
        Self { folder, durable }
    }

    /// Lets a program use the folder through the layer. One at a time.
    pub(super) fn attach(&self, command: &mut Command, seed: u64) {
        command.env("LD_PRELOAD", layer()).env("UNSYNCED_SEED", seed.to_string());
        command.env("UNSYNCED_FOLDER", &self.folder).env("UNSYNCED_DURABLE", &self.durable);
    }

    /// What the disk holds.
    pub(super) fn durable(&self) -> &Path {
        &self.durable
    }

    /// The power has gone: all processes that used the folder were killed. What was not synced is lost; how many blocks
    /// and names that was comes back.
    pub(super) fn forget_unsynced(&self) -> usize {
        mirror(&self.durable, &self.folder)
    }

    /// Files and folders that differ between the two, with their sizes.
    pub(super) fn differences(&self) -> Vec<String> {
        let names: BTreeSet<_> = names(&self.folder).into_iter().chain(names(&self.durable)).collect();
        let content = |path: PathBuf| if path.is_dir() { Some(Vec::new()) } else { fs::read(path).ok() };
        let size =
            |content: &Option<Vec<u8>>| content.as_ref().map_or("none".to_owned(), |it| it.len().to_string());
        let compared = names.into_iter().map(|name| {
            let (ours, theirs) = (content(self.folder.join(&name)), content(self.durable.join(&name)));
            (ours != theirs)
                .then(|| format!("{}: {} and {} bytes", name.display(), size(&ours), size(&theirs)))
        });
        compared.flatten().collect()
    }
}

/// All files and folders below `folder`, relative to it, parents first.
fn names(folder: &Path) -> BTreeSet<PathBuf> {
    let mut found = BTreeSet::new();
    let mut open = vec![folder.to_owned()];
    while let Some(next) = open.pop() {
        for entry in fs::read_dir(next).expect("a folder").flatten() {
            let path = entry.path();
            found.insert(path.strip_prefix(folder).expect("below it").to_owned());
            if path.is_dir() {
                open.push(path);
            }
        }
    }
    found
}

/// Makes `to` what `from` is, and counts what differed. Only blocks that differ are written: segments of the vote log are
/// big and change little.
fn mirror(from: &Path, to: &Path) -> usize {
    let (wanted, mut changes) = (names(from), 0);
    for name in names(to).iter().rev().filter(|name| !wanted.contains(*name)) {
        let path = to.join(name);
        if path.is_dir() { fs::remove_dir(path) } else { fs::remove_file(path) }.expect("it is ours");
        changes += 1;
    }
    for name in &wanted {
        let (source, target) = (from.join(name), to.join(name));
        if source.is_dir() {
            fs::create_dir_all(target).expect("it is ours");
            continue;
        }
        let content = fs::read(source).expect("nobody else is here");
        let before = fs::read(&target).unwrap_or_default();
        let file =
            fs::OpenOptions::new().write(true).create(true).truncate(false).open(target).expect("ours");
        file.set_len(content.len() as u64).expect("there is room");
        changes += usize::from(before.len() != content.len());
        for (index, block) in content.chunks(BLOCK_BYTES).enumerate() {
            let at = index * BLOCK_BYTES;
            if before.get(at..at + block.len()) != Some(block) {
                file.write_all_at(block, at as u64).expect("there is room");
                changes += 1;
            }
        }
    }
    changes
}
