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

use std::{
    fs::File,
    path::{Path, PathBuf},
};

use tlog_tiles::Hash;
use tutti_core::{
    entry::{Entry, EntryBytes},
    evidence::Evidence,
    head::{HeadKeys, SignedHead},
    limits::{ENTRY_BYTES_MAX, HEAD_BYTES_MAX, MEMBERS_MAX},
    society::Origin,
    store::{Heads, StoreError},
    tree::{Tree, check_consistency},
};

use super::record::{blocks, bundle, read_blocks, read_hashes, split_entry};
use crate::{
    disk,
    index::{CHUNK, Index},
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
    /// What is not in the index: the stored hashes from the first entry of an incomplete chunk on,
    /// and where that entry stands in the file.
    chunks: u64,
    tail: Vec<Hash>,
    tail_offset: u64,
    /// Whether the small files are behind.
    dirty: bool,
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
            tail: Vec::new(),
            tail_offset: 0,
            dirty: false,
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
            problem: format!(
                "{}. Nothing was changed. Restore this node's data from the last backup; what is \
                 newer is fetched back from the other societies",
                problem.into()
            ),
        }
    }

    /// Reads the folder. Of the entries only the first `keep` count, where commits follow there;
    /// else as many as the checkpoint vouches for. Says in words where more were found.
    pub(crate) fn load(
        &mut self,
        keep: Option<u64>,
        keys: &impl HeadKeys,
        writable: bool,
        index: &mut Index,
        progress: &mut dyn FnMut(u64, u64),
    ) -> Result<Option<String>, DiskError> {
        let vouched = self.load_heads(keys)?;
        let count = keep.unwrap_or(vouched);
        let path = self.path("entries");
        match disk::open(&path, false).and_then(|_| disk::open(&path, writable)) {
            Ok(file) => self.file = Some(file),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound && count == 0 => {}
            Err(error) => return Err(DiskError::io(&path, error)),
        }
        self.scan(count, index, progress)?;
        if keep.is_some() {
            // What lies behind comes again from the commits.
            return Ok(None);
        }
        self.cut_tail(writable)
    }

    fn load_heads(&mut self, keys: &impl HeadKeys) -> Result<u64, DiskError> {
        let read = |name: &str, max: usize| {
            let path = self.path(name);
            disk::read(&path, max as u64).map_err(|error| DiskError::io(&path, error))
        };
        let open = |name: &str, bytes: &[u8]| {
            let head = SignedHead::open(bytes, keys)
                .map_err(|error| self.damaged(name, None, error.to_string()))?;
            if head.origin() != &self.origin {
                let problem = format!("it is a head of {}", head.origin());
                return Err(self.damaged(name, None, problem));
            }
            Ok(head)
        };
        let mut heads = Heads::default();
        let mut vouched = 0;
        if let Some(bytes) = read("checkpoint", HEAD_BYTES_MAX)? {
            let head = open("checkpoint", &bytes)?;
            vouched = head.size();
            heads.vouch(&head);
        }
        if let Some(bytes) = read("cosigned", HEAD_BYTES_MAX * MEMBERS_MAX)? {
            let blocks = read_blocks(&bytes)
                .ok_or_else(|| self.damaged("cosigned", None, "its parts are not whole"))?;
            for block in blocks {
                heads.witness(&open("cosigned", block)?);
            }
        }
        let mut consistency = Vec::new();
        if let Some(bytes) = read("consistency", 8 + 64 * 32)? {
            let parts = bytes.split_first_chunk::<8>();
            let parts = parts.and_then(|(size, rest)| Some((size, read_hashes(rest)?)));
            let (size, hashes) = parts
                .ok_or_else(|| self.damaged("consistency", None, "its parts are not whole"))?;
            // Of a head that was replaced since, where a crash came between: commits follow.
            vouched = vouched.min(u64::from_be_bytes(*size));
            consistency = hashes;
        }
        let mut evidence = None;
        if let Some(bytes) = read("evidence", 4 * HEAD_BYTES_MAX)? {
            let read = Evidence::from_bytes(&bytes, keys)
                .map_err(|error| self.damaged("evidence", None, error.to_string()))?;
            evidence = Some(read);
        }
        self.heads = heads;
        self.consistency = consistency;
        self.evidence = evidence;
        Ok(vouched)
    }

    /// Reads the first `count` entries of the file, and derives the tree and the index from them.
    pub(crate) fn scan(
        &mut self,
        count: u64,
        index: &mut Index,
        progress: &mut dyn FnMut(u64, u64),
    ) -> Result<(), DiskError> {
        self.tree = Tree::default();
        self.recent.clear();
        (self.chunks, self.tail_offset, self.settled, self.settled_bytes) = (0, 0, 0, 0);
        self.tail.clear();
        while self.settled < count {
            let Some(entries) = self.read_from(self.settled_bytes, 0, u64::MAX, READ_BYTES)? else {
                let problem = format!(
                    "of {count} entries that a signed head vouches for, entry {} is missing or \
                     not whole",
                    self.settled
                );
                return Err(self.damaged("entries", Some(self.settled_bytes), problem));
            };
            for entry in entries.into_iter().take((count - self.settled) as usize) {
                let leaf = entry.leaf_hash();
                self.tree.push(leaf, |hash| self.tail.push(hash));
                self.settled += 1;
                self.settled_bytes += 2 + entry.as_slice().len() as u64;
                if self.settled.is_multiple_of(CHUNK) {
                    index.expect_chunk(&self.origin, self.chunks, self.tail_offset, &self.tail);
                    self.next_chunk(self.tail.len(), self.settled_bytes);
                }
            }
            progress(self.settled, count);
        }
        Ok(())
    }

    /// Derives the index once more from the entries, into one that is new.
    pub(crate) fn fill(&mut self, index: &mut Index) -> Result<(), DiskError> {
        let recent = std::mem::take(&mut self.recent);
        self.scan(self.settled, index, &mut |_, _| ())?;
        for entry in &recent {
            self.tree.push(entry.leaf_hash(), |hash| self.tail.push(hash));
        }
        self.recent = recent;
        Ok(())
    }

    /// How many chunks of it belong into the index.
    pub(crate) fn chunks(&self) -> u64 {
        self.chunks
    }

    fn next_chunk(&mut self, hashes: usize, offset: u64) {
        self.tail.drain(..hashes);
        self.chunks += 1;
        self.tail_offset = offset;
    }

    /// Whole entries that stand in the file from `offset` on, after skipping `skip` of them; at
    /// most `count`, and at most `max_bytes` but at least one. `None` where not even one is whole.
    fn read_from(
        &self,
        mut offset: u64,
        mut skip: u64,
        count: u64,
        max_bytes: usize,
    ) -> Result<Option<Vec<EntryBytes>>, DiskError> {
        let Some(file) = &self.file else { return Ok(None) };
        let (mut entries, mut bytes) = (Vec::new(), 0);
        let want = skip.saturating_add(count).saturating_mul(FRAME_MAX as u64);
        let want = usize::try_from(want).unwrap_or(usize::MAX).min(READ_BYTES);
        'file: while (entries.len() as u64) < count {
            let buffer = disk::read_at(file, want, offset)
                .map_err(|error| DiskError::io(&self.path("entries"), error))?;
            let mut rest = buffer.as_slice();
            while let Some((entry, after)) = split_entry(rest) {
                offset += (rest.len() - after.len()) as u64;
                rest = after;
                if skip > 0 {
                    skip -= 1;
                    continue;
                }
                bytes += entry.len();
                let enough = entries.len() as u64 == count || bytes > max_bytes;
                if enough && !entries.is_empty() {
                    break 'file;
                }
                entries.push(EntryBytes::new(entry));
            }
            if buffer.len() < want || rest.len() >= FRAME_MAX {
                break;
            }
        }
        Ok(if entries.is_empty() { None } else { Some(entries) })
    }

    /// Sets aside what lies behind the last entry that is vouched for.
    fn cut_tail(&self, writable: bool) -> Result<Option<String>, DiskError> {
        let Some(file) = self.file.as_ref().filter(|_| writable) else { return Ok(None) };
        let path = self.path("entries");
        let io = |error| DiskError::io(&path, error);
        let len = file.metadata().map_err(io)?.len();
        let Some(more) = len.checked_sub(self.settled_bytes).filter(|more| *more > 0) else {
            return Ok(None);
        };
        let aside = self.path("entries.cut");
        let tail = usize::try_from(more).map_err(std::io::Error::other);
        let tail = tail.and_then(|more| disk::read_at(file, more, self.settled_bytes));
        tail.and_then(|tail| disk::replace(&aside, &tail))
            .map_err(|error| DiskError::io(&aside, error))?;
        disk::set_len(file, self.settled_bytes).and_then(|()| disk::sync(file)).map_err(io)?;
        Ok(Some(format!(
            "{} holds {more} bytes after entry {}, for which there is no signed head. They were \
             never acknowledged; they were cut off and kept in {}",
            path.display(),
            self.settled,
            aside.display()
        )))
    }

    /// Takes entries that are durable in the commits.
    pub(crate) fn push(&mut self, entries: &[EntryBytes], head: &SignedHead, proof: &[Hash]) {
        for entry in entries {
            self.tree.push(entry.leaf_hash(), |hash| self.tail.push(hash));
            self.recent.push(entry.clone());
        }
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

    /// Compares the tree that was derived from the entries with the signed head.
    pub(crate) fn verify(&self) -> Result<(), DiskError> {
        let Some(head) = self.heads.newest() else {
            return if self.size() == 0 {
                Ok(())
            } else {
                Err(self.damaged("checkpoint", None, "it is missing, and there are entries"))
            };
        };
        let (size, root) = (self.size(), self.tree.root());
        let vouched = if head.size() == size {
            head.root() == root
        } else {
            check_consistency(size, root, head.size(), head.root(), &self.consistency).is_ok()
        };
        if vouched {
            return Ok(());
        }
        let (at, problem) = self.first_bad_entry()?;
        Err(self.damaged("entries", at, problem))
    }

    /// Where the entries are visibly wrong, if they are.
    fn first_bad_entry(&self) -> Result<(Option<u64>, String), DiskError> {
        let (mut offset, mut index) = (0, 0);
        while let Some(entries) = self.read_from(offset, 0, u64::MAX, READ_BYTES)? {
            for entry in entries.iter().take((self.settled - index) as usize) {
                if let Err(error) = Entry::parse_at(entry.as_slice(), &self.origin, index) {
                    return Ok((
                        Some(offset),
                        format!("entry {index} is not what was written: {error}"),
                    ));
                }
                offset += 2 + entry.as_slice().len() as u64;
                index += 1;
            }
            if index >= self.settled {
                break;
            }
        }
        let problem = format!(
            "the root of the {} entries is not the one that the log signed: one of them is not \
             what was written, or the checkpoint beside them is another one's",
            self.size()
        );
        Ok((None, problem))
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
                self.tail_offset
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
        let first_in_tail = tlog_tiles::stored_hash_index(0, self.chunks * CHUNK);
        let missing = || disk::unreadable(self.path("index").display().to_string(), "no such hash");
        if let Some(place) = at.checked_sub(first_in_tail) {
            let place = usize::try_from(place).map_err(|_| missing())?;
            return self.tail.get(place).copied().ok_or_else(missing);
        }
        let (level, n) = tlog_tiles::split_stored_hash_index(at);
        // A hash is stored when the last leaf below it is.
        let chunk = (((n + 1) << level) - 1) / CHUNK;
        let first = tlog_tiles::stored_hash_index(0, chunk * CHUNK);
        let place = usize::try_from(at - first).map_err(|_| missing())?;
        index.chunk(&self.origin, chunk)?.1.get(place).copied().ok_or_else(missing)
    }

    /// Brings the folder up to the commits, and syncs it.
    pub(crate) fn settle(&mut self, index: &mut Index) -> Result<(), StoreError> {
        if self.recent.is_empty() && !self.dirty {
            return Ok(());
        }
        disk::make_dir(&self.dir).map_err(disk::failed)?;
        self.settle_entries(index)?;
        self.settle_heads()?;
        self.dirty = false;
        Ok(())
    }

    fn settle_entries(&mut self, index: &mut Index) -> Result<(), StoreError> {
        if self.recent.is_empty() {
            return Ok(());
        }
        let is_new = self.file.is_none();
        if is_new {
            self.file = Some(disk::open(&self.path("entries"), true).map_err(disk::failed)?);
        }
        let Some(file) = &self.file else { return Ok(()) };
        let bytes = bundle(&self.recent);
        let end = self.settled_bytes + bytes.len() as u64;
        if let Err(error) = disk::write_at(file, &bytes, self.settled_bytes) {
            // The commits still hold them; a half entry would only be cut at the next start.
            disk::set_len(file, self.settled_bytes).map_err(StoreError::Fatal)?;
            return Err(disk::failed(error));
        }
        let longer = file.metadata().map_err(StoreError::Fatal)?.len() > end;
        if longer {
            disk::set_len(file, end).map_err(StoreError::Fatal)?;
        }
        disk::sync(file).map_err(StoreError::Fatal)?;
        if is_new {
            disk::sync_dir(&self.dir).map_err(StoreError::Fatal)?;
        }
        for entry in std::mem::take(&mut self.recent) {
            self.settled += 1;
            self.settled_bytes += 2 + entry.as_slice().len() as u64;
            if self.settled == (self.chunks + 1) * CHUNK {
                let first = tlog_tiles::stored_hash_index(0, self.chunks * CHUNK);
                let next = tlog_tiles::stored_hash_index(0, self.settled);
                let hashes = usize::try_from(next - first).unwrap_or(usize::MAX);
                let complete = self.tail.get(..hashes).unwrap_or_default();
                if index.put_chunk(&self.origin, self.chunks, self.tail_offset, complete) {
                    self.next_chunk(hashes, self.settled_bytes);
                }
            }
        }
        Ok(())
    }

    fn settle_heads(&self) -> Result<(), StoreError> {
        let replace = |name: &str, bytes: Vec<u8>| {
            let path = self.path(name);
            let done =
                if bytes.is_empty() { disk::remove(&path) } else { disk::replace(&path, &bytes) };
            done.map_err(disk::failed)
        };
        let newest = self.heads.newest();
        let mut consistency = Vec::new();
        if newest.is_some_and(|head| head.size() > self.size()) {
            consistency.extend(self.size().to_be_bytes());
            consistency.extend(self.consistency.iter().flat_map(|hash| hash.0));
        }
        let mut others: Vec<&SignedHead> = Vec::new();
        for head in self.heads.cosigned().values() {
            let text = head.text();
            if !others.iter().chain(&newest).any(|other| other.text() == text) {
                others.push(head);
            }
        }
        replace("checkpoint", newest.map(SignedHead::to_bytes).unwrap_or_default())?;
        replace("consistency", consistency)?;
        replace("cosigned", blocks(others.into_iter().map(SignedHead::to_bytes)))?;
        replace("evidence", self.evidence.as_ref().map(Evidence::to_bytes).unwrap_or_default())
    }
}
