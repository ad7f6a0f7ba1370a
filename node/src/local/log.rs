//! The local log on the disk: one file that only grows, each record sealed, each bound to all that
//! came before it.
//!
//! A frame is its length, the leaf, a nonce and the sealed record; what the seal authenticates
//! besides is the leaf and the root of the tree before it. So a record that was changed, moved or
//! taken out of the middle stops the start, and so does another key. What a crash has left
//! half-written at the end was never answered; it is cut, and kept in `log.cut`. Room is made ahead, so that a read of a case can still be recorded
//! when the disk is full. Invariants: what `append` has returned for is on the disk; behind it there is nothing
//! but zeros and, after a crash, what is left of one piece.

use std::{
    fs::File,
    path::{Path, PathBuf},
};

use chacha20poly1305::{
    KeyInit as _, XChaCha20Poly1305, XNonce,
    aead::{Aead as _, Payload},
};
use rand_core::CryptoRngCore;
use sha2::{Digest as _, Sha256};
use tutti_core::{
    local::{self, LocalKeys},
    store::StoreError,
    tree::Tree,
};
use tutti_proto::v1;

use crate::{disk, store::DiskError};

/// Room that is made ahead: for some hundreds of records.
const ROOM: u64 = 128 * 1024;

/// A leaf, a record, and what sealing adds.
const FRAME_BYTES_MAX: usize = local::RECORD_BYTES_MAX + 1024;

/// What is written and synced at a time: the largest frame with its length. A power cut may leave any part of
/// it; a start that finds more than that behind the last sound frame has found damage.
const PIECE_BYTES_MAX: usize = FRAME_BYTES_MAX + 4;

const NONCE_BYTES: usize = 24;

/// A number and the beginning of its SHA-256.
const ACKNOWLEDGED_BYTES: usize = 16;

/// At the start of the file, by which the key is known before anything is cut, bytes.
const MARK_BYTES: u64 = 32;

/// One entry as it was written.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    pub(super) at_ms: u64,
    pub(super) record: v1::LocalRecord,
}

/// See the module.
pub(super) struct Log {
    path: PathBuf,
    /// `None`: in memory alone, for tests and the simulator.
    file: Option<File>,
    acknowledged: Option<File>,
    end: u64,
    room: u64,
    tree: Tree,
    /// Leaves with their salted records, where there is no file.
    memory: Vec<(Vec<u8>, Vec<u8>)>,
    failed: bool,
}

impl Log {
    /// One that forgets.
    pub(super) fn in_memory() -> Self {
        Self {
            path: PathBuf::new(),
            file: None,
            acknowledged: None,
            end: MARK_BYTES,
            room: 0,
            tree: Tree::default(),
            memory: Vec::new(),
            failed: false,
        }
    }

    /// Opens the file, or makes it; gives every entry, and a sentence where something was cut.
    pub(super) fn open(
        path: &Path,
        keys: &LocalKeys,
    ) -> Result<(Self, Vec<Entry>, Option<String>), DiskError> {
        let io = |error| DiskError::io(path, error);
        let file = disk::open(path, true).map_err(io)?;
        let length = file.metadata().map_err(io)?.len();
        let mut log = Self { path: path.into(), room: length, ..Self::in_memory() };
        let place = path.with_file_name("acknowledged");
        let beside = disk::open(&place, true).map_err(|error| DiskError::io(&place, error))?;
        let said = disk::read_at(&beside, ACKNOWLEDGED_BYTES, 0)
            .map_err(|error| DiskError::io(&place, error))?;
        let answered = acknowledged(&said).unwrap_or(0);
        if length == 0 && answered > 0 {
            return Err(log.damaged("it is missing or empty"));
        }
        let mark = keys.mark();
        match disk::read_at(&file, mark.len(), 0).map_err(io)? {
            found if found == mark => {}
            // Made a moment before a crash, or just now.
            found if found.iter().all(|byte| *byte == 0) && length <= MARK_BYTES => {
                disk::write_at(&file, &mark, 0).map_err(io)?;
                disk::sync(&file).map_err(io)?;
                path.parent().map_or(Ok(()), disk::sync_dir).map_err(io)?;
                log.room = MARK_BYTES;
            }
            _ => {
                return Err(
                    log.damaged("it was written under another local key, or its start is gone")
                );
            }
        }
        log.end = MARK_BYTES;
        let mut entries = Vec::new();
        while let Some((leaf, salted, next)) = log.read(&file, keys, log.end).map_err(io)? {
            let index = log.tree.size();
            let parsed = local::parse_leaf(&leaf, keys.log(), index);
            let opened =
                parsed.and_then(|leaf| Some((leaf.recorded_at_ms, local::opens(&leaf, &salted)?)));
            let Some((at_ms, record)) = opened else { break };
            log.tree.push(local::leaf_hash(&leaf), |_| ());
            entries.push(Entry { at_ms, record });
            log.end = next;
        }
        if answered > log.tree.size() {
            let gone = answered - log.tree.size();
            return Err(log.damaged(&format!(
                "the last {gone} of {answered} entries that were written and answered are missing \
                 or not whole"
            )));
        }
        let notice = log.settle(&file, length)?;
        log.file = Some(file);
        log.acknowledged = Some(beside);
        log.acknowledge();
        Ok((log, entries, notice))
    }

    /// What follows the last sound frame is zeros, or a piece that a crash has cut; more than that is
    /// damage.
    fn settle(&self, file: &File, length: u64) -> Result<Option<String>, DiskError> {
        let io = |error| DiskError::io(&self.path, error);
        let rest = usize::try_from(length.saturating_sub(self.end)).unwrap_or(usize::MAX);
        let rest = disk::read_at(file, rest.min(64 * 1024 * 1024), self.end).map_err(io)?;
        let Some(last) = rest.iter().rposition(|byte| *byte != 0) else { return Ok(None) };
        if last >= PIECE_BYTES_MAX {
            return Err(self.damaged("a record is not the one that was written"));
        }
        let cut = rest.get(..=last).unwrap_or_default();
        disk::replace(&self.path.with_extension("cut"), cut).map_err(io)?;
        disk::write_zeros(file, self.end, self.end + last as u64 + 1).map_err(io)?;
        disk::sync(file).map_err(io)?;
        Ok(Some(format!(
            "the end of {} was cut short, by a crash or a power cut; nobody was told that it had \
             been written. It is kept in log.cut beside it",
            self.path.display()
        )))
    }

    /// Notes that all so far was answered.
    fn acknowledge(&self) {
        if let Some(file) = &self.acknowledged {
            // It only sharpens what a later start can tell: no reason to stop.
            let _ = disk::write_at(file, &acknowledgement(self.tree.size()), 0);
        }
    }

    fn damaged(&self, what: &str) -> DiskError {
        DiskError::Damaged {
            place: format!("{} at byte {}", self.path.display(), self.end),
            problem: format!(
                "{what}. Nothing was changed. Restore the folder local/ from the last backup, and \
                 show this to your auditor"
            ),
        }
    }

    /// The frame at `at`: leaf, salted record, and where the next one begins.
    #[allow(clippy::type_complexity, reason = "read and taken apart in one place")]
    fn read(
        &self,
        file: &File,
        keys: &LocalKeys,
        at: u64,
    ) -> std::io::Result<Option<(Vec<u8>, Vec<u8>, u64)>> {
        let length = disk::read_at(file, 4, at)?;
        let Ok(length) = <[u8; 4]>::try_from(length) else { return Ok(None) };
        let length = u32::from_be_bytes(length) as usize;
        if length == 0 || length > FRAME_BYTES_MAX {
            return Ok(None);
        }
        let frame = disk::read_at(file, length, at + 4)?;
        if frame.len() < length {
            return Ok(None);
        }
        let opened = (|| {
            let (leaf_len, rest) = frame.split_first_chunk::<2>()?;
            let (leaf, rest) = rest.split_at_checked(usize::from(u16::from_be_bytes(*leaf_len)))?;
            let (nonce, sealed) = rest.split_at_checked(NONCE_BYTES)?;
            let cipher = XChaCha20Poly1305::new((&*keys.seal).into());
            let bound = [leaf, &self.tree.root().0].concat();
            let payload = Payload { msg: sealed, aad: &bound };
            let salted = cipher.decrypt(XNonce::from_slice(nonce), payload).ok()?;
            Some((leaf.to_vec(), salted))
        })();
        Ok(opened.map(|(leaf, salted)| (leaf, salted, at + 4 + length as u64)))
    }

    /// Writes records, in order: durable when it returns. Where there is no room for all of them, none
    /// stays.
    pub(super) fn append(
        &mut self,
        keys: &LocalKeys,
        records: Vec<v1::LocalRecord>,
        now_ms: u64,
        rng: &mut impl CryptoRngCore,
    ) -> Result<Vec<Entry>, StoreError> {
        if self.failed {
            return Err(StoreError::Fatal(std::io::Error::other("an earlier write has failed")));
        }
        let (mut tree, mut pieces) = (self.tree.clone(), Vec::<Vec<u8>>::new());
        let (mut entries, mut memory) = (Vec::new(), Vec::new());
        let cipher = XChaCha20Poly1305::new((&*keys.seal).into());
        for record in records {
            let salted = local::salted(&record, rng);
            if salted.len() > local::RECORD_BYTES_MAX {
                return Err(disk::unreadable("the local log", "a record is too large"));
            }
            let kind = local::kind_of(&record);
            let leaf = local::leaf(keys.log(), tree.size(), now_ms, kind, &salted);
            let mut nonce = [0; NONCE_BYTES];
            rng.fill_bytes(&mut nonce);
            let bound = [leaf.as_slice(), &tree.root().0].concat();
            let payload = Payload { msg: &salted, aad: &bound };
            let sealed = cipher
                .encrypt(XNonce::from_slice(&nonce), payload)
                .map_err(|_| StoreError::Fatal(std::io::Error::other("sealing failed")))?;
            let leaf_len = u16::try_from(leaf.len()).unwrap_or(u16::MAX);
            let length = 2 + leaf.len() + NONCE_BYTES + sealed.len();
            let mut frame = Vec::with_capacity(4 + length);
            frame.extend(u32::try_from(length).unwrap_or(u32::MAX).to_be_bytes());
            frame.extend(leaf_len.to_be_bytes());
            frame.extend(&leaf);
            frame.extend(nonce);
            frame.extend(sealed);
            let fits = |piece: &&mut Vec<u8>| piece.len() + frame.len() <= PIECE_BYTES_MAX;
            match pieces.last_mut().filter(fits) {
                Some(piece) => piece.extend(frame),
                None => pieces.push(frame),
            }
            tree.push(local::leaf_hash(&leaf), |_| ());
            memory.push((leaf, salted.to_vec()));
            entries.push(Entry { at_ms: now_ms, record });
        }
        let end = self.end + bytes_of(&pieces);
        if let Some(file) = &self.file {
            let written = write(file, &pieces, self.end, &mut self.room);
            self.failed = matches!(written, Err(StoreError::Fatal(_)));
            written?;
        } else {
            self.memory.extend(memory);
        }
        (self.end, self.tree) = (end, tree);
        self.acknowledge();
        Ok(entries)
    }

    #[cfg(test)]
    pub(super) fn end(&self) -> u64 {
        self.end
    }

    /// Whether a write has failed so that nobody knows what of it is on the disk.
    pub(super) fn has_failed(&self) -> bool {
        self.failed
    }

    /// How many entries.
    pub(super) fn size(&self) -> u64 {
        self.tree.size()
    }

    /// The files of an export for the auditor.
    pub(super) fn export(&self, keys: &LocalKeys) -> Result<Vec<(String, Vec<u8>)>, StoreError> {
        let damaged = |error: &dyn std::fmt::Display| {
            disk::unreadable(self.path.display().to_string(), error)
        };
        let head = local::head(keys, self.tree.size(), self.tree.root())
            .map_err(|error| damaged(&error))?;
        let mut entries = self.memory.clone();
        if let Some(file) = &self.file {
            let mut reader = Self { path: self.path.clone(), end: MARK_BYTES, ..Self::in_memory() };
            while reader.tree.size() < self.tree.size() {
                let frame = reader.read(file, keys, reader.end).map_err(|error| damaged(&error))?;
                let (leaf, salted, next) = frame.ok_or_else(|| damaged(&"a frame is gone"))?;
                reader.tree.push(local::leaf_hash(&leaf), |_| ());
                reader.end = next;
                entries.push((leaf, salted));
            }
        }
        Ok(local::files(head, &entries, keys.log()))
    }
}

fn bytes_of(pieces: &[Vec<u8>]) -> u64 {
    pieces.iter().map(|piece| piece.len() as u64).sum()
}

/// Makes pieces durable, one after another, from `at` on; `room` is the length of the file. `Full` leaves
/// zeros alone.
fn write(file: &File, pieces: &[Vec<u8>], at: u64, room: &mut u64) -> Result<(), StoreError> {
    make_room(file, at + bytes_of(pieces), room)?;
    let mut next = at;
    for (number, piece) in pieces.iter().enumerate() {
        if let Err(error) = disk::write_at(file, piece, next) {
            if disk::is_full(&error) {
                take_back(file, pieces.get(..=number).unwrap_or(pieces), at)?;
            }
            return Err(disk::failed(error));
        }
        disk::sync(file).map_err(StoreError::Fatal)?;
        next += piece.len() as u64;
    }
    Ok(())
}

/// Makes the file long enough for what ends at `end`, and longer for what comes later.
fn make_room(file: &File, end: u64, room: &mut u64) -> Result<(), StoreError> {
    if end <= *room {
        return Ok(());
    }
    let mut made = disk::write_zeros(file, *room, end + ROOM);
    *room = file.metadata().map_err(StoreError::Fatal)?.len();
    if made.as_ref().is_err_and(disk::is_full) {
        // Where there is no room left to make ahead, there may be for this.
        made = disk::write_zeros(file, *room, end);
        *room = file.metadata().map_err(StoreError::Fatal)?.len();
    }
    made.map_err(disk::failed)
}

/// Writes zeros over pieces that nobody is told of, from the last one back: wherever that ends, there is no
/// more than a part of one behind what is whole. Otherwise what is written there next would be followed by
/// the rest of them.
fn take_back(file: &File, pieces: &[Vec<u8>], at: u64) -> Result<(), StoreError> {
    let took = (|| -> std::io::Result<()> {
        let length = file.metadata()?.len();
        let mut end = at + bytes_of(pieces);
        for piece in pieces.iter().rev() {
            let start = end - piece.len() as u64;
            disk::write_zeros(file, start, end.min(length))?;
            disk::sync(file)?;
            end = start;
        }
        Ok(())
    })();
    took.map_err(|error| {
        StoreError::Fatal(std::io::Error::other(format!(
            "there was no room in the local log, and what had been begun could not be taken back: \
             {error}. Free some space and start the node again"
        )))
    })
}

fn acknowledgement(size: u64) -> Vec<u8> {
    let number = size.to_be_bytes();
    let check = Sha256::digest([b"tutti/v1/local-acknowledged".as_slice(), &number].concat());
    number.into_iter().chain(check.into_iter().take(8)).collect()
}

/// What an acknowledgement says; `None` where it is not whole.
fn acknowledged(bytes: &[u8]) -> Option<u64> {
    let size = u64::from_be_bytes(*bytes.first_chunk::<8>()?);
    (acknowledgement(size) == bytes).then_some(size)
}

#[cfg(test)]
mod tests;
