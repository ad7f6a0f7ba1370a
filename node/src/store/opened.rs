//! What the holder of the keys has made of records once it had opened them, sealed by it anew: a cache,
//! so that a start need not open each record again.
//!
//! One file, `opened`, that grows at its end and is never synced; nothing depends on it.
//!
//! ```text
//! key of the body (32) ‖ length (4) ‖ check (4) ‖ what was given
//! ```
//!
//! `check` is the beginning of the SHA-256 of key and length. The key of a frame that was overwritten is
//! zeros.
//!
//! It is kept outside the index, for sled leaves in its file what was deleted: here a frame is
//! overwritten in place, with the key, before its body is erased. Invariants: whatever the file holds,
//! opening works, and an answer is what was given for that very key or nothing, as far as its owner's
//! seal tells; where anything does not fit, the rest of the file is dropped. What fails while it is kept
//! is only not kept; what is overwritten is gone from the file, or whoever asked is told that it is not.

use std::{
    collections::BTreeMap,
    fs::File,
    io::{self, BufReader, Read as _},
    path::Path,
};

use sha2::{Digest as _, Sha256};
use tutti_core::body::BodyKey;

use super::DiskError;
use crate::disk;

/// Key, length and check.
const HEADER: usize = 32 + 4 + 4;

/// What is longer is not kept.
const LENGTH_MAX: usize = 2 * 1024 * 1024;

/// See the module.
#[derive(Default)]
pub(super) struct Opened {
    /// `None`: there is no such file.
    file: Option<File>,
    end: u64,
    /// Behind the end there may stand a part of what a fault cut short, and of which key is not known.
    ragged: bool,
    /// That was cut off, which a power cut may undo.
    unsynced: bool,
    /// A sync has failed: what the disk holds is not known any more.
    unsure: bool,
    /// Where the frame of a key stands, by the start of the key.
    spots: BTreeMap<[u8; 8], u64>,
}

impl Opened {
    /// Reads where the frames stand. What cannot be read is as if it were not there.
    ///
    /// # Errors
    /// Where there is a file in which nothing could be overwritten.
    pub(super) fn open(data: &Path, writable: bool) -> Result<Self, DiskError> {
        let path = data.join("opened");
        let failed = |error| DiskError::io(&path, error);
        let file = match disk::open(&path, writable) {
            Err(_) if !writable || path.try_exists().is_ok_and(|exists| !exists) => {
                return Ok(Self::default());
            }
            file => file.map_err(failed)?,
        };
        let mut opened = Self::default();
        let twice = opened.scan(&file);
        let length = file.metadata().map_err(failed)?.len();
        if writable && twice {
            // A key that stands there twice could be overwritten once alone: then all goes.
            disk::write_zeros(&file, 0, opened.end).map_err(failed)?;
            (opened.end, opened.spots) = (0, BTreeMap::new());
        }
        opened.file = Some(file);
        if writable && length > opened.end {
            opened.ragged = true;
            // Where it fails, it is done before anything else is written.
            let _ = opened.cut();
        }
        Ok(opened)
    }

    /// Says whether a key stands there twice.
    fn scan(&mut self, file: &File) -> bool {
        let length = file.metadata().map_or(0, |data| data.len());
        let mut reader = BufReader::with_capacity(64 * 1024, file);
        let mut bytes = [0; HEADER];
        let mut twice = false;
        while reader.read_exact(&mut bytes).is_ok() {
            let Some((key, size)) = parse(&bytes) else { return twice };
            let next = self.end + (HEADER + size) as u64;
            if next > length || reader.seek_relative(size as i64).is_err() {
                return twice;
            }
            if *key != [0; 32] {
                twice |= self.spots.insert(start(key), self.end).is_some();
            }
            self.end = next;
        }
        twice
    }

    /// What was given for that key.
    pub(super) fn get(&self, key: &BodyKey) -> Option<Vec<u8>> {
        let (at, size) = self.find(key).ok()??;
        let bytes = disk::read_at(self.file.as_ref()?, size, at + HEADER as u64).ok()?;
        (bytes.len() == size).then_some(bytes)
    }

    /// The frame of that key: where it begins, and how much it holds.
    fn find(&self, key: &BodyKey) -> io::Result<Option<(u64, usize)>> {
        let spot = self.spots.get(&start(key.as_bytes()));
        let (Some(file), Some(at)) = (&self.file, spot) else { return Ok(None) };
        let bytes = disk::read_at(file, HEADER, *at)?;
        let frame = <[u8; HEADER]>::try_from(bytes).ok();
        let held = frame.as_ref().and_then(parse).filter(|(held, _)| *held == key.as_bytes());
        Ok(held.map(|(_, size)| (*at, size)))
    }

    /// Keeps `bytes` for that key, where it can.
    pub(super) fn put(&mut self, key: &BodyKey, bytes: &[u8]) {
        if bytes.is_empty() || bytes.len() > LENGTH_MAX || self.wipe(key).is_err() {
            return;
        }
        // Two keys that begin alike: the first one has the place.
        let (Some(file), false) = (&self.file, self.spots.contains_key(&start(key.as_bytes())))
        else {
            return;
        };
        let frame = [header(key.as_bytes(), bytes.len()).as_slice(), bytes].concat();
        if disk::write_at(file, &frame, self.end).is_err() {
            // No room, or worse: it is not kept, and no part of it either.
            self.ragged = true;
            let _ = self.cut();
            return;
        }
        self.spots.insert(start(key.as_bytes()), self.end);
        self.end += frame.len() as u64;
    }

    /// Overwrites what is kept for that key, and syncs.
    pub(super) fn wipe(&mut self, key: &BodyKey) -> io::Result<()> {
        if self.unsure {
            return Err(io::Error::other("an earlier sync of the file `opened` has failed"));
        }
        self.cut()?;
        let found = self.find(key)?;
        let Some(file) = self.file.as_ref().filter(|_| found.is_some() || self.unsynced) else {
            return Ok(());
        };
        if let Some((at, size)) = found {
            let from = at + HEADER as u64;
            disk::write_zeros(file, from, from + size as u64)?;
            disk::write_at(file, &header(&[0; 32], size), at)?;
        }
        self.unsure = true;
        disk::sync(file)?;
        (self.unsure, self.unsynced) = (false, false);
        if found.is_some() {
            self.spots.remove(&start(key.as_bytes()));
        }
        Ok(())
    }

    /// Nothing stands behind the end any more.
    fn cut(&mut self) -> io::Result<()> {
        if let Some(file) = self.file.as_ref().filter(|_| self.ragged) {
            disk::set_len(file, self.end)?;
            (self.ragged, self.unsynced) = (false, true);
        }
        Ok(())
    }
}

fn parse(bytes: &[u8; HEADER]) -> Option<(&[u8; 32], usize)> {
    let (key, rest) = bytes.split_first_chunk::<32>()?;
    let size = u32::from_be_bytes(*rest.first_chunk()?) as usize;
    ((1..=LENGTH_MAX).contains(&size) && header(key, size) == *bytes).then_some((key, size))
}

fn header(key: &[u8; 32], size: usize) -> Vec<u8> {
    let size = u32::try_from(size).unwrap_or(u32::MAX).to_be_bytes();
    let mut bytes = [key.as_slice(), &size].concat();
    let check = Sha256::digest(&bytes);
    bytes.extend(check.iter().take(4));
    bytes
}

fn start(key: &[u8; 32]) -> [u8; 8] {
    let mut start = [0; 8];
    start.iter_mut().zip(key).for_each(|(to, from)| *to = *from);
    start
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::disk::faults::{Fault, heal, strike};

    fn key(n: u8) -> BodyKey {
        let mut bytes = [7; 32];
        bytes[0] = n;
        BodyKey::from_bytes(bytes)
    }

    fn kept(dir: &Path) -> Vec<Option<Vec<u8>>> {
        let opened = Opened::open(dir, true).unwrap();
        (1..=3).map(|n| opened.get(&key(n))).collect()
    }

    fn write(dir: &Path) {
        let mut opened = Opened::open(dir, true).unwrap();
        (1..=3).for_each(|n| opened.put(&key(n), &[0x40 + n; 100]));
    }

    #[test]
    fn what_was_given_is_there_after_a_start_and_gone_once_wiped() {
        let dir = tempfile::tempdir().unwrap();
        write(dir.path());
        assert_eq!(kept(dir.path())[1], Some(vec![0x42; 100]));
        let mut opened = Opened::open(dir.path(), true).unwrap();
        opened.wipe(&key(2)).unwrap();
        assert_eq!(opened.get(&key(2)), None);
        opened.put(&key(1), b"anew");
        let bytes = std::fs::read(dir.path().join("opened")).unwrap();
        assert!(!bytes.contains(&0x42) && !bytes.contains(&0x41), "overwritten");
        assert_eq!(kept(dir.path()), [Some(b"anew".to_vec()), None, Some(vec![0x43; 100])]);
    }

    #[test]
    fn whatever_the_file_holds_an_answer_is_what_was_given_or_nothing() {
        let dir = tempfile::tempdir().unwrap();
        write(dir.path());
        let path = dir.path().join("opened");
        let bytes = std::fs::read(&path).unwrap();
        for at in 0..bytes.len() {
            std::fs::write(&path, &bytes[..at]).unwrap();
            let found = kept(dir.path());
            assert_eq!(found[0].is_some(), at >= 140, "cut at {at}");
            let mut bad = bytes.clone();
            bad[at] ^= 0xff;
            std::fs::write(&path, &bad).unwrap();
            let found = kept(dir.path());
            // Bytes of what was given are its owner's to check, by its seal.
            let told = found.iter().flatten().all(|bytes| bytes.len() == 100);
            assert!(told, "byte {at} flipped");
        }
        std::fs::write(&path, [bytes.as_slice(), &bytes].concat()).unwrap();
        assert_eq!(kept(dir.path()), [None, None, None], "twice the same: all of it goes");
        assert_eq!(std::fs::read(&path).unwrap(), b"");
    }

    /// A body counts as erased only where nothing of what was made of it is left, whatever has failed
    /// since the start, and before it: the file ends in the middle of a frame.
    #[test]
    fn what_was_wiped_is_gone_whatever_failed_before() {
        for fault in [Fault::Full, Fault::Sync, Fault::Crash] {
            for at in 0.. {
                let dir = tempfile::tempdir().unwrap();
                write(dir.path());
                let path = dir.path().join("opened");
                let torn = [header(key(4).as_bytes(), 100).as_slice(), &[0x44; 50]].concat();
                std::fs::write(&path, [std::fs::read(&path).unwrap(), torn].concat()).unwrap();
                strike(fault, at);
                let wiped = Opened::open(dir.path(), true).map(|mut opened| {
                    opened.put(&key(5), &[0x45; 100]);
                    (1..=5).filter(|n| opened.wipe(&key(*n)).is_ok()).collect()
                });
                let (struck, wiped): (_, Vec<u8>) = (heal(), wiped.unwrap_or_default());
                let bytes = std::fs::read(&path).unwrap();
                for n in &wiped {
                    let left = bytes.windows(8).any(|bytes| bytes == [0x40 + n; 8]);
                    assert!(!left, "{fault:?} at {at}: {n} was wiped and is there");
                }
                if !struck {
                    assert_eq!(wiped, [1, 2, 3, 4, 5]);
                    assert!(at > 2, "only {at} operations were struck");
                    break;
                }
            }
        }
    }
}
