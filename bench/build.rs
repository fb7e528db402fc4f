//! Compiles what of `quorate.v1` transactions are sent by.

const FOLDER: &str = "../proto/proto";

fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!("cargo:rerun-if-changed={FOLDER}/quorate");
    let descriptors = protox::compile(["quorate/v1/transactions.proto"], [FOLDER])?;
    tonic_prost_build::configure().build_server(false).bytes(".").compile_fds(descriptors)?;
    Ok(())
}
