//! The bodies: append-only segments, in which a body is found by its place and digest and erased in
//! place.
//!
//! ```text
//! bodies/00000001, 00000002, …   segments; each a seal of the one before, where there is one, and
//!                                a run of frames (see `frame`), then zeros
//! ```
//!
//! A frame says key, length and state, so the index of bodies can be built from the segments
//! alone, and an erased body stays erased whatever happens to the index. Space is written ahead, so
//! that making a body durable is one write and one `fdatasync` without metadata.
//!
//! *Erasing*: the frame is first marked as being erased and synced (the intention is durable), then
//! the bytes are overwritten with zeros and synced, then the mark says erased. A start that finds
//! the intention alone finishes the work. Erasing what is not here writes a frame without bytes.
//! *Dropping* what was kept for others does the same, but the body is absent then, and may come again.
//! What a disk or file system keeps of overwritten sectors by itself is beyond this; that is why
//! bodies are sealed.
//!
//! *After a crash*: a frame behind the last acknowledged one that is not whole was never
//! acknowledged, and is cut off. One before it is damage: a header stops the start, and so does a
//! segment that does not end where the seal in the next one says. A body that is not
//! what was written is found when it is read, for every read checks the digest of the whole of it, or
//! when all are looked over by and by. From then on it counts as absent, and is written again in its
//! place when it comes.

mod frame;
pub(crate) mod salvage;
mod scan;

use std::{
    collections::{BTreeMap, BTreeSet},
    fs::File,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tutti_core::{
    body::{Body, BodyKey},
    store::{BodyState, StoreError},
};

pub(crate) use frame::Spot;

use crate::{disk, index::Index, journal::BodiesMark, store::DiskError};
use frame::{Frame, HEADER, STATE_AT, Seal, State};

/// A segment is left for a new one before it grows beyond this. The tests fill several.
const SEGMENT_BYTES: u64 = if cfg!(test) { 4 * 1024 } else { 64 * 1024 * 1024 };

/// Space is written ahead in pieces of this.
const AHEAD_BYTES: u64 = 1024 * 1024;

/// Of this much at once it would be written twice for less than that saves.
const AHEAD_WORTH_BYTES: u64 = AHEAD_BYTES / 16;

/// See the module.
pub(crate) struct Bodies {
    dir: PathBuf,
    segments: BTreeMap<u32, File>,
    current: u32,
    /// Where the next frame goes, and up to where the file is written.
    end: u64,
    written: u64,
    /// Where the segment before the current one ends.
    before: u64,
    /// How many frames there are.
    count: u64,
    /// The body that was read last, whole and checked: chunks of it are asked one after another.
    last: Mutex<Option<(BodyKey, Arc<Body>)>>,
    damaged: Mutex<Damaged>,
    /// Where [`Bodies::look_over`] goes on: a segment and a place in it.
    looked: (u32, u64),
}

/// Bodies that are here and are not what was written, as far as they were read. Each counts as absent
/// until it comes again.
#[derive(Debug, Default)]
struct Damaged {
    all: BTreeSet<BodyKey>,
    /// Those of which nobody was told, and where each stands.
    news: Vec<(BodyKey, String)>,
}

/// What a call of [`Bodies::put`] added, to undo it.
pub(crate) struct Added {
    keys: Vec<BodyKey>,
    segment: u32,
    end: u64,
}

impl Bodies {
    /// Makes what a new node needs.
    pub(crate) fn create(dir: &Path) -> Result<(), DiskError> {
        disk::make_dir(dir).map_err(|error| DiskError::io(dir, error))
    }

    /// Whether `dir` holds no more than [`Bodies::create`] makes: no segment.
    pub(crate) fn is_unused(dir: &Path) -> Result<bool, DiskError> {
        disk::names_in(dir).map(|names| names.is_empty()).map_err(|error| DiskError::io(dir, error))
    }

    /// Reads every frame's header; what is not whole behind `mark` is cut off, and erasures that
    /// were begun are finished. The index is compared and completed on the way.
    pub(crate) fn open(
        dir: &Path,
        mark: BodiesMark,
        writable: bool,
        index: &mut Index,
        progress: &mut dyn FnMut(u64, u64),
    ) -> Result<(Self, Vec<String>), DiskError> {
        scan::open(dir, mark, writable, index, progress)
    }

    /// Compares every body with the index once more, or fills a new one.
    pub(crate) fn fill(&self, index: &mut Index) -> Result<(), DiskError> {
        scan::each(self, |key, spot| {
            index.expect_body(&key, spot);
            true
        })
    }

    /// How many bodies the index must hold, erased ones too.
    pub(crate) fn count(&self) -> u64 {
        self.count
    }

    /// Up to where bodies are durable.
    pub(crate) fn mark(&self) -> BodiesMark {
        BodiesMark { segment: self.current, end: self.end }
    }

    fn path(&self, segment: u32) -> PathBuf {
        scan::path(&self.dir, segment)
    }

    /// Where a body stands. Where the index fails, the segments are asked: slow, never wrong.
    fn find(&self, key: &BodyKey, index: &Index) -> Result<Option<Spot>, StoreError> {
        if let Ok(spot) = index.body(key) {
            return Ok(spot);
        }
        let mut found = None;
        scan::each(self, |held, spot| {
            if held == *key {
                found = Some(spot);
            }
            found.is_none()
        })
        .map_err(|error| disk::unreadable(self.dir.display().to_string(), error))?;
        Ok(found)
    }

    /// The state of a body. Where nothing can be read it counts as absent.
    pub(crate) fn state(&self, key: &BodyKey, index: &Index) -> BodyState {
        match self.find(key, index) {
            Ok(Some(spot)) if spot.state != State::Present => BodyState::Erased,
            Ok(Some(_)) if !self.is_damaged(key) => BodyState::Present,
            Ok(Some(_) | None) | Err(_) => BodyState::Absent,
        }
    }

    fn damaged(&self) -> MutexGuard<'_, Damaged> {
        self.damaged.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_damaged(&self, key: &BodyKey) -> bool {
        self.damaged().all.contains(key)
    }

    /// Bodies that were found to be damaged since this was asked last, and where each stands.
    pub(crate) fn take_damaged(&mut self) -> Vec<(BodyKey, String)> {
        std::mem::take(&mut self.damaged().news)
    }

    /// Compares the next bodies with their digests, some `max_bytes` of them. Says whether there are
    /// more; after the last it begins anew.
    pub(crate) fn look_over(&mut self, max_bytes: u64) -> bool {
        scan::look_over(self, max_bytes)
    }

    /// The whole body at `spot`, checked. One that is not what was written counts as absent from then
    /// on.
    fn read(&self, key: &BodyKey, spot: Spot) -> Result<Arc<Body>, StoreError> {
        let body = self.read_checked(key, spot);
        if body.is_err() {
            let mut damaged = self.damaged();
            if damaged.all.insert(*key) {
                damaged.news.push((*key, self.place(spot)));
            }
        }
        body
    }

    fn place(&self, spot: Spot) -> String {
        format!("{} at byte {}", self.path(spot.segment).display(), spot.offset)
    }

    fn read_checked(&self, key: &BodyKey, spot: Spot) -> Result<Arc<Body>, StoreError> {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, body)) = last.as_ref().filter(|(held, _)| held == key) {
            return Ok(body.clone());
        }
        let place = || self.place(spot);
        let file = self
            .segments
            .get(&spot.segment)
            .ok_or_else(|| disk::unreadable(place(), "the file is missing"))?;
        let bytes = disk::read_at(file, spot.len as usize, spot.offset + HEADER as u64)
            .map_err(|error| disk::unreadable(place(), error))?;
        let Some(body) = Body::from_bound(bytes).filter(|body| body.key() == *key) else {
            return Err(disk::unreadable(
                place(),
                "a body is not what was written. The log is not touched by it; the body counts as \
                 absent and is asked for again from who may have it",
            ));
        };
        let body = Arc::new(body);
        *last = Some((*key, body.clone()));
        Ok(body)
    }

    /// Up to `max_bytes` from `offset` of a present body.
    pub(crate) fn body(
        &self,
        key: &BodyKey,
        offset: u64,
        max_bytes: usize,
        index: &Index,
    ) -> Result<Option<Vec<u8>>, StoreError> {
        let present = self.find(key, index)?.filter(|spot| spot.state == State::Present);
        let Some(spot) = present.filter(|_| !self.is_damaged(key)) else { return Ok(None) };
        let body = self.read(key, spot)?;
        let rest = usize::try_from(offset).ok().and_then(|offset| body.bytes().get(offset..));
        let rest = rest.unwrap_or_default();
        Ok(Some(rest.get(..max_bytes).unwrap_or(rest).to_vec()))
    }

    /// Makes bodies durable: one write, one `fdatasync`. A body that is here already is left, and
    /// written again in its place where it is damaged. `Full` and `Erased` change nothing.
    pub(crate) fn put(&mut self, bodies: &[Body], index: &mut Index) -> Result<Added, StoreError> {
        let mut added = Added { keys: Vec::new(), segment: self.current, end: self.end };
        let (mut frames, mut spots, mut repairs) = (Vec::new(), BTreeMap::new(), Vec::new());
        for body in bodies {
            let key = body.key();
            match self.find(&key, index)? {
                Some(spot) if spot.state != State::Present => return Err(StoreError::Erased),
                Some(spot) => {
                    if self.read(&key, spot).is_err() {
                        repairs.push((spot, body.bound(), key));
                    }
                }
                None if spots.contains_key(&key) => {}
                None => {
                    let frame = Frame::new(key, body.bound().len(), State::Present)?;
                    spots.insert(key, (frames.len() as u64, frame));
                    frame.write(body.bound(), &mut frames);
                }
            }
        }
        for (spot, body, key) in &repairs {
            let file = self.segment(spot.segment)?;
            disk::write_at(file, body, spot.offset + HEADER as u64)
                .and_then(|()| disk::sync(file))
                .map_err(StoreError::Fatal)?;
            self.damaged().all.remove(key);
        }
        if frames.is_empty() {
            return Ok(added);
        }
        let start = self.append(&frames)?;
        for (key, (at, frame)) in spots {
            index.put_body(&key, frame.at(self.current, start + at));
            self.count += 1;
            added.keys.push(key);
        }
        Ok(added)
    }

    /// Takes back what [`Bodies::put`] added, because the commit that it belongs to had no room.
    pub(crate) fn undo(&mut self, added: Added, index: &mut Index) -> Result<(), StoreError> {
        if added.keys.is_empty() {
            return Ok(());
        }
        for key in &added.keys {
            index.forget_body(key);
            self.count -= 1;
        }
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = None;
        let from = if self.current == added.segment { added.end } else { 0 };
        let file = self.segment(self.current)?;
        disk::set_len(file, from).and_then(|()| disk::sync(file)).map_err(StoreError::Fatal)?;
        (self.end, self.written) = (from, from);
        Ok(())
    }

    fn segment(&self, number: u32) -> Result<&File, StoreError> {
        self.segments.get(&number).ok_or_else(|| {
            disk::unreadable(self.path(number).display().to_string(), "the file is missing")
        })
    }

    /// Writes frames behind the last one and syncs. Says where they begin.
    fn append(&mut self, frames: &[u8]) -> Result<u64, StoreError> {
        let len = frames.len() as u64;
        if self.current == 0 || (self.end > 0 && self.end + len > SEGMENT_BYTES) {
            let next = self.current + 1;
            let file = disk::open(&self.path(next), true).map_err(disk::failed)?;
            disk::sync_dir(&self.dir).map_err(StoreError::Fatal)?;
            self.segments.insert(next, file);
            (self.before, self.current, self.end, self.written) = (self.end, next, 0, 0);
        }
        let sealed;
        let (mut frames, mut first) = (frames, 0);
        if self.current > 1 && self.end == 0 {
            let seal = Seal { segment: self.current - 1, end: self.before };
            sealed = [seal.to_bytes().as_slice(), frames].concat();
            frames = &sealed;
            first = HEADER as u64;
        }
        let len = frames.len() as u64;
        let (start, end) = (self.end, self.end + len);
        let file = self.segment(self.current)?;
        let large = len > AHEAD_WORTH_BYTES;
        let ahead = if large { end } else { end.next_multiple_of(AHEAD_BYTES) };
        let allocated = if end > self.written && !large {
            disk::write_zeros(file, self.written, ahead)
        } else {
            Ok(())
        };
        if let Err(error) = allocated.and_then(|()| disk::write_at(file, frames, start)) {
            disk::set_len(file, start).map_err(StoreError::Fatal)?;
            self.written = start;
            return Err(disk::failed(error));
        }
        disk::sync(file).map_err(StoreError::Fatal)?;
        self.written = self.written.max(if end > self.written { ahead } else { 0 });
        self.end = end;
        Ok(start + first)
    }

    /// See the module. Terminal.
    pub(crate) fn erase(&mut self, key: &BodyKey, index: &mut Index) -> Result<(), StoreError> {
        match self.find(key, index)? {
            Some(spot) if spot.state == State::Erased => return Ok(()),
            Some(spot) => {
                self.wipe(spot, State::Erasing)?;
                index.put_body(key, Spot { state: State::Erased, ..spot });
            }
            None => {
                let frame = Frame::new(*key, 0, State::Erased)?;
                let mut bytes = Vec::new();
                frame.write(&[], &mut bytes);
                let start = self.append(&bytes)?;
                index.put_body(key, frame.at(self.current, start));
                self.count += 1;
            }
        }
        self.forget_last(key);
        Ok(())
    }

    /// Overwrites a body that was kept for others; it is absent then. One that is not present stays
    /// what it is.
    pub(crate) fn drop_one(&mut self, key: &BodyKey, index: &mut Index) -> Result<(), StoreError> {
        let present = self.find(key, index)?.filter(|spot| spot.state == State::Present);
        if let Some(spot) = present {
            self.wipe(spot, State::Dropping)?;
            index.forget_body(key);
            self.count -= 1;
            self.forget_last(key);
        }
        Ok(())
    }

    /// Makes the intention durable, then overwrites.
    fn wipe(&self, spot: Spot, intention: State) -> Result<(), StoreError> {
        let file = self.segment(spot.segment)?;
        disk::write_at(file, &[intention.to_byte()], spot.offset + STATE_AT)
            .map_err(disk::failed)?;
        disk::sync(file).map_err(StoreError::Fatal)?;
        overwrite(file, Spot { state: intention, ..spot }).map_err(StoreError::Fatal)
    }

    fn forget_last(&self, key: &BodyKey) {
        self.damaged().all.remove(key);
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if last.as_ref().is_some_and(|(held, _)| held == key) {
            *last = None;
        }
    }
}

/// The second half of an erasure, whose intention is durable.
fn overwrite(file: &File, spot: Spot) -> std::io::Result<()> {
    let from = spot.offset + HEADER as u64;
    disk::write_zeros(file, from, from + u64::from(spot.len))?;
    disk::sync(file)?;
    let done = if spot.state == State::Dropping { State::Dropped } else { State::Erased };
    // Where this is lost, the next start overwrites zeros with zeros.
    disk::write_at(file, &[done.to_byte()], spot.offset + STATE_AT)
}
