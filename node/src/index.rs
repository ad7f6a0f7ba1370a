//! The index: where entries and bodies stand, and the tree's inner hashes. Kept in sled.
//!
//! It holds nothing that the journal and the bodies do not say. At every opening each value in it
//! is compared with what they say: what is missing is added; where anything differs, is too much,
//! or sled fails or panics, the folder is set aside (`index.bad-N`, the last one is kept) and a new
//! one is filled. So it can be deleted, truncated or replaced by rubbish, and every answer stays
//! the same. While the node runs, what it answers was written or checked by this very process.
//!
//! sled 0.34.7 is kept to what it is safe for: values stay under 4 KiB, its cache is bounded,
//! nothing waits for its flush, and a panic inside it is an error here (see `guarded`).
//!
//! ```text
//! e ‖ origin ‖ 00 ‖ chunk (8)   offset of the first of 64 entries (8), the root of their subtree,
//!                               the hashes above it that they complete
//! b ‖ digest (32)               segment (4), offset (8), length (4), state (1)
//! ```
//!
//! The hashes below are derived from the entries when a proof asks for them: kept, they would take
//! half as much room as the log itself.

mod guarded;

use std::{
    collections::BTreeMap,
    fs, io,
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant},
};

use fs4::fs_std::FileExt;
use tlog_tiles::Hash;
use tutti_core::{body::BodyKey, society::Origin, store::StoreError};

use crate::{bodies::Spot, disk, store::DiskError};
use guarded::Db;

/// The height of the subtree of a chunk.
pub(crate) const CHUNK_HEIGHT: u32 = 6;

/// Entries for which there is one value: 8 bytes and at most 35 hashes, under 4 KiB.
pub(crate) const CHUNK: u64 = 1 << CHUNK_HEIGHT;

/// As sled counts it, by what pages take on the disk. In memory they take some four times as much: with
/// 32 MiB, 400,000 bodies took 131.
const CACHE_BYTES: u64 = 16 * 1024 * 1024;

/// How long an index that was just closed may take to let go of its file.
const LOCK_WAIT_MAX: Duration = Duration::from_secs(10);

/// See the module.
pub(crate) struct Index {
    kept: Kept,
    path: PathBuf,
    /// Values that were compared and found, and those that were added.
    expected: u64,
    added: u64,
    /// Why it cannot be believed.
    bad: Option<String>,
}

enum Kept {
    Sled(Db),
    /// Where nothing may be written, or nothing can be.
    Memory(BTreeMap<Vec<u8>, Vec<u8>>),
}

impl Index {
    /// Opens the index of `data`, or says in words why that did not work: then it is empty and bad.
    pub(crate) fn open(data: &Path) -> Self {
        let path = data.join("index");
        await_lock(&path.join("db"));
        let config =
            sled::Config::new().path(&path).cache_capacity(CACHE_BYTES).flush_every_ms(Some(1000));
        match Db::open(&config) {
            Ok(db) => Self { kept: Kept::Sled(db), path, expected: 0, added: 0, bad: None },
            Err(problem) => Self { bad: Some(problem), path, ..Self::in_memory() },
        }
    }

    /// An index that lives as long as the process.
    pub(crate) fn in_memory() -> Self {
        let kept = Kept::Memory(BTreeMap::new());
        Self { kept, path: PathBuf::new(), expected: 0, added: 0, bad: None }
    }

    /// Sets the index aside and begins a new one, empty, to be filled.
    pub(crate) fn renew(self, data: &Path) -> Result<Self, DiskError> {
        let Self { kept, path, .. } = self;
        drop(kept);
        let io = |error| DiskError::io(&path, error);
        let mut newest = 0;
        for entry in fs::read_dir(data).map_err(io)?.flatten() {
            let name = entry.file_name();
            let number = name.to_str().and_then(|name| name.strip_prefix("index.bad-"));
            if let Some(number) = number.and_then(|number| number.parse::<u64>().ok()) {
                newest = newest.max(number);
                remove(&entry.path()).map_err(io)?;
            }
        }
        match fs::rename(&path, data.join(format!("index.bad-{}", newest + 1))) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(io(error)),
            _ => {}
        }
        let mut index = Self::open(data);
        if index.bad.is_some() {
            index = Self::in_memory();
        }
        Ok(index)
    }

    /// Whether it is kept on the disk.
    pub(crate) fn is_on_disk(&self) -> bool {
        matches!(self.kept, Kept::Sled(_))
    }

    /// Why it must be set aside, where it must: it failed, differs, or holds more than `expected`
    /// values.
    pub(crate) fn fault(&self, expected: u64) -> Option<String> {
        if let Some(problem) = &self.bad {
            return Some(problem.clone());
        }
        let held = match &self.kept {
            Kept::Sled(db) => db.with(|db| Ok(db.len())),
            Kept::Memory(map) => Ok(map.len()),
        };
        match held {
            Err(problem) => Some(problem),
            Ok(held) => (held as u64 != expected)
                .then(|| format!("it holds {held} values where {expected} belong")),
        }
    }

    /// How many values were missing and were added while it was compared, and of how many.
    pub(crate) fn added(&self) -> (u64, u64) {
        (self.added, self.expected)
    }

    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, String> {
        match &self.kept {
            Kept::Sled(db) => db.with(|db| Ok(db.get(key)?.map(|value| value.to_vec()))),
            Kept::Memory(map) => Ok(map.get(key).cloned()),
        }
    }

    fn put(&mut self, key: &[u8], value: Vec<u8>) -> bool {
        let put = match &mut self.kept {
            Kept::Sled(db) => db.with(|db| db.insert(key, value).map(|_| ())),
            Kept::Memory(map) => {
                map.insert(key.to_vec(), value);
                Ok(())
            }
        };
        if let Err(problem) = put {
            self.bad.get_or_insert(problem);
            return false;
        }
        true
    }

    /// Compares with what the journal or the bodies say, and adds what is missing.
    fn expect(&mut self, key: &[u8], value: Vec<u8>) {
        if self.bad.is_some() {
            return;
        }
        self.expected += 1;
        match self.get(key) {
            Ok(Some(held)) if held == value => {}
            Ok(Some(_)) => self.bad = Some("a value in it is not what was written".into()),
            Ok(None) => {
                self.added += 1;
                self.put(key, value);
            }
            Err(problem) => self.bad = Some(problem),
        }
    }

    /// A chunk of a log as it is derived at opening.
    pub(crate) fn expect_chunk(
        &mut self,
        origin: &Origin,
        chunk: u64,
        offset: u64,
        hashes: &[Hash],
    ) {
        self.expect(&chunk_key(origin, chunk), chunk_value(offset, hashes));
    }

    /// A new chunk. Says whether it was taken; if not, its owner keeps it in memory.
    pub(crate) fn put_chunk(
        &mut self,
        origin: &Origin,
        chunk: u64,
        offset: u64,
        hashes: &[Hash],
    ) -> bool {
        self.bad.is_none() && self.put(&chunk_key(origin, chunk), chunk_value(offset, hashes))
    }

    /// Where the entries of a chunk begin, the root of their subtree and the hashes above it that
    /// they completed, from the lowest up.
    pub(crate) fn chunk(
        &self,
        origin: &Origin,
        chunk: u64,
    ) -> Result<(u64, Vec<Hash>), StoreError> {
        let failed = |problem: &str| {
            disk::unreadable(
                self.path.display().to_string(),
                format!("{problem}. Nothing is lost: start the node again, and it is built anew"),
            )
        };
        let value = self
            .get(&chunk_key(origin, chunk))
            .map_err(|problem| failed(&problem))?
            .ok_or_else(|| failed("a value is missing"))?;
        let read = value.split_first_chunk::<8>().and_then(|(offset, hashes)| {
            let hashes = hashes.chunks(32).map(|hash| <[u8; 32]>::try_from(hash).ok().map(Hash));
            Some((u64::from_be_bytes(*offset), hashes.collect::<Option<_>>()?))
        });
        read.ok_or_else(|| failed("a value is not whole"))
    }

    /// A body as it is found at opening.
    pub(crate) fn expect_body(&mut self, key: &BodyKey, spot: Spot) {
        self.expect(&body_key(key), spot.to_bytes());
    }

    /// A body's new place or state. Says whether it was taken.
    pub(crate) fn put_body(&mut self, key: &BodyKey, spot: Spot) -> bool {
        self.put(&body_key(key), spot.to_bytes())
    }

    /// Forgets a body that was never acknowledged.
    pub(crate) fn forget_body(&mut self, key: &BodyKey) {
        let key = body_key(key);
        let removed = match &mut self.kept {
            Kept::Sled(db) => db.with(|db| db.remove(&key).map(|_| ())),
            Kept::Memory(map) => {
                map.remove(&key);
                Ok(())
            }
        };
        if let Err(problem) = removed {
            self.bad.get_or_insert(problem);
        }
    }

    /// Where a body stands; the problem in words where the index cannot say.
    pub(crate) fn body(&self, key: &BodyKey) -> Result<Option<Spot>, String> {
        if let Some(problem) = &self.bad {
            return Err(problem.clone());
        }
        match self.get(&body_key(key))? {
            None => Ok(None),
            Some(value) => {
                Spot::from_bytes(&value).map(Some).ok_or_else(|| "a value is not whole".into())
            }
        }
    }

    /// Lets sled write what it still holds; nothing depends on it.
    pub(crate) fn flush(&self) {
        if let Kept::Sled(db) = &self.kept {
            let _ = db.with(|db| db.flush());
        }
    }
}

/// sled lets go of its lock from a thread of its own, some time after its handle was dropped. We are
/// the one writer of these data, so whoever holds it is on the way out: it is waited for. Where that
/// takes too long, opening says so.
fn await_lock(path: &Path) {
    let Ok(file) = fs::File::open(path) else { return };
    let until = Instant::now() + LOCK_WAIT_MAX;
    while matches!(FileExt::try_lock_exclusive(&file), Ok(false)) && Instant::now() < until {
        thread::sleep(Duration::from_millis(2));
    }
}

fn remove(path: &Path) -> io::Result<()> {
    if path.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) }
}

fn chunk_key(origin: &Origin, chunk: u64) -> Vec<u8> {
    [b"e", origin.as_str().as_bytes(), &[0], &chunk.to_be_bytes()].concat()
}

fn chunk_value(offset: u64, hashes: &[Hash]) -> Vec<u8> {
    let mut value = offset.to_be_bytes().to_vec();
    value.extend(hashes.iter().flat_map(|hash| hash.0));
    value
}

fn body_key(key: &BodyKey) -> Vec<u8> {
    [b"b", key.as_bytes().as_slice()].concat()
}
