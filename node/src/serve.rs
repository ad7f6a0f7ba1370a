//! Running a node: from its directory to a clean stop.
//!
//! Starting checks everything before it listens: configuration, roster, keys, data, addresses.
//! Stopping goes from the outside in: no new requests, no peers, then the engine commits what is
//! queued and closes the store.

#[cfg(test)]
mod attachment_tests;
#[cfg(test)]
mod people_tests;
mod start;
mod stopped;
#[cfg(test)]
mod story_tests;
#[cfg(test)]
mod tests;

use std::{
    future::Future,
    net::SocketAddr,
    path::{Path, PathBuf},
    pin::Pin,
    time::Duration,
};

use age::secrecy::SecretString;
use tokio::signal::unix::{SignalKind, signal};

pub use crate::grpc::SocketError;
#[cfg(test)]
pub(crate) use start::{Checked, check};
pub use stopped::Stopped;

/// How long requests that are under way may take to end when the node stops.
const FAREWELL_MAX: Duration = Duration::from_secs(5);

/// How often it is looked whether another roster was installed.
const ROSTER_EVERY: Duration = Duration::from_secs(1);

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

/// Told once, when everything answers.
pub type OnReady = Box<dyn FnOnce(&Ready) + Send>;

/// Told while data are read at the start: what, how much of it, of how much.
pub type OnProgress = Box<dyn FnMut(&str, u64, u64) + Send>;

/// How a node is run.
#[derive(Default)]
pub struct Options {
    /// Opens the keys, where they are under a passphrase and no file with it is configured.
    pub passphrase: Option<SecretString>,
    /// Called once, when everything answers.
    pub ready: Option<OnReady>,
    /// The node stops when this resolves; else at SIGINT or SIGTERM.
    pub stop: Option<Pin<Box<dyn Future<Output = ()> + Send>>>,
    /// Writes no ready line and starts no logging: for nodes inside another program.
    pub quiet: bool,
    /// Told while data are read at the start: what, how much of it, of how much.
    pub progress: Option<OnProgress>,
}

/// Runs the node in `dir` until it is told to stop.
pub async fn serve(dir: &Path, mut options: Options) -> Result<(), Stopped> {
    let stop: Pin<Box<dyn Future<Output = ()> + Send>> = match options.stop.take() {
        Some(stop) => stop,
        None => Box::pin(signals()?),
    };
    let ready = options.ready.take();
    let quiet = options.quiet;
    let mut node = start::start(dir, options).await?;
    if !quiet {
        println!("{}", line(&node.ready));
    }
    if let Some(ready) = ready {
        ready(&node.ready);
    }
    let mut stop = stop;
    let fatal = loop {
        tokio::select! {
            () = &mut stop => break None,
            ended = &mut node.ended => break Some(ended.map_or_else(
                |_| Stopped::Internal("the engine has panicked; what was answered is on the disk. \
                                       Start the node again, and report this".into()),
                |reason| Stopped::Disk(reason.unwrap_or_default()),
            )),
            () = tokio::time::sleep(ROSTER_EVERY) => node.look_for_roster().await,
        }
    };
    let ended = node.stop(fatal.is_none()).await;
    match fatal {
        Some(fatal) => Err(fatal),
        None => ended,
    }
}

/// The one line on standard output, when everything answers.
fn line(ready: &Ready) -> String {
    let mut line = format!("tutti: ready, socket {}", ready.socket.display());
    for (what, address) in [("peers", ready.peers), ("api", ready.api), ("metrics", ready.metrics)]
    {
        if let Some(address) = address {
            line.push_str(&format!(", {what} {address}"));
        }
    }
    line
}

/// Resolves at SIGINT or SIGTERM.
fn signals() -> Result<impl Future<Output = ()> + Send, Stopped> {
    let listen = |kind| {
        signal(kind).map_err(|error| Stopped::Internal(format!("signals cannot be had: {error}")))
    };
    let (mut interrupt, mut terminate) =
        (listen(SignalKind::interrupt())?, listen(SignalKind::terminate())?);
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    })
}
