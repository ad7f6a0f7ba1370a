//! The journal: every log's entries and heads, durable by one `fdatasync` a commit.
//!
//! ```text
//! journal/commits-a, commits-b   the commit log: what is newer than the folders (see `commits`)
//! journal/acknowledged           how far commits and bodies were acknowledged; a hint, not synced
//! journal/settled                which small files there are in them (see `settled`)
//! journal/<origin>/…             one folder a log, '/' as '_' (see `log`)
//! ```
//!
//! A commit is one record in the commit log: the entries, their head, the proof between the two.
//! It is one write into space that is allocated and one `fdatasync`, whether it is one's own
//! entry, a hundred of another's, or a cosignature. The folders, in their public formats, are
//! brought up to it later, for a thousand commits at a time (*settling*): when the commit log is
//! full, at start and at the end. Until then the newest entries are in memory too. So `entries`
//! stays a pure concatenation of entry bundles, and there is no instant in which a power cut leaves
//! entries without their head or a head without its entries: ADR 3 says why it is done so.

mod commits;
mod log;
mod record;
pub(crate) mod salvage;
mod settled;

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use tutti_core::{
    batch::VerifiedBatch,
    evidence::Evidence,
    head::{HeadKeys, SignedHead},
    society::Origin,
    store::StoreError,
};

pub(crate) use log::Log;
pub(crate) use record::{BodiesMark, Change};

use crate::{disk, index::Index, store::DiskError};
use commits::Commits;
use settled::Settled;

/// See the module.
pub(crate) struct Journal {
    commits: Commits,
    settled: Settled,
    logs: BTreeMap<Origin, Log>,
    writable: bool,
}

/// A journal that was opened.
pub(crate) struct OpenedJournal {
    pub(crate) journal: Journal,
    pub(crate) notices: Vec<String>,
    /// Bodies up to here were durable.
    pub(crate) bodies: BodiesMark,
}

impl Journal {
    /// Makes what a new node needs.
    pub(crate) fn create(dir: &Path) -> Result<(), DiskError> {
        disk::make_dir(dir)
            .and_then(|()| Settled::create(dir))
            .and_then(|()| Commits::create(dir))
            .map_err(|error| DiskError::io(dir, error))
    }

    /// Whether `dir` holds nothing but what [`Journal::create`] may have left half-made: no log, no commit,
    /// and no note of a start.
    pub(crate) fn is_unused(dir: &Path) -> Result<bool, DiskError> {
        let io = |error| DiskError::io(dir, error);
        for name in disk::names_in(dir).map_err(io)? {
            if name == "acknowledged" || disk::is_dir(&dir.join(&name)).map_err(io)? {
                return Ok(false);
            }
        }
        Commits::are_unused(dir)
    }

    /// Reads every log, takes what the commit log has more, derives every root, and compares it
    /// with the signed head. The index is checked and completed on the way.
    pub(crate) fn open(
        dir: &Path,
        keys: &impl HeadKeys,
        writable: bool,
        index: &mut Index,
        progress: &mut dyn FnMut(&str, u64, u64),
    ) -> Result<OpenedJournal, DiskError> {
        if !Commits::exist(dir)? {
            return Err(DiskError::Damaged {
                place: dir.display().to_string(),
                problem: "commits-a and commits-b belong here, and are not both here".into(),
            });
        }
        let (commits, found) = Commits::open(dir, writable)?;
        let mut notices: Vec<String> = found.notice.into_iter().collect();
        let mut bodies = found.bodies;
        let mut changes = Vec::new();
        for payload in &found.records {
            let (mark, change) =
                record::read(payload, keys).map_err(|problem| DiskError::Damaged {
                    place: Commits::place(dir),
                    problem: format!("{problem}; the roster may be older than the data"),
                })?;
            bodies = bodies.max(mark);
            changes.push(change);
        }
        let settled = Settled::open(dir)?;
        let (mut logs, mut found_files) = (BTreeMap::new(), BTreeMap::new());
        for (origin, keep) in origins(dir, &changes)? {
            let mut log = Log::new(dir, origin.clone());
            let mut tell = |done, of| progress(origin.as_str(), done, of);
            notices.extend(log.load(keep, keys, writable, index, &mut tell)?);
            found_files.extend(std::mem::take(&mut log.found));
            logs.insert(origin, log);
        }
        settled.check(&found_files)?;
        for change in changes {
            replay(dir, &mut logs, change)?;
        }
        for log in logs.values() {
            log.verify()?;
        }
        Ok(OpenedJournal { journal: Self { commits, settled, logs, writable }, notices, bodies })
    }

    /// Derives the index once more from the entries, into one that is new.
    pub(crate) fn fill(&mut self, index: &mut Index) -> Result<(), DiskError> {
        self.logs.values_mut().try_for_each(|log| log.fill(index))
    }

    /// Every log, in order.
    pub(crate) fn logs(&self) -> impl Iterator<Item = &Log> {
        self.logs.values()
    }

    /// One log.
    pub(crate) fn log(&self, origin: &Origin) -> Option<&Log> {
        self.logs.get(origin)
    }

    /// Refuses a batch that does not begin where its log ends, or continues another.
    pub(crate) fn check(&self, batch: &VerifiedBatch) -> Result<(), StoreError> {
        let log = self.log(batch.origin());
        let held = log.map_or(0, Log::size);
        if log.map_or(held == batch.start(), |log| log.tree == *batch.held()) {
            return Ok(());
        }
        Err(StoreError::Conflict { origin: batch.origin().clone(), held, start: batch.start() })
    }

    /// Makes room for the commit of a batch; the only step that needs new space on the disk.
    pub(crate) fn make_room(
        &mut self,
        batch: &VerifiedBatch,
        index: &mut Index,
    ) -> Result<(), StoreError> {
        self.make_room_for(record::len_of_batch(batch), index)
    }

    fn make_room_for(&mut self, len: usize, index: &mut Index) -> Result<(), StoreError> {
        if self.commits.fits(len) { Ok(()) } else { self.settle(index) }
    }

    /// Commits a batch that was checked. Room was made.
    pub(crate) fn append(
        &mut self,
        batch: &VerifiedBatch,
        bodies: BodiesMark,
    ) -> Result<(), StoreError> {
        self.commits.append(&record::of_batch(batch, bodies))?;
        self.commits.acknowledge(bodies);
        self.entry(batch.origin()).take(batch);
        Ok(())
    }

    /// Commits a head that came by itself, where it says anything new.
    pub(crate) fn put_head(
        &mut self,
        head: &SignedHead,
        bodies: BodiesMark,
        index: &mut Index,
    ) -> Result<(), StoreError> {
        let news =
            self.log(head.origin()).is_some_and(|log| log.heads.clone().offer(head, &log.tree));
        if !news {
            return Ok(());
        }
        let record = record::of_head(head, bodies);
        self.make_room_for(record.len(), index)?;
        self.commits.append(&record)?;
        self.commits.acknowledge(bodies);
        self.entry(head.origin()).offer(head);
        Ok(())
    }

    /// Commits the evidence of a fork, where there was none.
    pub(crate) fn put_evidence(
        &mut self,
        evidence: &Evidence,
        bodies: BodiesMark,
        index: &mut Index,
    ) -> Result<(), StoreError> {
        if self.log(evidence.origin()).is_some_and(|log| log.evidence.is_some()) {
            return Ok(());
        }
        let record = record::of_evidence(evidence, bodies);
        self.make_room_for(record.len(), index)?;
        self.commits.append(&record)?;
        self.commits.acknowledge(bodies);
        self.entry(evidence.origin()).accuse(evidence.clone());
        Ok(())
    }

    /// Bodies up to here are durable and acknowledged.
    pub(crate) fn acknowledge(&self, bodies: BodiesMark) {
        self.commits.acknowledge(bodies);
    }

    /// Brings every folder up to the commits. `Full` changes nothing that can be seen.
    pub(crate) fn settle(&mut self, index: &mut Index) -> Result<(), StoreError> {
        if !self.writable {
            return Ok(());
        }
        let changes: BTreeMap<_, _> = self.logs.values().flat_map(Log::changes).collect();
        self.settled.begin(&changes)?;
        for log in self.logs.values_mut() {
            log.settle(index)?;
        }
        self.settled.end(&changes)?;
        self.commits.settled();
        Ok(())
    }

    fn entry(&mut self, origin: &Origin) -> &mut Log {
        let dir = &self.commits.dir();
        self.logs.entry(origin.clone()).or_insert_with(|| Log::new(dir, origin.clone()))
    }
}

/// Every log that has a folder or a commit, and the size that the first commit of entries found.
fn origins(dir: &Path, changes: &[Change]) -> Result<BTreeMap<Origin, Option<u64>>, DiskError> {
    let mut origins = BTreeMap::new();
    let io = |error| DiskError::io(dir, error);
    for entry in fs::read_dir(dir).map_err(io)? {
        let entry = entry.map_err(io)?;
        let name = entry.file_name();
        if let Some(origin) = name.to_str().and_then(log::origin_of)
            && disk::is_dir(&entry.path()).map_err(io)?
        {
            origins.insert(origin, None);
        }
    }
    for change in changes {
        match change {
            Change::Append { start, head, .. } => {
                let keep = origins.entry(head.origin().clone()).or_insert(None);
                keep.get_or_insert(*start);
            }
            Change::Head(head) => {
                origins.entry(head.origin().clone()).or_insert(None);
            }
            Change::Evidence(evidence) => {
                origins.entry(evidence.origin().clone()).or_insert(None);
            }
        }
    }
    Ok(origins)
}

/// Does again what a commit did.
fn replay(dir: &Path, logs: &mut BTreeMap<Origin, Log>, change: Change) -> Result<(), DiskError> {
    let origin = match &change {
        Change::Append { head, .. } | Change::Head(head) => head.origin(),
        Change::Evidence(evidence) => evidence.origin(),
    };
    let log = logs.entry(origin.clone()).or_insert_with(|| Log::new(dir, origin.clone()));
    match change {
        Change::Append { start, entries, head, consistency } => {
            if start != log.size() {
                return Err(DiskError::Damaged {
                    place: Commits::place(dir),
                    problem: format!(
                        "a commit continues {} at {start}, where {} entries are held",
                        log.origin,
                        log.size()
                    ),
                });
            }
            log.push(&entries, &head, &consistency);
        }
        Change::Head(head) => log.offer(&head),
        Change::Evidence(evidence) => log.accuse(evidence),
    }
    Ok(())
}

/// The folder of the journal.
pub(crate) fn dir_of(data: &Path) -> PathBuf {
    data.join("journal")
}
