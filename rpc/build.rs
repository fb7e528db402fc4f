//! Compiles the services of `quorate.v1` in pure Rust, and keeps their descriptors for reflection. The `.proto` files stand with the
//! others; tonic stays out of `quorate-proto`, which pure crates are linked with.

use std::{env, fs, path::Path};

const FILES: [&str; 5] = ["node", "chain", "state", "transactions", "events"];
const FOLDER: &str = "../proto/proto";

fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!("cargo:rerun-if-changed={FOLDER}/quorate");
    let mut compiler = protox::Compiler::new([FOLDER])?;
    compiler.include_source_info(true).include_imports(true);
    compiler.open_files(FILES.map(|name| format!("quorate/v1/{name}.proto")))?;
    let descriptors = Path::new(&env::var("OUT_DIR")?).join("quorate.v1.bin");
    fs::write(descriptors, compiler.encode_file_descriptor_set())?;
    // `bytes::Bytes` instead of `Vec<u8>`: a transaction shares the memory of its request.
    let builder = tonic_prost_build::configure().build_client(false).bytes(".");
    builder.compile_fds(compiler.file_descriptor_set())?;
    Ok(())
}
