//! The node's own log, on standard error: for people or as JSON. No personal data, ever.

use std::io::{IsTerminal as _, stderr};

use tracing_subscriber::{EnvFilter, fmt};

use crate::config::{Config, LogFormat};

/// Starts logging as configured. Does nothing where a subscriber is set already, as with several
/// nodes in one process.
pub(crate) fn init(config: &Config) {
    // The filter was checked with the configuration.
    let filter = EnvFilter::try_new(&config.log_filter).unwrap_or_else(|_| EnvFilter::new("info"));
    let builder = fmt::Subscriber::builder().with_env_filter(filter).with_writer(stderr);
    let _ = match config.log_format {
        LogFormat::Text => tracing::subscriber::set_global_default(
            builder.with_target(false).with_ansi(stderr().is_terminal()).finish(),
        ),
        LogFormat::Json => tracing::subscriber::set_global_default(builder.json().finish()),
    };
}
