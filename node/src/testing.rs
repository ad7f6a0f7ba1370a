//! A federation for tests: directories with keys, cards and a roster, and ports on loopback.

#![allow(clippy::unwrap_used)]

use std::{
    collections::BTreeMap,
    fs,
    net::{SocketAddr, TcpListener},
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
};

use rand_core::OsRng;
use tempfile::TempDir;
use tokio::{sync::oneshot, task::JoinHandle};
use tutti_core::{
    roster::{Card, DataProtection, Document, Draft, Member, Role, Roster, Status},
    society::Society,
};

use crate::{
    config::{Config, NewNode},
    keyring::{Keyring, root_key},
    rosters,
    serve::{Options, Ready, Stopped, serve},
};

pub(crate) const FEDERATION: &str = "migrants.example.org";

pub(crate) struct Federation {
    pub(crate) dir: TempDir,
    pub(crate) roster: Arc<Roster>,
    listeners: BTreeMap<Society, TcpListener>,
}

/// The code as a type.
pub(crate) fn society(code: &str) -> Society {
    code.parse().unwrap()
}

impl Federation {
    /// Makes a node for each code, all in roster version 1. Those in `silent` have no endpoint.
    pub(crate) fn found(codes: &[&str], silent: &[&str]) -> Self {
        Self::found_with(codes, silent, &[])
    }

    /// The same; those in `relays` are relays.
    pub(crate) fn found_with(codes: &[&str], silent: &[&str], relays: &[&str]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let (mut cards, mut listeners) = (Vec::new(), BTreeMap::new());
        for code in codes {
            let listener = bind();
            listener.set_nonblocking(true).unwrap();
            let listen = (!silent.contains(code)).then(|| listener.local_addr().unwrap());
            let role = if relays.contains(code) { Role::Relay } else { Role::Member };
            cards.push(create(dir.path().join(code), code, listen, role));
            listeners.insert(society(code), listener);
        }
        let protection = DataProtection {
            emergency_hours: 24,
            urgent_hours: 72,
            normal_hours: 336,
            retention_days: 365,
            acknowledge_hours: None,
        };
        let mut draft = Draft::found(&cards, 1, "2030-01-01", protection).unwrap();
        for code in codes {
            let root = dir.path().join(code).join("keys/root.key");
            draft.sign(&root_key(&root, None).unwrap()).unwrap();
        }
        let bytes = draft.to_bytes();
        for code in codes {
            rosters::install(&dir.path().join(code), &bytes).unwrap();
        }
        let roster = Arc::new(Roster::open_first(&bytes).unwrap());
        Self { dir, roster, listeners }
    }

    /// The next roster, with what `change` makes of the one in force, signed by everybody.
    pub(crate) fn next(&self, change: impl FnOnce(&mut Document)) -> Arc<Roster> {
        self.after(&self.roster, change)
    }

    /// The same after another roster than the first.
    pub(crate) fn after(&self, roster: &Roster, change: impl FnOnce(&mut Document)) -> Arc<Roster> {
        let mut draft = Draft::succeed(roster, change).unwrap();
        for member in roster.members() {
            let root = self.home(member.society.as_str()).join("keys/root.key");
            draft.sign(&root_key(&root, None).unwrap()).unwrap();
        }
        Arc::new(Roster::open_next(roster, &draft.to_bytes()).unwrap())
    }

    pub(crate) fn home(&self, code: &str) -> PathBuf {
        self.dir.path().join(code)
    }

    pub(crate) fn keyring(&self, code: &str) -> Keyring {
        Keyring::open(&self.home(code).join("keys"), None).unwrap()
    }

    /// The listener whose address is in the roster.
    pub(crate) fn listener(&self, code: &str) -> TcpListener {
        self.listeners[&society(code)].try_clone().unwrap()
    }

    pub(crate) fn address(&self, code: &str) -> SocketAddr {
        self.listeners[&society(code)].local_addr().unwrap()
    }

    /// What the roster says that others dial.
    pub(crate) fn address_of_roster(&self, code: &str) -> SocketAddr {
        self.roster.member(society(code)).unwrap().endpoints[0].parse().unwrap()
    }

    /// Frees the port for a node that binds it by itself.
    pub(crate) fn release(&mut self, code: &str) {
        self.listeners.remove(&society(code));
    }
}

/// A port that the system gives to no connection: a node that is not up yet, or not any more, keeps its own.
fn bind() -> TcpListener {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let from = std::process::id().wrapping_mul(61);
    loop {
        let number = from.wrapping_add(NEXT.fetch_add(1, Ordering::SeqCst));
        let port = 10_000 + (number % 10_000) as u16;
        if let Ok(listener) = TcpListener::bind(("127.0.0.1", port)) {
            return listener;
        }
    }
}

fn create(home: PathBuf, code: &str, listen: Option<SocketAddr>, role: Role) -> Card {
    let society = society(code);
    let config = Config::create(
        &home,
        &NewNode {
            society,
            name: format!("Society of {code}"),
            federation: FEDERATION.into(),
            listen,
            endpoints: listen.iter().map(ToString::to_string).collect(),
            api_listen: None,
            metrics_listen: None,
            desk: None,
        },
    )
    .unwrap();
    Keyring::create(&config.keys(), &config.origin, None, &mut OsRng).unwrap();
    crate::store::DiskStore::begin(&home).unwrap();
    let keyring = Keyring::open(&config.keys(), None).unwrap();
    let root = root_key(&config.keys().join("root.key"), None).unwrap();
    let member = Member {
        society,
        name: config.name.clone(),
        endpoints: config.endpoints.clone(),
        role,
        status: Status::Active,
        root_key: root.public().clone(),
        log_key: keyring.log.public().clone(),
        witness_key: keyring.witness.public().clone(),
        tls_key: keyring.tls.spki().unwrap(),
        case_key: keyring.case.recipient(),
        audit_key: keyring.audit.recipient(),
        routing_key: keyring.routing.public(),
        desk: None,
    };
    crate::local::found(&home, &keyring.local, &config.origin, "operator", 1, &mut OsRng).unwrap();
    let card = Card::sign(FEDERATION, member, &root).unwrap();
    fs::write(config.card(), &card).unwrap();
    Card::open(&card).unwrap()
}

/// A node that runs inside the test.
pub(crate) struct Running {
    pub(crate) ready: Ready,
    stop: oneshot::Sender<()>,
    task: JoinHandle<Result<(), Stopped>>,
}

impl Running {
    /// Starts the node in `home`; its error where it did not come up.
    pub(crate) async fn start(home: &Path) -> Result<Self, Stopped> {
        let (stop, stopped) = oneshot::channel::<()>();
        let (tell, told) = oneshot::channel();
        let options = Options {
            quiet: true,
            ready: Some(Box::new(|ready: &Ready| drop(tell.send(ready.clone())))),
            stop: Some(Box::pin(async { drop(stopped.await) })),
            ..Options::default()
        };
        let home = home.to_path_buf();
        let task = tokio::spawn(async move { serve(&home, options).await });
        match told.await {
            Ok(ready) => Ok(Self { ready, stop, task }),
            Err(_) => Err(task.await.unwrap().unwrap_err()),
        }
    }

    pub(crate) async fn stop(self) -> Result<(), Stopped> {
        drop(self.stop);
        self.task.await.unwrap()
    }
}

/// Writes another value for a key that stands in the file as `old`.
pub(crate) fn reconfigure(home: &Path, old: &str, new: &str) {
    let path = home.join("tutti.toml");
    let text = fs::read_to_string(&path).unwrap();
    assert!(text.contains(old), "{text} lacks {old}");
    fs::write(&path, text.replacen(old, new, 1)).unwrap();
}
