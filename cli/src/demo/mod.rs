//! `tutti demo`: three societies, three real nodes, one referral from end to end, every step
//! checked.
//!
//! Each step runs the same executable as a person would, and is then checked through the nodes'
//! API. Invariants: no node outlives the demo (each stops when its standard input ends, whatever
//! ends the demo); a check that fails names itself and ends the demo with an exit code that is not
//! 0; nothing is written outside the demo's directory.

mod account;
mod auditing;
mod canary;
mod ending;
mod federation;
mod nodes;
mod seen;
mod story;
mod withdrawal;

use std::path::{Path, PathBuf};

use clap::Args;

use crate::{
    failure::{Exit, Failure, Outcome},
    node,
    screen::{Style, note, paint, say},
    text,
};
use account::Account;

/// Found a federation of three on this machine, and watch one referral from end to end.
///
/// Singapore refers an injured worker to the Philippines; the Philippines acknowledges, accepts and
/// completes; Qatar carries and witnesses the logs and can read nothing of the case. Then the worker
/// withdraws her consent: both stop, her case is erased on both, each has the other's receipt, and
/// every file is searched for what is left. Everything is audited at the end. Three real nodes on loopback ports, over mutual TLS. The nodes stay up for
/// you to try commands on until Ctrl-C.
#[derive(Args)]
pub(crate) struct Demo {
    /// Where to put it all: a new directory, which is kept. If not given, a temporary one, which is
    /// removed at the end.
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
    /// Stop the nodes when the story is told. Exit code 0 means that every step was checked.
    #[arg(long)]
    exit: bool,
}

/// A Unix socket's path has at most 104 bytes on some systems; the longest here is this.
const SOCKET_PATH: (usize, &str) = (100, "sg/tutti.sock");

impl Demo {
    pub(crate) fn run(self) -> Outcome {
        let place = Place::take(self.dir.as_deref())?;
        let told = node::block_on(tell(place.dir(), self.exit));
        match told {
            Ok(ended) => {
                place.leave();
                match ended {
                    Ended::Told => Ok(Exit::Ok),
                    Ended::Interrupted => Err(Failure::new(
                        Exit::Refused,
                        "interrupted before the story was told; the nodes were stopped",
                    )),
                }
            }
            Err(failure) => {
                let kept = place.keep();
                Err(failure
                    .kept(format!("everything, with each node's log, in {}", kept.display())))
            }
        }
    }
}

/// The whole of it; the nodes are stopped when it returns.
async fn tell(dir: &Path, exit: bool) -> Result<Ended, Failure> {
    let account = Account::new(dir)?;
    let mut nodes = tokio::select! {
        nodes = begin(&account) => nodes?,
        () = interrupted() => return Ok(Ended::Interrupted),
    };
    let told = tokio::select! {
        told = story(&account, &nodes) => told,
        () = interrupted() => {
            nodes.stop(&account).await?;
            return Ok(Ended::Interrupted);
        }
    };
    let (referral, share) = match told {
        Ok(ids) => ids,
        Err(failure) => {
            nodes.end().await;
            return Err(failure);
        }
    };
    if exit {
        nodes.stop(&account).await?;
        account.all_checked();
        return Ok(Ended::Told);
    }
    account.all_checked();
    ending::suggest(&account, &referral, &share);
    tokio::select! {
        () = interrupted() => say("\nStopping the nodes."),
        ended = nodes.ended() => {
            nodes.end().await;
            return Err(ended);
        }
    }
    nodes.stop(&account).await?;
    Ok(Ended::Told)
}

/// How it ended, where nothing failed.
enum Ended {
    Told,
    Interrupted,
}

async fn begin(account: &Account) -> Result<nodes::Nodes, Failure> {
    say(format!(
        "{}\nEverything is in {} (below: DIR). The people in it are invented.",
        paint(Style::Bold, "Tutti: three societies, three nodes, one referral from end to end"),
        account.dir().display()
    ));
    federation::found(account)?;
    nodes::Nodes::start(account).await
}

/// From the first referral to the last check; gives back the referral's and the share's id.
async fn story(account: &Account, nodes: &nodes::Nodes) -> Result<(String, String), Failure> {
    let referral = story::tell(account, nodes).await?;
    let share = story::publish(account, nodes).await?;
    nodes.settle(account).await?;
    canary::check(account)?;
    withdrawal::tell(account, nodes, &referral).await?;
    nodes.settle(account).await?;
    auditing::check(account)?;
    ending::picture(account, nodes).await?;
    Ok((referral, share))
}

/// Resolves at Ctrl-C, at a signal to stop, or when the terminal goes away.
async fn interrupted() {
    use tokio::signal::unix::{SignalKind, signal};
    let [interrupt, terminate, hangup] =
        [SignalKind::interrupt(), SignalKind::terminate(), SignalKind::hangup()].map(signal);
    match (interrupt, terminate, hangup) {
        (Ok(mut interrupt), Ok(mut terminate), Ok(mut hangup)) => {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
                _ = hangup.recv() => {}
            }
        }
        // Then the signal ends the process, and with it each node's standard input.
        _ => std::future::pending().await,
    }
}

/// The demo's directory.
enum Place {
    Kept(PathBuf),
    Temporary(tempfile::TempDir),
}

impl Place {
    fn take(dir: Option<&Path>) -> Result<Self, Failure> {
        let place = match dir {
            Some(dir) => {
                let exists = |what: &str| {
                    Failure::new(Exit::Usage, format!("{} {what}", dir.display()))
                        .kept("all that is in it; nothing was started")
                        .todo("give a new directory, or remove that one if it is an old demo")
                };
                match std::fs::read_dir(dir).map(|mut entries| entries.next().is_some()) {
                    Ok(true) => {
                        return Err(exists("is not empty: the demo founds a new federation"));
                    }
                    Ok(false) => {}
                    Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                        std::fs::create_dir_all(dir).map_err(|error| Failure::io(dir, &error))?;
                    }
                    Err(error) if error.kind() == std::io::ErrorKind::NotADirectory => {
                        return Err(exists("is a file"));
                    }
                    Err(error) => return Err(Failure::io(dir, &error)),
                }
                Self::Kept(dir.canonicalize().map_err(|error| Failure::io(dir, &error))?)
            }
            None => {
                let temp = tempfile::Builder::new().prefix("tutti-demo-").tempdir();
                Self::Temporary(temp.map_err(|error| Failure::io(&std::env::temp_dir(), &error))?)
            }
        };
        let (longest, socket) = SOCKET_PATH;
        if place.dir().join(socket).as_os_str().len() > longest {
            let what = format!(
                "{} is too long a path: a node's socket in it would not fit",
                place.dir().display()
            );
            return Err(Failure::new(Exit::Usage, what).todo("give a shorter --dir"));
        }
        Ok(place)
    }

    fn dir(&self) -> &Path {
        match self {
            Self::Kept(dir) => dir,
            Self::Temporary(temp) => temp.path(),
        }
    }

    fn leave(self) {
        match self {
            Self::Kept(dir) => {
                say(format!("\nKept: {}", text::shell(&dir.display().to_string())));
            }
            Self::Temporary(temp) => {
                let path = temp.path().display().to_string();
                if let Err(error) = temp.close() {
                    note(format!("tutti: {path} could not be removed: {error}"));
                }
            }
        }
    }

    fn keep(self) -> PathBuf {
        match self {
            Self::Kept(dir) => dir,
            Self::Temporary(temp) => temp.keep(),
        }
    }
}
