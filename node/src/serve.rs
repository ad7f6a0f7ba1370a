//! Running a node: from its directory to a clean stop.

use std::{
    future::Future,
    net::SocketAddr,
    path::{Path, PathBuf},
    pin::Pin,
};

use crate::{config::ConfigError, exit::Exit, keyring::KeyringError, rosters::RostersError};

/// Where a node that is up can be reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ready {
    /// Other nodes; `None` where it only dials out.
    pub peers: Option<SocketAddr>,
    /// The local socket.
    pub socket: PathBuf,
    /// The remote API, where it is on.
    pub api: Option<SocketAddr>,
    /// Metrics, where they are on.
    pub metrics: Option<SocketAddr>,
}

/// How a node is run.
#[derive(Default)]
pub struct Options {
    /// Called once, when everything answers.
    pub ready: Option<Box<dyn FnOnce(&Ready) + Send>>,
    /// The node stops when this resolves; else at SIGINT or SIGTERM.
    pub stop: Option<Pin<Box<dyn Future<Output = ()> + Send>>>,
}

/// Why a node did not start, or ended other than by being told to.
#[derive(Debug, thiserror::Error)]
pub enum Stopped {
    /// The configuration is missing or wrong.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The keys are missing, locked or malformed.
    #[error(transparent)]
    Keys(#[from] KeyringError),
    /// No roster, a wrong one, or one with other keys.
    #[error(transparent)]
    Rosters(#[from] RostersError),
    /// An address is taken.
    #[error(
        "{what} address {address} is in use by another process; nothing was started. Stop that process, or change {key}"
    )]
    AddressInUse {
        /// What it was for.
        what: &'static str,
        /// Which.
        address: String,
        /// The key in the configuration.
        key: &'static str,
    },
    /// A fault of the program's own.
    #[error("{0}")]
    Internal(String),
}

impl Stopped {
    /// The process's exit code.
    pub fn exit_code(&self) -> Exit {
        match self {
            Self::Config(_) => Exit::Configuration,
            Self::Keys(_) | Self::Rosters(RostersError::WrongKeys { .. }) => Exit::Key,
            Self::Rosters(_) => Exit::Configuration,
            Self::AddressInUse { .. } => Exit::AddressInUse,
            Self::Internal(_) => Exit::Internal,
        }
    }
}

/// Runs the node in `dir` until it is told to stop.
pub async fn serve(dir: &Path, _options: Options) -> Result<(), Stopped> {
    let config = crate::config::Config::load(dir)?;
    Err(Stopped::Internal(format!("the node of {} is not wired yet", config.society)))
}
