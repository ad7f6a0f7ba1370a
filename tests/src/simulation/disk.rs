//! A simulated disk: a store that makes use of every liberty that the durability contract leaves.
//!
//! [`Disk`] is a handle to a [`Platter`], which outlives the process that writes it. What is under
//! it is the store in memory, or the real one on a temporary directory. Why not the real one always:
//! with its `fdatasync`s a year of thirty nodes would take days; and that it keeps the contract
//! under lost and torn writes is shown at every single write by the storage tests of `tutti-node`.
//! What is to be shown here is that nothing above the store needs more than the contract says:
//! - the power fails at a write: it is not there, or it is wholly there and nobody was told, or only
//!   some of its bodies are there (torn); nothing is written or read by that process again;
//! - there is no room, once or for a while: nothing is changed, and reading goes on;
//! - the high-water mark is synced later than the log, and so may be older after a power cut.
//!
//! Every change is told to [`Truth`] as it happens.

use std::{cell::RefCell, collections::BTreeMap, io, path::PathBuf, rc::Rc};

use rand_chacha::ChaCha20Rng;
use rand_core::RngCore as _;
use tlog_tiles::Hash;
use tutti_core::{
    batch::VerifiedBatch,
    body::{Body, BodyKey},
    entry::EntryBytes,
    evidence::Evidence,
    head::SignedHead,
    roster::Roster,
    society::{Origin, Society},
    store::{BodyState, MemoryStore, Reader, Store, StoreError},
    tree::Tree,
};
use tutti_node::store::DiskStore;

use super::{federation::origin, node::Conduct, truth::Truth};

/// How often a write ends badly: once in so many; 0 for never.
#[derive(Debug, Clone, Copy, Default)]
pub struct Odds {
    /// The power fails.
    pub crash_in: u64,
    /// There is no room.
    pub full_in: u64,
}

/// What keeps the bytes.
pub(super) enum Medium {
    Memory(Box<MemoryStore>),
    /// `None` while the machine is off.
    Real(Option<Box<DiskStore>>, PathBuf, Box<Roster>),
}

/// The disk of one machine.
pub(super) struct Platter {
    society: Society,
    conduct: Conduct,
    medium: Medium,
    pub(super) odds: Odds,
    /// No room until this is taken back.
    pub(super) full: bool,
    dead: bool,
    /// The mark, and the one before: what is left where the power fails before it was synced.
    highwater: [Option<u64>; 2],
    rng: ChaCha20Rng,
    truth: Rc<RefCell<Truth>>,
    pub(super) crashes: u64,
    pub(super) refusals: u64,
}

/// See the module.
#[derive(Clone)]
pub struct Disk(Rc<RefCell<Platter>>);

/// What becomes of one write.
enum Fate {
    Done,
    Full,
    /// The power fails before it, after it, or in the midst of it.
    Lost,
    Unanswered,
    Torn,
}

impl Disk {
    pub(super) fn new(
        society: Society,
        conduct: Conduct,
        medium: Medium,
        rng: ChaCha20Rng,
        truth: Rc<RefCell<Truth>>,
    ) -> Self {
        if let Medium::Real(_, dir, _) = &medium {
            DiskStore::begin(dir).expect("a new disk");
        }
        Self(Rc::new(RefCell::new(Platter {
            society,
            conduct,
            medium,
            odds: Odds::default(),
            full: false,
            dead: false,
            highwater: [Some(0); 2],
            rng,
            truth,
            crashes: 0,
            refusals: 0,
        })))
    }

    /// What is under the handle.
    pub(super) fn platter(&self) -> std::cell::RefMut<'_, Platter> {
        self.0.borrow_mut()
    }

    fn read<T>(&self, read: impl FnOnce(&dyn Store) -> T) -> T {
        read(self.0.borrow().store())
    }
}

impl Platter {
    fn store(&self) -> &dyn Store {
        match &self.medium {
            Medium::Memory(store) => store.as_ref(),
            Medium::Real(store, ..) => store.as_deref().expect("a machine that is on"),
        }
    }

    fn store_mut(&mut self) -> &mut dyn Store {
        match &mut self.medium {
            Medium::Memory(store) => store.as_mut(),
            Medium::Real(store, ..) => store.as_deref_mut().expect("a machine that is on"),
        }
    }

    /// The process is gone. Where the power failed the mark may not have been synced.
    pub(super) fn off(&mut self) {
        if self.dead && self.rng.next_u32().is_multiple_of(2) {
            self.highwater[0] = self.highwater[1];
        }
        if let Medium::Real(store, ..) = &mut self.medium {
            *store = None;
        }
    }

    /// Ready for a new process, which learns the high-water mark.
    pub(super) fn on(&mut self) -> Option<u64> {
        self.dead = false;
        if let Medium::Real(store, dir, roster) = &mut self.medium {
            let opened =
                DiskStore::open(dir, &origin(self.society), roster.as_ref(), &mut |_, _, _| {})
                    .expect("a store that opens");
            *store = Some(Box::new(opened.store));
            return opened.highwater;
        }
        self.highwater[0]
    }

    /// All bytes that are on it, also while the machine is off.
    #[cfg(test)]
    pub(super) fn raw(&self) -> Vec<(String, Vec<u8>)> {
        match &self.medium {
            Medium::Memory(store) => store.raw(),
            Medium::Real(..) => panic!("the bytes of real disks are read from their files"),
        }
    }

    /// A copy of what is stored, as a backup would have it.
    pub(super) fn backup(&self) -> MemoryStore {
        match &self.medium {
            Medium::Memory(store) => store.as_ref().clone(),
            Medium::Real(..) => panic!("backups are taken of disks in memory"),
        }
    }

    /// The mark as it would be found.
    #[cfg(test)]
    pub(super) fn highwater(&self) -> Option<u64> {
        self.highwater[0]
    }

    /// Another disk in its place. The mark is no part of a backup.
    pub(super) fn replace(&mut self, store: MemoryStore) {
        self.medium = Medium::Memory(Box::new(store));
        self.highwater = [None; 2];
    }

    fn fate(&mut self) -> Result<Fate, StoreError> {
        let once_in =
            |rng: &mut ChaCha20Rng, odds: u64| odds > 0 && rng.next_u64().is_multiple_of(odds);
        if self.dead {
            return Err(power_cut());
        }
        if self.full || once_in(&mut self.rng, self.odds.full_in) {
            self.refusals += 1;
            return Ok(Fate::Full);
        }
        if !once_in(&mut self.rng, self.odds.crash_in) {
            return Ok(Fate::Done);
        }
        self.dead = true;
        self.crashes += 1;
        Ok(match self.rng.next_u32() % 3 {
            0 => Fate::Lost,
            1 => Fate::Unanswered,
            _ => Fate::Torn,
        })
    }

    /// Does a write as fate has it; `torn` does a part of it.
    fn write(
        &mut self,
        whole: impl FnOnce(&mut Self) -> Result<(), StoreError>,
        torn: impl FnOnce(&mut Self),
    ) -> Result<(), StoreError> {
        match self.fate()? {
            Fate::Done => return whole(self),
            Fate::Full => {
                return Err(StoreError::Full(io::Error::from(io::ErrorKind::StorageFull)));
            }
            Fate::Lost => {}
            Fate::Unanswered => whole(self)?,
            Fate::Torn => torn(self),
        }
        Err(power_cut())
    }

    fn append(&mut self, batch: &VerifiedBatch, bodies: &[Body]) -> Result<(), StoreError> {
        let before = self.store().tree(batch.origin());
        self.store_mut().append(batch, bodies)?;
        let own = batch.origin().society() == self.society;
        if own && (batch.is_signed_here() || self.highwater[0].is_some()) {
            self.highwater =
                [Some(batch.start() + batch.entries().len() as u64), self.highwater[0]];
        }
        let mut truth = self.truth.borrow_mut();
        truth.appended(self.society, self.conduct, batch, &before);
        bodies.iter().for_each(|body| truth.holds(self.society, body.key()));
        Ok(())
    }

    fn put_bodies(&mut self, bodies: &[Body]) -> Result<(), StoreError> {
        self.store_mut().put_bodies(bodies)?;
        let mut truth = self.truth.borrow_mut();
        bodies.iter().for_each(|body| truth.holds(self.society, body.key()));
        Ok(())
    }

    fn erase_body(&mut self, key: &BodyKey) -> Result<(), StoreError> {
        self.store_mut().erase_body(key)?;
        if self.conduct == Conduct::Honest {
            self.truth.borrow_mut().erased(self.society, *key);
        }
        Ok(())
    }

    fn put_head(&mut self, head: &SignedHead) -> Result<(), StoreError> {
        if self.conduct == Conduct::Honest {
            let mut truth = self.truth.borrow_mut();
            truth.check_head(self.society, self.store(), head);
        }
        self.store_mut().put_head(head)
    }
}

fn power_cut() -> StoreError {
    StoreError::Fatal(io::Error::other("the power failed"))
}

impl Reader for Disk {
    fn logs(&self) -> Vec<Origin> {
        self.read(|store| store.logs())
    }
    fn tree(&self, origin: &Origin) -> Tree {
        self.read(|store| store.tree(origin))
    }
    fn head(&self, origin: &Origin) -> Option<SignedHead> {
        self.read(|store| store.head(origin))
    }
    fn cosigned(&self, origin: &Origin) -> BTreeMap<Society, SignedHead> {
        self.read(|store| store.cosigned(origin))
    }
    fn entries(
        &self,
        origin: &Origin,
        start: u64,
        count: u64,
        max_bytes: usize,
    ) -> Result<Vec<EntryBytes>, StoreError> {
        self.read(|store| store.entries(origin, start, count, max_bytes))
    }
    fn root_at(&self, origin: &Origin, size: u64) -> Result<Hash, StoreError> {
        self.read(|store| store.root_at(origin, size))
    }
    fn consistency(&self, origin: &Origin, from: u64, to: u64) -> Result<Vec<Hash>, StoreError> {
        self.read(|store| store.consistency(origin, from, to))
    }
    fn inclusion(&self, origin: &Origin, index: u64, size: u64) -> Result<Vec<Hash>, StoreError> {
        self.read(|store| store.inclusion(origin, index, size))
    }
    fn body_state(&self, key: &BodyKey) -> BodyState {
        self.read(|store| store.body_state(key))
    }
    fn body(
        &self,
        key: &BodyKey,
        offset: u64,
        max_bytes: usize,
    ) -> Result<Option<Vec<u8>>, StoreError> {
        self.read(|store| store.body(key, offset, max_bytes))
    }
    fn opened(&self, key: &BodyKey) -> Option<Vec<u8>> {
        self.read(|store| store.opened(key))
    }
    fn notes(&self) -> BTreeMap<Vec<u8>, Vec<u8>> {
        self.read(|store| store.notes())
    }
    fn evidence(&self, origin: &Origin) -> Option<Evidence> {
        self.read(|store| store.evidence(origin))
    }
}

impl Store for Disk {
    fn append(&mut self, batch: &VerifiedBatch, bodies: &[Body]) -> Result<(), StoreError> {
        self.platter().write(
            |platter| platter.append(batch, bodies),
            // Bodies are made durable first.
            |platter| drop(platter.put_bodies(bodies)),
        )
    }
    fn put_bodies(&mut self, bodies: &[Body]) -> Result<(), StoreError> {
        let some = &bodies[..bodies.len() / 2];
        self.platter()
            .write(|platter| platter.put_bodies(bodies), |platter| drop(platter.put_bodies(some)))
    }
    fn put_head(&mut self, head: &SignedHead) -> Result<(), StoreError> {
        self.platter().write(|platter| platter.put_head(head), |_| ())
    }
    fn erase_body(&mut self, key: &BodyKey) -> Result<(), StoreError> {
        self.platter().write(|platter| platter.erase_body(key), |_| ())
    }
    fn drop_body(&mut self, key: &BodyKey) -> Result<(), StoreError> {
        self.platter().write(|platter| platter.store_mut().drop_body(key), |_| ())
    }
    fn keep_opened(&mut self, key: &BodyKey, sealed: &[u8]) {
        self.platter().store_mut().keep_opened(key, sealed);
    }
    fn put_note(&mut self, key: &[u8], value: &[u8]) -> Result<(), StoreError> {
        self.platter().write(|platter| platter.store_mut().put_note(key, value), |_| ())
    }
    fn put_evidence(&mut self, evidence: &Evidence) -> Result<(), StoreError> {
        self.platter().write(
            |platter| {
                platter.truth.borrow().check_evidence(platter.society, evidence);
                platter.store_mut().put_evidence(evidence)
            },
            |_| (),
        )
    }
}
