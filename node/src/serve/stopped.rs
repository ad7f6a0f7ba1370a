//! Why a node did not start or ended, each a plain sentence with its exit code.

use std::{io, path::PathBuf};

use crate::{
    config::ConfigError, exit::Exit, grpc::SocketError, keyring::KeyringError,
    rosters::RostersError, store::DiskError,
};

/// Why a node did not start, or ended other than by being told to.
#[derive(Debug, thiserror::Error)]
pub enum Stopped {
    /// The configuration is missing or wrong.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The keys are missing, locked or malformed.
    #[error(transparent)]
    Keys(#[from] KeyringError),
    /// The passphrase file cannot be read.
    #[error("passphrase file {path}: {source}; nothing was started. Correct passphrase_file")]
    Passphrase {
        /// Which.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// No roster, a wrong one, or one with other keys.
    #[error(transparent)]
    Rosters(#[from] RostersError),
    /// The data cannot be opened.
    #[error(transparent)]
    Data(#[from] DiskError),
    /// An address is taken.
    #[error(
        "{address} is in use by another process; nothing was started. Stop that process, or \
         change {key}"
    )]
    AddressInUse {
        /// Which.
        address: String,
        /// The key in the configuration.
        key: &'static str,
    },
    /// An address cannot be listened on.
    #[error("{address} cannot be listened on: {source}; nothing was started. Change {key}")]
    Address {
        /// Which.
        address: String,
        /// The key in the configuration.
        key: &'static str,
        /// What the system said.
        source: io::Error,
    },
    /// The local socket cannot be made.
    #[error(transparent)]
    Socket(#[from] SocketError),
    /// The disk failed while the node ran.
    #[error(
        "{0}. What was answered before is on the disk; the node has ended, for what it wrote last \
         cannot be believed. See to the disk, then start the node again: it checks everything"
    )]
    Disk(String),
    /// A fault of the program's own.
    #[error("{0}")]
    Internal(String),
}

impl Stopped {
    /// The process's exit code.
    pub fn exit_code(&self) -> Exit {
        match self {
            Self::Config(_) | Self::Address { .. } => Exit::Configuration,
            Self::Keys(_) | Self::Passphrase { .. } => Exit::Key,
            Self::Rosters(RostersError::WrongKeys { .. } | RostersError::DamagedKeys { .. }) => {
                Exit::Key
            }
            Self::Rosters(_) => Exit::Configuration,
            Self::Data(DiskError::Locked) => Exit::Locked,
            Self::Data(DiskError::NewerFormat { .. }) => Exit::NewerFormat,
            Self::Data(DiskError::Full { .. }) => Exit::DiskFull,
            Self::Data(DiskError::Damaged { .. } | DiskError::Io { .. }) => Exit::Damaged,
            Self::AddressInUse { .. } | Self::Socket(SocketError::InUse(_)) => Exit::AddressInUse,
            Self::Socket(SocketError::Io { .. }) => Exit::Configuration,
            Self::Disk(_) => Exit::Damaged,
            Self::Internal(_) => Exit::Internal,
        }
    }
}
