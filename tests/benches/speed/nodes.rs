//! Whole nodes inside this process, over real sockets, with a store that notes when things became
//! durable and how many bytes of them there were.

use std::{
    collections::BTreeMap,
    net::TcpListener,
    path::Path,
    sync::{Arc, Mutex, PoisonError},
    time::Instant,
};

use rand_core::OsRng;
use tlog_tiles::Hash;
use tokio::task::JoinHandle;
use tutti_core::{
    batch::VerifiedBatch,
    body::{Body, BodyKey},
    entry::EntryBytes,
    evidence::Evidence,
    head::SignedHead,
    society::{Origin, Society},
    store::{BodyState, Reader, Store, StoreError},
    tree::Tree,
};
use tutti_node::{
    clock::Now,
    engine::{Engine, Identity, runtime},
    peers::Peers,
    store::DiskStore,
};

use crate::fixture::{Federation, origin, society};

/// What the store made durable, in order.
#[derive(Default)]
pub(crate) struct Noted {
    /// A log reached a size, then.
    pub(crate) grew: Vec<(Origin, u64, Instant)>,
    /// Entries, their heads and bodies, in bytes.
    pub(crate) bytes: u64,
    /// Bodies, and the last time that some came.
    pub(crate) bodies: u64,
    pub(crate) bodies_at: Option<Instant>,
    /// Commits.
    pub(crate) commits: u64,
}

impl Noted {
    /// When the log first had this size.
    pub(crate) fn reached(&self, origin: &Origin, size: u64) -> Option<Instant> {
        let mut of_log = self.grew.iter().filter(|(of, _, _)| of == origin);
        of_log.find(|(_, held, _)| *held >= size).map(|(_, _, at)| *at)
    }
}

/// See the module.
pub(crate) struct Watched {
    store: DiskStore,
    noted: Shared,
}

pub(crate) type Shared = Arc<Mutex<Noted>>;

/// What was noted.
pub(crate) fn noted(shared: &Shared) -> std::sync::MutexGuard<'_, Noted> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Reader for Watched {
    fn logs(&self) -> Vec<Origin> {
        self.store.logs()
    }
    fn tree(&self, origin: &Origin) -> Tree {
        self.store.tree(origin)
    }
    fn head(&self, origin: &Origin) -> Option<SignedHead> {
        self.store.head(origin)
    }
    fn cosigned(&self, origin: &Origin) -> BTreeMap<Society, SignedHead> {
        self.store.cosigned(origin)
    }
    fn entries(
        &self,
        origin: &Origin,
        start: u64,
        count: u64,
        max_bytes: usize,
    ) -> Result<Vec<EntryBytes>, StoreError> {
        self.store.entries(origin, start, count, max_bytes)
    }
    fn root_at(&self, origin: &Origin, size: u64) -> Result<Hash, StoreError> {
        self.store.root_at(origin, size)
    }
    fn consistency(&self, origin: &Origin, from: u64, to: u64) -> Result<Vec<Hash>, StoreError> {
        self.store.consistency(origin, from, to)
    }
    fn inclusion(&self, origin: &Origin, index: u64, size: u64) -> Result<Vec<Hash>, StoreError> {
        self.store.inclusion(origin, index, size)
    }
    fn body_state(&self, key: &BodyKey) -> BodyState {
        self.store.body_state(key)
    }
    fn body(
        &self,
        key: &BodyKey,
        offset: u64,
        max_bytes: usize,
    ) -> Result<Option<Vec<u8>>, StoreError> {
        self.store.body(key, offset, max_bytes)
    }
    fn opened(&self, key: &BodyKey) -> Option<Vec<u8>> {
        self.store.opened(key)
    }
    fn notes(&self) -> BTreeMap<Vec<u8>, Vec<u8>> {
        self.store.notes()
    }
    fn evidence(&self, origin: &Origin) -> Option<Evidence> {
        self.store.evidence(origin)
    }
}

fn total(bodies: &[Body]) -> u64 {
    bodies.iter().map(|body| body.bytes().len() as u64).sum()
}

impl Store for Watched {
    fn append(&mut self, batch: &VerifiedBatch, bodies: &[Body]) -> Result<(), StoreError> {
        self.store.append(batch, bodies)?;
        let mut noted = noted(&self.noted);
        let entries: u64 = batch.entries().iter().map(|e| e.as_slice().len() as u64).sum();
        noted.bytes += entries + batch.head().to_bytes().len() as u64 + total(bodies);
        noted.bodies += bodies.len() as u64;
        noted.commits += 1;
        noted.grew.push((batch.origin().clone(), batch.tree().size(), Instant::now()));
        Ok(())
    }
    fn put_bodies(&mut self, bodies: &[Body]) -> Result<(), StoreError> {
        self.store.put_bodies(bodies)?;
        let mut noted = noted(&self.noted);
        noted.bytes += total(bodies);
        noted.bodies += bodies.len() as u64;
        noted.bodies_at = Some(Instant::now());
        noted.commits += 1;
        Ok(())
    }
    fn put_head(&mut self, head: &SignedHead) -> Result<(), StoreError> {
        self.store.put_head(head)
    }
    fn erase_body(&mut self, key: &BodyKey) -> Result<(), StoreError> {
        self.store.erase_body(key)
    }
    fn drop_body(&mut self, key: &BodyKey) -> Result<(), StoreError> {
        self.store.drop_body(key)
    }
    fn keep_opened(&mut self, key: &BodyKey, sealed: &[u8]) {
        self.store.keep_opened(key, sealed);
    }
    fn put_note(&mut self, key: &[u8], value: &[u8]) -> Result<(), StoreError> {
        self.store.put_note(key, value)
    }
    fn put_evidence(&mut self, evidence: &Evidence) -> Result<(), StoreError> {
        self.store.put_evidence(evidence)
    }
}

/// The handle on the engine of a node.
pub(crate) type Handle = runtime::Handle<Watched, OsRng>;

/// A node that runs.
pub(crate) struct Node {
    pub(crate) engine: Handle,
    pub(crate) noted: Shared,
    /// When it began to listen and to dial.
    pub(crate) started: Instant,
    wire: Option<(Peers, JoinHandle<()>)>,
    ended: runtime::Ended,
}

impl Node {
    /// Starts the engine of `code` on the data in `dir`; with its links where there is a listener.
    pub(crate) fn start(
        federation: &Federation,
        code: &str,
        dir: &Path,
        listener: Option<TcpListener>,
    ) -> Self {
        let store = federation.store(dir, code);
        let keyring = federation.keyring(code);
        let now_ms = now_ms();
        let noted = Shared::default();
        let size = store.tree(&origin(code)).size();
        let listener = listener.map(|listener| {
            let listener = tokio::net::TcpListener::from_std(listener).expect("a listener");
            (listener, federation.keyring(code).tls)
        });
        let identity = Identity {
            society: society(code),
            name: format!("Society of {code}"),
            origin: origin(code),
            keyring,
            started_at_ms: now_ms,
            listen: String::new(),
        };
        let roster = federation.roster.clone();
        let store = Watched { store, noted: noted.clone() };
        let engine =
            Engine::new(identity, (*roster).clone(), store, Some(size), OsRng, Now::read());
        let (engine, ended) = runtime::start(engine).expect("an engine");
        let started = Instant::now();
        let wire = listener.map(|(listener, tls)| {
            let (peers, mut events) =
                Peers::start(society(code), roster, &tls, Some(listener)).expect("peers");
            let to_engine = engine.clone();
            let pump = tokio::spawn(async move {
                while let Some(incoming) = events.recv().await {
                    if to_engine.peer(incoming).await.is_err() {
                        return;
                    }
                }
            });
            (peers, pump)
        });
        Self { engine, noted, started, wire, ended }
    }

    pub(crate) async fn stop(self) {
        if let Some((peers, pump)) = self.wire {
            peers.stop().await;
            pump.abort();
        }
        self.engine.stop().await;
        let fatal = self.ended.await.expect("the engine ended");
        assert_eq!(fatal, None);
    }

    /// Waits until something holds of what was noted.
    pub(crate) async fn until<T>(&self, holds: impl Fn(&Noted) -> Option<T>) -> T {
        loop {
            if let Some(value) = holds(&noted(&self.noted)) {
                return value;
            }
            tokio::time::sleep(std::time::Duration::from_millis(2)).await;
        }
    }
}

pub(crate) fn now_ms() -> u64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    since.map_or(0, |since| u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}
