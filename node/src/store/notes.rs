//! Small notes of this holder's own: how far what was sent has come, and what is kept for others.
//!
//! One file, `notes`, that grows at its end; a record is written before it is believed.
//!
//! ```text
//! length of the key (1) ‖ length of the value (2) ‖ key ‖ value ‖ check (8)
//! ```
//!
//! `check` is the beginning of the SHA-256 of all before it. A later record of a key takes the place
//! of an earlier one, an empty value ends it. What is not whole at the end is a torn write, and is cut
//! off. A start writes the file anew where most of it is of the past. Nothing of it is needed to read
//! a case: where the file is lost, societies are asked again.

use std::{
    collections::BTreeMap,
    fs::File,
    path::{Path, PathBuf},
};

use sha2::{Digest as _, Sha256};
use tutti_core::{limits::NOTE_VALUE_BYTES_MAX, store::StoreError};

use crate::{disk, store::DiskError};

/// Far more than a node ever has.
const FILE_BYTES_MAX: u64 = 1024 * 1024 * 1024;

/// A file that is smaller is left as it is.
const SMALL_BYTES: u64 = 256 * 1024;

const CHECK: usize = 8;

/// See the module.
pub(super) struct Notes {
    path: PathBuf,
    file: Option<File>,
    end: u64,
    held: BTreeMap<Vec<u8>, Vec<u8>>,
}

impl Notes {
    /// Reads the file; one that is missing is empty. Says what was cut off, if anything.
    pub(super) fn open(data: &Path, writable: bool) -> Result<(Self, Option<String>), DiskError> {
        let path = data.join("notes");
        let io = |error| DiskError::io(&path, error);
        let bytes = disk::read(&path, FILE_BYTES_MAX).map_err(io)?.unwrap_or_default();
        let (mut held, mut rest) = (BTreeMap::new(), bytes.as_slice());
        while let Some((key, value, after)) = read(rest) {
            rest = after;
            match value {
                [] => held.remove(key),
                value => held.insert(key.to_vec(), value.to_vec()),
            };
        }
        let torn = rest.len();
        let mut notes =
            Self { path: path.clone(), file: None, end: (bytes.len() - torn) as u64, held };
        if writable {
            let live: Vec<u8> =
                notes.held.iter().flat_map(|(key, value)| write(key, value)).collect();
            if notes.end > SMALL_BYTES && (live.len() as u64) < notes.end / 2 {
                disk::replace(&path, &live).map_err(io)?;
                notes.end = live.len() as u64;
            } else if torn > 0 {
                let file = disk::open(&path, true).map_err(io)?;
                disk::set_len(&file, notes.end).and_then(|()| disk::sync(&file)).map_err(io)?;
            }
        }
        let notice = (torn > 0).then(|| {
            format!(
                "{torn} bytes at the end of {} were not whole and were dropped; what they said of \
                 deliveries is asked for again",
                path.display()
            )
        });
        Ok((notes, notice))
    }

    /// All of them.
    pub(super) fn all(&self) -> &BTreeMap<Vec<u8>, Vec<u8>> {
        &self.held
    }

    /// One write, one sync. `Full` changes nothing.
    pub(super) fn put(&mut self, key: &[u8], value: &[u8]) -> Result<(), StoreError> {
        if key.len() > usize::from(u8::MAX) || value.len() > NOTE_VALUE_BYTES_MAX {
            return Err(disk::unreadable(self.path.display().to_string(), "a note is too long"));
        }
        if self.held.get(key).map_or(value.is_empty(), |held| held == value) {
            return Ok(());
        }
        let file = match self.file.take() {
            Some(file) => file,
            None => disk::open(&self.path, true).map_err(disk::failed)?,
        };
        let record = write(key, value);
        if let Err(error) = disk::write_at(&file, &record, self.end) {
            disk::set_len(&file, self.end).map_err(StoreError::Fatal)?;
            return Err(disk::failed(error));
        }
        disk::sync(&file).map_err(StoreError::Fatal)?;
        self.file = Some(file);
        self.end += record.len() as u64;
        match value {
            [] => self.held.remove(key),
            value => self.held.insert(key.to_vec(), value.to_vec()),
        };
        Ok(())
    }
}

fn write(key: &[u8], value: &[u8]) -> Vec<u8> {
    let mut bytes = vec![key.len() as u8];
    bytes.extend((value.len() as u16).to_be_bytes());
    bytes.extend(key);
    bytes.extend(value);
    let check = Sha256::digest(&bytes);
    bytes.extend(check.iter().take(CHECK));
    bytes
}

/// The first record, and what follows it; `None` where it is not whole.
fn read(bytes: &[u8]) -> Option<(&[u8], &[u8], &[u8])> {
    let (lengths, rest) = bytes.split_first_chunk::<3>()?;
    let [key_len, value_len @ ..] = lengths;
    let (key, rest) = rest.split_at_checked(usize::from(*key_len))?;
    let (value, rest) = rest.split_at_checked(usize::from(u16::from_be_bytes(*value_len)))?;
    let (check, rest) = rest.split_at_checked(CHECK)?;
    let said = bytes.get(..lengths.len() + key.len() + value.len())?;
    (Sha256::digest(said).get(..CHECK) == Some(check)).then_some((key, value, rest))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn what_is_cut_at_any_byte_holds_what_was_whole_before() {
        let dir = tempfile::tempdir().unwrap();
        let (mut notes, _) = Notes::open(dir.path(), true).unwrap();
        notes.put(b"one", b"1").unwrap();
        let before = notes.end;
        notes.put(b"two", b"2").unwrap();
        let bytes = std::fs::read(dir.path().join("notes")).unwrap();
        for len in before..=bytes.len() as u64 {
            let cut = tempfile::tempdir().unwrap();
            std::fs::write(cut.path().join("notes"), &bytes[..len as usize]).unwrap();
            let (mut notes, notice) = Notes::open(cut.path(), true).unwrap();
            let whole = len == bytes.len() as u64;
            assert_eq!(notes.all().len(), if whole { 2 } else { 1 });
            assert_eq!(notice.is_none(), whole || len == before);
            notes.put(b"three", b"3").unwrap();
            let (again, notice) = Notes::open(cut.path(), true).unwrap();
            assert!(notice.is_none() && again.all().contains_key(b"three".as_slice()));
        }
    }

    #[test]
    fn a_start_leaves_the_past_behind() {
        let dir = tempfile::tempdir().unwrap();
        let (mut notes, _) = Notes::open(dir.path(), true).unwrap();
        for round in 0..1000u32 {
            notes.put(b"key", &[&round.to_be_bytes(), [7; 400].as_slice()].concat()).unwrap();
        }
        assert!(notes.end > SMALL_BYTES);
        let (notes, _) = Notes::open(dir.path(), true).unwrap();
        assert!(notes.end < 1000);
        assert_eq!(notes.all()[b"key".as_slice()][..4], 999u32.to_be_bytes());
    }
}
