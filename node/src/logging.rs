//! The log: text for people or JSON for machines, to stderr or to a folder, one file a day.

use eyre::WrapErr as _;
use tracing_appender::rolling;
use tracing_subscriber::{EnvFilter, fmt::writer::BoxMakeWriter};

use crate::config::{LogConfig, LogFormat};

/// Installs the subscriber; once for a process.
pub(crate) fn install(config: &LogConfig) -> eyre::Result<()> {
    let filter = EnvFilter::try_new(&config.filter).wrap_err("log.filter")?;
    let writer = match &config.directory {
        Some(folder) => {
            std::fs::create_dir_all(folder)
                .wrap_err_with(|| format!("log.directory {}", folder.display()))?;
            BoxMakeWriter::new(rolling::daily(folder, "node.log"))
        }
        None => BoxMakeWriter::new(std::io::stderr),
    };
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(writer).with_ansi(false);
    let installed = match config.format {
        LogFormat::Text => builder.try_init(),
        LogFormat::Json => builder.json().flatten_event(true).try_init(),
    };
    installed.map_err(|error| eyre::eyre!("cannot install the log: {error}"))
}
