//! The commit log: one `fdatasync` makes a whole commit durable, whichever logs it touches.
//!
//! Two files, `commits-a` and `commits-b`, written in turn. A record is a header (magic,
//! generation, number, length, SHA-256) and a payload, and begins at a multiple of 512 bytes; the
//! first block holds a salt of this node's own that goes into each SHA-256, so that nothing that a
//! peer puts into an entry can ever be taken for a record.
//! All records of one file's present use have one generation and count up from 0. The files are
//! allocated once, so that a commit is written into space that exists. When one is full, what it
//! holds is settled into the logs' own files; only then does the next commit begin the other file
//! with the next generation. So there is no moment at which a durable commit is nowhere.
//!
//! What a crash can leave: the last record not whole, and nothing after it, because a commit
//! begins only after the one before was synced. That is a torn tail: it was never acknowledged,
//! and is dropped. Any other record that is not whole is damage. `acknowledged` tells them apart
//! for the very last record too: it is written (never synced) after each sync.

use std::{
    fs::File,
    io::ErrorKind::{InvalidData, IsADirectory, NotFound},
    path::{Path, PathBuf},
};

use rand_core::{OsRng, RngCore as _};
use sha2::{Digest as _, Sha256};
use tutti_core::store::StoreError;

use super::record::BodiesMark;
use crate::{disk, store::DiskError};

const MAGIC: &[u8; 8] = b"tutti-c1";
const HEADER: usize = 8 + 8 + 8 + 4 + 32;
const BLOCK: usize = 512;

/// Where the first record begins: after the block with the salt.
const START: usize = BLOCK;

/// Bytes of one file: some thousand commits of one entry. Whoever catches up settles once for so
/// much. The tests write it thousands of times over.
const CAPACITY: u64 = if cfg!(test) { 1024 * 1024 } else { 4 * 1024 * 1024 };

/// See the module.
pub(crate) struct Commits {
    files: [Half; 2],
    acknowledged: Option<File>,
    salt: Salt,
    active: usize,
    generation: u64,
    number: u64,
    end: u64,
    /// How far the generation before came: what was acknowledged while this one has no commit yet.
    before: Place,
}

type Salt = [u8; 16];

struct Half {
    path: PathBuf,
    file: File,
}

/// What was found at opening.
pub(crate) struct Found {
    /// The payloads of the commits that are not known to be settled, oldest first.
    pub(crate) records: Vec<Vec<u8>>,
    /// What was dropped, in words.
    pub(crate) notice: Option<String>,
    /// Bodies up to here were acknowledged, as far as is known.
    pub(crate) bodies: BodiesMark,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Place {
    generation: u64,
    number: u64,
}

struct Record<'a> {
    place: Place,
    payload: &'a [u8],
    end: usize,
}

impl Commits {
    /// Makes the two files of a new node.
    pub(crate) fn create(dir: &Path) -> std::io::Result<()> {
        let mut salt = Salt::default();
        OsRng.try_fill_bytes(&mut salt).map_err(std::io::Error::other)?;
        for path in paths(dir) {
            let file = disk::open(&path, true)?;
            disk::write_zeros(&file, 0, CAPACITY)?;
            disk::write_at(&file, &first_block(salt), 0)?;
            disk::sync(&file)?;
        }
        disk::sync_dir(dir)
    }

    /// Notes in a new journal that bodies up to here are durable.
    pub(crate) fn begin_with(dir: &Path, bodies: BodiesMark) -> std::io::Result<()> {
        let bytes = acknowledgement(Place { generation: 0, number: 0 }, bodies);
        disk::replace(&dir.join("acknowledged"), &bytes)
    }

    /// The payloads of all records that are whole, oldest first, whatever is between them; and how far
    /// bodies were acknowledged, where that stands there. What cannot be read at this moment is not given up:
    /// it is an error.
    pub(crate) fn salvage(dir: &Path) -> Result<(Vec<Vec<u8>>, BodiesMark), DiskError> {
        let read = |path: PathBuf| match disk::read(&path, 16 * CAPACITY) {
            // It is no such file.
            Err(error) if matches!(error.kind(), InvalidData | IsADirectory) => Ok(None),
            bytes => bytes.map_err(|error| DiskError::io(&path, error)),
        };
        let [a, b] = paths(dir);
        let halves = [read(a)?, read(b)?];
        let halves: Vec<&Vec<u8>> = halves.iter().flatten().collect();
        let salts: Vec<Salt> = halves.iter().filter_map(|bytes| salt_in(bytes)).collect();
        let mut records: Vec<Record> = Vec::new();
        for bytes in &halves {
            for at in (START..bytes.len()).step_by(BLOCK) {
                records.extend(salts.iter().find_map(|salt| record_at(bytes, *salt, at)));
            }
        }
        records.sort_by_key(|record| record.place);
        let acknowledged = read(dir.join("acknowledged"))?;
        let mark = acknowledged.as_deref().and_then(read_acknowledged).map(|(_, mark)| mark);
        let payloads = records.iter().map(|record| record.payload.to_vec()).collect();
        Ok((payloads, mark.unwrap_or_default()))
    }

    /// Whether [`Commits::create`] came to its end here.
    pub(crate) fn exist(dir: &Path) -> Result<bool, DiskError> {
        let is_there = |path: PathBuf| path.try_exists().map_err(|e| DiskError::io(&path, e));
        paths(dir).into_iter().try_fold(true, |all, path| Ok(all & is_there(path)?))
    }

    /// Whether nothing was ever committed: each file is missing, or holds nothing behind its first block, as
    /// [`Commits::create`] leaves it however far it came. What cannot be read is an error.
    pub(crate) fn are_unused(dir: &Path) -> Result<bool, DiskError> {
        for path in paths(dir) {
            let io = |error| DiskError::io(&path, error);
            let file = match disk::open(&path, false) {
                Err(error) if error.kind() == NotFound => continue,
                file => file.map_err(io)?,
            };
            let len = usize::try_from(file.metadata().map_err(io)?.len()).unwrap_or(usize::MAX);
            let bytes = disk::read_at(&file, len, 0).map_err(io)?;
            if bytes.iter().skip(START).any(|byte| *byte != 0) {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Opens and reads both files.
    pub(crate) fn open(dir: &Path, writable: bool) -> Result<(Self, Found), DiskError> {
        let [a, b] = paths(dir);
        let half = |path: PathBuf| {
            let file = disk::open(&path, writable).map_err(|e| DiskError::io(&path, e))?;
            let len = file.metadata().map_err(|e| DiskError::io(&path, e))?.len();
            let len = usize::try_from(len).unwrap_or(usize::MAX);
            let bytes = disk::read_at(&file, len, 0).map_err(|e| DiskError::io(&path, e))?;
            Ok::<_, DiskError>((Half { path, file }, bytes))
        };
        let ((half_a, bytes_a), (half_b, bytes_b)) = (half(a)?, half(b)?);
        let salt = salt_of(&half_a, &bytes_a)?;
        if salt_of(&half_b, &bytes_b)? != salt {
            return Err(damaged(&half_b, 0, "it belongs to another node than the file beside it"));
        }
        let (runs, bytes) = ([run(&bytes_a, salt), run(&bytes_b, salt)], [&bytes_a, &bytes_b]);
        let path = dir.join("acknowledged");
        let acknowledged = disk::read(&path, 1024).map_err(|error| DiskError::io(&path, error))?;
        let (known, bodies) = acknowledged
            .as_deref()
            .and_then(read_acknowledged)
            .unwrap_or((Place { generation: 0, number: 0 }, BodiesMark::default()));

        let generation_of = |run: &[Record]| run.first().map_or(0, |first| first.place.generation);
        let active = usize::from(generation_of(&runs[1]) > generation_of(&runs[0]));
        let generation = generation_of(&runs[active]);
        let end = runs[active].last().map_or(START, |last| last.end);
        let halves = [half_a, half_b];
        check(&halves, &bytes, salt, active, &runs[active], known)?;
        let torn = [(active, end, generation.max(1)), (1 - active, START, generation + 1)]
            .into_iter()
            .find_map(|(half, at, generation)| {
                Some((half, at, torn_len(bytes[half], salt, at, generation)?))
            });
        let mut notice = None;
        if let Some((half, at, len)) = torn {
            if writable {
                // So that it is said once.
                let half = &halves[half];
                disk::write_zeros(&half.file, at as u64, (at + HEADER) as u64)
                    .and_then(|()| disk::sync(&half.file))
                    .map_err(|error| DiskError::io(&half.path, error))?;
            }
            notice = Some(format!(
                "a commit of {len} bytes was cut short, by a crash or a power cut, before it was \
                 acknowledged to anyone. It was dropped; everything acknowledged is here"
            ));
        }
        let records = runs[active].iter().map(|record| record.payload.to_vec()).collect();
        let number = runs[active].len() as u64;
        let acknowledged = writable
            .then(|| disk::open(&path, true))
            .transpose()
            .map_err(|error| DiskError::io(&path, error))?;
        let generation = generation.max(1);
        let end = end as u64;
        let before = known;
        let commits =
            Self { files: halves, acknowledged, salt, active, generation, number, end, before };
        Ok((commits, Found { records, notice, bodies }))
    }

    /// Whether a payload of `len` bytes fits before the present file must be settled.
    pub(crate) fn fits(&self, len: usize) -> bool {
        self.end == START as u64 || self.end + (padded(HEADER + len) as u64) <= CAPACITY
    }

    /// Makes a commit durable: one write, one `fdatasync`. `Full` leaves nothing behind.
    pub(crate) fn append(&mut self, payload: &[u8]) -> Result<(), StoreError> {
        let place = Place { generation: self.generation, number: self.number };
        let record = frame(self.salt, place, payload);
        let file = &self.half(self.active).file;
        if let Err(error) = disk::write_at(file, &record, self.end) {
            // What was written must not look like a record: the next one overwrites it, or a
            // restart drops it. A file that has grown is cut back.
            disk::write_zeros(file, self.end, self.end + HEADER as u64)
                .map_err(StoreError::Fatal)?;
            if self.end + record.len() as u64 > CAPACITY {
                disk::set_len(file, CAPACITY.max(self.end)).map_err(StoreError::Fatal)?;
            }
            return Err(disk::failed(error));
        }
        disk::sync(file).map_err(StoreError::Fatal)?;
        self.end += record.len() as u64;
        self.number += 1;
        Ok(())
    }

    /// Notes that all so far was acknowledged, so that damage is never taken for a torn tail.
    /// Not synced: after a power cut it may be behind, and then it says nothing wrong. Until a
    /// generation has a commit of its own it is the count of the one before that tells whether that
    /// is whole, for a start reads that one.
    pub(crate) fn acknowledge(&self, bodies: BodiesMark) {
        let place = match self.number {
            0 => self.before,
            number => Place { generation: self.generation, number },
        };
        let bytes = acknowledgement(place, bodies);
        if let Some(file) = &self.acknowledged {
            // It only sharpens what a later start can tell: no reason to stop.
            let _ = disk::write_at(file, &bytes, 0);
        }
    }

    /// Everything up to here was settled and synced: the next commit begins the other file.
    pub(crate) fn settled(&mut self) {
        if self.number > 0 {
            self.before = Place { generation: self.generation, number: self.number };
            self.active = 1 - self.active;
            self.generation += 1;
            self.number = 0;
            self.end = START as u64;
        }
    }

    /// The folder.
    pub(crate) fn dir(&self) -> PathBuf {
        self.half(0).path.parent().map(Path::to_path_buf).unwrap_or_default()
    }

    /// What a problem in either file is called.
    pub(crate) fn place(dir: &Path) -> String {
        dir.join("commits-a or -b").display().to_string()
    }

    fn half(&self, which: usize) -> &Half {
        let [a, b] = &self.files;
        if which == 0 { a } else { b }
    }
}

fn paths(dir: &Path) -> [PathBuf; 2] {
    [dir.join("commits-a"), dir.join("commits-b")]
}

fn padded(len: usize) -> usize {
    len.div_ceil(BLOCK) * BLOCK
}

fn first_block(salt: Salt) -> Vec<u8> {
    let mut bytes = [b"tutti-commits/v1".as_slice(), &salt].concat();
    let check = Sha256::digest(&bytes);
    bytes.extend(check);
    bytes.resize(START, 0);
    bytes
}

fn salt_of(half: &Half, bytes: &[u8]) -> Result<Salt, DiskError> {
    salt_in(bytes).ok_or_else(|| damaged(half, 0, "its first block is not that of a commit log"))
}

fn salt_in(bytes: &[u8]) -> Option<Salt> {
    let salt = bytes.get(16..32).and_then(|salt| Salt::try_from(salt).ok());
    salt.filter(|salt| bytes.starts_with(&first_block(*salt)))
}

fn damaged(half: &Half, at: usize, problem: &str) -> DiskError {
    DiskError::Damaged {
        place: format!("{} at byte {at}", half.path.display()),
        problem: problem.into(),
    }
}

fn digest(salt: Salt, place: Place, payload: &[u8]) -> [u8; 32] {
    let mut hash = Sha256::new();
    hash.update(MAGIC);
    hash.update(salt);
    hash.update(place.generation.to_be_bytes());
    hash.update(place.number.to_be_bytes());
    hash.update((payload.len() as u32).to_be_bytes());
    hash.update(payload);
    hash.finalize().into()
}

fn frame(salt: Salt, place: Place, payload: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(padded(HEADER + payload.len()));
    bytes.extend(MAGIC);
    bytes.extend(place.generation.to_be_bytes());
    bytes.extend(place.number.to_be_bytes());
    bytes.extend((payload.len() as u32).to_be_bytes());
    bytes.extend(digest(salt, place, payload));
    bytes.extend(payload);
    bytes.resize(padded(bytes.len()), 0);
    bytes
}

/// The generation, number and payload length that stand at `at`, whether or not they are true.
fn header_at(bytes: &[u8], at: usize) -> Option<(Place, usize, &[u8])> {
    let rest = bytes.get(at..)?.strip_prefix(MAGIC.as_slice())?;
    let (generation, rest) = rest.split_first_chunk::<8>()?;
    let (number, rest) = rest.split_first_chunk::<8>()?;
    let (len, rest) = rest.split_first_chunk::<4>()?;
    let place =
        Place { generation: u64::from_be_bytes(*generation), number: u64::from_be_bytes(*number) };
    Some((place, u32::from_be_bytes(*len) as usize, rest))
}

fn record_at(bytes: &[u8], salt: Salt, at: usize) -> Option<Record<'_>> {
    let (place, len, rest) = header_at(bytes, at)?;
    let (check, rest) = rest.split_first_chunk::<32>()?;
    let payload = rest.get(..len)?;
    // The padding is part of the write; nothing in it is used.
    let end = at + padded(HEADER + len);
    (digest(salt, place, payload) == *check).then_some(Record { place, payload, end })
}

/// The whole records from the beginning of a file: one generation, counting up from 0.
fn run(bytes: &[u8], salt: Salt) -> Vec<Record<'_>> {
    let mut records: Vec<Record> = Vec::new();
    let mut at = START;
    while let Some(record) = record_at(bytes, salt, at) {
        let generation = records.first().map_or(record.place.generation, |r| r.place.generation);
        if record.place != (Place { generation, number: records.len() as u64 }) {
            break;
        }
        at = record.end;
        records.push(record);
    }
    records
}

/// Refuses where a record is missing that was acknowledged: a later one is whole, or
/// `acknowledged` counts it.
fn check(
    halves: &[Half; 2],
    bytes: &[&Vec<u8>; 2],
    salt: Salt,
    active: usize,
    run: &[Record],
    known: Place,
) -> Result<(), DiskError> {
    let generation = run.first().map_or(0, |first| first.place.generation);
    let next = Place { generation, number: run.len() as u64 };
    for (half, bytes) in halves.iter().zip(bytes) {
        let own = halves.get(active).is_some_and(|active| active.path == half.path);
        let at = if own { run.last().map_or(START, |last| last.end) } else { START };
        let later = (at..bytes.len())
            .step_by(BLOCK)
            .filter_map(|at| record_at(bytes, salt, at))
            .any(|record| record.place > next);
        // The first record of the next generation lies in the other file.
        let first_lost = if own {
            known.generation == generation && known.number > next.number
        } else {
            known.generation > generation && known.number > 0
        };
        if later || first_lost {
            return Err(damaged(half, at, "a commit that was acknowledged is not whole"));
        }
    }
    Ok(())
}

/// How many bytes of a record of `generation` that is not whole stand at `at`.
fn torn_len(bytes: &[u8], salt: Salt, at: usize, generation: u64) -> Option<usize> {
    let (place, len, _) = header_at(bytes, at)?;
    let here = place.generation == generation && record_at(bytes, salt, at).is_none();
    here.then_some(padded(HEADER.saturating_add(len)))
}

fn acknowledgement(place: Place, bodies: BodiesMark) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(36);
    bytes.extend(place.generation.to_be_bytes());
    bytes.extend(place.number.to_be_bytes());
    bytes.extend(bodies.segment.to_be_bytes());
    bytes.extend(bodies.end.to_be_bytes());
    let check = Sha256::digest(&bytes);
    bytes.extend(check.iter().take(8));
    bytes
}

fn read_acknowledged(bytes: &[u8]) -> Option<(Place, BodiesMark)> {
    let (body, check) = bytes.split_at_checked(28)?;
    if Sha256::digest(body).get(..8) != Some(check) {
        return None;
    }
    let (generation, rest) = body.split_first_chunk::<8>()?;
    let (number, rest) = rest.split_first_chunk::<8>()?;
    let (segment, end) = rest.split_first_chunk::<4>()?;
    let place =
        Place { generation: u64::from_be_bytes(*generation), number: u64::from_be_bytes(*number) };
    let segment = u32::from_be_bytes(*segment);
    Some((place, BodiesMark { segment, end: u64::from_be_bytes(end.try_into().ok()?) }))
}
