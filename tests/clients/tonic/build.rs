//! Makes the client from the `.proto` files alone.

const FILES: [&str; 5] = ["node", "chain", "state", "transactions", "events"];
const FOLDER: &str = "../../../proto/proto";

fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!("cargo:rerun-if-changed={FOLDER}/quorate");
    let files = protox::compile(FILES.map(|name| format!("quorate/v1/{name}.proto")), [FOLDER])?;
    tonic_prost_build::configure().build_server(false).compile_fds(files)?;
    Ok(())
}
