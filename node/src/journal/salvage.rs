//! What of a damaged journal is proven all the same, put into a new one.
//!
//! A log's folder says by itself whether it is whole: its head is signed, and the root is derived from
//! its entries. So each log is taken or left by itself, and so is each commit, which is under its own
//! SHA-256. The evidence of a fork proves itself too, so it stays where its log does not: nobody may become
//! unsuspected by a damage. What is left comes again from others. The old journal is only read; where the
//! disk does not let it be read, nothing is given up: that is an error, and the repair is done again.

use std::{collections::BTreeMap, fs, path::Path};

use tutti_core::{
    evidence::Evidence, head::HeadKeys, limits::HEAD_BYTES_MAX, society::Origin, store::StoreError,
};

use super::{
    Commits, Journal,
    log::{self, Log},
    record::{self, BodiesMark, Change},
    settled::Settled,
};
use crate::{disk, index::Index, store::DiskError};

/// What was found, and what was left behind and why.
pub(crate) struct Salvaged {
    /// The commits that are whole, oldest first; perhaps with gaps, and some of them settled long ago;
    /// then the evidence of logs that were left.
    pub(crate) changes: Vec<Change>,
    /// Logs whose folder is not whole, and what is wrong with it. Where only cosignatures or evidence
    /// were damaged, the log is there all the same.
    pub(crate) left: BTreeMap<Origin, String>,
}

/// How far bodies were acknowledged, as far as that can still be read.
pub(crate) fn bodies_mark(old: &Path) -> Result<BodiesMark, DiskError> {
    Commits::salvage(old).map(|(_, mark)| mark)
}

/// Makes the journal `new`, in which bodies are durable up to `mark`, and puts into it each log of `old`
/// whose folder is whole.
pub(crate) fn salvage(
    old: &Path,
    new: &Path,
    mark: BodiesMark,
    keys: &impl HeadKeys,
) -> Result<Salvaged, DiskError> {
    let io = |error| DiskError::io(new, error);
    Journal::create(new)?;
    Commits::begin_with(new, mark).map_err(io)?;
    let (mut left, mut settled, mut accused) = (BTreeMap::new(), BTreeMap::new(), Vec::new());
    let listed = match Settled::open(old) {
        Err(DiskError::Damaged { .. }) => None,
        listed => Some(listed?),
    };
    for origin in listed.iter().flat_map(Settled::origins) {
        let folder = old.join(log::folder_name(origin));
        if !disk::is_dir(&folder).map_err(|error| DiskError::io(&folder, error))? {
            left.insert(origin.clone(), "its folder is missing".into());
        }
    }
    for name in disk::names_in(old).map_err(|error| DiskError::io(old, error))? {
        let Some(origin) = log::origin_of(&name) else { continue };
        let folder = old.join(&name);
        if !disk::is_dir(&folder).map_err(|error| DiskError::io(&folder, error))? {
            continue;
        }
        let (log, problem) = copy_log(&folder, new, &origin, keys)?;
        settled.extend(log.into_iter().flat_map(|log| log.found));
        if let Some(problem) = problem {
            accused.extend(evidence_in(&folder, &origin, keys)?);
            left.insert(origin, problem);
        }
    }
    settled.retain(|_, sum| sum.is_some());
    Settled::open(new)?.end(&settled).map_err(|error| match error {
        StoreError::Fatal(error) | StoreError::Full(error) => io(error),
        other => io(std::io::Error::other(other)),
    })?;
    let (payloads, _) = Commits::salvage(old)?;
    let change = |payload: &Vec<u8>| record::read(payload, keys).ok().map(|(_, change)| change);
    let changes = payloads.iter().filter_map(change);
    let changes = changes.chain(accused.into_iter().map(Change::Evidence)).collect();
    Ok(Salvaged { changes, left })
}

/// The evidence in a log's folder, where it holds.
fn evidence_in(
    folder: &Path,
    origin: &Origin,
    keys: &impl HeadKeys,
) -> Result<Option<Evidence>, DiskError> {
    let path = folder.join("evidence");
    let bytes = match disk::read(&path, 4 * HEAD_BYTES_MAX as u64) {
        // Larger than any: it is none.
        Err(error) if error.kind() == std::io::ErrorKind::InvalidData => None,
        // What cannot be read at this moment is not given up.
        bytes => bytes.map_err(|error| DiskError::io(&path, error))?,
    };
    let read = bytes.and_then(|bytes| Evidence::from_bytes(&bytes, keys).ok());
    Ok(read.filter(|evidence| evidence.origin() == origin))
}

/// Copies a log's folder; without its cosignatures and evidence where these are what is damaged, since
/// others tell them again. Says in words what is wrong; without a log nothing is copied.
fn copy_log(
    from: &Path,
    new: &Path,
    origin: &Origin,
    keys: &impl HeadKeys,
) -> Result<(Option<Log>, Option<String>), DiskError> {
    let to = new.join(log::folder_name(origin));
    let io = |error| DiskError::io(&to, error);
    let all = ["entries", "checkpoint", "consistency", "cosigned", "evidence"];
    let mut problem = None;
    for files in [&all[..], &all[..3]] {
        disk::make_dir(&to).map_err(io)?;
        for name in files {
            let path = from.join(name);
            if !path.try_exists().map_err(|error| DiskError::io(&path, error))? {
                continue;
            }
            fs::copy(&path, to.join(name))
                .and_then(|_| disk::open(&to.join(name), true))
                .and_then(|file| disk::sync(&file))
                .map_err(io)?;
        }
        disk::sync_dir(&to).map_err(io)?;
        let mut log = Log::new(new, origin.clone());
        let loaded = log.load(None, keys, false, &mut Index::in_memory(), &mut |_, _| ());
        match loaded.and_then(|_| log.verify()) {
            Ok(()) if log.heads.newest().is_some() => return Ok((Some(log), problem)),
            Ok(()) => problem = Some("there is no head of it".into()),
            Err(DiskError::Damaged { problem: said, .. }) => problem = Some(said),
            Err(error) => return Err(error),
        }
        fs::remove_dir_all(&to).map_err(io)?;
    }
    Ok((None, problem))
}
