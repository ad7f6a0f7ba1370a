//! One log on the disk: its folder, and what of it is newer than the folder.
//!
//! ```text
//! entries       every settled entry, framed as tlog-tiles entry bundles (u16 length + bytes)
//! checkpoint    the head that vouches for them: a C2SP checkpoint with its cosignatures
//! consistency   where that head is larger: how many entries there are, and the RFC 6962 proof
//! cosigned      the other heads that are some witness's last word
//! evidence      the proof that the log was forked
//! ```
//!
//! Invariant: these files are only written from commits that are durable, and a commit is only
//! given up once they are synced. So whatever a crash leaves in them, replaying the commits gives
//! the whole; and entries from `settled` on are kept in memory, where the commits are their
//! durable copy.

mod read;
mod scan;
mod settle;

use std::{
    collections::VecDeque,
    fs::File,
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
};

use tlog_tiles::Hash;
use tutti_core::{
    batch::VerifiedBatch,
    entry::EntryBytes,
    evidence::Evidence,
    head::SignedHead,
    limits::ENTRY_BYTES_MAX,
    society::Origin,
    store::{Heads, StoreError},
    tree::Tree,
};

use crate::{
    disk,
    index::{CHUNK, CHUNK_HEIGHT, Index},
    journal::settled::{Name, Sum},
    store::DiskError,
};

/// How much of `entries` is read at a time.
const READ_BYTES: usize = 64 * 1024;

/// The largest frame of an entry.
const FRAME_MAX: usize = 2 + ENTRY_BYTES_MAX;

/// See the module.
pub(crate) struct Log {
    pub(crate) origin: Origin,
    dir: PathBuf,
    file: Option<File>,
    /// Entries that are in the file, and where the last of them ends.
    settled: u64,
    settled_bytes: u64,
    /// Entries from `settled` on.
    recent: Vec<EntryBytes>,
    pub(crate) tree: Tree,
    /// From the tree to the newest head, where that is larger.
    consistency: Vec<Hash>,
    pub(crate) heads: Heads,
    pub(crate) evidence: Option<Evidence>,
    /// Chunks that are in the index, and where the first entry behind them stands in the file.
    chunks: u64,
    chunks_end: u64,
    /// Of those behind them that are complete, what the index will have: the root of each, and the
    /// hashes above it that it completes.
    complete: VecDeque<Vec<Hash>>,
    /// The stored hashes of the last chunk, which is not complete.
    tail: Vec<Hash>,
    /// The stored hashes of the chunk that was asked for last: one proof asks for several.
    derived: Mutex<Option<(u64, Vec<Hash>)>>,
    /// Whether the small files are behind.
    dirty: bool,
    /// The small files as they were found at opening.
    pub(crate) found: Vec<(Name, Sum)>,
}

/// The folder of a log: a slash cannot stand in a file's name, an underscore not in an origin.
pub(crate) fn folder_name(origin: &Origin) -> String {
    origin.as_str().replace('/', "_")
}

/// The log whose folder bears this name.
pub(crate) fn origin_of(folder: &str) -> Option<Origin> {
    folder.replace('_', "/").parse().ok()
}

impl Log {
    pub(crate) fn new(journal: &Path, origin: Origin) -> Self {
        Self {
            dir: journal.join(folder_name(&origin)),
            origin,
            file: None,
            settled: 0,
            settled_bytes: 0,
            recent: Vec::new(),
            tree: Tree::default(),
            consistency: Vec::new(),
            heads: Heads::default(),
            evidence: None,
            chunks: 0,
            chunks_end: 0,
            complete: VecDeque::new(),
            tail: Vec::new(),
            derived: Mutex::new(None),
            dirty: false,
            found: Vec::new(),
        }
    }

    /// How many entries are held.
    pub(crate) fn size(&self) -> u64 {
        self.tree.size()
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }

    fn damaged(&self, name: &str, at: Option<u64>, problem: impl Into<String>) -> DiskError {
        let path = self.path(name).display().to_string();
        DiskError::Damaged {
            place: at.map_or_else(|| path.clone(), |at| format!("{path} at byte {at}")),
            problem: problem.into(),
        }
    }

    /// How many chunks of it belong into the index.
    pub(crate) fn chunks(&self) -> u64 {
        self.chunks
    }

    /// Takes a batch that is durable in the commits and continues what is held.
    pub(crate) fn take(&mut self, batch: &VerifiedBatch) {
        self.tree = batch.tree().clone();
        self.tail.extend_from_slice(batch.stored());
        self.close_chunks();
        self.recent.extend_from_slice(batch.entries());
        self.vouched(batch.head(), batch.consistency());
    }

    /// Takes entries that were found in the commits.
    pub(crate) fn push(&mut self, entries: &[EntryBytes], head: &SignedHead, proof: &[Hash]) {
        for entry in entries {
            self.tree.push(entry.leaf_hash(), |hash| self.tail.push(hash));
            self.recent.push(entry.clone());
        }
        self.close_chunks();
        self.vouched(head, proof);
    }

    /// Of each chunk in the tail that is complete now, keeps what the index will have; the hashes below
    /// can be derived from its entries.
    pub(super) fn close_chunks(&mut self) {
        let mut closed = 0;
        loop {
            let chunk = self.chunks + self.complete.len() as u64;
            if self.tree.size() < (chunk + 1) * CHUNK {
                break;
            }
            let first = tlog_tiles::stored_hash_index(0, chunk * CHUNK);
            let next = tlog_tiles::stored_hash_index(0, (chunk + 1) * CHUNK);
            let end = closed + usize::try_from(next - first).unwrap_or(usize::MAX);
            // The last entry of a chunk stored its leaf, and then all from there up.
            let above = 1 + chunk.trailing_ones() as usize;
            self.complete.push_back(self.tail.get(end - above..end).unwrap_or_default().to_vec());
            closed = end;
        }
        self.tail.drain(..closed.min(self.tail.len()));
    }

    fn vouched(&mut self, head: &SignedHead, proof: &[Hash]) {
        self.heads.vouch(head);
        self.consistency = proof.to_vec();
        self.dirty = true;
    }

    /// Takes a head that is durable in the commits.
    pub(crate) fn offer(&mut self, head: &SignedHead) {
        if self.heads.offer(head, &self.tree) {
            self.dirty = true;
        }
        if self.heads.newest().is_some_and(|newest| newest.size() == self.size()) {
            self.consistency.clear();
        }
    }

    /// Takes evidence that is durable in the commits; the first stays.
    pub(crate) fn accuse(&mut self, evidence: Evidence) {
        if self.evidence.is_none() {
            self.evidence = Some(evidence);
            self.dirty = true;
        }
    }

    /// See [`tutti_core::store::Reader::entries`].
    pub(crate) fn entries(
        &self,
        start: u64,
        count: u64,
        max_bytes: usize,
        index: &Index,
    ) -> Result<Vec<EntryBytes>, StoreError> {
        let count = count.min(self.size().saturating_sub(start));
        if count == 0 {
            return Ok(Vec::new());
        }
        let mut entries = Vec::new();
        if start < self.settled {
            let chunk = start / CHUNK;
            let offset = if chunk < self.chunks {
                index.chunk(&self.origin, chunk)?.0
            } else {
                self.chunks_end
            };
            let wanted = count.min(self.settled - start);
            entries = self
                .read_from(offset, start - chunk.min(self.chunks) * CHUNK, wanted, max_bytes)
                .map_err(|error| {
                    disk::unreadable(self.path("entries").display().to_string(), error)
                })?
                .ok_or_else(|| {
                    let place = self.path("entries").display().to_string();
                    disk::unreadable(place, format!("entry {start} is not whole"))
                })?;
            if (entries.len() as u64) < wanted {
                return Ok(entries);
            }
        }
        let mut bytes: usize = entries.iter().map(|entry| entry.as_slice().len()).sum();
        let from = (start + entries.len() as u64).saturating_sub(self.settled);
        let recent = usize::try_from(from).ok().and_then(|from| self.recent.get(from..));
        for entry in recent.unwrap_or_default() {
            bytes += entry.as_slice().len();
            if entries.len() as u64 == count || (bytes > max_bytes && !entries.is_empty()) {
                break;
            }
            entries.push(entry.clone());
        }
        Ok(entries)
    }

    /// The stored hash at `at`, in the order of `tlog_tiles::stored_hash_index`.
    pub(crate) fn stored_hash(&self, at: u64, index: &Index) -> Result<Hash, StoreError> {
        let complete = self.chunks + self.complete.len() as u64;
        let first_in_tail = tlog_tiles::stored_hash_index(0, complete * CHUNK);
        let missing = || disk::unreadable(self.path("index").display().to_string(), "no such hash");
        if let Some(place) = at.checked_sub(first_in_tail) {
            let place = usize::try_from(place).map_err(|_| missing())?;
            return self.tail.get(place).copied().ok_or_else(missing);
        }
        let (level, n) = tlog_tiles::split_stored_hash_index(at);
        // A hash is stored when the last leaf below it is.
        let chunk = (((n + 1) << level) - 1) / CHUNK;
        if u32::from(level) >= CHUNK_HEIGHT {
            let place = usize::try_from(u32::from(level) - CHUNK_HEIGHT).map_err(|_| missing())?;
            return self.above(chunk, index)?.get(place).copied().ok_or_else(missing);
        }
        let place = usize::try_from(at - tlog_tiles::stored_hash_index(0, chunk * CHUNK))
            .map_err(|_| missing())?;
        let mut derived = self.derived.lock().unwrap_or_else(PoisonError::into_inner);
        let hashes = match derived.take().filter(|(of, _)| *of == chunk) {
            Some((_, hashes)) => hashes,
            None => self.derive(chunk, index)?,
        };
        let hash = hashes.get(place).copied().ok_or_else(missing);
        *derived = Some((chunk, hashes));
        hash
    }

    /// The root of a complete chunk and the hashes above it that it completed, from the lowest up.
    fn above(&self, chunk: u64, index: &Index) -> Result<Vec<Hash>, StoreError> {
        let behind = chunk.checked_sub(self.chunks).and_then(|behind| usize::try_from(behind).ok());
        match behind.and_then(|behind| self.complete.get(behind)) {
            Some(above) => Ok(above.clone()),
            None => Ok(index.chunk(&self.origin, chunk)?.1),
        }
    }

    /// The stored hashes of a chunk up to its root, from its entries; what was written is still
    /// what is read, or this fails.
    fn derive(&self, chunk: u64, index: &Index) -> Result<Vec<Hash>, StoreError> {
        let above = self.above(chunk, index)?;
        let entries = self.entries(chunk * CHUNK, CHUNK, usize::MAX, index)?;
        let (mut hashes, mut subtree) = (Vec::new(), Tree::default());
        for entry in &entries {
            subtree.push(entry.leaf_hash(), |hash| hashes.push(hash));
        }
        if subtree.size() != CHUNK || above.first() != Some(&subtree.root()) {
            return Err(disk::unreadable(
                self.path("entries").display().to_string(),
                format!("entries from {} on are not what was written", chunk * CHUNK),
            ));
        }
        Ok(hashes)
    }
}
