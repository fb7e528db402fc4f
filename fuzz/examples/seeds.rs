//! Writes the frames on record as seeds: `corpus/TARGET/NAME`.

use std::{fs, path::Path};

use quorate_types::hex;

const GOLDEN: &str = include_str!("../../proto/src/tests/golden.txt");
/// Which target reads a frame whose name begins so; all others are messages.
const TARGETS: [&str; 6] = ["certificate", "hello", "transaction_batch", "request", "response", "log_record"];

fn main() -> std::io::Result<()> {
    for (name, bytes) in GOLDEN.lines().filter_map(|line| line.split_once(' ')) {
        let target = TARGETS.into_iter().find(|target| name.starts_with(target)).unwrap_or("message");
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(target);
        fs::create_dir_all(&folder)?;
        fs::write(folder.join(name), hex::decode(bytes).expect("golden bytes are hex"))?;
    }
    Ok(())
}
