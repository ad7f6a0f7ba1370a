//! A node's configuration: `tutti.toml` in its directory, with overrides from the environment.
//!
//! Every key may be overridden by `TUTTI_` and its path in capitals (`peers.listen` by
//! `TUTTI_PEERS_LISTEN`), except who the node is and how its society's desk is reached. Everything is
//! checked once, here, into valid types; an error names the key, the value and the fix. Nothing else
//! reads the file or the environment.

mod file;

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
};

use tutti_core::{
    roster::Desk,
    society::{Origin, Society},
};

/// The name of the file in the node's directory.
pub const FILE: &str = "tutti.toml";

/// Why the configuration was not taken.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// There is none.
    #[error("{0} is missing; nothing was started. Run `tutti init` there, or give another --dir")]
    Missing(PathBuf),
    /// There is one already.
    #[error("{0} exists already; it was left as it is. Choose another directory")]
    Exists(PathBuf),
    /// Not TOML, or a key that is not known.
    #[error("{path} cannot be read: {}\nNothing was started; correct the file", .problem.trim_end())]
    Syntax {
        /// The file.
        path: PathBuf,
        /// What the parser said, with the line.
        problem: String,
    },
    /// A value is wrong.
    #[error("{key} = {value:?} (in {place}) {problem}. {fix}")]
    Value {
        /// `peers.listen`, say.
        key: String,
        /// As it was written.
        value: String,
        /// The file, or the variable.
        place: String,
        /// What is wrong with it.
        problem: String,
        /// What to write instead.
        fix: String,
    },
    /// A variable that looks like ours and is none.
    #[error("environment variable {name} is not known; nothing was started. Known are: {known}")]
    Variable {
        /// Its name.
        name: String,
        /// All that are known.
        known: String,
    },
    /// Reading or writing failed.
    #[error("{path}: {source}")]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
}

/// How log lines are written on standard error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

/// A checked configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// The node's directory.
    pub dir: PathBuf,
    /// Who runs the node.
    pub society: Society,
    /// Its name, for people.
    pub name: String,
    /// Which federation.
    pub federation: String,
    /// Its log.
    pub origin: Origin,
    /// Where other nodes reach this one; `None` for a node that only dials out.
    pub listen: Option<SocketAddr>,
    /// What others dial, `host:port`; written on the membership card.
    pub endpoints: Vec<String>,
    /// How others reach the referral desk; written on the membership card.
    pub desk: Option<Desk>,
    /// Remote access to the client API; `None`: the local socket alone.
    pub api: Option<SocketAddr>,
    /// Where Prometheus reads metrics, on loopback; `None`: off.
    pub metrics: Option<SocketAddr>,
    /// Whether a second person approves what is published, revised and translated.
    pub review: bool,
    /// Days after which a draft is erased on which nobody works.
    pub draft_days: u32,
    /// How log lines look.
    pub log_format: LogFormat,
    /// Which log lines are written, as `tracing` filters are.
    pub log_filter: String,
    /// A file whose first line opens the keys; `None`: they are under no passphrase, or it is
    /// asked for.
    pub passphrase_file: Option<PathBuf>,
}

/// What a new node's configuration is made of.
#[derive(Debug, Clone)]
pub struct NewNode {
    /// Who runs it.
    pub society: Society,
    /// Its name, for people.
    pub name: String,
    /// Which federation.
    pub federation: String,
    /// Where other nodes reach it; `None` for a node that only dials out.
    pub listen: Option<SocketAddr>,
    /// What others dial, `host:port`.
    pub endpoints: Vec<String>,
    /// Remote access to the client API, off unless given.
    pub api_listen: Option<SocketAddr>,
    /// Prometheus metrics, off unless given.
    pub metrics_listen: Option<SocketAddr>,
    /// How others reach the referral desk, where that is known.
    pub desk: Option<Desk>,
}

impl Config {
    /// Writes a commented `tutti.toml` into `dir`, which is made with mode 0700 where it is
    /// missing. What is written was checked as [`Config::load`] checks it.
    pub fn create(dir: &Path, node: &NewNode) -> Result<Self, ConfigError> {
        file::create(dir, node)
    }

    /// Reads `tutti.toml` in `dir` and the process's environment.
    pub fn load(dir: &Path) -> Result<Self, ConfigError> {
        Self::load_with(dir, std::env::vars())
    }

    /// The same with a given environment.
    pub fn load_with(
        dir: &Path,
        environment: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Self, ConfigError> {
        file::load(dir, environment)
    }

    /// Where the keys are.
    pub fn keys(&self) -> PathBuf {
        self.dir.join("keys")
    }

    /// The socket for local access.
    pub fn socket(&self) -> PathBuf {
        socket(&self.dir)
    }

    /// The node's membership card.
    pub fn card(&self) -> PathBuf {
        self.dir.join("card.note")
    }
}

/// The socket for local access to the node in `dir`.
pub fn socket(dir: &Path) -> PathBuf {
    dir.join("tutti.sock")
}

/// The names of all environment variables that override a key.
pub fn variables() -> Vec<String> {
    file::KEYS.iter().map(|key| file::variable(key)).collect()
}

#[cfg(test)]
#[path = "config/tests.rs"]
mod tests;
