//! Starting: check everything, then listen, then run.

use std::{fs, net::SocketAddr, path::Path, sync::Arc};

use age::secrecy::SecretString;
use rand_core::OsRng;
use tokio::{
    net::{TcpListener, TcpSocket},
    sync::watch,
    task::{JoinSet, spawn_blocking},
};
use tutti_core::roster::Roster;

use super::{FAREWELL_MAX, Options, Ready, Stopped};
use crate::{
    clock::{Now, now_ms},
    config::Config,
    engine::{Engine, Identity, runtime},
    grpc::{About, Context, Handle, RemoteApi, Services, Socket},
    keyring::Keyring,
    local::Local,
    logging,
    metrics::{self, Metrics},
    peers::{Peers, tls},
    rosters,
    store::{DiskStore, Opened},
};

/// Connections that the system may hold for us.
const BACKLOG: u32 = 1024;

/// A node that is up.
pub(super) struct Node {
    config: Arc<Config>,
    /// The newest roster that was looked at, in force or not.
    roster_seen: u64,
    /// Why the next one cannot be read, where it cannot.
    roster_unread: Option<String>,
    pub(super) ready: Ready,
    pub(super) ended: runtime::Ended,
    engine: Handle,
    peers: Peers,
    services: Services,
    stop: watch::Sender<bool>,
    tasks: JoinSet<()>,
}

/// What was checked before anything listens.
pub(crate) struct Checked {
    pub(crate) config: Config,
    pub(crate) roster: Roster,
    pub(crate) keyring: Keyring,
    pub(crate) local: Local,
    pub(crate) opened: Opened,
}

pub(super) async fn start(dir: &Path, options: Options) -> Result<Node, Stopped> {
    let config = Config::load(dir)?;
    if !options.quiet {
        logging::init(&config);
    }
    // Opening keys and data takes the time it takes.
    let checked = spawn_blocking(move || check(config, options)).await.map_err(internal)??;
    let Checked { config, roster, keyring, local, opened } = checked;
    for notice in &opened.notices {
        tracing::warn!("{notice}");
    }

    let socket = Socket::bind(&config.socket()).await?;
    let listener = bind(config.listen, "peers.listen")?;
    let remote = bind(config.api, "api.listen")?;
    let page = bind(config.metrics, "metrics.listen")?;
    let address = |listener: &Option<TcpListener>| -> Option<SocketAddr> {
        listener.as_ref().and_then(|listener| listener.local_addr().ok())
    };
    let ready = Ready {
        peers: address(&listener),
        socket: config.socket(),
        api: address(&remote),
        metrics: address(&page),
    };
    let remote = match remote {
        Some(listener) => {
            let tls = tls::api_server(&keyring.tls).map_err(internal)?;
            Some(RemoteApi { listener, tls })
        }
        None => None,
    };
    let gate = local.gate();

    let (shared, roster_seen) = (Arc::new(roster.clone()), roster.version());
    let (peers, mut events) =
        Peers::start(config.society, shared, &keyring.tls, listener).map_err(internal)?;
    let started_at_ms = now_ms();
    let about = About {
        dir: config.dir.clone(),
        origin: config.origin.clone(),
        started_at_ms,
        listen: ready.peers.map(|address| address.to_string()).unwrap_or_default(),
        notices: opened.notices.clone(),
    };
    let identity = Identity {
        society: config.society,
        name: config.name.clone(),
        origin: config.origin.clone(),
        keyring,
        started_at_ms,
        listen: about.listen.clone(),
    };
    let (review, draft_days) = (config.review, config.draft_days);
    let engine = spawn_blocking(move || {
        let mut engine =
            Engine::new(identity, roster, opened.store, opened.highwater, OsRng, Now::read());
        engine.set_local(local);
        engine.set_review(review);
        engine.keep_drafts(draft_days);
        engine
    })
    .await
    .map_err(internal)?;
    let (engine, ended) = runtime::start(engine).map_err(internal)?;

    let context = Context {
        engine: engine.clone(),
        metrics: Arc::new(Metrics::new(env!("CARGO_PKG_VERSION"))),
        peers: peers.view(),
        about: Arc::new(about),
        gate,
    };
    let services = Services::new(&context).await.map_err(internal)?;
    let stop = watch::Sender::new(false);
    let mut tasks = JoinSet::new();
    let to_engine = engine.clone();
    tasks.spawn(async move {
        while let Some(incoming) = events.recv().await {
            if to_engine.peer(incoming).await.is_err() {
                return;
            }
        }
    });
    tasks.spawn(socket.serve(services.clone(), stop.subscribe()));
    if let Some(remote) = remote {
        tasks.spawn(remote.serve(services.clone(), stop.subscribe()));
    }
    if let Some(page) = page {
        tasks.spawn(metrics::serve(page, context, stop.subscribe()));
    }
    tracing::info!(society = %config.society, version = env!("CARGO_PKG_VERSION"), "started");
    Ok(Node {
        config: Arc::new(config),
        roster_seen,
        roster_unread: None,
        ready,
        ended,
        engine,
        peers,
        services,
        stop,
        tasks,
    })
}

fn internal(error: impl std::fmt::Display) -> Stopped {
    Stopped::Internal(format!("the node cannot start: {error}"))
}

/// Everything that can be wrong before anything listens.
pub(crate) fn check(config: Config, mut options: Options) -> Result<Checked, Stopped> {
    let chain = rosters::chain(&config.dir)?;
    let roster = chain.newest().clone();
    let passphrase = match &config.passphrase_file {
        Some(path) => Some(read_passphrase(path)?),
        None => options.passphrase.take(),
    };
    let keyring = Keyring::open(&config.keys(), passphrase.as_ref())?;
    rosters::check_keyring(&config, &keyring, &roster)?;
    let mut ignore = |_: &str, _: u64, _: u64| ();
    let progress: &mut dyn FnMut(&str, u64, u64) = match &mut options.progress {
        Some(progress) => progress,
        None => &mut ignore,
    };
    let mut opened = DiskStore::open(&config.dir, &config.origin, &chain, progress)?;
    let (local, told) = Local::open(&config.dir, &keyring.local, &config.origin)?;
    opened.notices.extend(told);
    if local.accounts().next().is_none() {
        opened.notices.push(
            "nobody has an account here, so nobody is let in. Stop the node, and make one: `tutti \
             user reset NAME`"
                .into(),
        );
    }
    Ok(Checked { config, roster, keyring, local, opened })
}

/// The first line of the file.
fn read_passphrase(path: &Path) -> Result<SecretString, Stopped> {
    let text = fs::read_to_string(path)
        .map(zeroize::Zeroizing::new)
        .map_err(|source| Stopped::Passphrase { path: path.into(), source })?;
    Ok(SecretString::from(text.lines().next().unwrap_or_default().to_string()))
}

fn bind(address: Option<SocketAddr>, key: &'static str) -> Result<Option<TcpListener>, Stopped> {
    let Some(address) = address else {
        return Ok(None);
    };
    let listen = || {
        let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
        // A port that a node has just left is free.
        socket.set_reuseaddr(true)?;
        socket.bind(address)?;
        socket.listen(BACKLOG)
    };
    listen().map(Some).map_err(|source| match source.kind() {
        std::io::ErrorKind::AddrInUse => {
            Stopped::AddressInUse { address: address.to_string(), key }
        }
        _ => Stopped::Address { address: address.to_string(), key, source },
    })
}

impl Node {
    /// Takes a roster that was installed since, if there is one: the engine first, then the links,
    /// so that nobody is let in by what the engine no longer goes by.
    pub(super) async fn look_for_roster(&mut self) {
        let (dir, next) = (self.config.dir.clone(), self.roster_seen + 1);
        let found =
            spawn_blocking(move || rosters::is_there(&dir, next).then(|| rosters::chain(&dir)));
        let chain = match found.await {
            Ok(Some(Ok(chain))) => chain,
            // What cannot be read now may be in a moment: it is looked at again.
            Ok(Some(Err(error @ rosters::RostersError::Io { .. }))) => {
                let why = format!("a roster was installed that cannot be read yet: {error}");
                if self.roster_unread.as_ref() != Some(&why) {
                    tracing::error!(%error, "the roster that was installed cannot be read yet");
                    self.roster_unread = Some(why.clone());
                    let _ = self.engine.ask(|engine, _| engine.cannot_take_roster(why)).await;
                }
                return;
            }
            Ok(Some(Err(error))) => {
                self.roster_seen = next;
                tracing::error!(%error, "the roster that was installed is not in force");
                let why = format!("a roster was installed that is not in force: {error}");
                let _ = self.engine.ask(|engine, _| engine.cannot_take_roster(why)).await;
                return;
            }
            Ok(None) | Err(_) => return,
        };
        let roster = Arc::new(chain.newest().clone());
        (self.roster_seen, self.roster_unread) = (roster.version(), None);
        let (config, taken) = (self.config.clone(), roster.clone());
        let taken =
            self.engine.ask(move |engine, now| engine.take_roster(&config, &taken, now)).await;
        match taken {
            Ok(Ok(())) => self.peers.follow(roster),
            Ok(Err(error)) => {
                tracing::error!(%error, "the roster that was installed is not in force");
            }
            Err(_) => {}
        }
    }

    /// From the outside in. `engine_runs`: whether there is still an engine to wait for.
    pub(super) async fn stop(mut self, engine_runs: bool) -> Result<(), Stopped> {
        tracing::info!("stopping");
        self.services.stopping().await;
        self.stop.send_replace(true);
        self.peers.stop().await;
        self.engine.stop().await;
        let ended = if engine_runs { self.ended.await.ok().flatten() } else { None };
        drop(self.engine);
        // Requests that are under way have their answers by now; a client that does not read
        // holds up nothing.
        let finished = tokio::time::timeout(FAREWELL_MAX, async {
            while self.tasks.join_next().await.is_some() {}
        })
        .await;
        if finished.is_err() {
            self.tasks.shutdown().await;
        }
        tracing::info!("stopped");
        ended.map_or(Ok(()), |reason| Err(Stopped::Disk(reason)))
    }
}
