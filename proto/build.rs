//! Compiles `proto/*.proto` in pure Rust: building the node needs no `protoc`.

fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!("cargo:rerun-if-changed=proto");
    let files = protox::compile(["consensus.proto", "network.proto", "log.proto"], ["proto"])?;
    // `bytes::Bytes` instead of `Vec<u8>`: a decoded block shares the memory of its frame.
    prost_build::Config::new().bytes(["."]).compile_fds(files)?;
    Ok(())
}
