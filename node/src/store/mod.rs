//! The disk behind the one trait: journal, bodies and index, with the written durability contract
//! of [`tutti_core::store`].
//!
//! A commit costs one `fdatasync` of the bodies, where it brings any, and one of the commit log
//! (see [`crate::journal`]). Reading takes positions, no lock and no cursor. One writer: `lock` is
//! held as long as the store lives. After a failed write or sync nothing is written any more.

mod notes;
mod open;
mod opened;
mod repair;
#[cfg(test)]
mod tests;

use std::{
    collections::BTreeMap,
    fs::File,
    io,
    path::{Path, PathBuf},
};

use tlog_tiles::{Hash, HashReader};
use tutti_core::{
    batch::VerifiedBatch,
    body::{Body, BodyKey},
    entry::EntryBytes,
    evidence::Evidence,
    head::{HeadKeys, SignedHead},
    society::{Origin, Society},
    store::{BodyState, Reader, Store, StoreError, proofs},
    tree::Tree,
};

pub use repair::{Repaired, repair};

use crate::{
    bodies::Bodies,
    disk,
    highwater::Highwater,
    index::Index,
    journal::{Journal, Log},
};

/// See the module.
pub struct DiskStore {
    journal: Journal,
    bodies: Bodies,
    index: Index,
    highwater: Highwater,
    notes: notes::Notes,
    opened: opened::Opened,
    own: Origin,
    writable: bool,
    failed: Option<String>,
    /// Held, never read: whoever has it is the one writer.
    _lock: Option<File>,
}

/// A store that was opened, and what there is to say about it.
pub struct Opened {
    /// The store.
    pub store: DiskStore,
    /// Plain sentences for people: what was cut, rebuilt or set aside.
    pub notices: Vec<String>,
    /// The highest size at which the own log was ever signed; `None` where the file is missing.
    pub highwater: Option<u64>,
}

/// Why a node's data could not be opened. Nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum DiskError {
    /// Another process has it open.
    #[error("another node is running on this data. Stop it first, or choose another directory")]
    Locked,
    /// Written by a later version.
    #[error(
        "the data are of format {found}, and this program knows formats up to {known}. Nothing was changed. Install the newer program"
    )]
    NewerFormat {
        /// What the data say.
        found: u64,
        /// What this program knows.
        known: u64,
    },
    /// What is there is not what was written.
    #[error(
        "{place} is damaged: {problem}. Nothing was changed. `tutti repair` keeps what is whole; see docs/operating.md, \"When stored data are damaged\""
    )]
    Damaged {
        /// Which file, and where in it.
        place: String,
        /// What is wrong.
        problem: String,
    },
    /// The operating system refused.
    #[error("{}: {source}", path.display())]
    Io {
        /// Which file or folder.
        path: PathBuf,
        /// What it said.
        source: io::Error,
    },
    /// No room.
    #[error("no room on the disk for {}: {source}. Nothing was changed. Free some space and start again", path.display())]
    Full {
        /// Which file was to be written.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

impl DiskError {
    /// What the operating system said of a path.
    pub(crate) fn io(path: &Path, source: io::Error) -> Self {
        let path = path.into();
        if disk::is_full(&source) { Self::Full { path, source } } else { Self::Io { path, source } }
    }
}

/// The lock of the one writer, for what is done while no node runs. Held as long as it lives.
pub(crate) fn lock(dir: &Path) -> Result<Option<File>, DiskError> {
    open::lock(dir, true)
}

impl DiskStore {
    /// Notes in the directory of a new node that its log was never signed. To be called once, when its keys
    /// are drawn, and at no other time: keys that come from elsewhere may have signed, and a node without
    /// this mark asks its peers first. Refused where a node has run.
    pub fn begin(dir: &Path) -> Result<(), DiskError> {
        open::begin(dir)
    }

    /// Opens `dir` for writing, and makes what is missing for a new node, but for the mark of
    /// [`DiskStore::begin`]. `own` is the log whose size the mark follows. `progress` is told (what, done,
    /// of how many).
    pub fn open(
        dir: &Path,
        own: &Origin,
        keys: &impl HeadKeys,
        progress: &mut dyn FnMut(&str, u64, u64),
    ) -> Result<Opened, DiskError> {
        open::open(dir, own, keys, progress)
    }

    /// Opens `dir` for reading alone, while no node runs on it. Nothing is written; what a crash
    /// left is understood all the same.
    pub fn open_read_only(
        dir: &Path,
        own: &Origin,
        keys: &impl HeadKeys,
    ) -> Result<Opened, DiskError> {
        open::open_read_only(dir, own, keys)
    }

    /// After one failure to write, nothing is written any more.
    fn may_write(&self) -> Result<(), StoreError> {
        match &self.failed {
            None if self.writable => Ok(()),
            None => Err(fatal("the data are open for reading alone")),
            Some(problem) => Err(fatal(problem)),
        }
    }

    /// Remembers a failure that ends the process.
    fn noted<T>(&mut self, result: Result<T, StoreError>) -> Result<T, StoreError> {
        if let Err(StoreError::Fatal(error)) = &result {
            self.failed.get_or_insert(error.to_string());
        }
        result
    }

    fn try_append(&mut self, batch: &VerifiedBatch, bodies: &[Body]) -> Result<(), StoreError> {
        self.journal.check(batch)?;
        // Fetched back beside a mark that is missing, it says nothing of what was signed: signing does.
        let marks = batch.is_signed_here() || self.highwater.size().is_some();
        let marks = marks && batch.origin() == &self.own;
        if marks {
            self.highwater.make_room(batch.start()).map_err(disk::failed)?;
        }
        self.journal.make_room(batch, &mut self.index)?;
        let added = self.bodies.put(bodies, &mut self.index)?;
        if let Err(error) = self.journal.append(batch, self.bodies.mark()) {
            if !matches!(error, StoreError::Fatal(_)) {
                self.bodies.undo(added, &mut self.index)?;
            }
            return Err(error);
        }
        if marks {
            self.highwater.raise(batch.tree().size()).map_err(StoreError::Fatal)?;
        }
        Ok(())
    }
}

impl Drop for DiskStore {
    /// Leaves the folders in their public formats. All of it is durable already: what fails here
    /// is done at the next start.
    fn drop(&mut self) {
        if self.writable && self.failed.is_none() {
            let _ = self.journal.settle(&mut self.index);
            let _ = self.highwater.sync();
            self.index.flush();
        }
    }
}

/// The hashes of one log.
struct Hashes<'a> {
    log: &'a Log,
    index: &'a Index,
}

impl HashReader for Hashes<'_> {
    fn read_hashes(&self, indexes: &[u64]) -> Result<Vec<Hash>, tlog_tiles::Error> {
        indexes
            .iter()
            .map(|at| self.log.stored_hash(*at, self.index))
            .collect::<Result<_, _>>()
            .map_err(|error| tlog_tiles::Error::InvalidInput(error.to_string()))
    }
}

/// No hash at all: the log is not known.
struct NoHashes;

impl HashReader for NoHashes {
    fn read_hashes(&self, _: &[u64]) -> Result<Vec<Hash>, tlog_tiles::Error> {
        Err(tlog_tiles::Error::IndexesNotInTree)
    }
}

fn fatal(problem: &str) -> StoreError {
    StoreError::Fatal(io::Error::other(problem.to_string()))
}

impl Reader for DiskStore {
    fn logs(&self) -> Vec<Origin> {
        self.journal.logs().map(|log| log.origin.clone()).collect()
    }

    fn tree(&self, origin: &Origin) -> Tree {
        self.journal.log(origin).map(|log| log.tree.clone()).unwrap_or_default()
    }

    fn head(&self, origin: &Origin) -> Option<SignedHead> {
        self.journal.log(origin)?.heads.newest().cloned()
    }

    fn cosigned(&self, origin: &Origin) -> BTreeMap<Society, SignedHead> {
        self.journal.log(origin).map(|log| log.heads.cosigned().clone()).unwrap_or_default()
    }

    fn entries(
        &self,
        origin: &Origin,
        start: u64,
        count: u64,
        max_bytes: usize,
    ) -> Result<Vec<EntryBytes>, StoreError> {
        let Some(log) = self.journal.log(origin) else { return Ok(Vec::new()) };
        log.entries(start, count, max_bytes, &self.index)
    }

    fn root_at(&self, origin: &Origin, size: u64) -> Result<Hash, StoreError> {
        match self.journal.log(origin) {
            Some(log) => proofs::root_at(&Hashes { log, index: &self.index }, log.size(), size),
            None => proofs::root_at(&NoHashes, 0, size),
        }
    }

    fn consistency(&self, origin: &Origin, from: u64, to: u64) -> Result<Vec<Hash>, StoreError> {
        match self.journal.log(origin) {
            Some(log) => {
                proofs::consistency(&Hashes { log, index: &self.index }, log.size(), from, to)
            }
            None => proofs::consistency(&NoHashes, 0, from, to),
        }
    }

    fn inclusion(&self, origin: &Origin, index: u64, size: u64) -> Result<Vec<Hash>, StoreError> {
        match self.journal.log(origin) {
            Some(log) => {
                proofs::inclusion(&Hashes { log, index: &self.index }, log.size(), index, size)
            }
            None => proofs::inclusion(&NoHashes, 0, index, size),
        }
    }

    fn body_state(&self, key: &BodyKey) -> BodyState {
        self.bodies.state(key, &self.index)
    }

    fn body(
        &self,
        key: &BodyKey,
        offset: u64,
        max_bytes: usize,
    ) -> Result<Option<Vec<u8>>, StoreError> {
        self.bodies.body(key, offset, max_bytes, &self.index)
    }

    fn opened(&self, key: &BodyKey) -> Option<Vec<u8>> {
        self.opened.get(key)
    }

    fn notes(&self) -> BTreeMap<Vec<u8>, Vec<u8>> {
        self.notes.all().clone()
    }

    fn evidence(&self, origin: &Origin) -> Option<Evidence> {
        self.journal.log(origin)?.evidence.clone()
    }
}

impl Store for DiskStore {
    fn append(&mut self, batch: &VerifiedBatch, bodies: &[Body]) -> Result<(), StoreError> {
        self.may_write()?;
        let result = self.try_append(batch, bodies);
        self.noted(result)
    }

    fn put_bodies(&mut self, bodies: &[Body]) -> Result<(), StoreError> {
        self.may_write()?;
        let result = self.bodies.put(bodies, &mut self.index).map(|_| ());
        self.journal.acknowledge(self.bodies.mark());
        self.noted(result)
    }

    fn put_head(&mut self, head: &SignedHead) -> Result<(), StoreError> {
        self.may_write()?;
        let result = self.journal.put_head(head, self.bodies.mark(), &mut self.index);
        self.noted(result)
    }

    fn erase_body(&mut self, key: &BodyKey) -> Result<(), StoreError> {
        self.may_write()?;
        let wiped = self.opened.wipe(key).map_err(disk::failed);
        self.noted(wiped)?;
        let result = self.bodies.erase(key, &mut self.index);
        self.journal.acknowledge(self.bodies.mark());
        self.noted(result)
    }

    fn drop_body(&mut self, key: &BodyKey) -> Result<(), StoreError> {
        self.may_write()?;
        let wiped = self.opened.wipe(key).map_err(disk::failed);
        self.noted(wiped)?;
        let result = self.bodies.drop_one(key, &mut self.index);
        self.noted(result)
    }

    fn keep_opened(&mut self, key: &BodyKey, sealed: &[u8]) {
        if self.may_write().is_ok() {
            self.opened.put(key, sealed);
        }
    }

    fn put_note(&mut self, key: &[u8], value: &[u8]) -> Result<(), StoreError> {
        self.may_write()?;
        let result = self.notes.put(key, value);
        self.noted(result)
    }

    fn look_over(&mut self, max_bytes: u64) -> bool {
        self.bodies.look_over(max_bytes)
    }

    fn take_damaged(&mut self) -> Vec<(BodyKey, String)> {
        self.bodies.take_damaged()
    }

    fn put_evidence(&mut self, evidence: &Evidence) -> Result<(), StoreError> {
        self.may_write()?;
        let result = self.journal.put_evidence(evidence, self.bodies.mark(), &mut self.index);
        self.noted(result)
    }
}
