//! Writes the frames on record as seeds: `FOLDER/TARGET/NAME`. Alone in its crate, for rustc: what the targets need takes
//! minutes to build.

use std::{env, fs, path::PathBuf};

const GOLDEN: &str = include_str!("../proto/src/tests/golden.txt");
/// Which target reads a frame whose name begins so; all others are messages.
const TARGETS: [&str; 6] = ["certificate", "hello", "transaction_batch", "request", "response", "log_record"];

fn main() -> std::io::Result<()> {
    let seeds = PathBuf::from(env::args_os().nth(1).expect("the folder to write to"));
    for (name, bytes) in GOLDEN.lines().filter_map(|line| line.split_once(' ')) {
        let target = TARGETS.into_iter().find(|target| name.starts_with(target)).unwrap_or("message");
        let folder = seeds.join(target);
        fs::create_dir_all(&folder)?;
        let byte = |at| u8::from_str_radix(&bytes[at..at + 2], 16).expect("golden bytes are hex");
        fs::write(folder.join(name), (0..bytes.len()).step_by(2).map(byte).collect::<Vec<_>>())?;
    }
    Ok(())
}
