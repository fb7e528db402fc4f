//! `health`: what containers and scripts ask.

use crate::{
    client::{Client, text},
    exit::Exit,
};

use super::{Format, block_on, output};

pub(super) fn run(client: &Client, format: Format) -> eyre::Result<Exit> {
    let health = block_on(client.health())??;
    match format {
        Format::Json => output::print_json(&health.body),
        Format::Text if health.ok => {
            let field = |name: &str| text(&health.body[name]);
            output::print(format_args!(
                "healthy height={} lag={} peers={}",
                field("height"),
                field("lag"),
                field("peers")
            ));
        }
        Format::Text => output::print(format_args!("unhealthy: {}", health.reasons())),
    }
    Ok(if health.ok { Exit::Success } else { Exit::Unhealthy })
}
