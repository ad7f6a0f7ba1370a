//! `tutti serve`: the node itself, in this process.

use std::{
    future::Future,
    io::Read as _,
    path::{Path, PathBuf},
    pin::Pin,
};

use clap::Args;
use secrecy::SecretString;
use tutti_node::{
    config::Config,
    serve::{self, Options},
};

use crate::{
    failure::{Exit, Failure, Outcome},
    node, passphrase,
    progress::Progress,
    screen::note,
};

/// Run this society's node until Ctrl-C or a signal to stop.
///
/// The same as the program `tutti-node`. Its own log goes to standard error (TUTTI_LOG_FORMAT=json
/// for machines). On a server let systemd run it: docs/operating.md.
#[derive(Args)]
pub(crate) struct Serve {
    /// The node's directory; if not given, /var/lib/tutti where there is a node, else tutti in
    /// this user's data directory.
    #[arg(long, env = "TUTTI_DIR", value_name = "DIR")]
    dir: Option<PathBuf>,
    /// Stop when standard input ends: a node of the demo never outlives it.
    #[arg(long, hide = true)]
    while_stdin: bool,
}

impl Serve {
    pub(crate) fn run(self) -> Outcome {
        let dir = self.dir.unwrap_or_else(node::default_dir);
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .enable_all()
            .build()
            .map_err(|error| Failure::new(Exit::Internal, format!("no runtime: {error}")))?;
        let passphrase = passphrase(&dir)?;
        let bar = Progress::new("reading");
        let options = Options {
            passphrase,
            progress: Some(Box::new(move |_, done, total| bar.at(done, total))),
            stop: self.while_stdin.then(end_of_stdin),
            ..Options::default()
        };
        let served = runtime.block_on(serve::serve(&dir, options));
        // What still waits on a thread, such as standard input, need not be waited for.
        runtime.shutdown_background();
        match served {
            Ok(()) => Ok(Exit::Ok),
            Err(stopped) => Err(Failure::new(stopped.exit_code(), stopped.to_string())),
        }
    }
}

/// Asks for the passphrase where the keys are under one, no file with it is configured, and
/// somebody is there. What is wrong with the configuration, the node itself says.
fn passphrase(dir: &Path) -> Result<Option<SecretString>, Failure> {
    match Config::load(dir) {
        Ok(config) if config.passphrase_file.is_none() => {
            passphrase::for_key(&config.keys().join("log.key"), None).map_err(|failure| {
                failure.todo("set passphrase_file in tutti.toml, or TUTTI_PASSPHRASE_FILE")
            })
        }
        _ => Ok(None),
    }
}

/// Resolves when standard input ends, or at a signal to stop.
fn end_of_stdin() -> Pin<Box<dyn Future<Output = ()> + Send>> {
    let (ended, end) = tokio::sync::oneshot::channel();
    std::thread::spawn(move || {
        let mut byte = [0; 64];
        while std::io::stdin().lock().read(&mut byte).is_ok_and(|count| count > 0) {}
        // Nobody waits any more where the node has stopped already.
        let _ = ended.send(());
    });
    Box::pin(async move {
        use tokio::signal::unix::{SignalKind, signal};
        let Ok(mut terminate) = signal(SignalKind::terminate()) else {
            note("tutti: no signals can be received; the node stops with its standard input");
            let _ = end.await;
            return;
        };
        tokio::select! {
            _ = end => {}
            _ = terminate.recv() => {}
            _ = tokio::signal::ctrl_c() => {}
        }
    })
}
