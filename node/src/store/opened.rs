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
//! seal tells; where anything does not fit, the rest of the file is dropped.

use std::{
    collections::BTreeMap,
    fs::File,
    io::{self, BufReader, Read as _},
    path::Path,
};

use sha2::{Digest as _, Sha256};
use tutti_core::body::BodyKey;

use crate::disk;

/// Key, length and check.
const HEADER: usize = 32 + 4 + 4;

/// What is longer is not kept.
const LENGTH_MAX: usize = 2 * 1024 * 1024;

/// See the module.
#[derive(Default)]
pub(super) struct Opened {
    /// `None`: nothing is kept, for it could not be written, or must not.
    file: Option<File>,
    end: u64,
    /// Where the frame of a key stands, by the start of the key.
    spots: BTreeMap<[u8; 8], u64>,
}

impl Opened {
    /// Reads where the frames stand. What cannot be read is as if it were not there.
    pub(super) fn open(data: &Path, writable: bool) -> Self {
        let path = data.join("opened");
        if !writable && !path.exists() {
            return Self::default();
        }
        let Ok(file) = disk::open(&path, writable) else { return Self::default() };
        let mut opened = Self { file: None, end: 0, spots: BTreeMap::new() };
        let twice = opened.scan(&file);
        if writable {
            // A key that stands there twice could be overwritten once alone: then all goes.
            if twice && disk::write_zeros(&file, 0, opened.end).is_err() {
                return Self::default();
            }
            if twice {
                (opened.end, opened.spots) = (0, BTreeMap::new());
            }
            if disk::set_len(&file, opened.end).is_err() {
                return Self::default();
            }
        }
        opened.file = Some(file);
        opened
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
        let (file, at, size) = self.find(key)?;
        let bytes = disk::read_at(file, size, at + HEADER as u64).ok()?;
        (bytes.len() == size).then_some(bytes)
    }

    /// The frame of that key: where it begins, and how much it holds.
    fn find(&self, key: &BodyKey) -> Option<(&File, u64, usize)> {
        let (file, at) = (self.file.as_ref()?, *self.spots.get(&start(key.as_bytes()))?);
        let bytes: [u8; HEADER] = disk::read_at(file, HEADER, at).ok()?.try_into().ok()?;
        let (held, size) = parse(&bytes)?;
        (held == key.as_bytes()).then_some((file, at, size))
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
            // No room, or worse: from now on nothing is kept.
            let _ = disk::set_len(file, self.end);
            *self = Self::default();
            return;
        }
        self.spots.insert(start(key.as_bytes()), self.end);
        self.end += frame.len() as u64;
    }

    /// Overwrites what is kept for that key, and syncs.
    pub(super) fn wipe(&mut self, key: &BodyKey) -> io::Result<()> {
        let Some((file, at, size)) = self.find(key) else { return Ok(()) };
        let from = at + HEADER as u64;
        disk::write_zeros(file, from, from + size as u64)?;
        disk::write_at(file, &header(&[0; 32], size), at)?;
        disk::sync(file)?;
        self.spots.remove(&start(key.as_bytes()));
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

    fn key(n: u8) -> BodyKey {
        let mut bytes = [7; 32];
        bytes[0] = n;
        BodyKey::from_bytes(bytes)
    }

    fn kept(dir: &Path) -> Vec<Option<Vec<u8>>> {
        let opened = Opened::open(dir, true);
        (1..=3).map(|n| opened.get(&key(n))).collect()
    }

    fn write(dir: &Path) {
        let mut opened = Opened::open(dir, true);
        (1..=3).for_each(|n| opened.put(&key(n), &[0x40 + n; 100]));
    }

    #[test]
    fn what_was_given_is_there_after_a_start_and_gone_once_wiped() {
        let dir = tempfile::tempdir().unwrap();
        write(dir.path());
        assert_eq!(kept(dir.path())[1], Some(vec![0x42; 100]));
        let mut opened = Opened::open(dir.path(), true);
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
}
